/** What came of verifying, record by record. The page computed it; the reader compares the keys. */
import { useState } from "preact/hooks";
import { hashedForm, type CheckedRecord, type Verdict } from "../proof/document.ts";
import { type Policy } from "../proof/policy.ts";
import { type Signer } from "../proof/registry.ts";
import { timeText } from "../proof/time.ts";
import { count, cut, plain, when } from "../text.ts";
import { Pair } from "./parts.tsx";

const VERDICTS = {
    verified: "Verified: these bytes are what was signed, and every record is what was recorded.",
    refused: "Refused: something here is not what was signed or recorded.",
    unchecked: "Not decided: something could not be checked here.",
};

const MARKS = { ok: "✓", bad: "✗", note: "i", unchecked: "?" };

/** A verdict is worth what the keys are worth: whose they are said to be stands beside it. */
export function VerdictReport({ verdict, own = false }: { verdict: Verdict; /** whether the reader brought the registry */ own?: boolean }) {
    return (
        <section class={`verdict verdict-${verdict.verdict}`} aria-label="Verdict">
            <p class="word" role="status" data-verdict={verdict.verdict}>{VERDICTS[verdict.verdict]}</p>
            <ul class="plain">
                {verdict.findings.map((finding, i) => <li key={i} class={`finding ${finding.mark}`}><span aria-hidden="true">{MARKS[finding.mark]}</span> <strong>{finding.what}</strong> {cut(finding.text, 400)}</li>)}
            </ul>
            {verdict.verdict === "verified" && !own && <p>This holds if the keys below are those of the signers: compare their fingerprints with ones that reached you another way.</p>}
        </section>
    );
}

/** From when to when signatures of a key count. */
function validity({ validFrom, validTo, revokedAt }: Signer): string {
    return `${validFrom === null ? "any time" : timeText(validFrom)} to ${validTo === null ? "open" : timeText(validTo)}${revokedAt === null ? "" : `, revoked ${timeText(revokedAt)}`}`;
}

/** Keys with fingerprints, to be compared with those that the reader has from elsewhere. */
export function Keys({ signers, signer, policy, own = false }: { signers: readonly Signer[]; signer: Signer | null; policy: Policy | null; /** whether the reader brought the registry */ own?: boolean }) {
    const policyKeys = policy ? [...policy.logs.map((key) => ({ key, use: "log" })), ...[...policy.entries.values()].flatMap(({ key }) => key ? [{ key, use: "witness" }] : [])] : [];
    return (
        <section>
            <h3>Keys</h3>
            {own ? <p>The keys of signers are those of the registry that you loaded. They are worth what the way is worth on which it reached you.</p> : <p>These keys came with what they prove: whoever gave it to you could have put keys of his own here. Compare the fingerprint (SHA-256 of the 32 bytes of the key) with one that reached you another way.</p>}
            <table class="stacked" tabIndex={0} aria-label="Keys">
                <thead><tr><th scope="col">Whose</th><th scope="col">For</th><th scope="col">Status</th><th scope="col">Valid</th><th scope="col">Fingerprint</th></tr></thead>
                <tbody>
                    {signers.map((s) => <tr key={s.id} aria-current={s.id === signer?.id}><th scope="row">{cut(s.id, 100)}</th><td data-label="for" class="word">{s.purpose}</td><td data-label="status" class="word">{s.status}</td><td data-label="valid">{validity(s)}</td><td data-label="fingerprint"><code class="wide">{s.fingerprint}</code></td></tr>)}
                    {policyKeys.map(({ key, use }) => <tr key={key.fingerprint}><th scope="row">{cut(key.name, 100)}</th><td data-label="for" class="word">{use}</td><td data-label="status" class="word">in the policy</td><td data-label="valid">as the policy has it</td><td data-label="fingerprint"><code class="wide">{key.fingerprint}</code></td></tr>)}
                </tbody>
            </table>
        </section>
    );
}

const MOST = 500, MOST_SHOWN = 100000;

