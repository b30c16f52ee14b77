/** One record, whole: what it says, who said it, when, and what may be done from here. */
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, objects, post, Refused, text, within } from "../api.ts";
import { type Graph, type GraphEdge, type GraphNode } from "../graph/model.ts";
import { stated } from "../graph/parallel.ts";
import { isObject, type Json, type JsonObject } from "../proof/canonical.ts";
import { link, useLoaded } from "../state.ts";
import { cut, plainLines, short, when } from "../text.ts";
import { RECORDED } from "../then.ts";
import { Failure, Pair, States, TypeName } from "./parts.tsx";

const MOST_SHOWN = 100000;

export function JsonText({ value }: { value: Json | undefined }) {
    const whole = value === undefined ? "" : plainLines(JSON.stringify(value, null, 2));
    return <pre tabIndex={0} class="json">{whole.slice(0, MOST_SHOWN)}{whole.length > MOST_SHOWN ? `\n… ${whole.length - MOST_SHOWN} characters more` : ""}</pre>;
}

/** The entry of an ordered trace that is the node itself: it has the annotations and the event. */
async function attached(id: string, division: string, signal: AbortSignal): Promise<JsonObject> {
    const answer = await get(`/reason/traces/${encodeURIComponent(id)}`, { depth: 0, limit: 1, division }, signal);
    return objects(answer["ordered_path"])[0] ?? {};
}

function Notes({ annotations, bad }: { annotations: readonly JsonObject[]; /** those that do not verify */ bad?: ReadonlyMap<string, string[]> | undefined }) {
    return (
        <>
            <h3>Annotations</h3>
            {annotations.length === 0 && <p class="faint">none</p>}
            <ul class="plain">
                {annotations.map((annotation) => (
                    <li key={text(annotation["id"])}>
                        {annotation["erased"] === undefined ? <JsonText value={annotation["payload"]} /> : <p>Its content was erased.</p>}
                        <span class="faint"><bdi>{cut(text(annotation["author"]), 60)}</bdi>, {when(text(annotation["createdAt"]) || text(annotation["timestamp"]))}</span>
                        {bad?.get(text(annotation["id"]))?.map((fault) => <p key={fault} class="failure">{cut(fault, 200)}</p>)}
                    </li>
                ))}
            </ul>
        </>
    );
}

/** When, by whom and why: in a document a record says it itself, else the service is asked. */
function Erased({ record, division, live }: { record: JsonObject; division: string; live: boolean }) {
    const id = text(record["id"]), { value } = useLoaded(`${id} ${division} ${String(live)}`, async (signal) => live ? (await get(`/reason/node/${encodeURIComponent(id)}`, { limit: 1, division }, signal))["erasure"] : record["erased"]);
    return <p>Its content was erased{isObject(value) && <> {when(text(value["at"]))} by <bdi>{cut(text(value["by"]), 100)}</bdi>: <q class="note">{cut(text(value["reason"]), 1000)}</q></>}. The hash of it, {text(record["payloadHash"]) || "in its event"}, stays, and so does every proof.</p>;
}

/* Unless the service is set otherwise (reason.max_payload_size). */
const MOST_NOTE_BYTES = 256 * 1024;

