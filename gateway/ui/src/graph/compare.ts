/** What differs between two graphs: one node at two times, two nodes, or two snapshots. */
import { type Graph, type GraphEdge, type GraphNode } from "./model.ts";

export type Change = "added" | "removed" | "changed" | "same";

export interface Comparison { graph: Graph; nodes: Map<string, Change>; edges: Map<string, Change>; counts: Record<Change, number> }

function sameNode(a: GraphNode, b: GraphNode): boolean {
    return a.state === b.state && a.record["digest"] === b.record["digest"];
}

function sameEdge(a: GraphEdge, b: GraphEdge): boolean {
    return a.weight === b.weight && a.type === b.type;
}

function compareMaps<T>(before: Map<string, T>, after: Map<string, T>, same: (a: T, b: T) => boolean): [Map<string, T>, Map<string, Change>] {
    const all = new Map([...before, ...after]), changes = new Map<string, Change>();
    for (const id of all.keys()) {
        const a = before.get(id), b = after.get(id);
        changes.set(id, a === undefined ? "added" : b === undefined ? "removed" : same(a, b) ? "same" : "changed");
    }
    return [all, changes];
}

/** Both graphs in one, each record with what became of it from the first to the second. */
export function compare(before: Graph, after: Graph): Comparison {
    const [nodes, nodeChanges] = compareMaps(before.nodes, after.nodes, sameNode);
    const [edges, edgeChanges] = compareMaps(before.edges, after.edges, sameEdge);
    const counts: Record<Change, number> = { added: 0, removed: 0, changed: 0, same: 0 };
    for (const change of [...nodeChanges.values(), ...edgeChanges.values()])
        counts[change]++;
    return { graph: { nodes, edges }, nodes: nodeChanges, edges: edgeChanges, counts };
}
