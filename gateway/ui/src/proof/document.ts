/**
 * A snapshot's document, verified from its bytes alone: what reason-verify does, in a browser.
 *
 * The rules are those of sidecar/verify/snapshot.c, records.c and extension/core/snapshot_graph.h. A record's verdict
 * is its own: what is altered in one turns that one red. An edge that names another version of a node than the
 * document holds is at fault itself, unless the node is.
 */
import { bytesOfBase64, bytesOfHex, concat, equal, hex, sha256, textOf, utf8, type Bytes } from "./bytes.ts";
import { canonical, canonicalMembers, isObject, type Json, type JsonObject } from "./canonical.ts";
import { canVerify, refusal, verifySignature, type Signer } from "./registry.ts";
import { latestPresent, microseconds, TOLERANCE } from "./time.ts";

export type Kind = "node" | "edge" | "annotation";
export type Mark = "ok" | "bad" | "note" | "unchecked";

export interface Finding { mark: Mark; what: string; text: string }

export interface CheckedRecord {
    kind: Kind;
    id: string;
    record: JsonObject;
    /** as it is computed from the record, hex; that stated, of one that was redacted */
    digest: string;
    faults: string[];
    content: "matches" | "differs" | "withheld" | "erased" | "redacted" | "none";
}

export interface Claims { hash?: string; signature?: string; signerId?: string; signedAt?: string; snapshotId?: string }

export interface Verdict {
    verdict: "verified" | "refused" | "unchecked";
    findings: Finding[];
    hash: string;
    document: JsonObject | null;
    records: CheckedRecord[];
    signer: Signer | null;
    /** what was claimed of the bytes, whether it holds or not */
    claims: Claims;
}

const MEMBERS: Record<Kind, readonly string[]> = {
    node: ["author", "createdAt", "division", "id", "manifestSignatureId", "metadata", "payloadHash", "payloadRef", "ts", "type", "version"],
    edge: ["createdAt", "division", "from", "fromDigest", "id", "metadata", "to", "toDigest", "type", "weight"],
    annotation: ["author", "createdAt", "division", "id", "metadata", "payloadHash", "target", "targetDigest", "type"],
};
/** What is redacted where a document leaves out personal data; a payload has no place in the digest. */
const REDACTABLE = ["author", "metadata", "payloadRef"];
const TOKEN = /\[redacted:[a-z][a-z0-9_]{0,49}\]/;
const RECORDED_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
/** The database's clock may have been set back by so much between a record and the document. */
const CLOCK_SECONDS = 600n;
const COMPANIONS = ["digest", "erased", "payload", "redacted", "salt"];
const DOCUMENT = ["id", "root_ids", "created_at", "reasoning_graph_version", "manifest_signature_id", "payload"];
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const holdsRedaction = (value: Json | undefined): boolean => value !== undefined && TOKEN.test(JSON.stringify(value));
const named = (value: JsonObject, name: string): string => typeof value[name] === "string" ? value[name] : "";
const listOf = (value: Json | undefined): JsonObject[] => Array.isArray(value) ? value.filter(isObject) : [];

async function checkContent(checked: CheckedRecord, mayRedact: boolean): Promise<void> {
    const { record } = checked, { salt = null, payload } = record;
    if (record["erased"] !== undefined) {
        checked.content = "erased";
        if (salt !== null || (payload ?? null) !== null)
            checked.faults.push("it is marked as erased, and has a content");
    } else if (record["payloadHash"] === undefined) {
        if (salt !== null || (payload ?? null) !== null)
            checked.faults.push("it has a content, and no payloadHash");
    } else if (salt === null) {
        checked.content = record["redacted"] === undefined ? "withheld" : "redacted";
        if ((payload ?? null) !== null && !mayRedact)
            checked.faults.push("its payload has no salt to prove it, and the document does not say that personal data are left out");
    } else if (payload === undefined)
        checked.faults.push("it has a salt and no payload that it can belong to");
    else {
        const bytes = bytesOfBase64(salt, 16);
        if (bytes && hex(await sha256(concat(bytes, utf8(canonical(payload))))) === record["payloadHash"])
            checked.content = "matches";
        else {
            checked.content = "differs";
            checked.faults.push("its payload is not the one that its payloadHash commits to");
        }
    }
}

/** The text whose SHA-256 is a record's digest. */
export const hashedForm = ({ kind, record }: Pick<CheckedRecord, "kind" | "record">): string => canonicalMembers(record, MEMBERS[kind]);

