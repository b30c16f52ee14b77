/** What is to be drawn, in numbers and texts: the same for the canvas and for print. */
import { type Change } from "../graph/compare.ts";
import { type Drawn, type DrawnEdge, type Folded } from "../graph/fold.ts";
import { type GraphNode } from "../graph/model.ts";
import { NODE_HEIGHT, NODE_WIDTH, type Layout, type Point } from "../graph/layout.ts";
import { cut, figure, plain, span, when } from "../text.ts";
import { weighed } from "./weighed.ts";

export interface SceneNode {
    id: string;
    drawn: Drawn;
    x: number;
    y: number;
    title: string;
    lines: string[];
    /** of what state it is, in a word or two: corrected, erased, … */
    marks: string[];
    change: Change | null;
    bad: boolean;
}

export interface SceneEdge { id: string; drawn: DrawnEdge; from: string; to: string; type: string; label: string; points: Point[]; change: Change | null; bad: boolean; strong: boolean; /** it leads back up a circle, beside the cards */ arc: boolean; width: number; /** where on its last piece the label stands, between 0 and 1; on its first one, between 1 and 2 */ labelled: number; /** where it stands instead */ labelPoint: Point | null; /** it leads between cards that stand close: it cannot be moved far aside */ close: boolean }

export interface Scene { nodes: SceneNode[]; edges: SceneEdge[]; byId: Map<string, SceneNode>; width: number; height: number }

export interface SceneMarks {
    corrected: ReadonlySet<string>;
    nodeChange?: ReadonlyMap<string, Change>;
    edgeChange?: ReadonlyMap<string, Change>;
    /** what edges weighed on the other side */
    weights?: ReadonlyMap<string, number>;
    /** records that do not verify */
    bad?: ReadonlySet<string>;
    path?: ReadonlySet<string>;
    /** causes that were recorded after what they lead to */
    after?: ReadonlySet<string>;
    /** nodes with annotations that are held */
    noted?: ReadonlySet<string>;
    /** nodes with what was left out of them, such as "+3 causes" */
    stubs?: ReadonlyMap<string, string>;
}

const LINE = 30;
/* A longer title could not be read: it is squeezed into its card. */
const MOST_TITLE = 38;

/** A text in two lines of so many characters, the last one cut. */
function wrap(text: string): string[] {
    const words = plain(text).slice(0, 200).split(/\s+/), lines = [""];
    for (const word of words) {
        const last = lines.length - 1, line = lines[last] ?? "";
        if (line === "")
            lines[last] = word;
        else if ((line + " " + word).length <= LINE)
            lines[last] = line + " " + word;
        else if (lines.length < 2)
            lines.push(word);
        else {
            lines[last] = line + " …";
            break;
        }
    }
    return lines.map((line) => [...line].length > LINE ? [...line].slice(0, LINE - 1).join("") + "…" : line);
}

/* What became of a record between two sides: colour alone tells nothing to many, nor on paper. */
const CHANGES: Record<Change, string> = { added: "added", removed: "gone", changed: "changed", same: "" };

/** What a fold hides of states, counted. */
function marksOfFold({ hidden }: Drawn, marks: SceneMarks): string[] {
    const counted: [string, (node: GraphNode) => boolean][] = [
        ["corrected", ({ id }) => marks.corrected.has(id)], ["came after", ({ id }) => marks.after?.has(id) ?? false], ["erased", ({ state }) => state === "erased"], ["redacted", ({ state }) => state === "redacted"],
        ["noted", ({ id }) => marks.noted?.has(id) ?? false], ["in quarantine", ({ quarantined }) => quarantined], ["in a circle", ({ cycle }) => cycle], ["with more", ({ id }) => marks.stubs?.has(id) ?? false],
    ];
    return counted.map(([word, is]) => [word, hidden.filter(is).length] as const).filter(([, count]) => count > 0).map(([word, count]) => `${count} ${word}`);
}