/** A record's digest, and on demand the bytes that it is of. Redacted ones are not all here, and their digest is that stated. */
function Digest({ checked }: { checked: CheckedRecord }) {
    const [opened, setOpened] = useState(false), { digest, record } = checked;
    if (record["redacted"] !== undefined)
        return <><code class="wide">{digest}</code> <span class="faint">as stated: it was redacted</span></>;
    const form = opened ? plain(hashedForm(checked)) : "";
    return (
        <details class="hashed" onToggle={(event) => { setOpened(event.currentTarget.open); }}>
            <summary><code class="wide">{digest}</code></summary>
            {opened && <><p class="faint">the SHA-256 of its canonical form:</p><pre tabIndex={0} class="json">{form.slice(0, MOST_SHOWN)}{form.length > MOST_SHOWN ? `\n… ${form.length - MOST_SHOWN} characters more` : ""}</pre></>}
        </details>
    );
}

/** The records with their digests; those at fault come first. */
export function Evidence({ records }: { records: readonly CheckedRecord[] }) {
    const sorted = [...records].sort((a, b) => Number(b.faults.length > 0) - Number(a.faults.length > 0)), bad = records.filter((record) => record.faults.length > 0).length;
    return (
        <details open={bad > 0}>
            <summary>{count(records.length, "record")}, each recomputed{bad > 0 ? `; ${bad} ${bad === 1 ? "does" : "do"} not verify` : ""}</summary>
            <table class="stacked" tabIndex={0} aria-label="Records">
                <thead><tr><th scope="col">Record</th><th scope="col">Recorded</th><th scope="col">Digest</th><th scope="col">Content</th><th scope="col">Verdict</th></tr></thead>
                <tbody>{sorted.slice(0, MOST).map((checked, i) => { const { kind, id, record, content, faults } = checked; return (
                    <tr key={i} class={faults.length > 0 ? "bad" : undefined} data-record={id} data-good={faults.length === 0}>
                        <th scope="row">{kind} {cut(String(record["type"] ?? ""), 40)} <code>{cut(id, 40)}</code></th>
                        <td data-label="recorded">{when(typeof record["createdAt"] === "string" ? record["createdAt"] : "")}</td>
                        <td data-label="digest"><Digest checked={checked} /></td><td data-label="content" class="word">{content}</td>
                        <td data-label="verdict" class={faults.length === 0 ? "word" : undefined}>{faults.length === 0 ? "as recorded" : faults.map((fault) => cut(fault, 200)).join("; ")}</td>
                    </tr>
                ); })}</tbody>
            </table>
            {records.length > MOST && <p class="faint">{records.length - MOST} more, checked in the same way</p>}
        </details>
    );
}

export function DocumentFacts({ verdict }: { verdict: Verdict }) {
    const { document, signer, claims: { signature, signerId, signedAt } } = verdict, payload = document?.["payload"];
    if (!document || typeof payload !== "object" || payload === null || Array.isArray(payload))
        return null;
    return (
        <dl>
            <Pair name="Snapshot"><code class="wide">{cut(String(document["id"] ?? ""), 60)}</code></Pair>
            <Pair name="Made">{when(typeof document["created_at"] === "string" ? document["created_at"] : "")}</Pair>
            {typeof payload["description"] === "string" && <Pair name="Description">{cut(payload["description"], 1000)}</Pair>}
            <Pair name="Walk">{cut(String(payload["direction"] ?? ""), 20)}, at most {String(payload["depth"] ?? "")} edges</Pair>
            <Pair name="Personal data">{payload["pii_included"] === true ? "included" : "left out"}</Pair>
            <Pair name="Annotations">{Array.isArray(payload["annotations"]) ? `${payload["annotations"].length.toLocaleString("en")} included` : "left out: what was noted of these records is not in this document"}</Pair>
            <Pair name="SHA-256"><code class="wide">{verdict.hash}</code></Pair>
            {signature !== undefined && <Pair name="Signature"><code class="wide">{cut(signature, 120)}</code></Pair>}
            {signerId !== undefined && <Pair name="Signer">{cut(signerId, 100)}{signer ? `, whose key is valid from ${validity(signer)}` : ", whose key is not in the registry"}</Pair>}
            {signedAt !== undefined && <Pair name="Signed">{when(signedAt)}</Pair>}
        </dl>
    );
}
