/** Why: the reasoning that led to a node, or what came of it. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { differences, get, objects, trace, tracePage, text, type TraceOptions } from "../api.ts";
import { comparisonOf, type Comparison } from "../graph/compare.ts";
import { type FoldBy } from "../graph/fold.ts";
import { corrections, EDGE_TYPES, filtered, NODE_TYPES, type Graph } from "../graph/model.ts";
import { depths, recordedAfter, strongestPath, strongestReason, type Path } from "../graph/paths.ts";
import { changed, go, link, useLoaded, type Place } from "../state.ts";
import { count, cut, when } from "../text.ts";
import { DrawnGraph } from "./drawn_graph.tsx";
import { Failure, Field, NodeLine, Waiting } from "./parts.tsx";
import { PaperEvidence } from "./paper.tsx";
import { RecordPanel } from "./record.tsx";
import { Timeline } from "./timeline.tsx";
import { Tree } from "./tree.tsx";

const FIRST = 10000;
/* So many nodes at which the walk stopped are asked for what lies beyond them. */
const STUBS = 40;

interface Loaded { graph: Graph; frontier: string[]; nextCursor: string | null; /** with now, where that is asked for */ since: Comparison | null; stubs: Map<string, string> }

/** What lies beyond the nodes where the walk stopped: how many edges lead on. */
async function countBeyond(frontier: readonly string[], graph: Graph, options: TraceOptions, signal: AbortSignal): Promise<Map<string, string>> {
    const stubs = new Map<string, string>(), ids = frontier.slice(0, STUBS), ancestors = options.direction === "ancestors";
    const one = async (id: string): Promise<void> => {
        const answer = await get(`/reason/node/${encodeURIComponent(id)}`, { limit: 1000, division: options.division }, signal);
        const beyond = objects(answer[ancestors ? "incoming" : "outgoing"]).filter((edge) => !graph.nodes.has(text(edge[ancestors ? "from" : "to"])));
        stubs.set(id, `+${count(beyond.length, ancestors ? "cause" : "effect")}${answer["truncated"] === true ? " or more" : ""}`);
    };
    for (let i = 0; i < ids.length; i += 4)
        await Promise.all(ids.slice(i, i + 4).map((id) => one(id).catch(() => undefined)));
    for (const id of frontier)
        if (!stubs.has(id))
            stubs.set(id, "goes on");
    return stubs;
}

async function load(id: string, options: TraceOptions, difference: boolean, signal: AbortSignal): Promise<Loaded> {
    const { direction, depth, asOf, division } = options, compares = difference && asOf !== "";
    const [page, present, found] = await Promise.all([
        trace(id, options, FIRST, signal),
        compares ? trace(id, { ...options, asOf: "" }, FIRST, signal) : null,
        compares ? differences({ node: id, asOfA: asOf, direction, depth, division }, signal) : null,
    ]);
    return { ...page, since: present && found && comparisonOf(present.graph, found), stubs: await countBeyond(page.frontier, page.graph, options, signal) };
}

function Summary({ loaded, place, start, onMore }: { loaded: Loaded; place: Place; start: string; onMore: () => void }) {
    const node = loaded.graph.nodes.get(start);
    return (
        <header class="summary">
            <h1>{node ? <NodeLine node={node} /> : start}</h1>
            <p class="faint">
                {count(loaded.graph.nodes.size, "node")}, {count(loaded.graph.edges.size, "edge")}
                {loaded.nextCursor !== null && <>; there is more <button type="button" class="screen-only" onClick={onMore}>Fetch the next {FIRST.toLocaleString("en")}</button></>}
                {loaded.frontier.length > 0 && <>; the walk stopped for its depth at {count(loaded.frontier.length, "node")} <a href={changed(place, { depth: Number(place.parameters.get("depth") ?? 10) + 10 })}>go deeper</a></>}
                {place.parameters.get("asOf") && <>; as it was known at {when(place.parameters.get("asOf"))}</>}
            </p>
        </header>
    );
}

