/**
 * "What was known then": an address says so with RECORDED in place of a time, and every view means the same by it.
 *
 * A record comes before the edges to it, for an edge needs both its ends. What it was recorded on is therefore told by
 * edges that came after it, and knownAt() says until which moment they count.
 */
import { get, text, trace } from "./api.ts";
import { type Graph, type GraphEdge } from "./graph/model.ts";
import { isObject } from "./proof/canonical.ts";
import { isId, type Place } from "./state.ts";

/** In place of a time: when the record was there with its reasons. */
export const RECORDED = "recorded";

/* Whoever writes a record and the edges to it takes so long at most; as long before it begins what is written together with it. */
const WRITTEN_WITHIN_MS = 60000;

/* As many causes are looked at, however far they are. */
const MOST_CAUSES = 100000, DEEPEST = 10000;

/**
 * The latest time at which nothing that came after a record is known but the edges that it was written with: those into
 * it, and into what was recorded within a minute before it, between records that were there. Whatever else was recorded
 * ends it: another record, what corrects, a further edge of one type between the same two records, an edge into older
 * ones. So does a minute. The graph is that of the record and all that leads to it.
 */
export function knownAt(graph: Graph, id: string): string | null {
    const about = graph.nodes.get(id);
    if (!about)
        return null;
    const begin = Date.parse(about.createdAt), isLater = ({ createdAt }: { createdAt: string }): boolean => createdAt > about.createdAt;
    const pairOf = ({ from, to, type }: GraphEdge): string => `${from}\n${to}\n${type}`, edges = [...graph.edges.values()];
    const joined = new Set(edges.filter((edge) => !isLater(edge)).map(pairOf)), later = new Map<string, GraphEdge[]>();
    for (const edge of edges)
        if (isLater(edge))
            later.set(edge.createdAt, [...later.get(edge.createdAt) ?? [], edge]);
    const end = [...graph.nodes.values()].filter(isLater).map((node) => node.createdAt).sort()[0] ?? "~";
    const belongs = (edge: GraphEdge): boolean => {
        const from = graph.nodes.get(edge.from), to = graph.nodes.get(edge.to);
        return !!from && !!to && !isLater(from) && !isLater(to) && edge.type !== "corrects" && begin - Date.parse(to.createdAt) <= WRITTEN_WITHIN_MS && !joined.has(pairOf(edge)) && joined.add(pairOf(edge)).size > 0;
    };
    let known = about.createdAt;
    for (const time of [...later.keys()].sort()) {
        if (time >= end || Date.parse(time) - begin > WRITTEN_WITHIN_MS || !(later.get(time) ?? []).every(belongs))
            break;
        known = time;
    }
    return known;
}

/** Which record each time of an address is about. */
function recordsOf({ id, parameters }: Place): Record<string, string> {
    const a = parameters.get("a") ?? parameters.get("node") ?? "";
    return { asOf: id, asOfA: a, asOfB: parameters.get("b") ?? a };
}

/** The times of an address that are to be looked up. */
export const unresolved = (place: Place): string[] =>
    Object.entries(recordsOf(place)).filter(([name, id]) => place.parameters.get(name) === RECORDED && isId(id)).map(([name]) => name);

/** What came of a record came after it: where that is looked at, the moment is its own. */
const looksAhead = ({ view, parameters }: Place): boolean => view === "impact" || parameters.get("direction") === "descendants";

async function timeOf(id: string, ahead: boolean, division: string, signal: AbortSignal): Promise<string> {
    const { node } = await get(`/reason/node/${encodeURIComponent(id)}`, { limit: 1, division }, signal), recorded = isObject(node) ? text(node["createdAt"]) : "";
    if (ahead || recorded === "")
        return recorded;
    // What came later than counts need not be fetched.
    const asOf = new Date(Date.parse(recorded) + WRITTEN_WITHIN_MS + 1).toISOString();
    const { graph, nextCursor } = await trace(id, { direction: "ancestors", depth: DEEPEST, asOf, division }, MOST_CAUSES, signal);
    // Some causes that were not looked at may have come after it.
    return nextCursor === null ? knownAt(graph, id) ?? recorded : recorded;
}

/** These times; the causes of the record are asked for, for whatever a view holds may lack them. */
export async function resolve(place: Place, signal: AbortSignal): Promise<Record<string, string>> {
    const records = recordsOf(place), division = place.parameters.get("division") ?? "";
    const times = unresolved(place).map(async (name): Promise<[string, string]> => [name, await timeOf(records[name] ?? "", looksAhead(place), division, signal)]);
    return Object.fromEntries(await Promise.all(times));
}
