/** The same graph as text: a tree of causes or effects, for keyboards, screen readers and print. */
import { useMemo, useRef, useState } from "preact/hooks";
import { type Change } from "../graph/compare.ts";
import { byEnd, type Graph, type GraphEdge } from "../graph/model.ts";
import { stated } from "../graph/parallel.ts";
import { depths, recordedAfter } from "../graph/paths.ts";
import { EdgeSince, NodeLine, Relation, Since } from "./parts.tsx";

interface Row { key: string; id: string; edge: GraphEdge | null; earlier: GraphEdge[]; level: number; again: boolean; children: number; parent: string | null; /** nothing that is shown leads to it */ apart?: boolean }

const STEP = 300;

/** Rows in the order of a walk into the depth; a node that stands above already is named, not repeated. */
function rowsOf(graph: Graph, start: string, ancestors: boolean, closed: ReadonlySet<string>, bad: ReadonlySet<string> | undefined): Row[] {
    const next = byEnd(graph.edges.values(), ancestors ? "to" : "from"), seen = new Set<string>(), rows: Row[] = [];
    const stack: Omit<Row, "again" | "children">[] = [{ key: start, id: start, edge: null, earlier: [], level: 1, parent: null }];
    // What lies below a row that is closed is not apart.
    const reached = depths(graph, start, ancestors), apart = [...graph.nodes.values()].filter((node) => !reached.has(node.id)).sort((a, b) => a.createdAt < b.createdAt ? 1 : -1);
    for (let item = stack.pop() ?? nextApart(); item; item = stack.pop() ?? nextApart()) {
        const { id, key, level } = item, again = seen.has(id), edges = again ? [] : stated(next.get(id) ?? [], bad);
        seen.add(id);
        rows.push({ ...item, again, children: edges.length });
        if (!closed.has(id))
            for (const { edge, earlier } of edges.sort((a, b) => a.edge.weight - b.edge.weight || (a.edge.id < b.edge.id ? 1 : -1)))
                stack.push({ key: `${key}/${edge.id}`, id: ancestors ? edge.from : edge.to, edge, earlier, level: level + 1, parent: key });
    }
    return rows;

    /** The next one of those that filters cut off, unless it stands below another of them. */
    function nextApart(): Omit<Row, "again" | "children"> | undefined {
        let node = apart.shift();
        while (node && seen.has(node.id))
            node = apart.shift();
        return node && { key: node.id, id: node.id, edge: null, earlier: [], level: 1, parent: null, apart: true };
    }
}

/** Which nodes are closed, and how many rows are shown. */
export interface TreeShown { closed: ReadonlySet<string>; rows: number }

export const WHOLE_TREE: TreeShown = { closed: new Set(), rows: STEP };

export interface TreeProps {
    graph: Graph;
    start: string;
    ancestors: boolean;
    corrected: ReadonlySet<string>;
    selected: string | null;
    onSelect: (id: string) => void;
    shown: TreeShown;
    onShown: (shown: TreeShown) => void;
    /** edges of a path that is shown */
    path?: ReadonlySet<string>;
    /** nodes where the walk stopped, with how much lies beyond */
    stubs?: ReadonlyMap<string, string>;
    onOpenStub?: (id: string) => void;
    bad?: ReadonlySet<string>;
    /** nodes with annotations */
    noted?: ReadonlySet<string>;
    /** what became of nodes since, where two times are compared */
    changes?: ReadonlyMap<string, Change> | undefined;
    /** what became of edges since, and what they weighed before */
    edgeChanges?: ReadonlyMap<string, Change> | undefined;
    weights?: ReadonlyMap<string, number> | undefined;
}

