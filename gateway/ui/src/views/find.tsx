/** Find: records by what is known of them. A page of the list is a link; so is the next. */
import { type ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { get, objects, post, postText, Refused, text, within } from "../api.ts";
import { NODE_TYPES, nodeOf } from "../graph/model.ts";
import { isObject, type Json, type JsonObject } from "../proof/canonical.ts";
import { go, isId, link, useLoaded, type Place } from "../state.ts";
import { count, cut } from "../text.ts";
import { DivisionUnknown } from "./division.tsx";
import { download, Failure, Field, LIST_FORMS, NodeLine, Waiting } from "./parts.tsx";

const TIMES = ["createdFrom", "createdTo", "occurredFrom", "occurredTo"] as const;

/** A time as the service takes it: UTC, where it names no zone. */
export const timeOf = (value: string): string => value === "" ? "" : /Z$|[+-]\d\d:\d\d$/.test(value) ? value : value + (value.length === 16 ? ":00Z" : "Z");

/** The filters of the service, from the parameters of the address. */
function filtersOf(parameters: URLSearchParams): JsonObject {
    const filters: JsonObject = {}, list = (name: string): string[] => (parameters.get(name) ?? "").split(",").map((part) => part.trim()).filter(Boolean);
    for (const name of ["types", "authors", "tags"])
        if (list(name).length > 0)
            filters[name] = list(name);
    for (const name of TIMES)
        if (parameters.get(name))
            filters[name] = timeOf(parameters.get(name) ?? "");
    for (const name of ["minConfidence", "maxConfidence"])
        if (parameters.get(name))
            filters[name] = Number(parameters.get(name));
    for (const name of ["text", "division"])
        if (parameters.get(name))
            filters[name] = parameters.get(name) ?? "";
    return filters;
}

/** How many records this is, and whether there are more. */
function extentOf(found: number, begins: boolean, goesOn: boolean): string {
    if (found === 0)
        return goesOn ? "Nothing on this page; there is more to look through." : begins ? "Nothing was found." : "Nothing more was found.";
    return `${begins ? goesOn ? "first " : "" : "further "}${count(found, "record")}${goesOn ? ", more follow" : begins ? "" : ", and no more"}, the newest first`;
}

/* So many pages without a find are looked through before the reader is asked. */
const MOST_PAGES = 50;

const QUERY = "/reason/query";
const pathOf = (body: JsonObject): string => within(isObject(body["filters"]) ? text(body["filters"]["division"]) : "", QUERY);

/** The next page that holds something: what somebody may not see is left out of pages, which may leave them empty. */
async function look(body: JsonObject, signal: AbortSignal, isStopped: () => boolean, tell: (pages: number) => void): Promise<JsonObject> {
    const path = pathOf(body);
    let answer: JsonObject;
    try {
        answer = await post(path, body, {}, signal);
    } catch (refused) {
        if (!(refused instanceof Refused && refused.status === 403 && path !== QUERY))
            throw refused;
        // The division is none that the client sees, if it sees any at all: then nothing was found, and the page says why.
        await get("/reason/divisions", { limit: 1 }, signal);
        return { nodes: [] };
    }
    for (let pages = 1; objects(answer["nodes"]).length === 0 && text(answer["nextCursor"]) && pages < MOST_PAGES && !isStopped(); pages++) {
        tell(pages);
        answer = await post(path, { ...body, cursor: text(answer["nextCursor"]) }, {}, signal);
    }
    return answer;
}

/* So many records an export holds at most (http-api.md). */
const MOST_EXPORTED = 1000;
const KINDS: Record<string, [ending: string, type: string]> = { human: ["txt", "text/plain"], markdown: ["md", "text/markdown"], csv: ["csv", "text/csv"] };

/** What was found, from the first of this page on, in the forms of lists. */
function QueryExports({ body }: { body: JsonObject }) {
    const [failure, setFailure] = useState<Error | null>(null), [busy, setBusy] = useState(false);
    const save = async (format: string): Promise<void> => {
        const [ending = "txt", type = "text/plain"] = KINDS[format] ?? [];
        setBusy(true);
        try {
            download(`found.${ending}`, await postText(pathOf(body), { ...body, limit: MOST_EXPORTED, format }), type);
            setFailure(null);
        } catch (refused) {
            setFailure(refused instanceof Error ? refused : new Error(String(refused)));
        }
        setBusy(false);
    };
    return (
        <>
            <p class="actions" role="group" aria-label="Export what was found" title={`up to ${MOST_EXPORTED.toLocaleString("en")} records, from the first of this page on`}>
                <span class="faint">Export what was found:</span>
                {LIST_FORMS.map(([title, format]) => <button key={format} type="button" disabled={busy} onClick={() => { void save(format); }}>{title}</button>)}
            </p>
            {failure && <Failure error={failure} lasting />}
        </>
    );
}

/* So many divisions are offered to choose from; others can be typed. */
const MOST_OFFERED = 100;

/* What is asked for less often; it takes a whole screen of a telephone. */
const RARE = ["authors", "tags", ...TIMES, "minConfidence", "maxConfidence", "division"];

/** Folded on a telephone; a value that the form does not take is shown where it stands. */
function Rare({ open, children }: { open: boolean; children: ComponentChildren }) {
    return matchMedia("(max-width: 40rem)").matches ? <details open={open} onInvalidCapture={(event) => { event.currentTarget.open = true; }}><summary>More to find by</summary><div>{children}</div></details> : <>{children}</>;
}

export function Find({ place }: { place: Place }) {
    const { parameters } = place, body: { [name: string]: Json } = { filters: filtersOf(parameters), limit: 50 };
    if (parameters.get("cursor"))
        body["cursor"] = parameters.get("cursor");
    const [looked, setLooked] = useState(0), stopped = useRef(false);
    const { value, error, loading } = useLoaded(JSON.stringify(body), (signal) => {
        stopped.current = false;
        setLooked(0);
        return look(body, signal, () => stopped.current, setLooked);
    });
    const onSubmit = (event: Event): void => {
        event.preventDefault();
        const values = Object.fromEntries([...new FormData(event.currentTarget as HTMLFormElement)].map(([name, v]) => [name, typeof v === "string" ? v.trim() : ""]));
        const id = values["text"] ?? "";
        if (isId(id))
            go(link("why", id.toLowerCase(), { division: values["division"] }));
        else
            go(link("find", "", values));
    };
    const { value: divisions } = useLoaded("divisions", (signal) => get("/reason/divisions", { limit: MOST_OFFERED }, signal));
    const input = (name: string, label: string, type: "text" | "search" | "number" | "datetime-local" = "text", more: Record<string, string> = {}) => (
        <Field label={label}><input key={parameters.get(name) ?? ""} name={name} defaultValue={parameters.get(name) ?? ""} {...{ type, ...more } as object} /></Field>
    );
    const nodes = objects(value?.["nodes"]).map((record) => nodeOf(record)), next = text(value?.["nextCursor"]);
    return (
        <>
            <h1>Find</h1>
            <form class="controls" onSubmit={onSubmit} role="search">
                {input("text", "Text, or an id", "search", { autofocus: "" })}
                <Field label="Type"><select key={parameters.get("types") ?? ""} name="types" defaultValue={parameters.get("types") ?? ""}>
                    <option value="">any</option>{NODE_TYPES.map((type) => <option key={type} value={type} selected={parameters.get("types") === type}>{type}</option>)}
                </select></Field>
                <Rare open={RARE.some((name) => parameters.get(name))}>
                    {input("authors", "Authors")}
                    {input("tags", "Tags")}
                    {input("createdFrom", "Recorded from (UTC)", "datetime-local")}
                    {input("createdTo", "Recorded to", "datetime-local")}
                    {input("occurredFrom", "Occurred from (UTC)", "datetime-local")}
                    {input("occurredTo", "Occurred to", "datetime-local")}
                    {input("minConfidence", "Confidence from", "number", { min: "0", max: "1", step: "any" })}
                    {input("maxConfidence", "Confidence to", "number", { min: "0", max: "1", step: "any" })}
                    {input("division", "Division", "text", { list: "divisions" })}
                </Rare>
                <datalist id="divisions">{objects(divisions?.["divisions"]).map((one) => <option key={text(one["division"])} value={text(one["division"])} />)}</datalist>
                <button type="submit">Find</button>
            </form>
            {loading && looked > 0 && <p role="status">{count(looked, "page")} without a find so far… <button type="button" onClick={() => { stopped.current = true; }}>Stop here</button></p>}
            {error ? <Failure error={error} /> : !value ? <Waiting what="Looking" /> : (
                <section aria-busy={loading}>
                    <p role="status" class="faint extent">{extentOf(nodes.length, !parameters.get("cursor"), next !== "")}</p>
                    {nodes.length === 0 && !next && parameters.get("division") && <DivisionUnknown division={parameters.get("division") ?? ""} />}
                    {nodes.length > 0 && <QueryExports body={body} />}
                    <ol class="results">
                        {nodes.map((node) => <li key={node.id}><a href={link("why", node.id, { division: text(node.record["division"]) })}><NodeLine node={node} />{text(node.record["division"]) && <span class="faint">· in division {cut(text(node.record["division"]), 60)}</span>}</a></li>)}
                    </ol>
                    {next && <p><a class="button" href={link("find", "", { ...Object.fromEntries(parameters), cursor: next })}>Next page</a></p>}
                </section>
            )}
        </>
    );
}
