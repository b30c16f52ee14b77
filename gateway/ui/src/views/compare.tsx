/** Compare: two snapshots, one node at two times, or two nodes, in one picture. */
import { useMemo } from "preact/hooks";
import { differences, get, getBytes, Refused, trace, type Parameters } from "../api.ts";
import { comparisonOf, type Change, type Comparison } from "../graph/compare.ts";
import { corrections, graphOfDocument, nodeOf, type Graph } from "../graph/model.ts";
import { depths } from "../graph/paths.ts";
import { textOf } from "../proof/bytes.ts";
import { isObject, type Json } from "../proof/canonical.ts";
import { asList, changed, go, isId, link, listIn, useLoaded, useTitle, type Place } from "../state.ts";
import { count, cut, moment, short } from "../text.ts";
import { RECORDED } from "../then.ts";
import { DrawnGraph } from "./drawn_graph.tsx";
import { Exports, Failure, Field, LIST_FORMS, NodeLine, Relation, Stale, Waiting } from "./parts.tsx";
import { timeOf } from "./find.tsx";
import { Legend } from "./legend.tsx";
import { RecordPanel } from "./record.tsx";

interface Side { graph: Graph; start: string }

/** What is drawn of a side: the graph of a snapshot, or else the causes of a node. */
async function side(id: string, asOf: string, division: string, signal: AbortSignal): Promise<Side> {
    try {
        await get(`/reason/snapshot/${encodeURIComponent(id)}`, { division }, signal);
    } catch (error) {
        if (!(error instanceof Refused) || error.status !== 404)
            throw error;
        const page = await trace(id, { direction: "ancestors", depth: 10000, asOf, division }, 10000, signal);
        return { graph: page.graph, start: id };
    }
    const document = JSON.parse(textOf(await getBytes(`/reason/snapshot/${encodeURIComponent(id)}`, { format: "canonical", division }, signal))) as Json;
    if (!isObject(document))
        throw new Error("the snapshot's document is no object");
    const roots = document["root_ids"];
    return { graph: graphOfDocument(document), start: Array.isArray(roots) && typeof roots[0] === "string" ? roots[0] : "" };
}

/** What the service is asked for, and exports it as. */
const asked = (a: string, b: string, asOfA: string, asOfB: string, division: string): Parameters => ({ ...(a === b ? { node: a } : { a, b }), asOfA, asOfB, division });

interface Compared { comparison: Comparison; start: string; /** what was compared */ sides: { a: string; b: string; asOfA: string; asOfB: string } }

async function compare(a: string, b: string, asOfA: string, asOfB: string, division: string, signal: AbortSignal): Promise<Compared> {
    const [after, found] = await Promise.all([side(b, asOfB, division, signal), differences(asked(a, b, asOfA, asOfB, division), signal)]);
    return { comparison: comparisonOf(after.graph, found), start: after.start, sides: { a, b, asOfA, asOfB } };
}

const WORDS: Record<Change, string> = { added: "added", removed: "gone", changed: "changed", same: "the same" };

/** A node at one end of an edge, in its words. */
function EndOf({ id, graph, division }: { id: string; graph: Graph; division: string }) {
    return <a href={link("why", id, { division })}><bdi>{cut(graph.nodes.get(id)?.note ?? "", 80) || id}</bdi></a>;
}

/** One side in words, for paper, where no form stands. */
function SideLine({ id, asOf, graph }: { id: string; asOf: string; graph: Graph }) {
    const note = graph.nodes.get(id)?.note;
    return <>{note ? <bdi>{cut(note, 120)} </bdi> : "snapshot "}<code class="wide">{id}</code>{asOf && ` as of ${moment(asOf)}`}</>;
}

/* How a time is written. */
const TIME = "2026-11-28T09:30";

/** One side is known: what it is, and what it may be compared with. */
function OtherSide({ id, division }: { id: string; division: string }) {
    const known = isId(id), { value } = useLoaded(known ? `${id} ${division}` : "", async (signal) => known ? get(`/reason/node/${encodeURIComponent(id)}`, { limit: 1, division }, signal) : null);
    const node = isObject(value?.["node"]) ? nodeOf(value["node"]) : null;
    return (
        <>
            {node && <p><NodeLine node={node} /></p>}
            <p>{known ? "Name what it is to be compared with: another snapshot or node, or a time for one side or both." : "Name two snapshots, two nodes, or one node at two times, each by its id."}</p>
            {node && <p><a class="button" href={link("compare", "", { a: id, asOfA: RECORDED, division })}>When it was recorded, with now</a></p>}
        </>
    );
}

