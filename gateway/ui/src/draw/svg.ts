/** The same scene as SVG, for print: made of elements and text, never of markup. */
import { NODE_HEIGHT, NODE_WIDTH } from "../graph/layout.ts";
import { BAD_WIDTH, changeColour, DASHES } from "./canvas.ts";
import { cut } from "../text.ts";
import { edgeColour, palette, typeColour } from "./palette.ts";
import { cardOf, clipped, isAlarming, labelAt, labelWidth, type CardLine, type Scene } from "./scene.ts";

/* So many letters of each line have room. */
const MOST: Record<CardLine["kind"], number> = { title: 32, text: 32, state: 34, foot: 40 };
/* A line of more letters is squeezed into its card. */
const SQUEEZED: Record<CardLine["kind"], number> = { title: 26, text: 33, state: 33, foot: 33 };
const MARGIN = 20;

function element(name: string, attributes: Record<string, string | number>, text?: string): SVGElement {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [attribute, value] of Object.entries(attributes))
        made.setAttribute(attribute, String(value));
    if (text !== undefined)
        made.textContent = text;
    return made;
}

/** What of a scene stands on one piece of paper. */
interface Strip { top: number; bottom: number }

function stripToSvg(scene: Scene, title: string, { top: from, bottom: to }: Strip): SVGElement {
    const colours = palette(false), isOn = (top: number, bottom: number): boolean => bottom >= from && top <= to;
    const svg = element("svg", { viewBox: `${-MARGIN} ${from} ${scene.width + 2 * MARGIN} ${to - from}`, role: "img", "font-family": "system-ui, sans-serif" });
    svg.append(element("title", {}, title));
    // What edges say stands over all lines: none leads through it.
    const labels: SVGElement[] = [];
    for (const edge of scene.edges) {
        if (!isOn(Math.min(...edge.points.map(({ y }) => y)), Math.max(...edge.points.map(({ y }) => y))))
            continue;
        const points = clipped(scene, edge), last = points.at(-1), before = points.at(-2);
        if (!last || !before)
            continue;
        const colour = edge.bad ? colours.bad : changeColour(colours, edge.change) ?? (edge.strong ? colours.path : edgeColour(colours, edge.type));
        svg.append(element("polyline", { points: points.map((p) => `${p.x},${p.y}`).join(" "), fill: "none", stroke: colour, "stroke-width": (edge.bad ? BAD_WIDTH : edge.width) + (edge.strong ? 2 : 0), "stroke-dasharray": edge.bad ? "" : (DASHES[edge.type] ?? []).join(" ") }));
        const angle = Math.atan2(last.y - before.y, last.x - before.x), wing = (turn: number): string => `${last.x - 9 * Math.cos(angle + turn)},${last.y - 9 * Math.sin(angle + turn)}`;
        svg.append(element("polygon", { points: `${last.x},${last.y} ${wing(0.4)} ${wing(-0.4)}`, fill: colour }));
        const { x, y } = labelAt(edge, points), width = labelWidth(edge);
        if (y < from || y >= to)
            continue;
        labels.push(element("rect", { x: x - width / 2, y: y - 11, width, height: 16, fill: edge.bad ? colours.bad : "#fff" }), element("text", { x, y, "text-anchor": "middle", "font-size": 11, fill: edge.bad ? "#fff" : colour === colours.line ? colours.faint : colour }, edge.label));
    }
    svg.append(...labels);
    for (const node of scene.nodes) {
        if (!isOn(node.y - NODE_HEIGHT / 2, node.y + NODE_HEIGHT / 2))
            continue;
        const left = node.x - NODE_WIDTH / 2, top = node.y - NODE_HEIGHT / 2, change = changeColour(colours, node.change), colour = node.bad ? colours.bad : typeColour(colours, node.drawn.type);
        svg.append(element("rect", { x: left, y: top, width: NODE_WIDTH, height: NODE_HEIGHT, rx: 6, fill: "#fff", stroke: change ?? (node.bad ? colours.bad : colours.line), "stroke-width": change ? 2.5 : 1 }));
        svg.append(element("rect", { x: left, y: top + 6, width: 5, height: NODE_HEIGHT - 12, fill: colour }));
        const looks: Record<CardLine["kind"], Record<string, string | number>> = {
            title: { "font-size": 11.5, "font-weight": 600, fill: colour }, text: { "font-size": 12.5, fill: colours.text },
            state: { "font-size": 10.5, "font-weight": 600, fill: isAlarming(node) ? colours.bad : colours.faint }, foot: { "font-size": 10.5, fill: colours.faint },
        };
        for (const { text, at, kind } of cardOf(node))
            svg.append(element("text", { x: left + 13, y: top + at, ...looks[kind], ...text.length > SQUEEZED[kind] ? { textLength: NODE_WIDTH - 20, lengthAdjust: "spacingAndGlyphs" } : {} }, cut(text, MOST[kind])));
    }
    return svg;
}

/* A picture that is taller, by its width, is cut where no card stands: it is printed on several pages. */
const TALLEST = 1.3;

function stripsOf({ nodes, width, height }: Scene): Strip[] {
    const most = (width + 2 * MARGIN) * TALLEST, end = height + MARGIN, edges = [...new Set(nodes.map(({ y }) => y))].sort((a, b) => a - b), strips: Strip[] = [];
    for (let top = -MARGIN; top < end;) {
        // Below the last row that fits: half way to the next stands what edges say.
        const next = end - top <= most ? undefined : edges.find((y) => y - NODE_HEIGHT / 2 > top && y + NODE_HEIGHT / 2 + MARGIN > top + most), before = edges.filter((y) => next !== undefined && y < next).at(-1);
        const bottom = next === undefined ? end : before === undefined || before - NODE_HEIGHT / 2 < top ? next + NODE_HEIGHT / 2 + MARGIN : before + NODE_HEIGHT / 2 + 1;
        strips.push({ top, bottom });
        top = bottom;
    }
    return strips;
}

/** The picture, in pieces one below the other that each fit on a page. */
export function sceneToSvgs(scene: Scene, title: string): SVGElement[] {
    const strips = stripsOf(scene);
    return strips.map((strip, i) => stripToSvg(scene, strips.length === 1 ? title : `${title}, part ${i + 1} of ${strips.length}`, strip));
}
