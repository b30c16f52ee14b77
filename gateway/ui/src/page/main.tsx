/**
 * The auditor's page: one file that shows a reasoning and proves it, with the network off.
 *
 * The signed bytes, what is claimed of them, and the registry stand in the file as base64; all that is shown is
 * computed from them here. Nothing is asked of anybody: the page's policy forbids it.
 */
import { render } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { corrections, graphOfDocument } from "../graph/model.ts";
import { depths, recordedAfter } from "../graph/paths.ts";
import { bytesOfBase64, textOf, type Bytes } from "../proof/bytes.ts";
import { isObject, type Json } from "../proof/canonical.ts";
import { concluded, verifyDocument, type Claims, type Finding, type Verdict } from "../proof/document.ts";
import { checkLog } from "../proof/log.ts";
import { readPolicy, type Policy } from "../proof/policy.ts";
import { readRegistry, type Signer } from "../proof/registry.ts";
import { count, cut } from "../text.ts";
import { DrawnGraph } from "../views/drawn_graph.tsx";
import { Legend } from "../views/legend.tsx";
import { Failure } from "../views/parts.tsx";
import { RecordPanel } from "../views/record.tsx";
import { Tree, WHOLE_TREE, type TreeProps } from "../views/tree.tsx";
import { DocumentFacts, Evidence, Keys, VerdictReport } from "../views/verdict.tsx";

/* More are folded in the picture: it is to be there at once. */
const MOST_DRAWN = 250;

/** What stands in the file; null where the part is damaged. */
function embedded(id: string): Bytes | null {
    return bytesOfBase64(document.getElementById(id)?.textContent.replace(/\s/g, ""));
}

/** A part that is a text. A damaged one leaves a fault and nothing, so that the rest is judged all the same. */
function embeddedText(id: string, faults: Finding[]): string {
    const bytes = embedded(id);
    if (bytes)
        try {
            return textOf(bytes);
        } catch { /* it is no UTF-8 */ }
    faults.push(damaged(id));
    return "";
}

const damaged = (id: string): Finding => ({ mark: "bad", what: id, text: "this part of the file is damaged" });

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

/** What the reader has of his own counts, not what the file brings along; null where he gave none. */
interface Given { registry: string | null; policy: string | null }

interface Checked { verdict: Verdict; signers: Signer[]; policy: Policy | null; given: Given }

function claimsIn(metadata: string, faults: Finding[]): Claims {
    try {
        return metadata === "" ? {} : claimsOf(JSON.parse(metadata) as Json);
    } catch {
        faults.push({ mark: "bad", what: "metadata", text: "is not JSON" });
        return {};
    }
}

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error);

async function check(given: Given): Promise<Checked> {
    const faults: Finding[] = [], bytes = embedded("document"), metadata = embeddedText("metadata", faults), proof = embeddedText("proof", faults);
    const registry = given.registry ?? embeddedText("registry", faults), policyText = given.policy ?? embeddedText("policy", faults);
    const signers = faults.some((fault) => fault.what === "registry") ? [] : await readRegistry(registry).catch((error: unknown) => {
        faults.push({ mark: "bad", what: "registry", text: messageOf(error) });
        return [];
    });
    const policy = policyText === "" ? null : await readPolicy(policyText).catch((error: unknown) => {
        faults.push({ mark: "bad", what: "policy", text: messageOf(error) });
        return null;
    });
    const verdict: Verdict = bytes ? await verifyDocument(bytes, claimsIn(metadata, faults), signers)
        : { verdict: "refused", findings: [damaged("document")], hash: "", document: null, records: [], signer: null, claims: {} };
    verdict.findings.push(...faults, ...proof === "" || !bytes ? [] : await checkLog(proof, verdict.hash, { signers, policy }));
    if (proof === "" && policy)
        verdict.findings.push({ mark: "unchecked", what: "policy", text: "this file has no proof of a log that the policy could judge" });
    verdict.verdict = concluded(verdict.findings);
    return { verdict, signers, policy, given };
}

function FileField({ label, accept, onText }: { label: string; accept: string; onText: (text: string) => void }) {
    const onChange = (event: Event): void => {
        const input = event.currentTarget as HTMLInputElement;
        void input.files?.[0]?.text().then(onText);
        // So that the same file can be given again once it was altered.
        input.value = "";
    };
    return <p><label class="field"><span>{label}</span><input type="file" accept={accept} onChange={onChange} /></label></p>;
}

