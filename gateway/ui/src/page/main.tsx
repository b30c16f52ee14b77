/**
 * The auditor's page: one file that shows a reasoning and proves it, with the network off.
 *
 * The signed bytes, what is claimed of them, and the registry stand in the file as base64; all that is shown is
 * computed from them here. Nothing is asked of anybody: the page's policy forbids it.
 */
import { render } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { corrections, graphOfDocument } from "../graph/model.ts";
import { depths } from "../graph/paths.ts";
import { bytesOfBase64, bytesOfHex, hex, textOf, utf8, type Bytes } from "../proof/bytes.ts";
import { canonical, isObject, type Json } from "../proof/canonical.ts";
import { verifyDocument, type Claims, type Verdict } from "../proof/document.ts";
import { eventHash, proves, readProof, signedBy } from "../proof/note.ts";
import { readRegistry, type Signer } from "../proof/registry.ts";
import { count, cut } from "../text.ts";
import { DrawnGraph } from "../views/drawn_graph.tsx";
import { Failure } from "../views/parts.tsx";
import { RecordPanel } from "../views/record.tsx";
import { Tree } from "../views/tree.tsx";
import { DocumentFacts, Evidence, Keys, VerdictReport } from "../views/verdict.tsx";

/* More are folded in the picture: it is to be there at once. */
const MOST_DRAWN = 250;

/** What stands in the file. */
function embedded(id: string): Bytes {
    const bytes = bytesOfBase64(document.getElementById(id)?.textContent.replace(/\s/g, ""));
    if (!bytes)
        throw new Error(`the part "${id}" of this file is damaged`);
    return bytes;
}

const member = (value: Json, name: string): string | undefined => isObject(value) && typeof value[name] === "string" ? value[name] : undefined;

/** As reason-verify finds them in the metadata of an object, of an envelope or of the service. */
function claimsOf(metadata: Json): Claims {
    const claims: Claims = {};
    const take = (name: keyof Claims, ...names: string[]): void => {
        const value = names.map((n) => member(metadata, n)).find((v) => v !== undefined);
        if (value !== undefined)
            claims[name] = value;
    };
    take("hash", "hash");
    take("signature", "signature");
    take("signerId", "signer-id", "signerId");
    take("signedAt", "ts", "signedAt");
    take("snapshotId", "snapshot-id", "snapshotId", "id");
    return claims;
}

/** A proof of the log, if the file has one: that the snapshot's own event stands in a log that others saw. */
async function checkProof(verdict: Verdict, signers: readonly Signer[]): Promise<void> {
    const text = textOf(embedded("proof")), { findings } = verdict;
    if (text === "")
        return;
    try {
        const proof = readProof(text), event = JSON.parse(textOf(proof.extra)) as Json, payload = isObject(event) && isObject(event["payload"]) ? event["payload"] : {};
        const completed = isObject(payload["snapshot"]) ? payload["snapshot"] : {}, previous = bytesOfHex(member(event, "prevHash") ?? "");
        const hash = await eventHash(utf8(canonical(payload)), previous ?? new Uint8Array(0)), signer = await signedBy(proof.checkpoint, signers);
        if (payload["eventType"] !== "snapshot.completed" || completed["hash"] !== verdict.hash || hex(hash) !== member(event, "hash"))
            findings.push({ mark: "bad", what: "log", text: "the proof is not of the event that completed this snapshot" });
        else if (!await proves(proof, hash))
            findings.push({ mark: "bad", what: "log", text: "the event does not stand in the log of its checkpoint" });
        else if (signer === undefined)
            findings.push({ mark: "unchecked", what: "log", text: "this browser cannot verify the checkpoint's signature" });
        else if (signer === null)
            findings.push({ mark: "bad", what: "log", text: "no key of the registry for checkpoints signed the checkpoint" });
        else
            findings.push({ mark: "ok", what: "log", text: `event ${proof.index} of the log ${proof.checkpoint.origin}, ${proof.checkpoint.size} events, signed by ${signer.id}, ${count(proof.checkpoint.signatures.length - 1, "further signature")}` });
    } catch (error) {
        findings.push({ mark: "bad", what: "log", text: error instanceof Error ? error.message : String(error) });
    }
    verdict.verdict = findings.some((f) => f.mark === "bad") ? "refused" : findings.some((f) => f.mark === "unchecked") ? "unchecked" : "verified";
}

interface Checked { verdict: Verdict; signers: Signer[]; own: boolean }

