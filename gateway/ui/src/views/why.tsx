/** Why: the reasoning that led to a node, or what came of it. */
import { useMemo, useRef, useState } from "preact/hooks";
import { type FoldBy } from "../graph/fold.ts";
import { withCircles } from "../graph/circles.ts";
import { corrections, EDGE_TYPES, filtered, NODE_TYPES, type Graph } from "../graph/model.ts";
import { withShown } from "../graph/parallel.ts";
import { depths, recordedAfter, strongestPath, strongestReason, type Path } from "../graph/paths.ts";
import { asList, changed, go, isId, link, listIn, useLoaded, useTitle, type Place } from "../state.ts";
import { count, cut, moment } from "../text.ts";
import { RECORDED } from "../then.ts";
import { countBeyond, FIRST, notedOf, walk, walkKey, type Walked, type Wanted } from "../walk.ts";
import { DrawnGraph } from "./drawn_graph.tsx";
import { Legend } from "./legend.tsx";
import { Exports, Failure, Field, NodeLine, Stale, Waiting } from "./parts.tsx";
import { PaperRecords } from "./paper.tsx";
import { RecordPanel } from "./record.tsx";
import { FIRST_ROWS, Timeline } from "./timeline.tsx";
import { Tree } from "./tree.tsx";

/** What the address says, if it is a depth. */
function depthAt(place: Place): number {
    const depth = Number(place.parameters.get("depth") ?? 10);
    return Number.isInteger(depth) && depth >= 0 ? Math.min(10000, depth) : 10;
}

/** What of an address means nothing here, or is not yet: it was passed over, and that is said. */
function oddOf({ parameters }: Place): string[] {
    const odd: string[] = [], say = (name: string, words: string): void => { odd.push(`${name}=${cut(parameters.get(name) ?? "", 40)} ${words}`); };
    const depth = parameters.get("depth"), direction = parameters.get("direction"), view = parameters.get("view"), asOf = parameters.get("asOf") ?? "";
    if (depth !== null && !(Number.isInteger(Number(depth)) && Number(depth) >= 0 && Number(depth) <= 10000))
        say("depth", "is no depth from 0 to 10000");
    if (direction !== null && !["ancestors", "descendants"].includes(direction))
        say("direction", "is neither ancestors nor descendants");
    if (view !== null && !VIEWS.some(([name]) => name === view))
        say("view", `is no view: ${VIEWS.map(([name]) => name).join(", ")}`);
    if (Date.parse(asOf) > Date.now())
        say("asOf", "lies ahead: what is shown is of now");
    return odd;
}

function Summary({ walked, place, start }: { walked: Walked; place: Place; start: string }) {
    const { graph, frontier, nextCursor, wanted } = walked, node = graph.nodes.get(start);
    return (
        <header class="summary">
            <h1>{node ? <NodeLine node={node} /> : start}</h1>
            <p class="faint">
                {count(graph.nodes.size, "node")}, {count(graph.edges.size, "edge")}
                {graph.edges.size === 0 && frontier.size === 0 && `; no ${wanted.options.direction === "ancestors" ? "cause" : "effect"} of it is recorded`}
                {nextCursor !== null && <>; there is more <a class="button screen-only" href={changed(place, { pages: wanted.pages + 1 })}>Fetch the next {FIRST.toLocaleString("en")}</a></>}
                {frontier.size > 0 && <>; the walk stopped for its depth at {count(frontier.size, "node")} <a href={changed(place, { depth: depthAt(place) + 10 })}>go deeper</a></>}
                {wanted.options.asOf && <>; as it was known at {moment(wanted.options.asOf)}</>}
            </p>
        </header>
    );
}

