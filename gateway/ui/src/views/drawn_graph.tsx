/** A graph, folded, laid out and drawn. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { makeScene, type SceneMarks } from "../draw/scene.ts";
import { circlesOf } from "../graph/circles.ts";
import { fold, type FoldBy, type Folded } from "../graph/fold.ts";
import { type Layout } from "../graph/layout.ts";
import { layout } from "../graph/layout_client.ts";
import { type Graph } from "../graph/model.ts";
import { GraphCanvas } from "./graph_canvas.tsx";

/* A graph of more nodes is folded by itself, to so many: nobody reads more, and laying them out takes long. */
const MOST_WHOLE = 1000;
const MOST_FOLDED = 80;

export interface DrawnGraphProps {
    graph: Graph;
    levels: ReadonlyMap<string, number>;
    title: string;
    /** the node that it is about */
    about: string;
    marks: SceneMarks;
    by: FoldBy;
    opened: ReadonlySet<string>;
    kept: ReadonlySet<string>;
    most?: number;
    /** whether causes are drawn, the default, or effects */
    ancestors?: boolean;
    selected: string | null;
    onSelect: (id: string | null) => void;
    onOpenFold: (id: string) => void;
    onOpenNode: (id: string) => void;
}

export function DrawnGraph(props: DrawnGraphProps) {
    const { graph, levels, by, opened, kept, marks } = props, most = props.most ?? (graph.nodes.size <= MOST_WHOLE ? MOST_WHOLE : MOST_FOLDED);
    const folded = useMemo(() => fold(graph, levels, { by, opened, kept, most, apart: marks.bad }), [graph, levels, by, opened, kept, most, marks.bad]);
    const circles = useMemo(() => [...graph.nodes.values()].some((node) => node.cycle) ? circlesOf(graph.nodes.keys(), [...graph.edges.values()]) : new Map<string, number>(), [graph]);
    const [laid, setLaid] = useState<{ folded: Folded; layout: Layout } | null>(null);
    useEffect(() => {
        let current = true;
        const drawn = [...folded.nodes.values()], sign = props.ancestors ?? true ? 1 : -1;
        void layout({
            nodes: drawn.map(({ id }) => id), edges: folded.edges.map(({ from, to, members }) => ({ from, to, isCircular: members.some((edge) => circles.has(edge.from) && circles.get(edge.from) === circles.get(edge.to)) })), about: props.about, ancestors: props.ancestors ?? true,
            ...(drawn.some(({ node }) => node === null) ? { heights: drawn.map(({ level }) => sign * level) } : {}),
        }).then((done) => {
            if (current)
                setLaid({ folded, layout: done });
        });
        return () => { current = false; };
    }, [folded, props.ancestors, props.about]);
    const scene = useMemo(() => laid && makeScene(laid.folded, laid.layout, marks), [laid, marks]);
    if (!scene)
        return <p class="wait" role="status">Drawing…</p>;
    const place = props.selected === null ? null : scene.byId.has(props.selected) ? props.selected
        : scene.nodes.find((node) => node.drawn.members.includes(props.selected ?? ""))?.id ?? null;
    return (
        <GraphCanvas scene={scene} title={props.title} about={props.about} selected={place} waiting={laid?.folded !== folded} onSelect={props.onSelect}
            onOpen={(node) => { if (node.drawn.node) props.onOpenNode(node.id); else props.onOpenFold(node.id); }} />
    );
}
