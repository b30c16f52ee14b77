/** Where everything is drawn: layers from causes down to effects (Sugiyama, by d3-dag). Free of the page, so that a worker runs it. */
import { coordGreedy, decrossTwoLayer, graphConnect, layeringLongestPath, sugiyama, twolayerAgg } from "d3-dag";

export interface LayoutInput { nodes: string[]; edges: { from: string; to: string }[]; /** how far each node is to stand from the lowest ones, where that is not for the edges to say: folds may lead to each other in circles */ heights?: number[] }

export interface Point { x: number; y: number }

export interface Layout {
    /** centres */
    nodes: [string, Point][];
    /** in the order of the input */
    edges: Point[][];
    width: number;
    height: number;
    /** indices of edges that were turned to lay out a cycle */
    turned: number[];
}

export const NODE_WIDTH = 216;
export const NODE_HEIGHT = 78;
const GAP: [number, number] = [28, 50];

/** Edges of a depth-first forest that lead back to a node on its path: without them nothing is a circle. */
function backEdges(input: LayoutInput): Set<number> {
    const next = new Map<string, { to: string; index: number }[]>(), state = new Map<string, 1 | 2>(), back = new Set<number>();
    input.edges.forEach(({ from, to }, index) => {
        const list = next.get(from);
        if (list)
            list.push({ to, index });
        else
            next.set(from, [{ to, index }]);
    });
    for (const start of input.nodes) {
        if (state.has(start))
            continue;
        const path = [{ id: start, at: 0 }];
        state.set(start, 1);
        for (let top = path.at(-1); top; top = path.at(-1)) {
            const edge = next.get(top.id)?.[top.at++];
            if (!edge) {
                state.set(top.id, 2);
                path.pop();
            } else if (state.get(edge.to) === 1)
                back.add(edge.index);
            else if (!state.has(edge.to)) {
                state.set(edge.to, 1);
                path.push({ id: edge.to, at: 0 });
            }
        }
    }
    return back;
}

/** An edge of a node to itself hangs below its card, beside where edges lead on. */
function loop({ x, y }: Point): Point[] {
    const right = x + NODE_WIDTH / 2 - 16, left = right - 72, bottom = y + NODE_HEIGHT / 2;
    return [{ x: right, y: bottom }, { x: right, y: bottom + 20 }, { x: left, y: bottom + 20 }, { x: left, y: bottom }];
}

/** Edges that lead upwards, or to a later one beside: the rest is no circle. */
function upwardEdges({ nodes, edges }: LayoutInput, heights: readonly number[]): Set<number> {
    const place = new Map(nodes.map((id, i) => [id, i])), up = new Set<number>();
    edges.forEach(({ from, to }, index) => {
        const a = place.get(from) ?? 0, b = place.get(to) ?? 0, fall = (heights[a] ?? 0) - (heights[b] ?? 0);
        if (fall < 0 || (fall === 0 && a > b))
            up.add(index);
    });
    return up;
}

export function layOut(input: LayoutInput): Layout {
    const turned = input.heights ? upwardEdges(input, input.heights) : backEdges(input), links = new Map<string, [string, string]>(), linked = new Set<string>();
    input.edges.forEach(({ from, to }, index) => {
        const [a, b] = turned.has(index) ? [to, from] : [from, to];
        if (a !== b) {
            links.set(`${a}\n${b}`, [a, b]);
            linked.add(a).add(b);
        }
    });
    const alone = input.nodes.filter((id) => !linked.has(id)).map((id): [string, string] => [id, id]);
    if (links.size + alone.length === 0)
        return { nodes: [], edges: [], width: 0, height: 0, turned: [] };
    const graph = graphConnect().single(true)([...links.values(), ...alone]);
    const { width, height } = sugiyama()
        .layering(layeringLongestPath()).decross(decrossTwoLayer().order(twolayerAgg()).passes(6)).coord(coordGreedy())
        .nodeSize([NODE_WIDTH, NODE_HEIGHT]).gap(GAP)(graph);
    const centres = new Map<string, Point>(), lines = new Map<string, Point[]>();
    for (const node of graph.nodes())
        centres.set(node.data, { x: node.x, y: node.y });
    for (const link of graph.links())
        lines.set(`${link.source.data}\n${link.target.data}`, link.points.map(([x, y]) => ({ x, y })));
    const edges = input.edges.map(({ from, to }, index): Point[] => {
        const at = centres.get(from) ?? { x: 0, y: 0 };
        if (from === to)
            return loop(at);
        const points = [...lines.get(turned.has(index) ? `${to}\n${from}` : `${from}\n${to}`) ?? []];
        return turned.has(index) ? points.reverse() : points;
    });
    return { nodes: [...centres], edges, width, height, turned: [...turned] };
}