/** The slider moves over the times at which something was recorded, from the record itself on: before, there is nothing to ask for. Where it is let go, the service is asked. */
function AsOf({ place, graph, start }: { place: Place; graph: Graph; start: string }) {
    const asOf = place.parameters.get("asOf") ?? "", node = graph.nodes.get(start);
    const times = useMemo(() => [...new Set([...graph.nodes.values(), ...graph.edges.values()].map((record) => record.createdAt))].filter((time) => !node || time >= node.createdAt).sort(), [graph, node]);
    const index = asOf === "" ? times.length : times.filter((time) => time <= asOf).length;
    const [dragged, setDragged] = useState<number | null>(null);
    // The time that was asked for, which may lie between two at which something was recorded.
    const shown = dragged === null ? asOf : times[dragged - 1] ?? "";
    return (
        <fieldset class="asof">
            <legend>Then and now</legend>
            <label class="field"><span>As of {shown === "" ? "now" : moment(shown)}</span>
                <input type="range" min={1} max={times.length + 1} value={dragged ?? (asOf === "" ? times.length + 1 : index)}
                    onInput={(event) => { setDragged(Number(event.currentTarget.value)); }}
                    onChange={(event) => { const to = Number(event.currentTarget.value); setDragged(null); go(changed(place, { asOf: to > times.length ? null : times[to - 1] ?? null })); }} />
            </label>
            {node && <a class="button" title="with the edges that it was written with, and nothing else that came after it" href={changed(place, { asOf: RECORDED, direction: null })}>What was known when this was recorded</a>}
            {asOf !== "" && <>
                <label><input type="checkbox" checked={place.parameters.get("difference") === "1"} onChange={(event) => { go(changed(place, { difference: event.currentTarget.checked ? "1" : null })); }} /> show what came since</label>
                <a class="button" href={changed(place, { asOf: null, difference: null })}>Back to now</a>
            </>}
        </fieldset>
    );
}

function Checks({ legend, names, hidden, onChange }: { legend: string; names: readonly string[]; hidden: ReadonlySet<string>; onChange: (hidden: string) => void }) {
    return (
        <fieldset class="checks">
            <legend>{legend}</legend>
            {names.map((name) => (
                <label key={name}><input type="checkbox" checked={!hidden.has(name)} onChange={(event) => {
                    const next = new Set(hidden);
                    if (event.currentTarget.checked)
                        next.delete(name);
                    else
                        next.add(name);
                    onChange([...next].join(","));
                }} /> {name}</label>
            ))}
        </fieldset>
    );
}

function Controls({ place, graph, start }: { place: Place; graph: Graph; start: string }) {
    const { parameters } = place, depth = depthAt(place);
    const set = (name: string, value: string): void => { go(changed(place, { [name]: value })); };
    const hidden = new Set((parameters.get("hide") ?? "").split(",").filter(Boolean)), filtering = ["hide", "weight", "confidence", "author"].some((name) => parameters.has(name));
    return (
        <details class="how" open={matchMedia("(min-width: 34rem)").matches}><summary>How it is shown</summary>
        <form class="controls" onSubmit={(event) => { event.preventDefault(); }}>
            <Field label="Direction">
                <select value={parameters.get("direction") ?? "ancestors"} onChange={(event) => { set("direction", event.currentTarget.value === "ancestors" ? "" : "descendants"); }}>
                    <option value="ancestors">causes</option><option value="descendants">effects</option>
                </select>
            </Field>
            <Field label={`Depth ${depth}`}><input type="range" min={1} max={Math.max(50, depth)} value={depth} onChange={(event) => { set("depth", event.currentTarget.value); }} /></Field>
            <Field label="Fold by">
                <select value={parameters.get("fold") ?? "none"} onChange={(event) => { set("fold", event.currentTarget.value === "none" ? "" : event.currentTarget.value); }}>
                    <option value="none">nothing, unless it is large</option><option value="level">level</option><option value="type">level and type</option><option value="author">author</option>
                </select>
            </Field>
            <Field label="Strongest path">
                <select value={parameters.get("path") ?? ""} onChange={(event) => { set("path", event.currentTarget.value); }}>
                    <option value="">not shown</option><option value="strongest">strongest of all</option>
                    {parameters.get("select") && parameters.get("select") !== start && <option value="selected">between here and what is selected</option>}
                </select>
            </Field>
            <AsOf place={place} graph={graph} start={start} />
            <details open={filtering}><summary>Filters</summary><div>
            <Field label="Weight at least"><input type="number" step="0.1" value={parameters.get("weight") ?? ""} onChange={(event) => { set("weight", event.currentTarget.value); }} /></Field>
            <Field label="Confidence at least"><input type="number" min="0" max="1" step="0.1" value={parameters.get("confidence") ?? ""} onChange={(event) => { set("confidence", event.currentTarget.value); }} /></Field>
            <Field label="Author"><input type="text" value={parameters.get("author") ?? ""} onChange={(event) => { set("author", event.currentTarget.value); }} /></Field>
            <Checks legend="Nodes" names={NODE_TYPES} hidden={hidden} onChange={(value) => { set("hide", value); }} />
            <Checks legend="Edges" names={EDGE_TYPES} hidden={hidden} onChange={(value) => { set("hide", value); }} />
            </div></details>
        </form>
        </details>
    );
}

