/**
 * A proof of the log: that the event which completed a snapshot stands in a log that others saw.
 *
 * Whose signatures make a checkpoint count is decided as sidecar/verify/log_trust.c decides it: the registry's keys for
 * checkpoints and witnesses, or those of the reader's policy.
 */
import { bytesOfBase64, bytesOfHex, hex, textOf, utf8, type Bytes } from "./bytes.ts";
import { canonical, isObject, type Json, type JsonObject } from "./canonical.ts";
import { type Finding, type Mark } from "./document.ts";
import { eventHash, noteKey, proves, readProof, signedBy, TYPE_COSIGNATURE, TYPE_ED25519, type Checkpoint, type Proof } from "./note.ts";
import { judge, type Policy } from "./policy.ts";
import { canVerify, refusal, verifySignature, type Signer } from "./registry.ts";
import { latestPresent, microseconds } from "./time.ts";

export interface LogTrust { signers: readonly Signer[]; policy: Policy | null }

type Add = (mark: Mark, what: string, text: string) => void;

const text = (object: JsonObject, name: string): string => typeof object[name] === "string" ? object[name] : "";

/** The end of an origin, without the number of a log that was begun anew. */
const divisionOf = (origin: string): string => origin.slice(origin.lastIndexOf("/") + 1).split(";", 1)[0] ?? "";

/** The event, and since when it can have been there; null where it is not what it is to be. */
async function checkEvent(proof: Proof, hash: string, signers: readonly Signer[], add: Add): Promise<{ hash: Bytes; at: bigint } | null> {
    const extra = textOf(proof.extra), event = JSON.parse(extra) as Json, payload = isObject(event) && isObject(event["payload"]) ? event["payload"] : {};
    const completed = isObject(payload["snapshot"]) ? payload["snapshot"] : {}, at = microseconds(payload["ts"]);
    if (!isObject(event) || canonical(event) !== extra || payload["eventType"] !== "snapshot.completed" || completed["hash"] !== hash || at === null) {
        add("bad", "event", "the proof is not of the event that completed this snapshot");
        return null;
    }
    const computed = await eventHash(utf8(canonical(payload)), bytesOfHex(text(event, "prevHash")) ?? new Uint8Array(0));
    const signer = signers.find((s) => s.id === event["signerId"] && s.purpose === "events"), signature = bytesOfBase64(event["signature"], 64);
    if (hex(computed) !== event["hash"])
        add("bad", "event", "its hash is not that of its content");
    else if (event["seq"] !== Number(proof.index) || event["division"] !== divisionOf(proof.checkpoint.origin))
        add("bad", "event", "it is of another place or another log than the proof");
    else if (!signer || !signature || !await verifySignature(signer.publicKey, signature, computed))
        add("bad", "event", "no key of the registry for events signed it");
    else if (!await proves(proof, computed))
        add("bad", "log", "the event does not stand in the log of its checkpoint");
    else
        add("ok", "log", `the event that completed it is event ${proof.index} of the log ${proof.checkpoint.origin}, which had ${proof.checkpoint.size} events`);
    return { hash: computed, at };
}

function tellCosignature(name: string, time: bigint, add: Add): void {
    const when = time > 253402300799n ? String(time) : new Date(Number(time) * 1000).toISOString().replace(".000", "");
    if (time * 1000000n > latestPresent())
        add("bad", "witness", `"${name}" states a time in the future: ${when}`);
    else
        add("ok", "witness", `cosigned by "${name}" at ${when}`);
}

