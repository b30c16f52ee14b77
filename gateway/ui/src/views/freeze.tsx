/** Freeze and prove: a snapshot is asked for, becomes complete, and is verified here from its bytes. */
import { useMemo, useState } from "preact/hooks";
import { get, getBytes, getText, post, Refused, text, within } from "../api.ts";
import { graphOfDocument } from "../graph/model.ts";
import { type JsonObject } from "../proof/canonical.ts";
import { verifyDocument, type Claims, type Verdict } from "../proof/document.ts";
import { readRegistry, type Signer } from "../proof/registry.ts";
import { go, isId, link, useLoaded, useTitle, type Place } from "../state.ts";
import { count, cut, when } from "../text.ts";
import { download, Failure, Field, Pair, Waiting } from "./parts.tsx";
import { Snapshots } from "./snapshots.tsx";
import { Evidence, Keys, VerdictReport } from "./verdict.tsx";

/* What the service takes (http-api.md). */
const MOST_ROOTS = 32, MOST_DESCRIPTION = 4096;

const idsIn = (texts: string): string[] => texts.split(/[\s,]+/).filter(Boolean);

/** Why the service would not take these; "": it may. */
function faultOf(named: readonly string[]): string {
    const odd = named.find((id) => !isId(id));
    if (odd !== undefined)
        return `"${cut(odd, 40)}" is not the id of a record: it is to be a UUID.`;
    return named.length > MOST_ROOTS ? `${named.length} nodes are named; a snapshot has ${MOST_ROOTS} at most.` : "";
}

/** Asking: a form, whose answer is the snapshot's own place. */
export function Freeze({ place }: { place: Place }) {
    const division = place.parameters.get("division") ?? "", [error, setError] = useState<Error | null>(null), [busy, setBusy] = useState(false);
    const [roots, setRoots] = useState(place.id), named = idsIn(roots), wrong = faultOf(named);
    const ask = async (event: Event): Promise<void> => {
        event.preventDefault();
        const form = new FormData(event.currentTarget as HTMLFormElement);
        setBusy(true);
        setError(null);
        try {
            const description = String(form.get("description") ?? "").trim(), of = String(form.get("division") ?? "").trim();
            const answer = await post(within(of, "/reason/snapshot"), {
                rootNodeIds: idsIn(String(form.get("roots") ?? "")), direction: String(form.get("direction")), depth: Number(form.get("depth")),
                includeAnnotations: form.get("annotations") !== null, ...(description ? { description } : {}), ...(of ? { division: of } : {}),
            }, { Prefer: "wait=5", "Idempotency-Key": crypto.randomUUID() });
            go(link("snapshot", text(answer["snapshotId"]), { division: of }));
        } catch (refused) {
            setError(refused instanceof Refused && refused.status === 403
                ? new Error("This certificate may not make snapshots. Ask for a client with the role writer or auditor.")
                : refused instanceof Error ? refused : new Error(String(refused)));
        }
        setBusy(false);
    };
    const open = (event: Event): void => {
        event.preventDefault();
        go(link("snapshot", String(new FormData(event.currentTarget as HTMLFormElement).get("id") ?? "").trim(), { division }));
    };
    return (
        <>
            <h1>Freeze and prove</h1>
            <p id="about-freezing">A snapshot holds these records and all that a walk from them reaches, as they are now. A sidecar signs it and stores it where it cannot be altered; whoever has the signers' public keys can verify it, without this service. It stays, and the record of it stays for ever. It needs a certificate of the role writer or auditor; a reader opens those that exist.</p>
            <form class="controls" aria-describedby="about-freezing" onSubmit={(event) => { void ask(event); }}>
                <Field label={`Ids of nodes, 1 to ${MOST_ROOTS}`}><textarea name="roots" required rows={2} defaultValue={place.id} aria-describedby="about-roots" onInput={(event) => { setRoots(event.currentTarget.value); }} /></Field>
                <Field label="Division, if it is not your first"><input name="division" defaultValue={division} /></Field>
                <Field label="Direction"><select name="direction"><option value="ancestors">what led to them</option><option value="descendants">what came of them</option></select></Field>
                <Field label="Depth, 0 to 10,000 edges"><input name="depth" type="number" required min={0} max={10000} defaultValue="10" /></Field>
                <Field label={`Description, up to ${MOST_DESCRIPTION.toLocaleString("en")} characters`}><input name="description" maxLength={MOST_DESCRIPTION} /></Field>
                <label><input type="checkbox" name="annotations" /> with annotations</label>
                <button type="submit" disabled={busy || wrong !== ""}>{busy ? "Freezing…" : "Freeze"}</button>
                <p class={wrong === "" ? "faint" : "bad"} id="about-roots" role="status">{wrong || `${count(named.length, "node")} named. Where the walk stops for its depth, the snapshot says so.`}</p>
            </form>
            {error && <Failure error={error} lasting />}
            <h2>Open one that exists</h2>
            <form class="controls" onSubmit={open}><Field label="Id of a snapshot"><input name="id" required /></Field><button type="submit">Open</button></form>
            <h2>Those that exist</h2>
            <Snapshots place={place} />
        </>
    );
}

