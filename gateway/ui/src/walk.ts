/** What of a trace is fetched: so many pages of it, and what lies beyond nodes at which it stopped and that were opened since. */
import { differences, getExport, trace, tracePage, type TraceOptions } from "./api.ts";
import { rowsOfCsv } from "./csv.ts";
import { comparisonOf, type Comparison } from "./graph/compare.ts";
import { emptyGraph, type Graph } from "./graph/model.ts";
import { count } from "./text.ts";

/** Nodes of a page. */
export const FIRST = 10000;
/* So many steps further an opened node shows. */
const BEYOND = 3;
/* So many nodes at which the walk stopped are asked for what lies beyond them, and so many are counted of each. */
const STUBS = 40;
const MOST_COUNTED = 100;

export interface Wanted { id: string; options: TraceOptions; /** with now */ difference: boolean; pages: number; /** nodes that were opened, in this order */ beyond: readonly string[] }

export interface Walked { wanted: Wanted; graph: Graph; /** where the walk stopped */ frontier: ReadonlySet<string>; nextCursor: string | null; since: Comparison | null }

async function begin(wanted: Wanted, signal: AbortSignal): Promise<Walked> {
    const { id, options, difference } = wanted, { direction, asOf, depth, division } = options, compares = difference && asOf !== "";
    const [page, present, found] = await Promise.all([
        trace(id, options, FIRST, signal),
        compares ? trace(id, { ...options, asOf: "" }, FIRST, signal) : null,
        compares ? differences({ node: id, asOfA: asOf, direction, depth, division }, signal) : null,
    ]);
    return { wanted: { ...wanted, pages: 1, beyond: [] }, graph: page.graph, frontier: new Set(page.frontier), nextCursor: page.nextCursor, since: present && found && comparisonOf(present.graph, found) };
}

const copyOf = (graph: Graph): Graph => ({ nodes: new Map(graph.nodes), edges: new Map(graph.edges) });

async function nextPage(walked: Walked, signal: AbortSignal): Promise<Walked> {
    const { wanted } = walked, page = await trace(wanted.id, wanted.options, FIRST, signal, copyOf(walked.graph), walked.nextCursor);
    return { ...walked, wanted: { ...wanted, pages: wanted.pages + 1 }, graph: page.graph, frontier: new Set([...walked.frontier, ...page.frontier]), nextCursor: page.nextCursor };
}

/** Nodes that are there already stay as they are: the walk did not stop at them. Where it did not stop, as in another direction or at another time, there is nothing to open. */
async function open(walked: Walked, id: string, signal: AbortSignal): Promise<Walked> {
    const { wanted } = walked;
    if (!walked.frontier.has(id))
        return { ...walked, wanted: { ...wanted, beyond: [...wanted.beyond, id] } };
    const page = await trace(id, { ...wanted.options, depth: BEYOND }, FIRST, signal);
    const graph = copyOf(walked.graph), frontier = new Set(walked.frontier), opened = graph.nodes.get(id);
    for (const node of page.graph.nodes.values())
        if (!graph.nodes.has(node.id)) {
            graph.nodes.set(node.id, node);
            if (node.frontier)
                frontier.add(node.id);
        }
    for (const edge of page.graph.edges.values())
        graph.edges.set(edge.id, edge);
    if (opened)
        graph.nodes.set(id, { ...opened, frontier: false });
    frontier.delete(id);
    return { ...walked, wanted: { ...wanted, beyond: [...wanted.beyond, id] }, graph, frontier };
}

async function goOn(walked: Walked, wanted: Wanted, signal: AbortSignal): Promise<Walked> {
    let now = walked;
    while (now.wanted.pages < wanted.pages && now.nextCursor !== null)
        now = await nextPage(now, signal);
    for (const id of wanted.beyond.slice(now.wanted.beyond.length))
        now = await open(now, id, signal);
    return now;
}

/** The address of a walk without what was fetched and opened since. */
export const walkKey = ({ id, options, difference }: Wanted): string => JSON.stringify([id, options, difference]);

/** Goes on from what is held already, if that is the beginning of what is wanted. */
export async function walk(wanted: Wanted, held: Walked | null, signal: AbortSignal): Promise<Walked> {
    if (held && walkKey(held.wanted) === walkKey(wanted) && held.wanted.pages <= wanted.pages && held.wanted.beyond.every((id, i) => wanted.beyond[i] === id))
        try {
            return await goOn(held, wanted, signal);
        } catch (error) {
            // Its cursor may have expired.
            if (signal.aborted)
                throw error;
        }
    return goOn(await begin(wanted, signal), wanted, signal);
}

/** How many causes or effects lie beyond each node where the walk stopped, as of its time; "" where none does. */
export async function countBeyond({ graph, frontier, wanted: { options } }: Walked, signal: AbortSignal): Promise<Map<string, string>> {
    const stubs = new Map<string, string>(), ids = [...frontier].slice(0, STUBS);
    const one = async (id: string): Promise<void> => {
        const page = await tracePage(id, { ...options, depth: 1, limit: MOST_COUNTED + 1 }, null, emptyGraph(), signal);
        const beyond = [...page.graph.nodes.keys()].filter((other) => other !== id && !graph.nodes.has(other)).length, more = page.nextCursor !== null;
        stubs.set(id, beyond === 0 && !more ? "" : `+${count(beyond, options.direction === "ancestors" ? "cause" : "effect")}${more ? " or more" : ""}`);
    };
    for (let i = 0; i < ids.length; i += 4)
        await Promise.all(ids.slice(i, i + 4).map((id) => one(id).catch(() => undefined)));
    return stubs;
}

/** Nodes that somebody annotated, as of the time that is drawn: a trace does not say it, an export does. */
export async function notedOf({ wanted, since }: Walked, signal: AbortSignal): Promise<Set<string>> {
    const { id, options, pages, beyond } = wanted, noted = new Set<string>();
    const look = async (start: string, depth: number, most: number): Promise<void> => {
        let cursor: string | null = null;
        for (let page = 0; page < most && (page === 0 || cursor !== null); page++) {
            const { body, nextCursor } = await getExport(start, {
                format: "csv", part: "annotations", direction: options.direction, depth, limit: FIRST, asOf: since ? "" : options.asOf, division: options.division, cursor: cursor ?? undefined,
            }, signal);
            for (const { record, node } of rowsOfCsv(body))
                if (record === "annotation" && node)
                    noted.add(node);
            cursor = nextCursor;
        }
    };
    await look(id, options.depth, pages);
    for (const start of beyond)
        await look(start, BEYOND, 1);
    return noted;
}