/** What the filters leave; the start always stays. */
function applyFilters(graph: Graph, place: Place, start: string): Graph {
    const { parameters } = place, hidden = new Set((parameters.get("hide") ?? "").split(","));
    const weight = parameters.get("weight"), confidence = parameters.get("confidence"), author = parameters.get("author")?.toLowerCase() ?? "";
    return filtered(graph,
        (node) => node.id === start || (!hidden.has(node.type) && (confidence === null || (node.confidence ?? 1) >= Number(confidence)) && node.author.toLowerCase().includes(author)),
        (edge) => !hidden.has(edge.type) && (weight === null || edge.weight >= Number(weight)));
}

function findPath(graph: Graph, place: Place, start: string, ancestors: boolean): Path | null {
    const selected = place.parameters.get("select");
    switch (place.parameters.get("path")) {
    case "strongest": return ancestors ? strongestReason(graph, start) : null;
    case "selected": return selected ? (ancestors ? strongestPath(graph, selected, start) : strongestPath(graph, start, selected)) : null;
    default: return null;
    }
}

/* Forms of export, as the service knows them: of the same direction, time and depth as what is looked at. */
const FORMS: readonly [title: string, format: string, part?: string][] = [
    ["As text", "human"], ["Markdown", "markdown"], ["SVG", "svg"], ["DOT", "dot"], ["Mermaid", "mermaid"], ["PROV-JSON", "prov"],
    ["CSV of nodes", "csv", "nodes"], ["CSV of edges", "csv", "edges"], ["CSV of annotations", "csv", "annotations"],
];

const VIEWS = [["graph", "Picture"], ["tree", "Tree"], ["time", "Timeline"]] as const;

const numberIn = (text: string | null, least: number, otherwise: number): number => Math.max(least, Number(text ?? otherwise) || otherwise);

/** What is wanted of the service, by the address. */
function wantedAt(place: Place): Wanted {
    const { parameters } = place;
    return {
        id: place.id, difference: parameters.get("difference") === "1", pages: numberIn(parameters.get("pages"), 1, 1), beyond: listIn(place, "beyond").filter(isId),
        options: {
            direction: parameters.get("direction") === "descendants" ? "descendants" : "ancestors",
            depth: depthAt(place), asOf: parameters.get("asOf") ?? "", division: parameters.get("division") ?? "",
        },
    };
}

const NO_STUBS: ReadonlyMap<string, string> = new Map();

/** Where the walk stopped, with how much lies beyond as soon as it is counted. A comparison of two times opens none. */
function useStubs(walked: Walked | null): ReadonlyMap<string, string> {
    const key = walked && walked.frontier.size > 0 ? `${walkKey(walked.wanted)} ${walked.wanted.pages} ${asList(walked.wanted.beyond)}` : "";
    const { value } = useLoaded(key, async (signal) => walked && key !== "" ? { of: walkKey(walked.wanted), stubs: await countBeyond(walked, signal) } : null);
    return useMemo(() => {
        if (!walked || walked.since)
            return NO_STUBS;
        // Those of another direction, depth or time count something else.
        const counted = value?.of === walkKey(walked.wanted) ? value.stubs : NO_STUBS;
        return new Map([...walked.frontier].map((id) => [id, counted.get(id) ?? "goes on"] as const).filter(([, words]) => words !== ""));
    }, [walked, value]);
}