export function Tree({ graph, start, ancestors, corrected, selected, onSelect, shown: { closed, rows: most }, onShown, path, stubs, onOpenStub, bad, noted, changes, edgeChanges, weights }: TreeProps) {
    const [at, setAt] = useState(start);
    const list = useRef<HTMLUListElement>(null);
    const after = useMemo(() => ancestors ? recordedAfter(graph, start) : new Set<string>(), [graph, start, ancestors]);
    const rows = useMemo(() => rowsOf(graph, start, ancestors, closed, bad), [graph, start, ancestors, closed, bad]);
    const shown = rows.slice(0, most);
    const toggle = (id: string): void => {
        const changed = new Set(closed);
        if (!changed.delete(id))
            changed.add(id);
        onShown({ closed: changed, rows: most });
    };
    const isStub = (row: Row): boolean => !row.again && (stubs?.has(row.id) ?? false);
    const focus = (index: number): void => {
        const row = shown[index];
        if (row) {
            setAt(row.key);
            (list.current?.children[index] as HTMLElement | undefined)?.focus();
        }
    };
    const onKeyDown = (event: KeyboardEvent, index: number, row: Row): void => {
        switch (event.key) {
        case "ArrowDown": focus(index + 1); break;
        case "ArrowUp": focus(index - 1); break;
        case "Home": focus(0); break;
        case "End": focus(shown.length - 1); break;
        case "ArrowRight":
            if (row.children > 0 && closed.has(row.id))
                toggle(row.id);
            else if (isStub(row))
                onOpenStub?.(row.id);
            else
                focus(index + 1);
            break;
        case "ArrowLeft":
            if (row.children > 0 && !closed.has(row.id))
                toggle(row.id);
            else
                focus(shown.findIndex((other) => other.key === row.parent));
            break;
        case "Enter": case " ":
            if (isStub(row) && row.id === selected)
                onOpenStub?.(row.id);
            else
                onSelect(row.id);
            break;
        default: return;
        }
        event.preventDefault();
    };
    return (
        <div class="tree">
            <ul role="tree" aria-label={ancestors ? "Causes" : "Effects"} ref={list}>
                {shown.map((row, index) => {
                    const node = graph.nodes.get(row.id), stub = isStub(row), opens = closed.has(row.id) || (stub && row.children === 0);
                    return (
                        <li key={row.key} role="treeitem" aria-level={row.level} aria-selected={row.id === selected} class={bad?.has(row.id) ? "bad" : undefined}
                            {...(row.children > 0 || stub ? { "aria-expanded": !opens } : {})} tabIndex={row.key === at ? 0 : -1}
                            style={{ paddingInlineStart: `${Math.min(row.level - 1, 24) * 1.1}em` }}
                            onKeyDown={(event) => { onKeyDown(event, index, row); }} onClick={() => { setAt(row.key); onSelect(row.id); }}>
                            <span class="twist" aria-hidden="true" onClick={(event) => { event.stopPropagation(); if (row.children > 0) toggle(row.id); else if (stub) onOpenStub?.(row.id); }}>{row.children === 0 && !stub ? "·" : opens ? "▸" : "▾"}</span>
                            {row.edge && <><Relation edge={row.edge} bad={bad?.has(row.edge.id)} earlier={row.earlier} weights={weights} /> <EdgeSince change={edgeChanges?.get(row.edge.id)} />{bad?.has(row.edge.id) && <span class="state false">this edge does not verify</span>} </>}
                            {node ? <NodeLine node={node} corrected={corrected.has(node.id)} after={after.has(node.id)} noted={noted?.has(node.id)} /> : <span class="faint">{row.id}, which is not here</span>}
                            {bad?.has(row.id) && <span class="state false">this record does not verify</span>}
                            {row.edge && path?.has(row.edge.id) && <span class="state strong">on the strongest path</span>}
                            {stub && <span class="state">{stubs?.get(row.id)}</span>}
                            <Since change={changes?.get(row.id)} />
                            {row.again && <span class="faint"> (above)</span>}
                            {row.apart && <span class="faint"> (what joins it to the rest is left out by the filters)</span>}
                        </li>
                    );
                })}
            </ul>
            {rows.length > most && <button type="button" onClick={() => { onShown({ closed, rows: most + STEP }); }}>Show {Math.min(STEP, rows.length - most)} more of {rows.length}</button>}
        </div>
    );
}
