/** Small things that every view uses. */
import { type ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { query, Refused, type Parameters } from "../api.ts";
import { type Change } from "../graph/compare.ts";
import { weighed } from "../draw/weighed.ts";
import { type GraphEdge, type GraphNode } from "../graph/model.ts";
import { askAgain } from "../state.ts";
import { cut, when } from "../text.ts";

/* So often a service that cannot be reached is asked for by itself. */
const AGAIN_MS = 5000;

/** The service was away, which may be over: it is asked again by itself, or at once. */
function Again() {
    useEffect(() => {
        const timer = setInterval(askAgain, AGAIN_MS);
        return () => { clearInterval(timer); };
    }, []);
    return <p><button type="button" onClick={askAgain}>Try again</button> It is tried every {AGAIN_MS / 1000} seconds too.</p>;
}

/** `lasting` where nothing is asked again, as after a form was sent. */
export function Failure({ error, lasting = false }: { error: Error; lasting?: boolean }) {
    const candidates = error instanceof Refused && Array.isArray(error.details["divisions"]) ? error.details["divisions"].filter((d) => typeof d === "string") : [];
    return (
        <div class="failure" role="alert">
            <strong>{error instanceof Refused && error.status > 0 ? `${error.status}: ` : ""}{cut(error.message, 500)}</strong>
            {error instanceof Refused && !lasting && (error.status === 0 || error.status >= 502) && <Again />}
            {candidates.length > 0 && <p>Choose a division: {candidates.join(", ")}</p>}
        </div>
    );
}

export function Waiting({ what }: { what: string }) {
    return <p class="wait" role="status">{what}…</p>;
}

/** What is shown is of before: it says so, on paper too. */
export function Stale({ loading, what }: { loading: boolean; what: string }) {
    return loading ? <p class="stale" role="status">{what}… What is shown here is still that of before.</p> : null;
}

export function TypeName({ type }: { type: string }) {
    return <span class={`type type-${type.replace(/[^A-Za-z]/g, "")}`}>{cut(type, 40)}</span>;
}

export interface Marked { corrected?: boolean | undefined; /** recorded after what it is to be a reason for */ after?: boolean | undefined; /** somebody annotated it */ noted?: boolean | undefined }

export function States({ node, corrected, after, noted }: { node: GraphNode } & Marked) {
    return (
        <>
            {corrected && <span class="state bad">corrected</span>}
            {after && <span class="state">came after</span>}
            {node.state === "erased" && <span class="state">erased</span>}
            {node.state === "redacted" && <span class="state">redacted</span>}
            {noted && <span class="state">noted</span>}
            {node.quarantined && <span class="state bad">in quarantine</span>}
            {node.cycle && <span class="state">circle</span>}
            {node.frontier && <span class="state">the walk stopped here</span>}
        </>
    );
}

/** What became of a record since, where two times are compared. */
export function Since({ change }: { change: Change | undefined }) {
    return change === "added" ? <span class="state added">came since</span> : change === "changed" ? <span class="state changed">changed since</span> : null;
}

/** Type and weight of an edge, with what it weighed before; the exact weight is shown to whoever points at it. */
export function Relation({ edge, earlier = [], weights, bad = false }: { bad?: boolean | undefined; edge: GraphEdge; earlier?: readonly GraphEdge[]; weights?: ReadonlyMap<string, number> | undefined }) {
    return <span class={`relation relation-${edge.type}${bad ? " false" : ""}`} title={`${edge.type}, weight ${edge.weight}: so much its cause counts for its effect, as the author of the edge states it; 1 where nothing is stated`}>{edge.type}{weighed(edge, earlier, weights) || " 1"}</span>;
}

/** What became of an edge since: it is no mark of the record that it leads from. */
export function EdgeSince({ change }: { change: Change | undefined }) {
    return change === "added" ? <span class="state added">this edge came since</span> : change === "changed" ? <span class="state changed">weighed anew since</span> : null;
}

/** One line that names a node; `timed` where its time stands beside it. */
export function NodeLine({ node, timed = false, ...marked }: { node: GraphNode; timed?: boolean } & Marked) {
    return (
        <>
            <TypeName type={node.type} /> <bdi class="note">{cut(node.note || (node.state === "erased" ? "its content was erased" : node.id), 160)}</bdi>{" "}
            <span class="faint">by <bdi>{cut(node.author, 60)}</bdi>{timed ? "" : `, recorded ${when(node.createdAt)}`}{node.confidence === null ? "" : `, confidence ${node.confidence}`}</span>{" "}
            <States node={node} {...marked} />
        </>
    );
}

export function Field({ label, children }: { label: string; children: ComponentChildren }) {
    return <label class="field"><span>{label}</span>{children}</label>;
}

export function Pair({ name, children }: { name: string; children: ComponentChildren }) {
    return <><dt>{name}</dt><dd>{children}</dd></>;
}

export function download(name: string, bytes: BlobPart, type: string): void {
    const url = URL.createObjectURL(new Blob([bytes], { type })), anchor = document.createElement("a");
    anchor.href = url;
    anchor.download = name;
    anchor.click();
    setTimeout(() => { URL.revokeObjectURL(url); }, 10000);
}

/** Links to a read in forms for reports and other programs. */
export function Exports({ path, parameters, forms }: { path: string; parameters: Parameters; /** title, format, and which table of several */ forms: readonly (readonly [title: string, format: string, part?: string])[] }) {
    return <>{forms.map(([title, format, part], i) => <span key={title}>{i > 0 && " · "}<a href={path + query({ format, part, ...parameters })} target="_blank" rel="noopener">{title}</a></span>)}</>;
}

/** The forms of reads that give lists. */
export const LIST_FORMS = [["As text", "human"], ["Markdown", "markdown"], ["CSV", "csv"]] as const;
