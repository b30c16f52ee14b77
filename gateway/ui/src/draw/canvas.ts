/** Draws a scene on a canvas, of which a part is seen: what lies outside costs nothing. */
import { NODE_HEIGHT, NODE_WIDTH, type Point } from "../graph/layout.ts";
import { edgeColour, palette, typeColour, type Palette } from "./palette.ts";
import { cardOf, clipped, isAlarming, labelAt, labelWidth, type CardLine, type Scene, type SceneEdge, type SceneNode } from "./scene.ts";

export interface View { x: number; y: number; scale: number }

export const LEAST_SCALE = 0.02;
export const MOST_SCALE = 2.5;
/* Below these a text is smaller than can be read. */
const TEXT_SCALE = 0.45;
const LABEL_SCALE = 0.45;
/* Half as high as a label is. */
const LABEL_HALF = 8;

const MARGIN_AROUND = 40;

/** The view that shows all of the scene. */
export function fit(scene: Scene, width: number, height: number): View {
    const margin = MARGIN_AROUND, scale = Math.min(1, (width - margin) / (scene.width + margin), (height - margin) / (scene.height + margin));
    const bounded = Math.max(LEAST_SCALE, scale);
    return { scale: bounded, x: width / 2 - scene.width / 2 * bounded, y: Math.max(margin / 2, height / 2 - scene.height / 2 * bounded) };
}

/* Below this nothing of a picture that is shown whole could be read. */
const WHOLE_SCALE = 0.46;
const NEAR_SCALE = 0.75;
/* What is too tall alone is shown across, if that can be read. */
const ACROSS_SCALE = 0.55;

/** The view to begin with: all of it, or where that would be too small to read, the node it is about. */
export function begin(scene: Scene, about: string, width: number, height: number): View {
    const whole = fit(scene, width, height), node = scene.byId.get(about);
    if (whole.scale >= WHOLE_SCALE || !node)
        return whole;
    const across = (width - MARGIN_AROUND) / (scene.width + MARGIN_AROUND), fits = across >= ACROSS_SCALE, scale = fits ? Math.min(NEAR_SCALE, across) : NEAR_SCALE;
    return { scale, x: width / 2 - (fits ? scene.width / 2 : node.x) * scale, y: (node.y > scene.height / 2 ? height * 0.88 : height * 0.12) - node.y * scale };
}

export function nodeAt(scene: Scene, view: View, x: number, y: number): SceneNode | null {
    const at = { x: (x - view.x) / view.scale, y: (y - view.y) / view.scale };
    return scene.nodes.find((node) => Math.abs(node.x - at.x) <= NODE_WIDTH / 2 && Math.abs(node.y - at.y) <= NODE_HEIGHT / 2) ?? null;
}

/** The edge whose label is there, where labels are shown. */
export function edgeAt(scene: Scene, view: View, x: number, y: number): SceneEdge | null {
    const at = { x: (x - view.x) / view.scale, y: (y - view.y) / view.scale };
    return view.scale <= LABEL_SCALE ? null : scene.edges.find((edge) => {
        const middle = labelAt(edge, clipped(scene, edge));
        return Math.abs(middle.x - at.x) <= labelWidth(edge) / 2 && Math.abs(middle.y - at.y) <= LABEL_HALF;
    }) ?? null;
}

interface Window { left: number; right: number; top: number; bottom: number }

function drawArrow(context: CanvasRenderingContext2D, from: Point, to: Point): void {
    const angle = Math.atan2(to.y - from.y, to.x - from.x);
    context.beginPath();
    context.moveTo(to.x, to.y);
    context.lineTo(to.x - 9 * Math.cos(angle - 0.4), to.y - 9 * Math.sin(angle - 0.4));
    context.lineTo(to.x - 9 * Math.cos(angle + 0.4), to.y - 9 * Math.sin(angle + 0.4));
    context.fill();
}

function isSeen(edge: SceneEdge, seen: Window): boolean {
    let left = Infinity, right = -Infinity, top = Infinity, bottom = -Infinity;
    for (const { x, y } of edge.points) {
        left = Math.min(left, x);
        right = Math.max(right, x);
        top = Math.min(top, y);
        bottom = Math.max(bottom, y);
    }
    return right >= seen.left && left <= seen.right && bottom >= seen.top && top <= seen.bottom;
}

