/** What rests on a node: decisions first, each with whether it still stands. */
import { get, objects, text } from "../api.ts";
import { isObject, type JsonObject } from "../proof/canonical.ts";
import { changed, link, useLoaded, useTitle, type Place } from "../state.ts";
import { count, cut, figure, when } from "../text.ts";
import { Exports, Failure, LIST_FORMS, Stale, TypeName, Waiting } from "./parts.tsx";

/** What it says begins with its type, which stands before it already. */
function withoutType(row: JsonObject): string {
    const note = text(row["note"]), type = text(row["type"]);
    return note.startsWith(type + " ") ? note.slice(type.length + 1) : note;
}

export function Impact({ place }: { place: Place }) {
    const { id, parameters } = place, division = parameters.get("division") ?? "", cursor = parameters.get("cursor") ?? "", asOf = parameters.get("asOf") ?? "", depth = parameters.get("depth") ?? "";
    const path = `/reason/node/${encodeURIComponent(id)}/impact`;
    const { value, error, loading } = useLoaded(`${id} ${parameters.toString()}`, (signal) => get(path, { division, cursor, asOf, depth, limit: 200 }, signal));
    const words = isObject(value?.["node"]) ? cut(text(value["node"]["note"]), 80) : "";
    useTitle(words && `What rests on ${words}`);
    if (error)
        return <Failure error={error} />;
    if (!value)
        return <Waiting what="Following what came of it" />;
    const rows = objects(value["nodes"]), next = text(value["nextCursor"]), counts = isObject(value["counts"]) ? value["counts"] : {};
    const about = isObject(value["node"]) ? value["node"] : {};
    return (
        <div aria-busy={loading}>
            <h1>What rests on it</h1>
            <Stale loading={loading} what="Following what came of it" />
            <p><bdi>{cut(text(about["note"]), 300)}</bdi>{about["corrected"] === true && <> <span class="state bad">corrected</span></>}{about["quarantined"] === true && <> <span class="state bad">in quarantine</span></>}</p>
            <p class="screen-only"><a href={link("why", id, { division, direction: "descendants" })}>Show the picture</a></p>
            <p class="faint" role="status">{count(Number(counts["nodes"] ?? rows.length), "record rests", "records rest")} on it, {count(Number(counts["decisions"] ?? 0), "decision")} among them; {Number(counts["standing"] ?? 0).toLocaleString("en")} would stand without it{value["truncated"] === true ? "; this is a part" : ""}</p>
            <table class="stacked" tabIndex={0} aria-label="What rests on it">
                <thead><tr><th scope="col">Record</th><th scope="col">Steps away</th><th scope="col" title="The smallest weight × confidence along its best path">Weakest link</th><th scope="col">Other support</th><th scope="col">Stands without it</th></tr></thead>
                <tbody>
                    {rows.map((row) => {
                        const node = text(row["nodeId"]), support = isObject(row["support"]) ? row["support"] : {}, strength = support["strength"];
                        return (
                            <tr key={node}>
                                <td><a href={link("why", node, { division })}><TypeName type={text(row["type"])} /> <bdi class="note">{cut(withoutType(row), 200)}</bdi></a> <span class="faint">recorded {when(text(row["createdAt"]))}</span>{row["corrected"] === true && <> <span class="state bad">corrected</span></>}{row["quarantined"] === true && <> <span class="state bad">in quarantine</span></>}{row["erased"] === true && <> <span class="state">erased</span></>}</td>
                                <td data-label="steps away">{String(row["depth"] ?? "")}</td>
                                <td data-label="weakest link">{typeof strength === "number" ? figure(strength) : ""}</td>
                                <td data-label="other support">{support["other"] === true ? "yes" : "none"}</td>
                                <td data-label="stands without it">{row["stands"] === true ? "yes" : <strong class="bad">no</strong>}</td>
                            </tr>
                        );
                    })}
                </tbody>
            </table>
            <p class="faint screen-only">Export: <Exports path={path} parameters={{ division, asOf, depth }} forms={LIST_FORMS} /></p>
            {next && <p><a class="button" href={changed(place, { cursor: next })}>Next page</a></p>}
        </div>
    );
}