function RootTree(props: Omit<TreeProps, "shown" | "onShown">) {
    const [shown, setShown] = useState(WHOLE_TREE);
    return <Tree {...props} shown={shown} onShown={setShown} />;
}

function Page() {
    const [checked, setChecked] = useState<Checked | null>(null), [error, setError] = useState<Error | null>(null), [selected, setSelected] = useState<string | null>(null), [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
    const fail = (failed: unknown): void => { setError(failed instanceof Error ? failed : new Error(String(failed))); };
    const run = (given: Given): void => { check(given).then((done) => { setChecked(done); setError(null); }, fail); };
    useEffect(() => { run({ registry: null, policy: null }); }, []);
    // On paper nothing is closed, but for the bytes of each record: they are for a machine.
    useEffect(() => {
        const open = (): void => { document.querySelectorAll<HTMLDetailsElement>("details:not(.hashed)").forEach((details) => { details.open = true; }); };
        window.addEventListener("beforeprint", open);
        return () => { window.removeEventListener("beforeprint", open); };
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
    // What came after every root is a reason for none.
    const after = useMemo(() => {
        const [first, ...others] = graph && ancestors ? roots.map((root) => recordedAfter(graph, root)) : [];
        return new Set([...first ?? []].filter((id) => others.every((other) => other.has(id))));
    }, [graph]);
    const marks = useMemo(() => ({ corrected: new Set(corrected.keys()), after, noted: new Set(graph?.annotations?.keys()), bad: new Set(faults.keys()) }), [corrected, faults, after, graph]);
    const kept = useMemo(() => new Set([...roots, ...[...faults.keys()].slice(0, 50)]), [graph, faults]);
    const subject = cut((isObject(payload) && typeof payload["description"] === "string" ? payload["description"] : "") || (graph?.nodes.get(start)?.note ?? ""), 80);
    useEffect(() => {
        if (checked)
            document.title = `${subject || "A reasoning"}: ${checked.verdict.verdict}`;
    }, [checked, subject]);
    if (error)
        return <Failure error={error} />;
    if (!checked)
        return <p class="wait" role="status">Verifying…</p>;
    const node = selected === null ? undefined : graph?.nodes.get(selected);
    const { given, policy } = checked;
    return (
        <main>
            <h1>A reasoning, and its proof</h1>
            <VerdictReport verdict={checked.verdict} own={given.registry !== null} />
            <DocumentFacts verdict={checked.verdict} />
            {graph && <div class={node ? "why with-record" : "why"}>
                <div class="stage">
                    <h2>Picture</h2>
                    <DrawnGraph graph={graph} levels={levels} title={`Reasoning of ${count(graph.nodes.size, "node")}`} marks={marks} about={start} ancestors={ancestors} by="none" opened={opened} kept={kept} most={MOST_DRAWN} selected={selected}
                        onSelect={setSelected} onOpenFold={(id) => { setOpened(new Set([...opened, id])); }} onOpenNode={setSelected} />
                    <Legend />
                    <h2>{ancestors ? "What led to it" : "What came of it"}</h2>
                    {roots.map((root) => <RootTree key={root} graph={graph} start={root} ancestors={ancestors} corrected={marks.corrected} selected={selected} onSelect={setSelected} bad={marks.bad} noted={marks.noted} />)}
                </div>
                {node && <RecordPanel key={node.id} node={node} graph={graph} corrections={corrected.get(node.id) ?? []} division="" live={false} onSelect={setSelected} onClose={() => { setSelected(null); }} faults={faults.get(node.id) ?? []} bad={faults} />}
            </div>}
            <h2>Proof</h2>
            <Evidence records={checked.verdict.records} />
            <Keys signers={checked.signers} signer={checked.verdict.signer} policy={policy} own={given.registry !== null} />
            <FileField label={given.registry !== null ? "Checked against the registry that you loaded." : "Check against a registry of your own"} accept="application/json,.json"
                onText={(text) => { run({ ...given, registry: text }); }} />
            <FileField label={given.policy !== null ? "Checked by the policy that you loaded." : "Check by a policy of your own: which logs count, and which witnesses"} accept="text/plain,*"
                onText={(text) => { run({ ...given, policy: text }); }} />
            <p class="faint">Root {cut(start, 60)}. This page made no request. What it shows was computed from the bytes in this file.</p>
        </main>
    );
}

const root = document.getElementById("app");
if (root)
    render(<Page />, root);