function marksOf(drawn: Drawn, marks: SceneMarks, change: Change | null): string[] {
    const { node } = drawn, texts = change === null || CHANGES[change] === "" ? [] : [CHANGES[change]];
    if (node && marks.corrected.has(node.id))
        texts.push("corrected");
    if (node && marks.after?.has(node.id))
        texts.push("came after");
    if (node && node.state !== "whole")
        texts.push(node.state);
    if (node && marks.noted?.has(node.id))
        texts.push("noted");
    if (node?.quarantined)
        texts.push("in quarantine");
    if (node?.cycle)
        texts.push("circle");
    const stub = node && marks.stubs?.get(node.id);
    if (stub)
        texts.push(stub);
    return node ? texts : [...texts, ...marksOfFold(drawn, marks)];
}

/** A line of a node's card, at its height from the upper edge. */
export interface CardLine { text: string; at: number; kind: "title" | "text" | "state" | "foot" }

/** The last lines of a card: when the node was recorded, and its confidence. */
function footOf({ node }: Drawn): [string, string] {
    return node ? [`recorded ${when(node.createdAt)}`, node.confidence === null ? "" : `confidence ${figure(node.confidence)}`] : ["", ""];
}

/* What a fold hides has the lines on which others have their times. */
const FOLD_LINES = [45, 58, 72, 85], FOLD_LETTERS = 30;

function foldLines(marks: readonly string[]): CardLine[] {
    const lines: string[] = [];
    for (const mark of marks) {
        const last = lines.at(-1);
        if (last !== undefined && last.length + mark.length < FOLD_LETTERS)
            lines[lines.length - 1] = `${last} · ${mark}`;
        else
            lines.push(mark);
    }
    return lines.slice(0, FOLD_LINES.length).map((text, i) => ({ text, at: FOLD_LINES[i] ?? 0, kind: "state" }));
}

/** What stands on a card. States have a line of their own, so that they hide nothing. */
export function cardOf(node: SceneNode): CardLine[] {
    if (!node.drawn.node)
        return [{ text: node.title, at: 16, kind: "title" }, ...node.lines.map((text): CardLine => ({ text, at: 31, kind: "text" })), ...foldLines([...node.bad ? ["some do not verify"] : [], ...node.marks])];
    const [recorded, confidence] = footOf(node.drawn), lines: CardLine[] = [
        { text: node.title, at: 16, kind: "title" }, ...node.lines.map((text, i): CardLine => ({ text, at: 31 + 13 * i, kind: "text" })),
        { text: [...node.bad ? ["does not verify"] : [], ...node.marks].join(" · "), at: 58, kind: "state" }, { text: recorded, at: 72, kind: "foot" }, { text: confidence, at: 85, kind: "foot" },
    ];
    return lines.filter(({ text }) => text !== "");
}

/** Whether a card's state is a fault, or somebody's contradiction of it. */
export const isAlarming = (node: SceneNode): boolean => node.bad || node.marks.some((mark) => /corrected$|in quarantine$/.test(mark));

/** Where the label of an edge has its middle: on its last piece, or below the right corner of a loop, where no other edge leads on. */
export function labelAt(edge: SceneEdge, points: readonly Point[]): Point {
    const before = points.at(-2), last = points.at(-1), corner = points[1];
    if (edge.labelPoint)
        return edge.labelPoint;
    if (edge.from === edge.to && corner)
        return { x: corner.x, y: corner.y + 12 };
    if (edge.arc) {
        const [, , low, high] = points;
        return { x: low?.x ?? 0, y: (low?.y ?? 0) + ((high?.y ?? 0) - (low?.y ?? 0)) * edge.labelled };
    }
    const [from, to, at] = edge.labelled > 1 ? [points[0], corner, edge.labelled - 1] : [before, last, edge.labelled], between = (a = 0, b = 0): number => a + (b - a) * at;
    return { x: between(from?.x, to?.x), y: between(from?.y, to?.y) };
}