interface Checked { verdict: Verdict; signers: Signer[]; bytes: Uint8Array<ArrayBuffer> }

async function verify(id: string, metadata: JsonObject, division: string): Promise<Checked> {
    const path = `/reason/snapshot/${encodeURIComponent(id)}`;
    const [bytes, registry] = await Promise.all([getBytes(path, { format: "canonical", division }), getText(within(division, "/reason/signers"))]);
    const signers = await readRegistry(registry), claims: Claims = { snapshotId: id };
    if (text(metadata["hash"])) claims.hash = text(metadata["hash"]);
    if (text(metadata["signature"])) claims.signature = text(metadata["signature"]);
    if (text(metadata["signerId"])) claims.signerId = text(metadata["signerId"]);
    if (text(metadata["signedAt"])) claims.signedAt = text(metadata["signedAt"]);
    return { verdict: await verifyDocument(bytes, claims, signers), signers, bytes };
}

async function waitFor(id: string, division: string, signal: AbortSignal, tell: (answer: JsonObject) => void): Promise<JsonObject> {
    for (let tries = 0; ; tries++) {
        const answer = await get(`/reason/snapshot/${encodeURIComponent(id)}`, { division }, signal), status = text(answer["status"]);
        tell(answer);
        if ((status !== "pending" && status !== "signed") || tries >= 120)
            return answer;
        await new Promise((resolve) => setTimeout(resolve, 500));
        signal.throwIfAborted();
    }
}

/** What a snapshot that is not complete waits for, and what to do about it. */
function Pending({ id, snapshot, waiting }: { id: string; snapshot: JsonObject; waiting: boolean }) {
    const status = text(snapshot["status"]);
    return (
        <section aria-label="Not complete yet">
            {waiting && <h1>Snapshot</h1>}
            <p class="wait" role="status">The snapshot <code class="wide">{id}</code> is {status} since {when(text(snapshot["createdAt"]))}{waiting ? "…" : ""}</p>
            <p>{status === "signed" ? "It is signed, and a sidecar stores it" : "A sidecar signs and stores it"}, usually within seconds. This page goes on by itself, and its address can be kept. If it takes longer than a minute, <a href={link("health")}>Health</a> says what is away; nothing is lost, and it need not be asked for again.</p>
            {!waiting && <p><button type="button" onClick={() => { location.reload(); }}>Look again</button></p>}
        </section>
    );
}

