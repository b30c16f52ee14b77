/**
 * Where everything is drawn: layers from causes down to effects (Sugiyama, by d3-dag). Free of the page, so that a worker runs it.
 *
 * Levels are those of the service's SVG (extension/export/levels.h): by longest paths, what leads back in a depth-first forest left out.
 */
import { coordGreedy, decrossTwoLayer, graphConnect, layeringLongestPath, sugiyama, twolayerAgg } from "d3-dag";
import { inRows } from "./rows.ts";

export interface LayoutInput { nodes: string[]; edges: { from: string; to: string; /** it is part of a circle, whatever is folded */ isCircular?: boolean }[]; /** the node that the picture is about, and whether the rest are its causes, the default, or its effects */ about?: string; ancestors?: boolean; /** how far each node is to stand from the lowest ones, where that is not for the edges to say: folds may lead to each other in circles */ heights?: number[] }

export interface Point { x: number; y: number }

export interface Layout {
    /** centres */
    nodes: [string, Point][];
    /** in the order of the input */
    edges: Point[][];
    width: number;
    height: number;
    /** indices of edges that lead back up a circle, as arcs beside all cards between */
    arcs: number[];
    /** where labels of edges are to stand, or null: anywhere on their line; where levels are broken into rows */
    labels?: (Point | null)[];
}

export const NODE_WIDTH = 216;
export const NODE_HEIGHT = 92;
const GAP: [number, number] = [28, 50];

/** Edges of a depth-first forest, grown from what the picture is about, that lead back to a node on its path: without them nothing is a circle, and what it is about stands below all causes, or above all effects. */
function backEdges({ nodes, edges, about, ancestors = true }: LayoutInput): Set<number> {
    const next = new Map<string, { id: string; index: number }[]>(), state = new Map<string, 1 | 2>(), back = new Set<number>();
    edges.forEach(({ from, to }, index) => {
        const [here, id] = ancestors ? [to, from] : [from, to], list = next.get(here);
        if (list)
            list.push({ id, index });
        else
            next.set(here, [{ id, index }]);
    });
    for (const start of about !== undefined && nodes.includes(about) ? [about, ...nodes] : nodes) {
        if (state.has(start))
            continue;
        const path = [{ id: start, at: 0 }];
        state.set(start, 1);
        for (let top = path.at(-1); top; top = path.at(-1)) {
            const step = next.get(top.id)?.[top.at++];
            if (!step) {
                state.set(top.id, 2);
                path.pop();
            } else if (state.get(step.id) === 1)
                back.add(step.index);
            else if (!state.has(step.id)) {
                state.set(step.id, 1);
                path.push({ id: step.id, at: 0 });
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

/** A line leads straight down beside the cards of the levels that it passes: aslant it would lead behind their corners. */
function besideCards(points: readonly (readonly [number, number])[]): Point[] {
    return points.flatMap(([x, y], i): Point[] => i === 0 || i === points.length - 1 ? [{ x, y }] : [{ x, y: y - NODE_HEIGHT / 2 }, { x, y: y + NODE_HEIGHT / 2 }]);
}

/* An arc leaves below its card and comes in from above, in the space between rows; beside the cards each has a lane of its own. */
const ARC_OUT = 15, ARC_ASIDE = NODE_WIDTH / 2 - 30, ARC_GAP = 64, LANE = 30;

function arc(from: Point, to: Point, cards: Iterable<Point>, lane: number): Point[] {
    const below = from.y + NODE_HEIGHT / 2, above = to.y - NODE_HEIGHT / 2, shift = lane * 4;
    let aside = Math.max(from.x, to.x);
    for (const { x, y } of cards)
        if (y >= Math.min(from.y, to.y) - 1 && y <= Math.max(from.y, to.y) + 1)
            aside = Math.max(aside, x);
    const far = aside + NODE_WIDTH / 2 + ARC_GAP + lane * LANE, leaves = from.x + ARC_ASIDE, enters = to.x + ARC_ASIDE;
    return [{ x: leaves, y: below }, { x: leaves, y: below + ARC_OUT + shift }, { x: far, y: below + ARC_OUT + shift }, { x: far, y: above - ARC_OUT - shift }, { x: enters, y: above - ARC_OUT - shift }, { x: enters, y: above }];
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

/** How much room is left of a picture's edge for the label of an arc. */
const ARC_LABEL = 70;

export function layOut(input: LayoutInput): Layout {
    // Among folds much leads upwards that is no circle; what is one leads back beside the cards all the same.
    const upward = input.heights ? upwardEdges(input, input.heights) : null, isBack = (index: number): boolean => input.edges[index]?.isCircular ?? false;
    const turned = new Set([...upward ?? []].filter((index) => !isBack(index))), back = upward ? new Set([...upward].filter(isBack)) : backEdges(input);
    const links = new Map<string, [string, string]>(), linked = new Set<string>();
    input.edges.forEach(({ from, to }, index) => {
        const [a, b] = turned.has(index) ? [to, from] : [from, to];
        if (a !== b && !back.has(index)) {
            links.set(`${a}\n${b}`, [a, b]);
            linked.add(a).add(b);
        }
    });
    const alone = input.nodes.filter((id) => !linked.has(id)).map((id): [string, string] => [id, id]);
    if (links.size + alone.length === 0)
        return { nodes: [], edges: [], width: 0, height: 0, arcs: [] };
    const graph = graphConnect().single(true)([...links.values(), ...alone]);
    const size = sugiyama()
        .layering(layeringLongestPath()).decross(decrossTwoLayer().order(twolayerAgg()).passes(6)).coord(coordGreedy())
        .nodeSize([NODE_WIDTH, NODE_HEIGHT]).gap(GAP)(graph);
    const centres = new Map<string, Point>(), lines = new Map<string, Point[]>(), labels = new Map<string, Point>(), arcs = [...back].filter((index) => input.edges[index]?.from !== input.edges[index]?.to);
    for (const node of graph.nodes())
        centres.set(node.data, { x: node.x, y: node.y });
    for (const link of graph.links())
        lines.set(`${link.source.data}\n${link.target.data}`, besideCards(link.points));
    const pairs = [...links], rows = inRows(centres, pairs.map(([, pair]) => pair));
    pairs.forEach(([key], i) => {
        lines.set(key, rows?.lines[i] ?? lines.get(key) ?? []);
        const label = rows?.labels[i];
        if (label)
            labels.set(key, label);
    });
    const at = (id: string): Point => rows?.nodes.get(id) ?? centres.get(id) ?? { x: 0, y: 0 }, keyOf = ({ from, to }: { from: string; to: string }, index: number): string => turned.has(index) ? `${to}\n${from}` : `${from}\n${to}`;
    const edges = input.edges.map((edge, index): Point[] => {
        const { from, to } = edge, lane = arcs.indexOf(index);
        if (from === to)
            return loop(at(from));
        if (lane >= 0)
            return arc(at(from), at(to), (rows?.nodes ?? centres).values(), lane);
        const points = [...lines.get(keyOf(edge, index)) ?? []];
        return turned.has(index) ? points.reverse() : points;
    });
    const around = arcs.flatMap((index) => edges[index] ?? []), { width, height } = rows ?? size;
    return {
        nodes: [...rows?.nodes ?? centres], edges, arcs, width: around.reduce((most, { x }) => Math.max(most, x + ARC_LABEL), width), height: around.reduce((most, { y }) => Math.max(most, y), height),
        ...rows ? { labels: input.edges.map((edge, index) => arcs.includes(index) ? null : labels.get(keyOf(edge, index)) ?? null) } : {},
    };
}
