/** Which snapshots there are, newest first. */
import { get, objects, text } from "../api.ts";
import { changed, link, useLoaded, type Place } from "../state.ts";
import { count, cut, when } from "../text.ts";
import { DivisionUnknown } from "./division.tsx";
import { Failure, Waiting } from "./parts.tsx";

const PAGE = 20;

/** What its status means for whoever looks for one. */
const STATUSES: Record<string, string> = { complete: "", pending: "not complete yet", failed: "failed" };

export function Snapshots({ place }: { place: Place }) {
    const division = place.parameters.get("division") ?? "", cursor = place.parameters.get("cursor") ?? "";
    const { value, error, loading } = useLoaded(`${division} ${cursor}`, (signal) => get("/reason/snapshots", { limit: PAGE, division, cursor }, signal));
    if (error)
        return <Failure error={error} />;
    if (!value)
        return <Waiting what="Looking for snapshots" />;
    const found = objects(value["snapshots"]), next = text(value["nextCursor"]);
    return (
        <section aria-label="Snapshots that exist" aria-busy={loading}>
            <p role="status" class="faint extent">{found.length === 0 ? cursor ? "No more snapshots." : "There is no snapshot yet." : `${cursor ? "further " : ""}${count(found.length, "snapshot")}${next ? ", more follow" : ""}, the newest first`}</p>
            {found.length === 0 && division !== "" && <DivisionUnknown division={division} />}
            <ol class="results">
                {found.map((snapshot) => {
                    const id = text(snapshot["snapshotId"]), status = STATUSES[text(snapshot["status"])] ?? text(snapshot["status"]), of = text(snapshot["division"]);
                    return (
                        <li key={`${of} ${id}`}><a href={link("snapshot", id, { division: of })}>
                            <bdi class="note">{cut(text(snapshot["description"]) || id, 160)}</bdi>{" "}
                            <span class="faint">made {when(text(snapshot["createdAt"]))}, {count(Number(snapshot["nodeCount"] ?? 0), "node")}, {count(Number(snapshot["edgeCount"] ?? 0), "edge")}, in division {cut(of, 60)}</span>{" "}
                            {status && <span class={`state${status === "failed" ? " bad" : ""}`}>{status}</span>}{text(snapshot["documentErasedAt"]) && <span class="state">its document erased</span>}
                        </a></li>
                    );
                })}
            </ol>
            {next && <p><a class="button" href={changed(place, { cursor: next })}>Next page</a></p>}
        </section>
    );
}