export const DASHES: Record<string, number[]> = { contradicts: [7, 4], corrects: [2, 3], influencedBy: [1, 4], derivedFrom: [] };

export function changeColour(colours: Palette, change: string | null): string | null {
    return change === "added" ? colours.added : change === "removed" ? colours.removed : change === "changed" ? colours.changed : null;
}

/** `near` where it leads to or from what is selected. */
function colourOf(edge: SceneEdge, colours: Palette, near: boolean): string {
    return edge.bad ? colours.bad : changeColour(colours, edge.change) ?? (edge.strong ? colours.path : near ? colours.selected : edgeColour(colours, edge.type));
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
    const context = canvas.getContext("2d", { alpha: false });
    if (!context)
        throw new Error("this browser has no canvas");
    return context;
}

function resize(canvas: HTMLCanvasElement, width: number, height: number): void {
    if (canvas.width !== Math.round(width) || canvas.height !== Math.round(height)) {
        canvas.width = Math.round(width);
        canvas.height = Math.round(height);
    }
}

const FONTS: Record<CardLine["kind"], string> = {
    title: "600 11.5px system-ui, sans-serif", text: "12.5px system-ui, sans-serif", state: "600 10.5px system-ui, sans-serif", foot: "10.5px system-ui, sans-serif",
};

/* What does not verify is a broad unbroken line, however it weighs. */
export const BAD_WIDTH = 5;

/* How lines of what is the same on two sides are drawn. */
const SAME = 0.55;

/* So much around what is seen is painted too, as parts of its width and height. */
const MARGIN = 0.35;

/**
 * Paints a picture somewhat larger than what is seen, and shows a part of it: to move it costs one copy, however much
 * is in it. It is painted anew when the move leaves it, and for each zoom.
 */
export class Painter {
    private readonly front: CanvasRenderingContext2D;
    private readonly context: CanvasRenderingContext2D;
    private readonly picture = document.createElement("canvas");
    private painted: View | null = null;

    constructor(private readonly canvas: HTMLCanvasElement) {
        this.front = contextOf(canvas);
        this.context = contextOf(this.picture);
    }

    /** What was painted is of another scene, or looks other now. */
    forget(): void {
        this.painted = null;
    }

