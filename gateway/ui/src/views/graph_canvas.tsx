/** The drawing of a graph: moved with mouse, finger or keys. Who cannot see it has the tree beside it. */
import { useEffect, useRef, useState } from "preact/hooks";
import { begin, edgeAt, fit, LEAST_SCALE, MOST_SCALE, nodeAt, Painter, type View } from "../draw/canvas.ts";
import { wordsOfEdge, wordsOfNode, type Scene, type SceneNode } from "../draw/scene.ts";
import { sceneToSvgs } from "../draw/svg.ts";

export interface GraphCanvasProps {
    scene: Scene;
    title: string;
    /** the node that it is about */
    about: string;
    selected: string | null;
    /** another picture is on its way */
    waiting: boolean;
    onSelect: (id: string | null) => void;
    /** Enter, or a second click: opens a fold, or what the walk left out */
    onOpen: (node: SceneNode) => void;
}

/** The node that an arrow key leads to: along an edge up or down, else the nearest beside it. */
function neighbour(scene: Scene, from: SceneNode, key: string): SceneNode | null {
    if (key === "ArrowUp" || key === "ArrowDown") {
        const up = key === "ArrowUp";
        const next = scene.edges.filter((edge) => (up ? edge.to : edge.from) === from.id && edge.from !== edge.to)
            .map((edge) => scene.byId.get(up ? edge.from : edge.to)).filter((node) => node !== undefined);
        return next.sort((a, b) => Math.abs(a.x - from.x) - Math.abs(b.x - from.x))[0] ?? null;
    }
    const right = key === "ArrowRight";
    return scene.nodes.filter((node) => right ? node.x > from.x : node.x < from.x)
        .sort((a, b) => Math.abs(a.y - from.y) * 4 + Math.abs(a.x - from.x) - Math.abs(b.y - from.y) * 4 - Math.abs(b.x - from.x))[0] ?? null;
}

class Surface {
    view: View = { x: 0, y: 0, scale: 1 };
    scene: Scene | null = null;
    selected: string | null = null;
    private frame = 0;
    private readonly painter: Painter;
    private readonly dark = matchMedia("(prefers-color-scheme: dark)");

    constructor(readonly canvas: HTMLCanvasElement) {
        this.painter = new Painter(canvas);
        this.dark.addEventListener("change", this.repaint);
    }

    /** The scene, or how it looks, is another. */
    readonly repaint = (): void => {
        this.painter.forget();
        this.draw();
    };

    close(): void {
        this.dark.removeEventListener("change", this.repaint);
        cancelAnimationFrame(this.frame);
    }

    readonly draw = (): void => {
        cancelAnimationFrame(this.frame);
        this.frame = requestAnimationFrame(() => {
            if (this.scene)
                this.painter.paint(this.scene, this.view, this.selected, this.dark.matches);
        });
    };

    fit(): void {
        if (this.scene)
            this.view = fit(this.scene, this.canvas.clientWidth, this.canvas.clientHeight);
        this.draw();
    }

    zoom(factor: number, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2): void {
        const scale = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, this.view.scale * factor)), by = scale / this.view.scale;
        this.view = { scale, x: x - (x - this.view.x) * by, y: y - (y - this.view.y) * by };
        this.draw();
    }

    move(dx: number, dy: number): void {
        this.view = { ...this.view, x: this.view.x + dx, y: this.view.y + dy };
        this.draw();
    }

    /** Brings a node into sight, if it is not. */
    show(id: string): void {
        const node = this.scene?.byId.get(id);
        if (!node)
            return;
        const x = node.x * this.view.scale + this.view.x, y = node.y * this.view.scale + this.view.y, margin = 60;
        if (x < margin || y < margin || x > this.canvas.clientWidth - margin || y > this.canvas.clientHeight - margin)
            this.move(this.canvas.clientWidth / 2 - x, this.canvas.clientHeight / 2 - y);
    }
}

/** What a picture tells of the place that somebody points at. */
interface Hint { words: string; x: number; y: number }

/* A hint is so wide at most, as in style.css. */
const HINT_WIDTH = 288;

function hintAt({ scene, view, canvas }: Surface, x: number, y: number): Hint | null {
    const node = scene && nodeAt(scene, view, x, y), edge = scene && !node ? edgeAt(scene, view, x, y) : null;
    if (!node && !edge)
        return null;
    return { words: node ? wordsOfNode(node) : edge ? wordsOfEdge(edge) : "", x: Math.max(0, Math.min(x + 12, canvas.clientWidth - HINT_WIDTH)), y: y + 18 };
}