export function Snapshot({ place }: { place: Place }) {
    const { id } = place, division = place.parameters.get("division") ?? "", [told, setTold] = useState<JsonObject | null>(null), [checked, setChecked] = useState<Checked | null>(null), [failure, setFailure] = useState<Error | null>(null);
    const { value, error } = useLoaded(`${id} ${division}`, (signal) => waitFor(id, division, signal, setTold));
    const about = value && (cut(text(value["description"]), 80) || id);
    useTitle(about ? `Snapshot ${about}${checked ? `, ${checked.verdict.verdict}` : ""}` : "");
    const graph = useMemo(() => checked?.verdict.document ? graphOfDocument(checked.verdict.document) : null, [checked]);
    if (error)
        return <Failure error={error} />;
    if (!value)
        return told ? <Pending id={id} snapshot={told} waiting /> : <Waiting what="Looking" />;
    const run = async (): Promise<void> => {
        try {
            setFailure(null);
            setChecked(await verify(id, value, division));
        } catch (refused) {
            setFailure(refused instanceof Error ? refused : new Error(String(refused)));
        }
    };
    const save = async (format: string, name: string, type: string): Promise<void> => {
        try {
            download(name, await getBytes(`/reason/snapshot/${encodeURIComponent(id)}`, { format, division }), type);
        } catch (refused) {
            setFailure(refused instanceof Error ? refused : new Error(String(refused)));
        }
    };
    const erasedAt = text(value["documentErasedAt"]), status = text(value["status"]), isWhole = status === "complete" && erasedAt === "";
    const root = Array.isArray(value["rootNodeIds"]) ? text(value["rootNodeIds"][0]) : "";
    return (
        <>
            <h1>Snapshot</h1>
            <dl>
                <Pair name="Id"><code class="wide">{id}</code></Pair>
                <Pair name="Status">{status}{erasedAt && ", its document erased"}</Pair>
                <Pair name="Made">{when(text(value["createdAt"]))}</Pair>
                {text(value["description"]) && <Pair name="Description">{cut(text(value["description"]), 1000)}</Pair>}
                <Pair name="Holds">{count(Number(value["nodeCount"] ?? 0), "node")}, {count(Number(value["edgeCount"] ?? 0), "edge")}</Pair>
                <Pair name="Signer">{cut(text(value["signerId"]), 100)}</Pair>
                {erasedAt && <Pair name="Document"><strong class="bad">erased {when(erasedAt)}</strong>{text(value["documentErasedBy"]) && ` by ${cut(text(value["documentErasedBy"]), 100)}`}: a content in it was erased{text(value["documentErasedReason"]) && <> (<q>{cut(text(value["documentErasedReason"]), 1000)}</q>)</>}, and with it the document. Hash and signature stay; neither document, envelope nor page can be had, and nothing can be verified here.</Pair>}
                <Pair name="Hash"><code class="wide">{text(value["hash"])}</code></Pair>
            </dl>
            {(status === "pending" || status === "signed") && <Pending id={id} snapshot={value} waiting={false} />}
            <p class="actions">
                {isWhole && <><button type="button" onClick={() => { void run(); }}>Verify here</button>
                <button type="button" onClick={() => { void save("canonical", `${id}.json`, "application/json"); }}>Document</button>
                <button type="button" onClick={() => { void save("envelope", `${id}.envelope.json`, "application/json"); }}>Envelope</button>
                <button type="button" onClick={() => { void save("page", `${id}.html`, "text/html"); }}>Page that proves itself</button></>}
                {root && <a class="button" href={link("why", root, { division })}>Show its root</a>}
                <a class="button" href={link("compare", "", { a: id, division })}>Compare</a>
            </p>
            {failure && <Failure error={failure} lasting />}
            {checked && <>
                <VerdictReport verdict={checked.verdict} />
                {graph && <p class="faint">{count(graph.nodes.size, "node")} and {count(graph.edges.size, "edge")} in {checked.bytes.length.toLocaleString("en")} bytes</p>}
                <Evidence records={checked.verdict.records} />
                <Keys signers={checked.signers} signer={checked.verdict.signer} policy={null} />
            </>}
        </>
    );
}