    paint(scene: Scene, view: View, selected: string | null, dark: boolean): void {
        const { canvas, front, picture } = this, ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
        // Where there is no room, as on paper, there is nothing to paint.
        if (width === 0 || height === 0)
            return;
        const left = Math.round(width * MARGIN), top = Math.round(height * MARGIN), colours = palette(dark);
        if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio))
            this.painted = null;
        resize(canvas, width * ratio, height * ratio);
        if (!this.painted || this.painted.scale !== view.scale || Math.abs(view.x - this.painted.x) > left || Math.abs(view.y - this.painted.y) > top) {
            resize(picture, (width + 2 * left) * ratio, (height + 2 * top) * ratio);
            this.paintAll(scene, { ...view, x: view.x + left, y: view.y + top }, selected, colours, ratio, width + 2 * left, height + 2 * top);
            this.painted = { ...view };
        }
        front.setTransform(1, 0, 0, 1, 0, 0);
        front.fillStyle = colours.background;
        front.fillRect(0, 0, canvas.width, canvas.height);
        front.drawImage(picture, Math.round((view.x - this.painted.x - left) * ratio), Math.round((view.y - this.painted.y - top) * ratio));
    }

    private paintAll(scene: Scene, view: View, selected: string | null, colours: Palette, ratio: number, width: number, height: number): void {
        const { context } = this;
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        context.fillStyle = colours.background;
        context.fillRect(0, 0, width, height);
        context.translate(view.x, view.y);
        context.scale(view.scale, view.scale);
        const seen = { left: -view.x / view.scale, right: (width - view.x) / view.scale, top: -view.y / view.scale, bottom: (height - view.y) / view.scale };
        // Those of what is selected lie above the others.
        const isNear = (edge: SceneEdge): boolean => edge.from === selected || edge.to === selected, inSight = scene.edges.filter((edge) => isSeen(edge, seen)), ordered = [...inSight.filter((one) => !isNear(one)), ...inSight.filter(isNear)];
        for (const edge of ordered)
            this.paintEdge(scene, edge, view, colours, isNear(edge));
        for (const edge of ordered)
            this.paintLabel(scene, edge, view, colours, isNear(edge));
        for (const node of scene.nodes)
            if (node.x + NODE_WIDTH >= seen.left && node.x - NODE_WIDTH <= seen.right && node.y + NODE_HEIGHT >= seen.top && node.y - NODE_HEIGHT <= seen.bottom)
                this.paintNode(node, view, colours, node.id === selected);
    }

    private paintEdge(scene: Scene, edge: SceneEdge, view: View, colours: Palette, near: boolean): void {
        const { context } = this, points = clipped(scene, edge), last = points.at(-1), before = points.at(-2);
        if (!last || !before)
            return;
        context.strokeStyle = context.fillStyle = colourOf(edge, colours, near);
        context.lineWidth = Math.max((edge.bad ? BAD_WIDTH : edge.width) + (edge.strong ? 2.5 : near ? 0.8 : 0), 0.7 / view.scale);
        context.setLineDash(edge.bad ? [] : edge.change === "removed" ? [3, 3] : DASHES[edge.type] ?? []);
        context.globalAlpha = edge.change === "same" ? SAME : 1;
        context.beginPath();
        points.forEach((point, i) => i === 0 ? context.moveTo(point.x, point.y) : context.lineTo(point.x, point.y));
        context.stroke();
        context.setLineDash([]);
        if (view.scale > 0.12)
            drawArrow(context, before, last);
        context.globalAlpha = 1;
    }

    /** What an edge says, once all are there: no other leads through it. */
    private paintLabel(scene: Scene, edge: SceneEdge, view: View, colours: Palette, near: boolean): void {
        if (view.scale <= LABEL_SCALE && !edge.strong && !edge.bad)
            return;
        const { context } = this, middle = labelAt(edge, clipped(scene, edge)), colour = colourOf(edge, colours, near);
        context.font = "11px system-ui, sans-serif";
        context.textAlign = "center";
        context.textBaseline = "middle";
        const width = context.measureText(edge.label).width + 8;
        // In reverse: a red label is that of what contradicts.
        context.fillStyle = edge.bad ? colours.bad : colours.background;
        context.fillRect(middle.x - width / 2, middle.y - 8, width, 16);
        context.fillStyle = edge.bad ? colours.background : colour === colours.line ? colours.faint : colour;
        context.fillText(edge.label, middle.x, middle.y);
    }

    private paintNode(node: SceneNode, view: View, colours: Palette, selected: boolean): void {
        const { context } = this, left = node.x - NODE_WIDTH / 2, top = node.y - NODE_HEIGHT / 2;
        const change = changeColour(colours, node.change), colour = node.bad ? colours.bad : typeColour(colours, node.drawn.type);
        context.globalAlpha = node.change === "same" ? SAME : 1;
        if (!node.drawn.node) {
            context.fillStyle = colours.card;
            context.strokeStyle = colours.line;
            context.lineWidth = 1;
            for (const offset of [8, 4]) {
                context.fillRect(left + offset, top + offset, NODE_WIDTH, NODE_HEIGHT);
                context.strokeRect(left + offset, top + offset, NODE_WIDTH, NODE_HEIGHT);
            }
        }
        context.fillStyle = colours.card;
        context.strokeStyle = selected ? colours.selected : node.bad ? colours.bad : change ?? colours.line;
        context.lineWidth = selected ? 3 : node.bad || change ? 2.5 : 1;
        context.beginPath();
        context.roundRect(left, top, NODE_WIDTH, NODE_HEIGHT, 6);
        context.fill();
        if (node.drawn.node && node.drawn.node.state !== "whole")
            context.setLineDash([4, 3]);
        context.stroke();
        context.setLineDash([]);
        context.fillStyle = colour;
        if (view.scale > TEXT_SCALE)
            context.fillRect(left, top + 6, 5, NODE_HEIGHT - 12);
        else
            context.fill();
        // What is the same stands back by its lines; its words are to be read.
        context.globalAlpha = 1;
        if (view.scale > TEXT_SCALE) {
            context.textAlign = "left";
            context.textBaseline = "alphabetic";
            const inks: Record<CardLine["kind"], string> = { title: colour, text: colours.text, state: isAlarming(node) ? colours.bad : colours.faint, foot: colours.faint };
            for (const { text, at, kind } of cardOf(node)) {
                context.fillStyle = inks[kind];
                context.font = FONTS[kind];
                context.fillText(text, left + 13, top + at, NODE_WIDTH - 20);
            }
        }
    }
}