/** Moves with one finger or the mouse, zooms with two; a press without a move selects. */
function listenToPointers(surface: Surface, props: { current: GraphCanvasProps }, tell: (hint: Hint | null) => void): () => void {
    const { canvas } = surface, pointers = new Map<number, { x: number; y: number }>();
    let moved = 0;
    const spread = (): number => {
        const [a, b] = [...pointers.values()];
        return a && b ? Math.hypot(a.x - b.x, a.y - b.y) : 0;
    };
    const down = (event: PointerEvent): void => {
        canvas.setPointerCapture(event.pointerId);
        pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
        moved = 0;
    };
    const move = (event: PointerEvent): void => {
        const before = pointers.get(event.pointerId);
        if (!before) {
            if (event.pointerType === "mouse")
                tell(hintAt(surface, event.offsetX, event.offsetY));
            return;
        }
        tell(null);
        const wide = spread();
        pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
        moved += Math.abs(event.offsetX - before.x) + Math.abs(event.offsetY - before.y);
        if (pointers.size === 1)
            surface.move(event.offsetX - before.x, event.offsetY - before.y);
        else if (wide > 0)
            surface.zoom(spread() / wide, event.offsetX, event.offsetY);
    };
    const up = (event: PointerEvent): void => {
        pointers.delete(event.pointerId);
        if (moved < 5 && surface.scene && event.type === "pointerup") {
            const node = nodeAt(surface.scene, surface.view, event.offsetX, event.offsetY);
            if (node && (node.id === surface.selected || !node.drawn.node))
                props.current.onOpen(node);
            else
                props.current.onSelect(node?.id ?? null);
        }
    };
    const wheel = (event: WheelEvent): void => {
        event.preventDefault();
        if (event.ctrlKey || !event.shiftKey)
            surface.zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
        else
            surface.move(-event.deltaY, 0);
    };
    const leave = (): void => { tell(null); };
    canvas.addEventListener("pointerleave", leave);
    canvas.addEventListener("pointerdown", down);
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("wheel", wheel, { passive: false });
    return () => {
        canvas.removeEventListener("pointerleave", leave);
        canvas.removeEventListener("pointerdown", down);
        canvas.removeEventListener("pointermove", move);
        canvas.removeEventListener("pointerup", up);
        canvas.removeEventListener("pointercancel", up);
        canvas.removeEventListener("wheel", wheel);
    };
}

export function GraphCanvas(props: GraphCanvasProps) {
    const canvas = useRef<HTMLCanvasElement>(null), paper = useRef<HTMLDivElement>(null), surface = useRef<Surface | null>(null), latest = useRef(props), [hint, setHint] = useState<Hint | null>(null);
    latest.current = props;
    useEffect(() => {
        if (!canvas.current)
            return undefined;
        const made = surface.current = new Surface(canvas.current), stop = listenToPointers(made, latest, setHint);
        const resized = new ResizeObserver(() => { made.draw(); });
        resized.observe(canvas.current);
        const print = (): void => {
            if (made.scene)
                paper.current?.replaceChildren(...sceneToSvgs(made.scene, latest.current.title));
        };
        const printed = (): void => { paper.current?.replaceChildren(); };
        window.addEventListener("beforeprint", print);
        window.addEventListener("afterprint", printed);
        return () => {
            stop();
            resized.disconnect();
            window.removeEventListener("beforeprint", print);
            window.removeEventListener("afterprint", printed);
            made.close();
        };
    }, []);
    useEffect(() => {
        const made = surface.current;
        if (!made)
            return;
        const before = made.scene, was = before?.byId.get(props.selected ?? ""), is = props.scene.byId.get(props.selected ?? "");
        made.scene = props.scene;
        // What one looks at stays where it is while the rest joins it.
        if (was && is)
            made.move((was.x - is.x) * made.view.scale, (was.y - is.y) * made.view.scale);
        else if (before?.nodes[0]?.id !== props.scene.nodes[0]?.id || before?.width !== props.scene.width)
            made.view = begin(props.scene, props.about, made.canvas.clientWidth, made.canvas.clientHeight);
        made.repaint();
        performance.mark("picture");
    }, [props.scene]);
    useEffect(() => {
        const made = surface.current;
        if (!made)
            return;
        made.selected = props.selected;
        if (props.selected !== null)
            made.show(props.selected);
        made.repaint();
    }, [props.selected, props.scene]);

    const onKeyDown = (event: KeyboardEvent): void => {
        const made = surface.current, from = made?.scene?.byId.get(props.selected ?? props.about) ?? made?.scene?.nodes[0];
        if (!made || event.ctrlKey || event.metaKey || event.altKey)
            return;
        switch (event.key) {
        case "ArrowUp": case "ArrowDown": case "ArrowLeft": case "ArrowRight":
            if (from)
                props.onSelect(props.selected === null ? from.id : neighbour(props.scene, from, event.key)?.id ?? from.id);
            break;
        case "Enter": case " ": {
            const node = props.scene.byId.get(props.selected ?? "");
            if (node)
                props.onOpen(node);
            break;
        }
        case "+": case "=": made.zoom(1.25); break;
        case "-": made.zoom(0.8); break;
        case "0": made.fit(); break;
        case "Escape": props.onSelect(null); break;
        default: return;
        }
        event.preventDefault();
    };
    return (
        <div class="drawing" aria-busy={props.waiting}>
            {props.waiting && <p class="redrawing" role="status">Drawing…</p>}
            <canvas ref={canvas} tabIndex={0} role="img" aria-label={`${props.title}. Arrow keys follow the edges, Enter opens, plus and minus zoom, 0 shows all. The tree has the same as text.`} onKeyDown={onKeyDown} />
            {hint && <p class="hint" role="tooltip" style={{ insetInlineStart: `${hint.x}px`, top: `${hint.y}px` }}>{hint.words}</p>}
            <div class="zoom" role="group" aria-label="Zoom">
                <button type="button" title="Closer (+)" aria-label="Closer" onClick={() => surface.current?.zoom(1.25)}>+</button>
                <button type="button" title="Farther (-)" aria-label="Farther" onClick={() => surface.current?.zoom(0.8)}>−</button>
                <button type="button" title="Show all (0)" aria-label="Show all" onClick={() => surface.current?.fit()}>⤢</button>
            </div>
            <div ref={paper} class="paper" />
        </div>
    );
}