function Annotations({ id, division, onNoted }: { id: string; division: string; onNoted: (() => void) | undefined }) {
    const [written, setWritten] = useState(0), [note, setNote] = useState(""), [error, setError] = useState<Error | null>(null), [busy, setBusy] = useState(false);
    const { value, error: failure } = useLoaded(`${id} ${division} ${written}`, (signal) => attached(id, division, signal));
    const size = useMemo(() => new TextEncoder().encode(JSON.stringify(note)).length, [note]), reference = isObject(value?.["auditRef"]) ? value["auditRef"] : null;
    const write = async (event: Event): Promise<void> => {
        event.preventDefault();
        setBusy(true);
        setError(null);
        try {
            await post(within(division, `/reason/annotate/${encodeURIComponent(id)}`), { note, ...(division ? { division } : {}) }, { "Idempotency-Key": crypto.randomUUID() });
            setNote("");
            onNoted?.();
            setWritten(written + 1);
        } catch (refused) {
            setError(refused instanceof Refused && refused.status === 403
                ? new Error("This certificate may not annotate. Ask an administrator for a client with the role writer, or write in SQL: reason.annotate().")
                : refused instanceof Error ? refused : new Error(String(refused)));
        }
        setBusy(false);
    };
    return (
        <section>
            {reference && <dl>
                <Pair name="Event"><code title={text(reference["eventId"])}>{short(text(reference["eventId"]))}</code></Pair>
                <Pair name="Hash in the chain"><code class="wide">{text(reference["hash"])}</code></Pair>
            </dl>}
            {failure && <Failure error={failure} />}
            <Notes annotations={objects(value?.["annotations"])} />
            <form onSubmit={(event) => { void write(event); }}>
                <label class="field"><span>Add a note; it stays for ever</span><textarea rows={2} required aria-describedby="about-notes" value={note} onInput={(event) => { setNote(event.currentTarget.value); }} /></label>
                <p class="faint" id="about-notes">It is recorded under the name of your certificate, which needs the role writer, and is shown to all who see this record. It is sealed and signed as the record is: nobody changes it, and an erasure takes its text alone. Up to {MOST_NOTE_BYTES / 1024} kB, unless the service is set otherwise{size > MOST_NOTE_BYTES / 2 && <>; this is <strong class={size > MOST_NOTE_BYTES ? "bad" : ""}>{Math.ceil(size / 1024)} kB</strong></>}.</p>
                <button type="submit" disabled={busy || note.trim() === ""}>Annotate</button>
            </form>
            {error && <Failure error={error} lasting />}
        </section>
    );
}

function Edges({ title, edges, end, graph, bad, onSelect }: { title: string; edges: GraphEdge[]; end: "from" | "to"; graph: Graph; bad: ReadonlyMap<string, string[]> | undefined; onSelect: (id: string) => void }) {
    if (edges.length === 0)
        return null;
    const outdated = new Set(stated(edges).flatMap(({ earlier }) => earlier.map((edge) => edge.id)));
    return (
        <section>
            <h3>{title} ({edges.length})</h3>
            <ul class="plain">
                {edges.slice(0, 200).map((edge) => {
                    const node = graph.nodes.get(edge[end]);
                    return (
                        <li key={edge.id}>
                            <button type="button" class="row" onClick={() => { onSelect(edge[end]); }}>
                                <span class={`relation relation-${edge.type}`}>{edge.type}, weight {edge.weight}</span>{outdated.has(edge.id) && <span class="state">weighed anew</span>}{bad?.get(edge.id)?.map((fault) => <span key={fault} class="state false">does not verify: {cut(fault, 200)}</span>)} {node ? <><TypeName type={node.type} /> {cut(node.note || node.id, 120)}</> : edge[end]}
                            </button>
                        </li>
                    );
                })}
            </ul>
            {edges.length > 200 && <p class="faint">and {edges.length - 200} more</p>}
        </section>
    );
}

/* A node does not rest on what corrects or contradicts it. Its corrections stand above, each with its author. */
const APART: readonly string[] = ["corrects", "contradicts"];
const RELATIONS: readonly [title: string, end: "from" | "to", types?: readonly string[]][] = [
    ["Rests on", "from"], ["Contradicted by", "from", ["contradicts"]], ["Leads to", "to"], ["Contradicts", "to", ["contradicts"]], ["Corrects", "to", ["corrects"]],
];

/* Where there is no room beside the picture, as in style.css. */
const SHEET = "(max-width: 60rem)";

/* The beginning of a long text, so that author and times stay in sight: the whole is in the payload below. */
const MOST_SAID = 400;

export interface RecordProps { node: GraphNode; graph: Graph; corrections: GraphNode[]; division: string; live: boolean; onSelect: (id: string) => void; onClose: () => void; /** it was annotated here */ onNoted?: () => void; faults?: string[]; /** of all records, by their ids */ bad?: ReadonlyMap<string, string[]> }

