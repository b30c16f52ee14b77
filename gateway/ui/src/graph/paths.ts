/** Paths in a graph that is held: the strongest, and the levels that a walk from a node gives. */
import { byEnd, filtered, type Graph, type GraphEdge } from "./model.ts";

/** How far each node is from the start along edges against their direction, or along it. */
export function depths(graph: Graph, start: string, ancestors: boolean): Map<string, number> {
    const next = byEnd(graph.edges.values(), ancestors ? "to" : "from"), depth = new Map([[start, 0]]), queue = [start];
    for (let id = queue.shift(); id !== undefined; id = queue.shift())
        for (const edge of next.get(id) ?? []) {
            const other = ancestors ? edge.from : edge.to;
            if (!depth.has(other)) {
                depth.set(other, (depth.get(id) ?? 0) + 1);
                queue.push(other);
            }
        }
    return depth;
}

/** Weight of an edge by the confidence of its cause, between 0 and 1; what is not stated counts as 1. */
export function strength(graph: Graph, edge: GraphEdge): number {
    return Math.min(1, Math.max(0, edge.weight)) * Math.min(1, Math.max(0, graph.nodes.get(edge.from)?.confidence ?? 1));
}

export interface Path { nodes: string[]; edges: string[]; strength: number }

/** A binary heap, the largest first. */
class Heap {
    private readonly items: { key: number; id: string }[] = [];

    push(key: number, id: string): void {
        const { items } = this;
        let at = items.push({ key, id }) - 1;
        for (let up = (at - 1) >> 1; at > 0 && (items[up]?.key ?? 0) < key; at = up, up = (at - 1) >> 1)
            [items[at], items[up]] = [items[up] as { key: number; id: string }, items[at] as { key: number; id: string }];
    }

    pop(): { key: number; id: string } | undefined {
        const { items } = this, top = items[0], last = items.pop();
        if (items.length > 0 && last) {
            items[0] = last;
            for (let at = 0; ;) {
                let largest = at;
                for (const child of [2 * at + 1, 2 * at + 2])
                    if ((items[child]?.key ?? -1) > (items[largest]?.key ?? -1))
                        largest = child;
                if (largest === at)
                    break;
                [items[at], items[largest]] = [items[largest] as { key: number; id: string }, items[at] as { key: number; id: string }];
                at = largest;
            }
        }
        return top;
    }
}

/** Whether an edge is a reason: what contradicts or corrects leads nowhere. */
const supports = (edge: GraphEdge): boolean => edge.type !== "contradicts" && edge.type !== "corrects";

/** The strongest path to an effect from each node that has one: the largest product of strengths (Dijkstra, against the edges). Each edge counts for itself, as in SQL. */
function strongestTo(graph: Graph, to: string): { best: Map<string, number>; by: Map<string, GraphEdge> } {
    const causes = byEnd([...graph.edges.values()].filter(supports), "to"), best = new Map([[to, 1]]), by = new Map<string, GraphEdge>(), done = new Set<string>(), heap = new Heap();
    heap.push(1, to);
    for (let top = heap.pop(); top; top = heap.pop()) {
        if (done.has(top.id))
            continue;
        done.add(top.id);
        for (const edge of causes.get(top.id) ?? []) {
            const key = top.key * strength(graph, edge);
            if (!done.has(edge.from) && key > (best.get(edge.from) ?? -1)) {
                best.set(edge.from, key);
                by.set(edge.from, edge);
                heap.push(key, edge.from);
            }
        }
    }
    return { best, by };
}

function pathFrom(from: string, { best, by }: ReturnType<typeof strongestTo>): Path {
    const path: Path = { nodes: [from], edges: [], strength: best.get(from) ?? 0 };
    for (let edge = by.get(from); edge; edge = by.get(edge.to)) {
        path.nodes.push(edge.to);
        path.edges.push(edge.id);
    }
    return path;
}

/** The strongest path from a cause to an effect; null where there is none. */
export function strongestPath(graph: Graph, from: string, to: string): Path | null {
    const found = strongestTo(graph, to);
    return found.best.has(from) ? pathFrom(from, found) : null;
}

/** What was recorded after a node: it cannot have been a reason for it. */
export function recordedAfter(graph: Graph, id: string): Set<string> {
    const time = graph.nodes.get(id)?.createdAt;
    return new Set(time === undefined ? [] : [...graph.nodes.values()].filter((node) => node.createdAt > time).map((node) => node.id));
}

/** Of the strongest paths to the effect from causes that nothing else leads to, the strongest; of what was there when the effect was recorded. */
export function strongestReason(whole: Graph, to: string): Path | null {
    const after = recordedAfter(whole, to), graph = filtered(whole, (node) => !after.has(node.id), () => true);
    const led = new Set([...graph.edges.values()].filter(supports).map((edge) => edge.to)), found = strongestTo(graph, to);
    let strongest: string | null = null;
    for (const [id, strength_] of found.best)
        if (id !== to && !led.has(id) && (strongest === null || strength_ > (found.best.get(strongest) ?? 0)))
            strongest = id;
    return strongest === null ? null : pathFrom(strongest, found);
}
