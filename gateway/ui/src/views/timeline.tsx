/** The nodes along time: when each was recorded, or when it is said to have occurred. */
import { useMemo } from "preact/hooks";
import { type Change } from "../graph/compare.ts";
import { type Graph, type GraphNode } from "../graph/model.ts";
import { moment, when } from "../text.ts";
import { NodeLine, Since } from "./parts.tsx";

const STEP = 300;

/* So wide is the mark of a moment, as in style.css. */
const MARK = 5;

/** By which time the rows are ordered, and how many are shown. */
export interface TimelineShown { occurred: boolean; rows: number }

export const FIRST_ROWS = STEP;

export function Timeline({ graph, selected, corrected, after, noted, changes, onSelect, shown: { occurred, rows: most }, onShown }: { graph: Graph; selected: string | null; corrected: ReadonlySet<string>; /** recorded after what it is to be a reason for */ after: ReadonlySet<string>; noted: ReadonlySet<string>; /** where two times are compared */ changes?: ReadonlyMap<string, Change> | undefined; onSelect: (id: string) => void; shown: TimelineShown; onShown: (shown: TimelineShown) => void }) {
    const rows = useMemo(() => {
        const timeOf = (node: GraphNode): string => occurred ? node.ts ?? node.createdAt : node.createdAt;
        return [...graph.nodes.values()].map((node) => ({ node, time: timeOf(node), ms: Date.parse(timeOf(node)) })).sort((a, b) => a.time < b.time ? -1 : a.time > b.time ? 1 : a.node.id < b.node.id ? -1 : 1);
    }, [graph, occurred]);
    const first = rows[0]?.ms ?? 0, span = Math.max(1, (rows.at(-1)?.ms ?? 0) - first);
    // Where some are of one second, its parts tell them apart.
    const told = useMemo(() => new Set(rows.map(({ time }) => when(time))).size < rows.length ? moment : when, [rows]);
    return (
        <div class="timeline">
            <fieldset>
                <legend>Order by</legend>
                <label><input type="radio" name="time" checked={!occurred} onChange={() => { onShown({ occurred: false, rows: most }); }} /> when it was recorded</label>
                <label><input type="radio" name="time" checked={occurred} onChange={() => { onShown({ occurred: true, rows: most }); }} /> when it occurred, by its author's word</label>
            </fieldset>
            <ol>
                {rows.slice(0, most).map(({ node, time, ms }) => (
                    <li key={node.id}>
                        <button type="button" class="row" aria-current={node.id === selected} onClick={() => { onSelect(node.id); }}>
                            <span class="moment"><time dateTime={time}>{told(time)}</time><span class="bar" aria-hidden="true"><i style={{ insetInlineStart: `calc((100% - ${MARK}px) * ${(ms - first) / span})` }} /></span></span>
                            <span><NodeLine node={node} corrected={corrected.has(node.id)} after={after.has(node.id)} noted={noted.has(node.id)} timed={!occurred} /> <Since change={changes?.get(node.id)} /></span>
                        </button>
                    </li>
                ))}
            </ol>
            {rows.length > most && <button type="button" onClick={() => { onShown({ occurred, rows: most + STEP }); }}>Show more of {rows.length}</button>}
        </div>
    );
}