async function check(registry: string, own: boolean): Promise<Checked> {
    const metadata = JSON.parse(textOf(embedded("metadata"))) as Json;
    let signers: Signer[] = [], failure: string | null = null;
    try {
        signers = await readRegistry(registry);
    } catch (error) {
        failure = error instanceof Error ? error.message : String(error);
    }
    const verdict = await verifyDocument(embedded("document"), claimsOf(metadata), signers);
    if (failure !== null)
        verdict.findings.push({ mark: "bad", what: "registry", text: failure });
    await checkProof(verdict, signers);
    return { verdict, signers, own };
}

function Page() {
    const [checked, setChecked] = useState<Checked | null>(null), [error, setError] = useState<Error | null>(null), [selected, setSelected] = useState<string | null>(null), [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
    const run = (registry: string, own: boolean): void => {
        check(registry, own).then((done) => { setChecked(done); setError(null); }, (failed: unknown) => { setError(failed instanceof Error ? failed : new Error(String(failed))); });
    };
    useEffect(() => {
        try {
            run(textOf(embedded("registry")), false);
        } catch (failed) {
            setError(failed instanceof Error ? failed : new Error(String(failed)));
        }
    }, []);
    const graph = useMemo(() => checked?.verdict.document ? graphOfDocument(checked.verdict.document) : null, [checked]);
    const faults = useMemo(() => new Map(checked?.verdict.records.filter((record) => record.faults.length > 0).map((record) => [record.id, record.faults])), [checked]);
    const roots = Array.isArray(checked?.verdict.document?.["root_ids"]) ? checked.verdict.document["root_ids"].filter((id) => typeof id === "string") : [];
    const payload = checked?.verdict.document?.["payload"], ancestors = !(isObject(payload) && payload["direction"] === "descendants"), start = roots[0] ?? "";
    const levels = useMemo(() => {
        const nearest = new Map<string, number>();
        for (const root of graph ? roots : [])
            if (graph)
                for (const [id, depth] of depths(graph, root, ancestors))
                    nearest.set(id, Math.min(depth, nearest.get(id) ?? Infinity));
        return nearest;
    }, [graph]);
    const corrected = useMemo(() => graph ? corrections(graph) : new Map<string, never[]>(), [graph]);
    const marks = useMemo(() => ({ corrected: new Set(corrected.keys()), bad: new Set(faults.keys()) }), [corrected, faults]);
    const kept = useMemo(() => new Set([...roots, ...[...faults.keys()].slice(0, 50)]), [graph, faults]);
    if (error)
        return <Failure error={error} />;
    if (!checked)
        return <p class="wait" role="status">Verifying…</p>;
    const node = selected === null ? undefined : graph?.nodes.get(selected);
    const load = async (event: Event): Promise<void> => {
        const file = (event.currentTarget as HTMLInputElement).files?.[0];
        if (file)
            run(await file.text(), true);
    };
    return (
        <main>
            <h1>A reasoning, and its proof</h1>
            <VerdictReport verdict={checked.verdict} />
            <DocumentFacts verdict={checked.verdict} />
            {graph && <div class={node ? "why with-record" : "why"}>
                <div class="stage">
                    <h2>Picture</h2>
                    <DrawnGraph graph={graph} levels={levels} title={`Reasoning of ${count(graph.nodes.size, "node")}`} marks={marks} about={start} by="none" opened={opened} kept={kept} most={MOST_DRAWN} selected={selected}
                        onSelect={setSelected} onOpenFold={(id) => { setOpened(new Set([...opened, id])); }} onOpenNode={setSelected} />
                    <h2>{ancestors ? "What led to it" : "What came of it"}</h2>
                    {roots.map((root) => <Tree key={root} graph={graph} start={root} ancestors={ancestors} corrected={marks.corrected} selected={selected} onSelect={setSelected} bad={marks.bad} />)}
                </div>
                {node && <RecordPanel key={node.id} node={node} graph={graph} corrections={corrected.get(node.id) ?? []} division="" live={false} onSelect={setSelected} onClose={() => { setSelected(null); }} faults={faults.get(node.id) ?? []} />}
            </div>}
            <h2>Proof</h2>
            <Evidence records={checked.verdict.records} />
            <Keys signers={checked.signers} signer={checked.verdict.signer} />
            <p><label class="field"><span>{checked.own ? "Checked against the registry that you loaded." : "Check against a registry of your own"}</span><input type="file" accept="application/json,.json" onChange={(event) => { void load(event); }} /></label></p>
            <p class="faint">Root {cut(start, 60)}. This page made no request. What it shows was computed from the bytes in this file.</p>
        </main>
    );
}

const root = document.getElementById("app");
if (root)
    render(<Page />, root);
