/** Paths in a graph that is held: the strongest, and the levels that a walk from a node gives. */
import { byEnd, type Graph, type GraphEdge } from "./model.ts";

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

/** The path from a cause to an effect whose product of strengths is largest (Dijkstra); null where there is none. */
export function strongestPath(graph: Graph, from: string, to: string): Path | null {
    const next = byEnd(graph.edges.values(), "from"), best = new Map([[from, 1]]), by = new Map<string, GraphEdge>(), done = new Set<string>();
    const heap = new Heap();
    heap.push(1, from);
    for (let top = heap.pop(); top; top = heap.pop()) {
        if (done.has(top.id))
            continue;
        done.add(top.id);
        if (top.id === to)
            break;
        for (const edge of next.get(top.id) ?? []) {
            const key = top.key * strength(graph, edge);
            if (edge.type !== "contradicts" && edge.type !== "corrects" && !done.has(edge.to) && key > (best.get(edge.to) ?? -1)) {
                best.set(edge.to, key);
                by.set(edge.to, edge);
                heap.push(key, edge.to);
            }
        }
    }
    if (!done.has(to))
        return null;
    const path: Path = { nodes: [to], edges: [], strength: best.get(to) ?? 0 };
    for (let edge = by.get(to); edge && path.nodes[0] !== from; edge = by.get(edge.from)) {
        path.nodes.unshift(edge.from);
        path.edges.unshift(edge.id);
    }
    return path;
}

/** From each cause that nothing else leads to, the strongest path to the effect: the strongest of these. */
export function strongestReason(graph: Graph, to: string): Path | null {
    const led = new Set([...graph.edges.values()].filter((edge) => edge.type !== "corrects" && edge.type !== "contradicts").map((edge) => edge.to));
    let strongest: Path | null = null;
    for (const id of graph.nodes.keys())
        if (!led.has(id) && id !== to) {
            const path = strongestPath(graph, id, to);
            if (path && (!strongest || path.strength > strongest.strength))
                strongest = path;
        }
    return strongest;
}