/** Points of an edge, its ends moved to the borders of its nodes. */
export function clipped({ byId }: Pick<Scene, "byId">, edge: SceneEdge): Point[] {
    const from = byId.get(edge.from), to = byId.get(edge.to), points = [...edge.points];
    const [first, last] = [points[0], points.at(-1)];
    if (!from || !to || !first || !last || from === to || edge.arc)
        return points;
    const down = to.y >= from.y;
    points[0] = { x: first.x, y: from.y + (down ? 1 : -1) * NODE_HEIGHT / 2 };
    points[points.length - 1] = { x: last.x, y: to.y - (down ? 1 : -1) * NODE_HEIGHT / 2 };
    return points;
}

/* About as wide as a letter of a label is, and as high as one is, in pixels. */
const LETTER = 6, LABEL_HEIGHT = 17;

export const labelWidth = ({ label }: SceneEdge): number => label.length * LETTER + 8;

/* Where on its last piece a label may stand, and then on its first, the best place first; with more edges none is looked for. */
const PLACES = [0.5, 0.3, 0.7, 0.15, 0.85, 1.5, 1.3, 1.7], MOST_PLACED = 2000;

/** Moves labels along their edges to where none stands yet. */
function placeLabels(edges: readonly SceneEdge[], byId: Scene["byId"]): void {
    const rows = new Map<number, { x: number; y: number; width: number }[]>(), rowOf = (y: number): number => Math.floor(y / LABEL_HEIGHT);
    for (const edge of [...edges.filter(({ labelPoint }) => labelPoint), ...edges.filter(({ labelPoint }) => !labelPoint)].slice(0, MOST_PLACED)) {
        const points = clipped({ byId }, edge), width = labelWidth(edge), first = edge.labelled;
        const isFree = (at: number): boolean => {
            edge.labelled = at;
            const { x, y } = labelAt(edge, points);
            return [-1, 0, 1].every((row) => (rows.get(rowOf(y) + row) ?? []).every((other) => Math.abs(other.y - y) >= LABEL_HEIGHT || Math.abs(other.x - x) >= (other.width + width) / 2));
        };
        if (!edge.labelPoint && ![first, ...PLACES].some(isFree))
            edge.labelled = first;
        const { x, y } = labelAt(edge, points);
        rows.set(rowOf(y), [...rows.get(rowOf(y)) ?? [], { x, y, width }]);
    }
}

/* Edges between the same two nodes stand so far from each other, and all of them on so much of a card. */
const APART = 100, APART_AT_MOST = NODE_WIDTH - 56, CLOSE = 5;
/* Where they pass other cards there is less room: so much for all of them. */
const PASSING_AT_MOST = 24;
/* Labels beside each other are one higher, one lower. */
const HIGHER = 0.3, LOWER = 0.7;
/* A loop hangs so much below the one before. */
const LOOP_BELOW = 18;

/** Edges between the same two nodes, in either direction, beside each other: none hides another. */
function setApart(edges: SceneEdge[]): void {
    const pairs = new Map<string, SceneEdge[]>();
    edges.filter(({ arc }) => arc).forEach((edge, i, all) => { edge.labelled = (i + 1) / (all.length + 1); });
    for (const edge of edges.filter(({ arc }) => !arc)) {
        const pair = [edge.from, edge.to].sort().join("\n");
        pairs.set(pair, [...pairs.get(pair) ?? [], edge]);
    }
    for (const together of pairs.values())
        together.forEach((edge, i) => {
            if (together.length === 1)
                return;
            if (edge.from === edge.to)
                edge.points = edge.points.map(({ x, y }, k) => ({ x, y: y + (k === 1 || k === 2 ? i * LOOP_BELOW : 0) }));
            else {
                const steps = together.length - 1, at = i - steps / 2, passing = at * Math.min(CLOSE, PASSING_AT_MOST / steps), aside = edge.close ? passing : at * Math.min(APART, APART_AT_MOST / steps);
                edge.points = edge.points.map(({ x, y }, k) => ({ x: x + (k === 0 || k === edge.points.length - 1 ? aside : passing), y }));
                if (i > 0)
                    edge.labelPoint = null;
                // As seen, whichever way the edge leads.
                edge.labelled = (i % 2 === 0) === ((edge.points.at(-1)?.y ?? 0) >= (edge.points.at(-2)?.y ?? 0)) ? HIGHER : LOWER;
            }
        });
}