/** Cosignatures by the registry's witnesses. The latest at which the checkpoint can have been signed: before they did. */
async function checkWitnesses(checkpoint: Checkpoint, signers: readonly Signer[], add: Add): Promise<bigint> {
    let latest = latestPresent();
    for (const witness of signers.filter((s) => s.purpose === "witness")) {
        const { by, time } = await signedBy(checkpoint, await noteKey(witness.id, TYPE_COSIGNATURE, witness.publicKey)), made = time * 1000000n;
        if (by === "forger")
            add("bad", "witness", `a cosignature in the name of "${witness.id}" is not its`);
        if (by !== "key")
            continue;
        // The time is the witness's own word: that of a revoked key counts for nothing.
        if (witness.status === "revoked" || refusal(witness, made, made) !== null) {
            add("note", "witness", `"${witness.id}" cosigned when its key did not count`);
            continue;
        }
        tellCosignature(witness.id, time, add);
        latest = made < latest ? made : latest;
    }
    return latest;
}

/** The log's own signature, by a key of the registry for checkpoints under the origin's name. */
async function checkLogSignature(checkpoint: Checkpoint, signers: readonly Signer[], earliest: bigint, latest: bigint, add: Add): Promise<void> {
    let found = false;
    for (const signer of signers) {
        const { by } = await signedBy(checkpoint, await noteKey(checkpoint.origin, TYPE_ED25519, signer.publicKey));
        if (by === "forger")
            add("bad", "checkpoint", `a signature in the name of ${signer.id} is not its`);
        if (by !== "key")
            continue;
        found = true;
        // Nobody vouches for when it was signed but witnesses, who say that it was there by then.
        const why = signer.purpose !== "checkpoints" ? "the signer's key is registered for another purpose"
            : refusal(signer, signer.status === "revoked" ? latest : earliest, latest);
        if (why !== null)
            add("bad", "checkpoint", `${why} (${signer.id})`);
        else
            add("ok", "checkpoint", `signed by ${signer.id}, registered for checkpoints`);
    }
    if (!found)
        add("bad", "checkpoint", `no key of the registry signed it as the log "${checkpoint.origin}"`);
}

async function checkPolicy(checkpoint: Checkpoint, policy: Policy, add: Add): Promise<void> {
    const { log, forged, quorum, cosigned } = await judge(policy, checkpoint);
    if (forged !== null) {
        add("bad", "policy", `a signature in the name of "${forged}" is not its`);
        return;
    }
    if (log)
        add("ok", "checkpoint", `signed by the log "${checkpoint.origin}", which the policy knows`);
    else if (policy.logs.length > 0)
        add("bad", "checkpoint", `no log that the policy knows signed it as "${checkpoint.origin}"`);
    for (const { key, time } of cosigned)
        tellCosignature(key.name, time, add);
    if (!quorum)
        add("bad", "policy", `the witnesses that cosigned are no quorum: "${policy.quorum ?? ""}" is asked for`);
    else if (policy.quorum === null)
        add("note", "policy", "no witness is asked for");
    else
        add("ok", "policy", "the witnesses that cosigned are a quorum");
}

/** What a proof says of the snapshot with this hash. */
export async function checkLog(given: string, hash: string, { signers, policy }: LogTrust): Promise<Finding[]> {
    const findings: Finding[] = [], add: Add = (mark, what, found) => { findings.push({ mark, what, text: found }); };
    try {
        const proof = readProof(given), { checkpoint } = proof;
        if (!await canVerify()) {
            add("unchecked", "log", "this browser cannot verify the signatures of the log");
            return findings;
        }
        const event = await checkEvent(proof, hash, signers, add);
        if (policy)
            await checkPolicy(checkpoint, policy, add);
        if (!policy || policy.logs.length === 0)
            await checkLogSignature(checkpoint, signers, event?.at ?? 0n, policy ? latestPresent() : await checkWitnesses(checkpoint, signers, add), add);
        const unknown = checkpoint.signatures.length - findings.filter((f) => f.mark === "ok" && ["checkpoint", "witness"].includes(f.what)).length;
        if (unknown > 0)
            add("note", "witness", `${unknown} of its signatures are by nobody that is known here; they count for nothing`);
    } catch (error) {
        add("bad", "log", error instanceof Error ? error.message : String(error));
    }
    return findings;
}