export function RecordPanel({ node, graph, corrections, division, live, onSelect, onClose, onNoted, faults, bad }: RecordProps) {
    const edges = [...graph.edges.values()], { record } = node, reference = isObject(record["payloadRef"]) ? record["payloadRef"] : null, noted = live ? [] : graph.annotations?.get(node.id) ?? [];
    const panel = useRef<HTMLElement>(null), inside = useRef(false);
    // At once: a moment later what has the focus may be in here already.
    useLayoutEffect(() => {
        // A sheet over the page is read at once; what had the focus before has it again once it was in what is closed.
        const before = document.activeElement, isSheet = matchMedia(SHEET).matches;
        if (isSheet)
            panel.current?.focus({ preventScroll: true });
        return () => { if (before instanceof HTMLElement && (isSheet || inside.current)) before.focus({ preventScroll: true }); };
    }, []);
    return (
        <article class="record" ref={panel} tabIndex={-1} aria-label={`${node.type} by ${cut(node.author, 60)}`}
            onFocusIn={() => { inside.current = true; }} onFocusOut={(event) => { if (event.relatedTarget instanceof Node && !event.currentTarget.contains(event.relatedTarget)) inside.current = false; }} onKeyDown={(event) => { if (event.key === "Escape" && !(event.target instanceof HTMLTextAreaElement)) onClose(); }}>
            <header>
                <h2><TypeName type={node.type} /> <States node={node} corrected={corrections.length > 0} /></h2>
                <button type="button" class="close" aria-label="Close" onClick={onClose}>×</button>
            </header>
            {faults && faults.length > 0 && <ul class="failure" role="alert">{faults.map((fault) => <li key={fault}>{fault}</li>)}</ul>}
            <p class="note">{cut(node.note, MOST_SAID)}</p>
            <dl>
                <Pair name="Author">{cut(node.author, 300)}</Pair>
                <Pair name="Recorded"><time dateTime={node.createdAt}>{when(node.createdAt)}</time></Pair>
                {node.ts !== null && <Pair name="Occurred"><time dateTime={node.ts}>{when(node.ts)}</time>, by its author's word</Pair>}
                {node.confidence !== null && <Pair name="Confidence">{node.confidence}</Pair>}
                {node.tags.length > 0 && <Pair name="Tags">{node.tags.map((tag) => <span class="tag" key={tag}>{cut(tag, 60)}</span>)}</Pair>}
                <Pair name="Id"><code class="wide">{node.id}</code></Pair>
                <Pair name="Digest"><code class="wide">{text(record["digest"])}</code></Pair>
            </dl>
            {corrections.length > 0 && <section class="corrections">
                <h3>Corrected by</h3>
                <ul class="plain">{corrections.map((c) => <li key={c.id}><button type="button" class="row" onClick={() => { onSelect(c.id); }}>{cut(c.note || c.id, 200)} <span class="faint">{cut(c.author, 60)}, {when(c.createdAt)}</span></button></li>)}</ul>
            </section>}
            {live && <nav class="actions" aria-label="From here">
                <a href={link("why", node.id, { division })}>Why</a>
                <a href={link("why", node.id, { division, direction: "descendants" })}>What came of it</a>
                <a href={link("impact", node.id, { division })}>What rests on it</a>
                <a href={link("why", node.id, { division, asOf: RECORDED })}>What was known then</a>
                <a href={link("compare", "", { a: node.id, division })}>Compare</a>
                <a href={link("freeze", node.id, { division })}>Freeze and prove</a>
            </nav>}
            <h3>Payload</h3>
            {node.state === "erased" ? <Erased record={record} division={division} live={live} /> : reference
                ? <dl>
                    <Pair name="Kept elsewhere, at">{cut(text(reference["uri"]), 2000)}</Pair>
                    <Pair name="Its SHA-256"><code class="wide">{text(reference["sha256"])}</code></Pair>
                    <Pair name="Its size">{typeof reference["size"] === "number" ? `${reference["size"].toLocaleString("en")} bytes` : ""}</Pair>
                </dl>
                : <JsonText value={record["payload"]} />}
            {isObject(record["metadata"]) && Object.keys(record["metadata"]).length > 0 && <><h3>Metadata</h3><JsonText value={record["metadata"]} /></>}
            {RELATIONS.map(([title, end, types]) => <Edges key={title} title={title} edges={edges.filter((edge) => edge[end === "from" ? "to" : "from"] === node.id && (types?.includes(edge.type) ?? !APART.includes(edge.type)))} end={end} graph={graph} bad={bad} onSelect={onSelect} />)}
            {noted.length > 0 && <section><Notes annotations={noted} bad={bad} /></section>}
            {live && <Annotations id={node.id} division={division || text(record["division"])} onNoted={onNoted} />}
        </article>
    );
}