/** The slider moves over the times at which something was recorded; where it is let go, the service is asked. */
function AsOf({ place, graph, start }: { place: Place; graph: Graph; start: string }) {
    const asOf = place.parameters.get("asOf") ?? "", node = graph.nodes.get(start);
    const times = useMemo(() => [...new Set([...graph.nodes.values(), ...graph.edges.values()].map((record) => record.createdAt))].sort(), [graph]);
    const index = asOf === "" ? times.length : times.filter((time) => time <= asOf).length;
    const [dragged, setDragged] = useState<number | null>(null);
    const at = times[(dragged ?? index) - 1] ?? "";
    return (
        <fieldset class="asof">
            <legend>Then and now</legend>
            <label class="field"><span>As of {dragged === null && asOf === "" ? "now" : when(at)}</span>
                <input type="range" min={1} max={times.length + 1} value={dragged ?? (asOf === "" ? times.length + 1 : index)}
                    onInput={(event) => { setDragged(Number(event.currentTarget.value)); }}
                    onChange={(event) => { const to = Number(event.currentTarget.value); setDragged(null); go(changed(place, { asOf: to > times.length ? null : times[to - 1] ?? null })); }} />
            </label>
            {node && <a class="button" href={changed(place, { asOf: node.createdAt })}>What was known when this was recorded</a>}
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
    const { parameters } = place, depth = Number(parameters.get("depth") ?? 10);
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

function findPath(graph: Graph, place: Place, start: string): Path | null {
    const selected = place.parameters.get("select"), ancestors = place.parameters.get("direction") !== "descendants";
    switch (place.parameters.get("path")) {
    case "strongest": return ancestors ? strongestReason(graph, start) : null;
    case "selected": return selected ? (ancestors ? strongestPath(graph, selected, start) : strongestPath(graph, start, selected)) : null;
    default: return null;
    }
}

/** The address of what is looked at, as text: of the same time and depth. */
function exported(id: string, { depth, asOf, division }: TraceOptions): string {
    const search = new URLSearchParams({ format: "human", depth: String(depth), ...(asOf ? { asOf } : {}), ...(division ? { division } : {}) });
    return `/reason/export/${encodeURIComponent(id)}?${search.toString()}`;
}

const VIEWS = [["graph", "Picture"], ["tree", "Tree"], ["time", "Timeline"]] as const;

export function Why({ place }: { place: Place }) {
    const start = place.id, { parameters } = place, division = parameters.get("division") ?? "";
    const options: TraceOptions = {
        direction: parameters.get("direction") === "descendants" ? "descendants" : "ancestors",
        depth: Math.min(10000, Math.max(0, Number(parameters.get("depth") ?? 10) || 0)), asOf: parameters.get("asOf") ?? "", division,
    };
    const difference = parameters.get("difference") === "1", view = parameters.get("view") ?? "graph", selected = parameters.get("select");
    const [grown, setGrown] = useState<{ key: string; graph: Graph; nextCursor: string | null } | null>(null), [opened, setOpened] = useState<ReadonlySet<string>>(new Set()), [failure, setFailure] = useState<Error | null>(null);
    const key = JSON.stringify([start, options, difference]);
    const { value, error, loading } = useLoaded(key, (signal) => load(start, options, difference, signal));

    const whole = grown?.key === key ? grown.graph : value?.graph ?? null, nextCursor = grown?.key === key ? grown.nextCursor : value?.nextCursor ?? null;
    const compared = value?.since ?? null;
    const graph = useMemo(() => whole && applyFilters(compared?.graph ?? whole, place, start), [whole, compared, parameters.toString(), start]);
    const levels = useMemo(() => graph ? depths(graph, start, options.direction === "ancestors") : new Map<string, number>(), [graph, start, options.direction]);
    const corrected = useMemo(() => graph ? corrections(graph) : new Map<string, never[]>(), [graph]);
    const after = useMemo(() => graph && options.direction === "ancestors" ? recordedAfter(graph, start) : new Set<string>(), [graph, start, options.direction]);
    const path = useMemo(() => graph ? findPath(graph, place, start) : null, [graph, parameters.get("path"), parameters.get("path") === "selected" ? selected : "", start]);
    const kept = useMemo(() => new Set([start, ...path?.nodes ?? []]), [start, path]);
    const marks = useMemo(() => ({
        corrected: new Set(corrected.keys()), after, path: new Set([...path?.edges ?? []]), stubs: value?.stubs ?? new Map<string, string>(),
        ...(compared ? { nodeChange: compared.nodes, edgeChange: compared.edges } : {}),
    }), [corrected, after, path, compared, value]);

    const about = cut(whole?.nodes.get(start)?.note ?? "", 80);
    useEffect(() => {
        if (about)
            document.title = `${about} · Reasoning Graph`;
    }, [about]);
    if (error)
        return <Failure error={error} />;
    if (!value || !graph || !whole)
        return <Waiting what="Tracing" />;

    const select = (id: string | null): void => {
        if (id !== null && !graph.nodes.has(id))
            setOpened(new Set([...opened, id]));
        else
            go(changed(place, { select: id }), true);
    };
    /* What lies beyond a node where the walk stopped joins the picture. */
    const extend = async (id: string): Promise<void> => {
        try {
            const more = { nodes: new Map(whole.nodes), edges: new Map(whole.edges) };
            let cursor: string | null = null;
            do {
                const page: { nextCursor: string | null } = await tracePage(id, { ...options, depth: 3 }, cursor, more);
                cursor = page.nextCursor;
            } while (cursor !== null && more.nodes.size < FIRST);
            value.stubs.delete(id);
            setGrown({ key, graph: more, nextCursor });
        } catch (refused) {
            setFailure(refused instanceof Error ? refused : new Error(String(refused)));
        }
    };
    /* The pages after those that were fetched. */
    const fetchMore = async (): Promise<void> => {
        try {
            const more = await trace(start, options, FIRST, undefined, { nodes: new Map(whole.nodes), edges: new Map(whole.edges) }, nextCursor);
            setGrown({ key, graph: more.graph, nextCursor: more.nextCursor });
        } catch (refused) {
            setFailure(refused instanceof Error ? refused : new Error(String(refused)));
        }
    };
    const open = (id: string): void => {
        if (value.stubs.has(id))
            void extend(id);
        else
            select(id);
    };
    const node = selected === null ? undefined : graph.nodes.get(selected);
    return (
        <div class={`why${node ? " with-record" : ""}${view === "graph" ? " drawn" : ""}`} aria-busy={loading}>
            <div class="stage">
                <Summary loaded={{ ...value, graph: whole, nextCursor }} place={place} start={start} onMore={() => { void fetchMore(); }} />
                {compared && <p role="status"><span class="added">{count(compared.counts.added, "record")} came since</span>, <span class="changed">{compared.counts.changed} changed</span> ({compared.corrected.size} corrected since)</p>}
                {path && <p role="status">Strongest path: {count(path.edges.length, "edge")}, strength {path.strength.toPrecision(3)}</p>}
                {parameters.get("path") && !path && <p role="status">No path supports it.</p>}
                {failure && <Failure error={failure} />}
                <div class="tabs" role="tablist" aria-label="Shown as">
                    {VIEWS.map(([name, title]) => <a key={name} role="tab" aria-selected={view === name} href={changed(place, { view: name === "graph" ? null : name })}>{title}</a>)}
                </div>
                <Controls place={place} graph={compared?.graph ?? whole} start={start} />
                {view === "tree" ? <Tree graph={graph} start={start} ancestors={options.direction === "ancestors"} corrected={marks.corrected} selected={selected} onSelect={select} changes={compared?.nodes} />
                    : view === "time" ? <Timeline graph={graph} selected={selected} corrected={marks.corrected} onSelect={select} />
                        : <DrawnGraph graph={graph} levels={levels} title={`${options.direction === "ancestors" ? "Causes" : "Effects"} of ${start}`} marks={marks} about={start} by={(parameters.get("fold") ?? "none") as FoldBy}
                            opened={opened} kept={kept} selected={selected} onSelect={select} onOpenFold={(id) => { setOpened(new Set([...opened, id])); }} onOpenNode={open} />}
                <p class="faint screen-only"><a href={exported(start, options)} target="_blank" rel="noopener">As text</a> · <a href={link("freeze", start, { division })}>Freeze and prove</a></p>
            </div>
            <PaperEvidence graph={graph} start={start} corrected={marks.corrected} after={after} />
            {node && <RecordPanel key={node.id} node={node} graph={graph} corrections={corrected.get(node.id) ?? []} division={division} live onSelect={select} onClose={() => { select(null); }} />}
        </div>
    );
}
