/** Several edges of one type between the same two nodes: a weight is not altered but stated anew, and the newest is what is shown first. */
import { type GraphEdge } from "./model.ts";

/** The newest edge of each type between each two nodes, with those of before, the newest of them first. */
export interface Stated { edge: GraphEdge; earlier: GraphEdge[] }

const isNewer = (a: GraphEdge, b: GraphEdge): number => a.createdAt < b.createdAt ? 1 : a.createdAt > b.createdAt ? -1 : a.id < b.id ? 1 : -1;

/** Those of `apart` stand for themselves. */
export function stated(edges: Iterable<GraphEdge>, apart?: ReadonlySet<string>): Stated[] {
    const groups = new Map<string, GraphEdge[]>();
    for (const edge of edges) {
        const key = `${edge.from}\n${edge.to}\n${edge.type}\n${apart?.has(edge.id) ? edge.id : ""}`, group = groups.get(key);
        if (group)
            group.push(edge);
        else
            groups.set(key, [edge]);
    }
    return [...groups.values()].flatMap((group) => {
        const [edge, ...earlier] = group.length > 1 ? group.sort(isNewer) : group;
        return edge ? [{ edge, earlier }] : [];
    });
}

/** These edges, and those that are shown in their place. */
export function withShown(edges: Iterable<GraphEdge>, ids: Iterable<string>): Set<string> {
    const all = new Set(ids);
    for (const { edge, earlier } of stated(edges))
        if (earlier.some(({ id }) => all.has(id)))
            all.add(edge.id);
    return all;
}