async function checkRecord(kind: Kind, record: JsonObject, mayRedact: boolean, madeAt: bigint | null): Promise<CheckedRecord> {
    const checked: CheckedRecord = { kind, id: named(record, "id"), record, digest: "", faults: [], content: "none" };
    const stated = bytesOfHex(record["digest"], 32), time = RECORDED_TIME.test(named(record, "createdAt")) ? microseconds(record["createdAt"]) : null;
    if (record["redacted"] !== undefined && mayRedact && stated)
        checked.digest = hex(stated);
    else {
        checked.digest = hex(await sha256(utf8(hashedForm(checked))));
        if (checked.digest !== record["digest"])
            checked.faults.push("its digest is not the one that the record gives");
        if (record["redacted"] !== undefined && !mayRedact)
            checked.faults.push("it is redacted, and the document says that it leaves nothing out");
    }
    if (record["redacted"] !== undefined && (record["redacted"] !== true || !REDACTABLE.some((name) => holdsRedaction(record[name]))))
        checked.faults.push("it is marked as redacted, and nothing in it is");
    if (!UUID.test(checked.id))
        checked.faults.push("its id is no UUID");
    for (const name of Object.keys(record))
        if (!MEMBERS[kind].includes(name) && !COMPANIONS.includes(name))
            checked.faults.push(`it has the member "${name}", which no such record has`);
    if (time === null)
        checked.faults.push("its createdAt is not a time");
    else if (time > latestPresent())
        checked.faults.push("it says that it was recorded in the future");
    else if (madeAt !== null && time / 1000000n - madeAt / 1000000n > CLOCK_SECONDS)
        checked.faults.push(`it was recorded more than ${CLOCK_SECONDS} seconds after the document says that it was made`);
    await checkContent(checked, mayRedact);
    return checked;
}

/** Checks many side by side, so that the browser's own threads hash. */
async function checkRecords(kind: Kind, records: readonly JsonObject[], mayRedact: boolean, madeAt: bigint | null): Promise<CheckedRecord[]> {
    const checked: CheckedRecord[] = [];
    for (let i = 0; i < records.length; i += 512)
        checked.push(...await Promise.all(records.slice(i, i + 512).map((record) => checkRecord(kind, record, mayRedact, madeAt))));
    for (let i = 1; i < checked.length; i++) {
        const before = checked[i - 1], here = checked[i];
        if (before && here && before.id >= here.id)
            here.faults.push("it is out of order, or there twice");
    }
    return checked;
}

function checkReference(checked: CheckedRecord, nodes: Map<string, CheckedRecord>, end: string): void {
    const node = nodes.get(named(checked.record, end)), stated = checked.record[`${end}Digest`];
    if (!node)
        checked.faults.push(`its ${end} is not in the document`);
    else if (stated !== node.digest && stated !== node.record["digest"])
        checked.faults.push(`it was made over another version of its ${end}`);
}

/** Nodes that no root leads to within the depth, by the edges of the document. */
function unreachable(roots: readonly string[], depth: number, ancestors: boolean, nodes: readonly CheckedRecord[], edges: readonly CheckedRecord[]): CheckedRecord[] {
    const next = new Map<string, string[]>();
    for (const { record } of edges) {
        const [from, to] = ancestors ? [named(record, "to"), named(record, "from")] : [named(record, "from"), named(record, "to")];
        const list = next.get(from);
        if (list)
            list.push(to);
        else
            next.set(from, [to]);
    }
    const seen = new Set(roots);
    let level = [...seen];
    for (let i = 0; i < depth && level.length > 0; i++) {
        const following: string[] = [];
        for (const id of level)
            for (const other of next.get(id) ?? [])
                if (!seen.has(other)) {
                    seen.add(other);
                    following.push(other);
                }
        level = following;
    }
    return nodes.filter((node) => !seen.has(node.id));
}

function parse(bytes: Bytes, findings: Finding[]): JsonObject | null {
    try {
        const text = textOf(bytes), value = JSON.parse(text) as Json;
        if (!isObject(value))
            findings.push({ mark: "bad", what: "document", text: "is not a JSON object" });
        else if (canonical(value) !== text)
            findings.push({ mark: "bad", what: "canonical", text: "the bytes are not canonical JSON (RFC 8785)" });
        else
            findings.push({ mark: "ok", what: "canonical", text: "the bytes are canonical JSON (RFC 8785)" });
        return isObject(value) ? value : null;
    } catch {
        findings.push({ mark: "bad", what: "document", text: "is not JSON in UTF-8" });
        return null;
    }
}

