/** Which nodes stand in a circle, and in which: strongly connected components of more than one, and nodes with an edge to themselves (Tarjan). */
import { byEnd, type Graph, type GraphEdge } from "./model.ts";

export function circlesOf(nodes: Iterable<string>, edges: readonly GraphEdge[]): Map<string, number> {
    const next = byEnd(edges, "from"), number = new Map<string, number>(), low = new Map<string, number>(), open = new Set<string>(), stack: string[] = [], alone = new Set<string>(edges.filter((edge) => edge.from === edge.to).map((edge) => edge.from)), found = new Map<string, number>();
    let count = 0;
    const lower = (id: string, to: number | undefined): void => { low.set(id, Math.min(low.get(id) ?? Infinity, to ?? Infinity)); };
    const enter = (id: string): { id: string; at: number } => {
        number.set(id, number.size);
        lower(id, number.get(id));
        open.add(id);
        stack.push(id);
        return { id, at: 0 };
    };
    for (const start of nodes) {
        // The walk keeps its own stack: a chain of reasons may be longer than the browser's.
        const walk = number.has(start) ? [] : [enter(start)];
        for (let top = walk.at(-1); top; top = walk.at(-1)) {
            const { id } = top, to = next.get(id)?.[top.at++]?.to;
            if (to !== undefined) {
                if (!number.has(to))
                    walk.push(enter(to));
                else if (open.has(to))
                    lower(id, number.get(to));
                continue;
            }
            walk.pop();
            const before = walk.at(-1);
            if (before)
                lower(before.id, low.get(id));
            if (low.get(id) !== number.get(id))
                continue;
            // What was entered since, and is open still, is one component.
            const component = stack.splice(stack.lastIndexOf(id));
            for (const member of component) {
                open.delete(member);
                if (component.length > 1 || alone.has(member))
                    found.set(member, count);
            }
            count++;
        }
    }
    return found;
}

/** The graph, each node of a circle marked so: a walk marks the one alone at which it came back. */
export function withCircles(graph: Graph): Graph {
    const found = circlesOf(graph.nodes.keys(), [...graph.edges.values()]);
    return found.size === 0 ? graph : { ...graph, nodes: new Map([...graph.nodes].map(([id, node]) => [id, found.has(id) && !node.cycle ? { ...node, cycle: true } : node])) };
}
