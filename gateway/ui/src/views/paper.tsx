/** What a reasoning rests on, as a table for paper: made when it is printed, for it may be long. */
import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { text } from "../api.ts";
import { type Graph, type GraphNode } from "../graph/model.ts";
import { count, cut, when } from "../text.ts";
import { States, TypeName } from "./parts.tsx";

const MOST = 500;

function EvidenceTable({ graph, start, corrected, after }: PaperProps) {
    const led = new Set([...graph.edges.values()].filter((edge) => edge.type !== "corrects").map((edge) => edge.to));
    const evidence = [...graph.nodes.values()].filter((node) => !led.has(node.id) && node.type !== "correction").sort((a, b) => a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : a.id < b.id ? -1 : 1);
    const row = (node: GraphNode) => (
        <tr key={node.id}>
            <td><TypeName type={node.type} /> {cut(node.note, 200)} <States node={node} corrected={corrected.has(node.id)} after={after.has(node.id)} /></td>
            <td>{cut(node.author, 100)}</td><td>{node.confidence ?? ""}</td><td>{when(node.createdAt)}</td><td>{when(node.ts)}</td>
            <td><code class="wide">{node.id}</code><br /><code class="wide">{text(node.record["digest"])}</code></td>
        </tr>
    );
    const about = graph.nodes.get(start);
    return (
        <>
            <h2>Evidence</h2>
            <p>{count(graph.nodes.size, "record")}, of them {evidence.length.toLocaleString("en")} to which nothing led. Printed {when(new Date().toISOString())} from {location.origin}.</p>
            <table>
                <thead><tr><th scope="col">What</th><th scope="col">Author</th><th scope="col">Confidence</th><th scope="col">Recorded</th><th scope="col">Occurred</th><th scope="col">Id and SHA-256</th></tr></thead>
                <tbody>{about && row(about)}{evidence.filter((node) => node.id !== start).slice(0, MOST).map(row)}</tbody>
            </table>
            {evidence.length > MOST && <p>{count(evidence.length - MOST, "further record")} left out here; an export as CSV has all.</p>}
        </>
    );
}

export interface PaperProps { graph: Graph; start: string; corrected: ReadonlySet<string>; after: ReadonlySet<string> }

export function PaperEvidence(props: PaperProps) {
    const place = useRef<HTMLDivElement>(null), latest = useRef(props);
    latest.current = props;
    useEffect(() => {
        const print = (): void => { if (place.current) render(<EvidenceTable {...latest.current} />, place.current); };
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