async function checkSignature(hash: Bytes, document: JsonObject, claims: Claims, signers: readonly Signer[], findings: Finding[]): Promise<Signer | null> {
    const signature = bytesOfBase64(claims.signature, 64), signer = signers.find((s) => s.id === claims.signerId) ?? null;
    const madeAt = microseconds(document["created_at"]), signedAt = claims.signedAt === undefined ? null : microseconds(claims.signedAt);
    const add = (mark: Mark, what: string, text: string): number => findings.push({ mark, what, text });
    if (claims.signature === undefined || claims.signerId === undefined)
        add("unchecked", "signature", "there is no signature with a signer's id");
    else if (!signature)
        add("bad", "signature", "is not the base64 of 64 bytes");
    else if (!signer)
        add("bad", "signer", `"${claims.signerId}" is not in the registry`);
    else if (signer.purpose !== "events")
        add("bad", "signer", `the key of ${signer.id} is for ${signer.purpose}, not for snapshots`);
    else if (!await canVerify())
        add("unchecked", "signature", "this browser cannot verify Ed25519: use a newer one, or reason-verify");
    else if (!await verifySignature(signer.publicKey, signature, hash))
        add("bad", "signature", `is not the one of ${signer.id} over this hash`);
    else {
        add("ok", "signature", `Ed25519 by ${signer.id} over the hash`);
        const earliest = madeAt === null ? latestPresent() : signedAt !== null && signedAt > madeAt ? signedAt : madeAt;
        const why = refusal(signer, earliest, signedAt === null ? latestPresent() : earliest);
        if (why !== null)
            add("bad", "signer", why);
        else
            add(signer.status === "revoked" ? "note" : "ok", "signer", signer.status === "revoked"
                ? `${signer.id} was valid at the time stated, and has been revoked since`
                : `${signer.id} is ${signer.status} in the registry, and was valid`);
    }
    if (madeAt === null || !RECORDED_TIME.test(named(document, "created_at")))
        add("bad", "document", "created_at is not a time");
    else if (madeAt > latestPresent())
        add("bad", "document", "says it was made in the future");
    if (claims.signedAt !== undefined) {
        if (signedAt === null)
            add("bad", "metadata", "the time of signing is not a time");
        else if (signedAt > latestPresent() || (madeAt !== null && signedAt < madeAt - TOLERANCE))
            add("bad", "metadata", "the time of signing is in the future, or before the document was made");
    }
    return signer;
}

function checkForm(document: JsonObject, findings: Finding[]): void {
    const add = (text: string): number => findings.push({ mark: "bad", what: "document", text });
    if (Object.hasOwn(document, "eventType"))
        add("is an audit event, not a snapshot");
    for (const name of Object.keys(document))
        if (!DOCUMENT.includes(name))
            add(`has the unknown member "${name.slice(0, 60)}"`);
    if (named(document, "id") === "" || named(document, "created_at") === "" || named(document, "reasoning_graph_version") === "" ||
        !Array.isArray(document["root_ids"]) || document["root_ids"].length === 0 || !isObject(document["payload"]))
        add("lacks members that every snapshot has");
    else if (!UUID.test(named(document, "id")))
        add("has an id that is no UUID");
    else if (document["root_ids"].some((id, i, all) => typeof id !== "string" || !UUID.test(id) || (i > 0 && String(all[i - 1]) >= id)))
        add("names roots that are no UUIDs, not in order, or there twice");
}

function tell(findings: Finding[], kind: Kind, records: readonly CheckedRecord[]): void {
    const what = `${kind}s`;
    const bad = records.filter((record) => record.faults.length > 0);
    const matching = records.filter((record) => record.content === "matches").length;
    const hidden = records.filter((record) => ["withheld", "erased", "redacted"].includes(record.content)).length;
    findings.push(bad.length > 0
        ? { mark: "bad", what, text: `${bad.length} of ${records.length} ${bad.length === 1 ? "is" : "are"} not what was recorded` }
        : { mark: "ok", what, text: `${records.length} recomputed` + (what === "edges" ? ", both ends of each match" : `, of which ${matching} with a payload that matches` + (hidden > 0 ? `, ${hidden} withheld, redacted or erased` : "")) });
    const redacted = records.filter((record) => record.record["redacted"] !== undefined);
    const stated = MEMBERS[kind].filter((name) => redacted.some((record) => Object.hasOwn(record.record, name)));
    if (redacted.length > 0)
        findings.push({ mark: "note", what, text: `${redacted.length} of ${records.length} redacted: their digests are those of the whole records, which are not here, and do not prove what is shown of them: ${stated.join(", ")}` });
}

