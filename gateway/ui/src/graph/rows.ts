/**
 * Levels of many nodes, broken into rows: a picture goes on downwards, as a screen and a page do, not sideways.
 *
 * The rules are those of the service's SVG (extension/export/layout.h): rows are filled column by column, in the order
 * in which the level stood. Beside each column there is room for lines: none leads through a card.
 */
import { NODE_HEIGHT, NODE_WIDTH, type Point } from "./layout.ts";

/* A level of more nodes is broken into rows of so many; then all levels of the picture are, that have more. */
const MOST_ABREAST = 10, ABREAST = 6;
const GAP_X = 48, ROW_GAP = 52, LEVEL_GAP = 110;
/* Lines to the right of a card lead from it, to the left of one to it; so far from the card. */
const OUT = 16, IN = 16;
/* Where such a line leaves the lower edge of its card, or enters the upper one, from the corner; and how far from it it turns. */
const CORNER = 30, TURN = 13;
/* So many edges of a card have their label beside it, so far from each other; those of others stand where there is room. */
const LABELLED = 2, LABEL_STEP = 100;

interface Block { top: number; bottom: number; left: number; columns: number }
interface Place { point: Point; block: number; /** of its column */ isFirst: boolean; isLast: boolean }

export interface Rows { nodes: Map<string, Point>; /** in the order of the links */ lines: Point[][]; /** where the middle of a line's label is to be; null: anywhere on the line */ labels: (Point | null)[]; width: number; height: number }

function levelsOf(centres: ReadonlyMap<string, Point>): string[][] {
    const levels = new Map<number, { id: string; x: number }[]>();
    for (const [id, { x, y }] of centres) {
        const level = levels.get(Math.round(y));
        if (level)
            level.push({ id, x });
        else
            levels.set(Math.round(y), [{ id, x }]);
    }
    return [...levels].sort(([a], [b]) => a - b).map(([, nodes]) => nodes.sort((a, b) => a.x - b.x).map(({ id }) => id));
}

function placed(levels: readonly string[][]): { places: Map<string, Place>; blocks: Block[]; width: number; height: number } {
    const pitch = NODE_WIDTH + GAP_X, shapes = levels.map((level) => {
        const rows = Math.ceil(level.length / ABREAST);
        return { rows, columns: Math.ceil(level.length / rows) };
    });
    // A line may lead beside the outermost columns too.
    const width = Math.max(...shapes.map(({ columns }) => columns)) * pitch + GAP_X, places = new Map<string, Place>(), blocks: Block[] = [];
    let top = 0;
    levels.forEach((level, block) => {
        const { rows, columns } = shapes[block] ?? { rows: 1, columns: 1 }, left = (width - columns * pitch + GAP_X) / 2, bottom = top + rows * (NODE_HEIGHT + ROW_GAP) - ROW_GAP;
        level.forEach((id, i) => {
            const row = i % rows, column = (i - row) / rows;
            places.set(id, { point: { x: left + column * pitch + NODE_WIDTH / 2, y: top + row * (NODE_HEIGHT + ROW_GAP) + NODE_HEIGHT / 2 }, block, isFirst: row === 0, isLast: row === rows - 1 || i === level.length - 1 });
        });
        blocks.push({ top, bottom, left, columns });
        top = bottom + LEVEL_GAP;
    });
    return { places, blocks, width, height: top - LEVEL_GAP };
}

/** The middle of the room between two columns, or beside them, that is nearest. */
function gutter({ left, columns }: Block, x: number): number {
    const pitch = NODE_WIDTH + GAP_X, first = left - GAP_X / 2;
    return first + Math.min(columns, Math.max(0, Math.round((x - first) / pitch))) * pitch;
}

function route(from: Place, to: Place, blocks: readonly Block[]): Point[] {
    const points: Point[] = [], below = from.point.y + NODE_HEIGHT / 2, above = to.point.y - NODE_HEIGHT / 2, leaves = blocks[from.block], enters = blocks[to.block];
    const put = (x: number, y: number): void => {
        const last = points.at(-1);
        if (!last || last.x !== x || last.y !== y)
            points.push({ x, y });
    };
    if (from.isLast)
        put(from.point.x, below);
    else {
        const corner = from.point.x + NODE_WIDTH / 2 - CORNER, aside = from.point.x + NODE_WIDTH / 2 + OUT;
        put(corner, below);
        put(corner, below + TURN);
        put(aside, below + TURN);
    }
    put(points.at(-1)?.x ?? 0, leaves?.bottom ?? below);
    const corner = to.point.x - NODE_WIDTH / 2 + CORNER, aside = to.point.x - NODE_WIDTH / 2 - IN, end = to.isFirst ? to.point.x : aside;
    for (let block = from.block + 1; block < to.block; block++) {
        const between = blocks[block], x = points.at(-1)?.x ?? 0;
        if (!between)
            continue;
        const at = gutter(between, x + (end - x) / (to.block - block + 1));
        put(at, between.top);
        put(at, between.bottom);
    }
    put(end, enters?.top ?? above);
    if (!to.isFirst) {
        put(aside, above - TURN);
        put(corner, above - TURN);
        put(corner, above);
    }
    return points;
}

/** The same layers in rows, if one of them is wide; links lead from a layer to a lower one. */
export function inRows(centres: ReadonlyMap<string, Point>, links: readonly (readonly [string, string])[]): Rows | null {
    const levels = levelsOf(centres);
    if (levels.every((level) => level.length <= MOST_ABREAST))
        return null;
    const { places, blocks, width, height } = placed(levels), labelled = new Map<string, number>();
    const isBroken = ({ isFirst, isLast, block }: Place): boolean => !(isFirst && isLast) || (levels[block]?.length ?? 0) > ABREAST;
    const labels = links.map(([a, b]): Point | null => {
        const from = places.get(a), to = places.get(b);
        // Where one level is broken, what an edge says stands at its end there: elsewhere many come together.
        const [id, place] = from && isBroken(from) ? [a, from] : [b, to];
        if (!place || !isBroken(place))
            return null;
        const count = labelled.get(id) ?? 0, { x, y } = place.point, isBelow = place === from;
        labelled.set(id, count + 1);
        return count >= LABELLED ? null : { x: x + (isBelow ? -1 : 1) * (count * LABEL_STEP - 10), y: y + (isBelow ? 1 : -1) * (NODE_HEIGHT / 2 + TURN) };
    });
    const lines = links.map(([a, b]) => {
        const from = places.get(a), to = places.get(b);
        return from && to ? route(from, to, blocks) : [];
    });
    return { nodes: new Map([...places].map(([id, { point }]) => [id, point])), lines, labels, width, height };
}