const NO_NOTES: ReadonlySet<string> = new Set();

/** What was annotated, as soon as it is known. */
function useNotes(walked: Walked | null, written: number): ReadonlySet<string> {
    const key = walked ? `${written} ${walkKey(walked.wanted)} ${walked.wanted.pages} ${asList(walked.wanted.beyond)}` : "";
    const { value } = useLoaded(key, async (signal) => walked && key !== "" ? { of: walkKey(walked.wanted), noted: await notedOf(walked, signal) } : null);
    return walked && value?.of === walkKey(walked.wanted) ? value.noted : NO_NOTES;
}

export function Why({ place }: { place: Place }) {
    const start = place.id, { parameters } = place, wanted = wantedAt(place), { division } = wanted.options;
    const view = VIEWS.find(([name]) => name === parameters.get("view"))?.[0] ?? "graph", selected = parameters.get("select"), openedFolds = parameters.get("open") ?? "", closedRows = parameters.get("closed") ?? "";
    const odd = oddOf(place), held = useRef<Walked | null>(null);
    const { value: walked, error, loading } = useLoaded(`${walkKey(wanted)} ${wanted.pages} ${asList(wanted.beyond)}`, async (signal) => held.current = await walk(wanted, held.current, signal));
    // All that is claimed is claimed of what is drawn, which may be of before.
    const { options } = walked?.wanted ?? wanted, ancestors = options.direction === "ancestors";
    const compared = walked?.since ?? null, stubs = useStubs(walked), [written, setWritten] = useState(0), noted = useNotes(walked, written);
    const graph = useMemo(() => walked && applyFilters(compared?.graph ?? withCircles(walked.graph), place, start), [walked, compared, ...["hide", "weight", "confidence", "author"].map((name) => parameters.get(name)), start]);
    const levels = useMemo(() => graph ? depths(graph, start, ancestors) : new Map<string, number>(), [graph, start, ancestors]);
    const corrected = useMemo(() => graph ? corrections(graph) : new Map<string, never[]>(), [graph]);
    const after = useMemo(() => graph && ancestors ? recordedAfter(graph, start) : new Set<string>(), [graph, start, ancestors]);
    const path = useMemo(() => graph ? findPath(graph, place, start, ancestors) : null, [graph, ancestors, parameters.get("path"), parameters.get("path") === "selected" ? selected : "", start]);
    const kept = useMemo(() => new Set([start, ...path?.nodes ?? []]), [start, path]), opened = useMemo(() => new Set(listIn(place, "open")), [openedFolds]);
    const closed = useMemo(() => new Set(listIn(place, "closed")), [closedRows]);
    const marks = useMemo(() => ({
        corrected: new Set(corrected.keys()), after, noted, path: graph && path ? withShown(graph.edges.values(), path.edges) : new Set<string>(), stubs,
        ...(compared ? { nodeChange: compared.nodes, edgeChange: compared.edges, weights: compared.weights } : {}),
    }), [graph, corrected, after, noted, path, compared, stubs]);

    const about = cut(walked?.graph.nodes.get(start)?.note ?? "", 80);
    useTitle(about && (ancestors ? about : `What came of ${about}`));
    if (error)
        return <><Failure error={error} />{options.asOf && <p><a class="button" href={changed(place, { asOf: null, difference: null })}>Back to now</a></p>}</>;
    if (!walked || !graph)
        return <Waiting what="Tracing" />;

    const select = (id: string | null): void => { go(changed(place, { select: id }), true); };
    const openFold = (id: string): void => { go(changed(place, { open: asList([...opened, id]), ...(selected === id ? { select: null } : {}) })); };
    /* What lies beyond a node where the walk stopped joins the picture. */
    const openStub = (id: string): void => { go(changed(place, { beyond: asList([...wanted.beyond, id]) })); };
    const openNode = (id: string): void => {
        if (stubs.has(id))
            openStub(id);
        else
            select(id);
    };
    const rows = numberIn(parameters.get("rows"), FIRST_ROWS, FIRST_ROWS), rowsIn = (shown: number): number | null => shown > FIRST_ROWS ? shown : null;
    const node = selected === null ? undefined : graph.nodes.get(selected);
    return (
        <div class={`why${node ? " with-record" : ""}${view === "graph" ? " drawn" : ""}`} aria-busy={loading}>
            <div class="stage">
                <Stale loading={loading && walkKey(walked.wanted) !== walkKey(wanted)} what={wanted.options.asOf ? `Fetching what was known at ${moment(wanted.options.asOf)}` : "Fetching"} />
                {odd.length > 0 && <p class="faint" role="status">{odd.join("; ")}.</p>}
                <Summary walked={walked} place={place} start={start} />
                {compared && <p role="status"><span class="added">{count(compared.added.nodes, "record")} and {count(compared.added.edges, "edge")} came since</span>, <span class="changed">{compared.counts.changed} changed</span> ({compared.corrected.size} corrected since)</p>}
                {path && <p role="status">Strongest path: {count(path.edges.length, "edge")}, strength {path.strength.toPrecision(3)}</p>}
                {["strongest", "selected"].includes(parameters.get("path") ?? "") && !path && <p role="status">No path supports it.</p>}
                <div class="tabs" role="tablist" aria-label="Shown as">
                    {VIEWS.map(([name, title]) => <a key={name} role="tab" aria-selected={view === name} href={changed(place, { view: name === "graph" ? null : name })}>{title}</a>)}
                </div>
                <Controls place={place} graph={compared?.graph ?? walked.graph} start={start} />
                {view === "tree" ? <Tree graph={graph} start={start} ancestors={ancestors} corrected={marks.corrected} noted={noted} selected={selected} onSelect={select} changes={compared?.nodes} edgeChanges={compared?.edges} weights={compared?.weights} path={marks.path} stubs={stubs} onOpenStub={openStub}
                    shown={{ closed, rows }} onShown={(shown) => { go(changed(place, { closed: asList(shown.closed), rows: rowsIn(shown.rows) }), true); }} />
                    : view === "time" ? <Timeline graph={graph} selected={selected} corrected={marks.corrected} after={after} noted={noted} changes={compared?.nodes} onSelect={select}
                        shown={{ occurred: parameters.get("by") === "occurred", rows }} onShown={(shown) => { go(changed(place, { by: shown.occurred ? "occurred" : null, rows: rowsIn(shown.rows) }), true); }} />
                        : <DrawnGraph graph={graph} levels={levels} title={`${ancestors ? "Causes" : "Effects"} of ${start}`} marks={marks} about={start} ancestors={ancestors} by={(parameters.get("fold") ?? "none") as FoldBy}
                            opened={opened} kept={kept} selected={selected} onSelect={select} onOpenFold={openFold} onOpenNode={openNode} />}
                <Legend />
                <p class="faint screen-only">Export: <Exports path={`/reason/export/${encodeURIComponent(start)}`} parameters={{ direction: options.direction, depth: options.depth, asOf: options.asOf, division }} forms={FORMS} /> · <a href={link("freeze", start, { division })}>Freeze and prove</a></p>
            </div>
            <PaperRecords graph={graph} start={start} ancestors={ancestors} changes={compared?.nodes} hidden={(compared?.graph ?? walked.graph).nodes.size - graph.nodes.size} corrected={marks.corrected} after={after} noted={noted} />
            {node && <RecordPanel key={node.id} node={node} graph={graph} corrections={corrected.get(node.id) ?? []} division={division} live onSelect={select} onClose={() => { select(null); }} onNoted={() => { setWritten(written + 1); }} />}
        </div>
    );
}
