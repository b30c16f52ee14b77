/** The records of a reasoning, as tables for paper: made when it is printed, for they may be long. Each record that is drawn stands in one of them. */
import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { text } from "../api.ts";
import { type Change } from "../graph/compare.ts";
import { type Graph, type GraphNode } from "../graph/model.ts";
import { count, cut, when } from "../text.ts";
import { States, TypeName } from "./parts.tsx";

const MOST = 500;

interface Part { title: string; nodes: GraphNode[] }

/** Every record stands in one part; parts without records are left out. */
function partsOf({ graph, start, after, ancestors, changes }: PaperProps): Part[] {
    const led = new Set([...graph.edges.values()].filter((edge) => edge.type !== "corrects").map((edge) => edge.to)), titles = new Map<string, GraphNode[]>();
    const titleOf = (node: GraphNode): string => changes?.get(node.id) === "added" ? "Came since the time that is looked at" : after.has(node.id) ? "Came after it, and is no reason for it"
        : node.type === "correction" ? "Corrections" : !ancestors ? "What came of it" : led.has(node.id) ? "What the reasoning led over" : "Evidence: where the reasoning begins";
    for (const title of ["What it is about", "Evidence: where the reasoning begins", "What the reasoning led over", "What came of it", "Corrections", "Came after it, and is no reason for it", "Came since the time that is looked at"])
        titles.set(title, []);
    for (const node of [...graph.nodes.values()].sort((a, b) => a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : a.id < b.id ? -1 : 1))
        titles.get(node.id === start ? "What it is about" : titleOf(node))?.push(node);
    return [...titles].filter(([, nodes]) => nodes.length > 0).map(([title, nodes]) => ({ title, nodes }));
}

function Part({ title, nodes, corrected, after, noted }: Part & Pick<PaperProps, "corrected" | "after" | "noted">) {
    return (
        <>
            <h3>{title} ({nodes.length.toLocaleString("en")})</h3>
            <table aria-label={title}>
                <thead><tr><th scope="col">What</th><th scope="col">Author</th><th scope="col">Confidence</th><th scope="col">Recorded</th><th scope="col">Occurred</th><th scope="col">Id and SHA-256</th></tr></thead>
                <tbody>{nodes.slice(0, MOST).map((node) => (
                    <tr key={node.id}>
                        <td><TypeName type={node.type} /> {cut(node.note, 200)} <States node={node} corrected={corrected.has(node.id)} after={after.has(node.id)} noted={noted.has(node.id)} /></td>
                        <td>{cut(node.author, 100)}</td><td>{node.confidence ?? ""}</td><td>{when(node.createdAt)}</td><td>{when(node.ts)}</td>
                        <td><code class="wide">{node.id}</code><br /><code class="wide">{text(node.record["digest"])}</code></td>
                    </tr>
                ))}</tbody>
            </table>
            {nodes.length > MOST && <p>{count(nodes.length - MOST, "further record")} left out here; an export as CSV has all.</p>}
        </>
    );
}

function Records(props: PaperProps) {
    return (
        <>
            <h2>Records</h2>
            <p>{count(props.graph.nodes.size, "record")}{props.hidden > 0 && <>; {props.hidden.toLocaleString("en")} more were fetched and are left out by the filters</>}. Annotations are not among them: they stand in the record, and in an export as text. Printed {when(new Date().toISOString())} from {location.origin}.</p>
            {partsOf(props).map((part) => <Part key={part.title} {...part} corrected={props.corrected} after={props.after} noted={props.noted} />)}
        </>
    );
}

export interface PaperProps { noted: ReadonlySet<string>; graph: Graph; start: string; /** whether these are its causes, or its effects */ ancestors: boolean; corrected: ReadonlySet<string>; after: ReadonlySet<string>; /** where two times are compared */ changes: ReadonlyMap<string, Change> | undefined; /** how many records the filters leave out */ hidden: number }

export function PaperRecords(props: PaperProps) {
    const place = useRef<HTMLDivElement>(null), latest = useRef(props);
    latest.current = props;
    useEffect(() => {
        const print = (): void => { if (place.current) render(<Records {...latest.current} />, place.current); };
        const printed = (): void => { if (place.current) render(null, place.current); };
        window.addEventListener("beforeprint", print);
        window.addEventListener("afterprint", printed);
        return () => {
            window.removeEventListener("beforeprint", print);
            window.removeEventListener("afterprint", printed);
        };
    }, []);
    return <div ref={place} class="paper" />;
}