/** Every record and the graph they make. */
async function checkPayload(document: JsonObject, findings: Finding[]): Promise<CheckedRecord[]> {
    const payload = isObject(document["payload"]) ? document["payload"] : {}, mayRedact = payload["pii_included"] === false, madeAt = microseconds(document["created_at"]);
    const nodes = await checkRecords("node", listOf(payload["nodes"]), mayRedact, madeAt);
    const edges = await checkRecords("edge", listOf(payload["edges"]), mayRedact, madeAt);
    const annotations = await checkRecords("annotation", listOf(payload["annotations"]), mayRedact, madeAt);
    const byId = new Map(nodes.map((node) => [node.id, node]));
    for (const edge of edges) {
        checkReference(edge, byId, "from");
        checkReference(edge, byId, "to");
    }
    for (const annotation of annotations)
        checkReference(annotation, byId, "target");

    const roots = Array.isArray(document["root_ids"]) ? document["root_ids"].filter((id) => typeof id === "string") : [];
    const { depth, direction } = payload;
    if (roots.some((id) => !byId.has(id)))
        findings.push({ mark: "bad", what: "roots", text: "a root is not among the nodes" });
    if (typeof depth !== "number" || !Number.isInteger(depth) || depth < 0 || (direction !== "ancestors" && direction !== "descendants"))
        findings.push({ mark: "bad", what: "document", text: "its direction or depth is none" });
    else
        for (const node of unreachable(roots, depth, direction === "ancestors", nodes, edges))
            node.faults.push("no root leads to it");
    for (const [name, list] of Object.entries(payload))
        if (["nodes", "edges", "annotations"].includes(name) && (!Array.isArray(list) || !list.every(isObject)))
            findings.push({ mark: "bad", what: name, text: "are not a list of records" });

    tell(findings, "node", nodes);
    tell(findings, "edge", edges);
    if (Object.hasOwn(payload, "annotations"))
        tell(findings, "annotation", annotations);
    const frontier = payload["frontier"];
    if (Array.isArray(frontier) && frontier.some((id) => typeof id !== "string" || !byId.has(id)))
        findings.push({ mark: "bad", what: "frontier", text: "an id where the walk stopped is not among the nodes" });
    else if (Array.isArray(frontier) && frontier.length > 0)
        findings.push({ mark: "note", what: "frontier", text: `the snapshot was cut by its depth: so many nodes have further edges: ${frontier.length}` });
    return [...nodes, ...edges, ...annotations];
}

export function concluded(findings: readonly Finding[]): Verdict["verdict"] {
    return findings.some((f) => f.mark === "bad") ? "refused" : findings.some((f) => f.mark === "unchecked") ? "unchecked" : "verified";
}

/** Verifies the bytes of a document against what is claimed of them and a registry of signers. */
export async function verifyDocument(bytes: Bytes, claims: Claims, signers: readonly Signer[]): Promise<Verdict> {
    const findings: Finding[] = [], hash = await sha256(bytes), claimed = bytesOfHex(claims.hash, 32);
    if (claims.hash === undefined)
        findings.push({ mark: "note", what: "hash", text: `SHA-256 ${hex(hash)} of ${bytes.length} bytes; none was given to compare with` });
    else if (!claimed || !equal(hash, claimed))
        findings.push({ mark: "bad", what: "hash", text: `of these ${bytes.length} bytes is ${hex(hash)}, not ${claims.hash.slice(0, 80)}` });
    else
        findings.push({ mark: "ok", what: "hash", text: `SHA-256 ${hex(hash)} of ${bytes.length} bytes` });

    const document = parse(bytes, findings);
    let records: CheckedRecord[] = [], signer: Signer | null = null;
    if (document) {
        if (claims.snapshotId !== undefined && claims.snapshotId !== document["id"])
            findings.push({ mark: "bad", what: "metadata", text: `is of snapshot ${claims.snapshotId}` });
        signer = await checkSignature(hash, document, claims, signers, findings);
        checkForm(document, findings);
        records = await checkPayload(document, findings);
    }
    return { verdict: concluded(findings), findings, hash: hex(hash), document, records, signer, claims };
}