export function Compare({ place }: { place: Place }) {
    const { parameters } = place, a = parameters.get("a") ?? parameters.get("node") ?? "", b = parameters.get("b") ?? a, division = parameters.get("division") ?? "";
    const asOfA = timeOf(parameters.get("asOfA") ?? ""), asOfB = timeOf(parameters.get("asOfB") ?? "");
    const openedFolds = parameters.get("open") ?? "", opened = useMemo(() => new Set(listIn(place, "open")), [openedFolds]);
    const onSubmit = (event: Event): void => {
        event.preventDefault();
        const values = Object.fromEntries([...new FormData(event.currentTarget as HTMLFormElement)].map(([name, v]) => [name, typeof v === "string" ? v.trim() : ""]));
        go(link("compare", "", values));
    };
    const ready = isId(a) && isId(b) && (b !== a || asOfA !== asOfB);
    const { value, error, loading } = useLoaded(ready ? JSON.stringify([a, b, asOfA, asOfB, division]) : "", async (signal) => ready ? compare(a, b, asOfA, asOfB, division, signal) : null);
    const compared = value?.comparison, sides = value?.sides ?? { a, b, asOfA, asOfB }, start = value?.start ?? "";
    const wordsOf = (id: string, asOf: string): string => (cut(compared?.graph.nodes.get(id)?.note ?? "", 60) || `snapshot ${short(id)}`) + (asOf && ` as of ${moment(asOf)}`);
    useTitle(compared ? sides.a === sides.b ? `${wordsOf(sides.a, "")} at two times` : `${wordsOf(sides.a, sides.asOfA)} compared with ${wordsOf(sides.b, sides.asOfB)}` : "");
    const levels = useMemo(() => compared ? depths(compared.graph, start, true) : new Map<string, number>(), [compared, start]);
    const corrected = useMemo(() => compared ? corrections(compared.graph) : new Map<string, never[]>(), [compared]);
    const marks = useMemo(() => ({ corrected: new Set(corrected.keys()), ...(compared ? { nodeChange: compared.nodes, edgeChange: compared.edges, weights: compared.weights } : {}) }), [compared, corrected]);
    const kept = useMemo(() => new Set([start]), [start]);
    const selected = parameters.get("select"), node = selected === null ? undefined : compared?.graph.nodes.get(selected);
    const select = (id: string | null): void => { go(changed(place, { select: id }), true); };
    const input = (name: string, label: string, value_: string, size: number, placeholder = "") => <Field label={label}><input key={value_} name={name} defaultValue={value_} size={size} placeholder={placeholder} spellcheck={false} /></Field>;
    return (
        <div class={node ? "why with-record" : "why"} aria-busy={loading}>
            <div class="stage">
                <h1>Compare</h1>
                <form class="controls" onSubmit={onSubmit}>
                    {input("a", "Snapshot or node", a, 36)}{input("asOfA", "as of (UTC)", asOfA, 27, TIME)}
                    {input("b", "with", parameters.get("b") ?? "", 36)}{input("asOfB", "as of (UTC)", asOfB, 27, TIME)}
                    <input type="hidden" name="division" value={division} />
                    <button type="submit">Compare</button>
                </form>
                {!ready ? <OtherSide id={a} division={division} /> : error ? <Failure error={error} /> : !compared ? <Waiting what="Comparing" /> : <>
                    <Stale loading={loading} what="Comparing" />
                    <p class="paper"><SideLine id={sides.a} asOf={sides.asOfA} graph={compared.graph} />, compared with <SideLine id={sides.b} asOf={sides.asOfB} graph={compared.graph} />. From {location.origin}.</p>
                    <p role="status"><span class="added">{compared.counts.added} added</span>, <span class="removed">{compared.counts.removed} gone</span>, <span class="changed">{compared.counts.changed} changed</span>, {compared.counts.same} the same</p>
                    <DrawnGraph graph={compared.graph} levels={levels} title="Both in one" marks={marks} about={start} by="none" opened={opened} kept={kept} selected={selected} onSelect={select}
                        onOpenFold={(id) => { go(changed(place, { open: asList([...opened, id]) })); }} onOpenNode={select} />
                    <details class="printed">
                        <summary>As a list: {count([...compared.nodes.values()].filter((change) => change !== "same").length, "node")} and {count([...compared.edges.values()].filter((change) => change !== "same").length, "edge")} differ</summary>
                        <ul class="results">{[...compared.nodes].filter(([, change]) => change !== "same").map(([id, change]) => {
                            const record = compared.graph.nodes.get(id);
                            return record && <li key={id}><span class={change}>{WORDS[change]}</span> <a href={link("why", id, { division })}><NodeLine node={record} corrected={marks.corrected.has(id)} /></a></li>;
                        })}</ul>
                        <ul class="plain" aria-label="Edges that differ">{[...compared.edges].filter(([, change]) => change !== "same").map(([id, change]) => {
                            const edge = compared.graph.edges.get(id);
                            return edge && <li key={id}><span class={change}>{WORDS[change]}</span> <Relation edge={edge} weights={compared.weights} /> from <EndOf id={edge.from} graph={compared.graph} division={division} /> to <EndOf id={edge.to} graph={compared.graph} division={division} /></li>;
                        })}</ul>
                    </details>
                    <Legend />
                    <p class="faint screen-only">Export: <Exports path="/reason/diff" parameters={asked(sides.a, sides.b, sides.asOfA, sides.asOfB, division)} forms={LIST_FORMS} /></p>
                </>}
            </div>
            {node && compared && <RecordPanel key={node.id} node={node} graph={compared.graph} corrections={corrected.get(node.id) ?? []} division={division} live onSelect={select} onClose={() => { select(null); }} />}
        </div>
    );
}