function single<T>(changes: ReadonlyMap<string, T> | undefined, ids: readonly string[]): T | null {
    const found = new Set(ids.map((id) => changes?.get(id)));
    const [first] = found;
    return found.size === 1 && first !== undefined ? first : null;
}

const wordOf = (change: Change | null): string => change === null || CHANGES[change] === "" ? "" : `, ${CHANGES[change]}`;

export function makeScene(folded: Folded, layout: Layout, marks: SceneMarks): Scene {
    const byId = new Map<string, SceneNode>(), at = new Map(layout.nodes);
    for (const drawn of folded.nodes.values()) {
        const point = at.get(drawn.id) ?? { x: 0, y: 0 }, { node } = drawn, change = single(marks.nodeChange, drawn.members);
        byId.set(drawn.id, {
            id: drawn.id, drawn, x: point.x, y: point.y,
            title: cut(node ? `${node.type} · ${node.author}` : drawn.label, MOST_TITLE),
            lines: node ? wrap(node.note || (node.state === "erased" ? "its content was erased" : node.id)) : [drawn.between ? span(...drawn.between) : drawn.opensToParts ? "open to see parts" : "open to see each"],
            marks: marksOf(drawn, marks, change),
            change,
            bad: drawn.members.some((id) => marks.bad?.has(id)),
        });
    }
    // The newest of several edges between the same two nodes says what became of them.
    const changeOf = (edge: DrawnEdge): Change | null => single(marks.edgeChange, edge.counts ? [edge.counts.id] : edge.members.map((m) => m.id));
    const labelOf = ({ type, counts, members }: DrawnEdge): string => counts ? `${type}${weighed(counts, members.slice(1), marks.weights)}` : `${type} ×${members.length}`;
    const arcs = new Set(layout.arcs), edges = folded.edges.map((edge, i): SceneEdge => ({
        id: edge.id, drawn: edge, from: edge.from, to: edge.to, type: edge.type, points: layout.edges[i] ?? [],
        label: labelOf(edge) + wordOf(changeOf(edge)) + (edge.members.some((m) => marks.bad?.has(m.id)) ? ": does not verify" : ""),
        change: changeOf(edge),
        bad: edge.members.some((m) => marks.bad?.has(m.id)),
        strong: edge.members.some((m) => marks.path?.has(m.id)),
        width: 1 + 1.5 * Math.min(1, Math.abs(edge.weight)), labelled: 0.5, arc: arcs.has(i),
        labelPoint: layout.labels?.[i] ?? null, close: layout.labels !== undefined,
    }));
    setApart(edges);
    placeLabels(edges, byId);
    return { nodes: [...byId.values()], edges, byId, width: Math.max(layout.width, NODE_WIDTH), height: Math.max(layout.height, NODE_HEIGHT) };
}

/** All that is to be told of a node to whoever points at it, each thing by its name. */
export function wordsOfNode({ drawn: { node, members, label, between, opensToParts }, marks }: SceneNode): string {
    if (!node)
        return [`${cut(label, 200)}: ${members.length} records drawn as one`, ...between ? [`recorded ${span(...between)}`] : [], ...marks].join(", ") + (opensToParts ? ". A click opens it to parts." : ". A click opens it.");
    return [`${node.type} by ${plain(node.author).slice(0, 60)}`, `recorded ${when(node.createdAt)}`, ...node.ts === null ? [] : [`occurred ${when(node.ts)} by its author's word`],
        node.confidence === null ? "no confidence stated" : `confidence ${node.confidence}, as its author states it`, ...marks].join(", ") + ".";
}

/** The same of an edge. */
export function wordsOfEdge({ drawn: { counts, members }, type, label, strong }: SceneEdge): string {
    return [counts ? `${type}, weight ${counts.weight}: so much its cause counts for its effect, as the author of the edge states it, 1 where nothing is stated` : `${label}: ${members.length} edges drawn as one`,
        ...counts ? [`recorded ${when(counts.createdAt)}`] : [], ...strong ? ["on the strongest path"] : []].join("; ") + ".";
}
