/**
 * Which logs are known, and which witnesses must have seen a checkpoint (C2SP tlog-policy).
 *
 * The rules are those of extension/core/log_policy.c.
 */
import { cosigns, readNoteKey, signedBy, type Checkpoint, type NoteKey } from "./note.ts";

/** A witness or a group, in the order of their lines: a group stands after its members. */
export interface PolicyEntry { name: string; /** of a witness; null: a group */ key: NoteKey | null; /** of a group: so many members must have witnessed */ least: number; group: string | null }

export interface Policy { logs: NoteKey[]; entries: Map<string, PolicyEntry>; /** null: no cosignature is asked for */ quorum: string | null }

const LARGEST = 1 << 20;
const MOST_LOGS = 64;
const MOST_ENTRIES = 256;

function addEntry(policy: Policy, name: string | undefined, key: NoteKey | null, least: number): void {
    if (name === undefined || name === "none" || policy.entries.has(name))
        throw new Error("a witness or a group needs a name that no other has");
    if (policy.entries.size === MOST_ENTRIES)
        throw new Error(`the policy has more than ${MOST_ENTRIES} witnesses and groups`);
    policy.entries.set(name, { name, key, least, group: null });
}

async function readLog(policy: Policy, [vkey = "", , ...more]: string[]): Promise<void> {
    const key = await readNoteKey(vkey);
    if (more.length > 0 || policy.logs.length === MOST_LOGS || policy.logs.some((log) => log.fingerprint === key.fingerprint))
        throw new Error("a log is one of at most 64, with a key of its own and an address");
    policy.logs.push(key);
}

async function readWitness(policy: Policy, [name, vkey = "", , ...more]: string[]): Promise<void> {
    const key = await readNoteKey(vkey);
    if (more.length > 0 || !cosigns(key) || [...policy.entries.values()].some((entry) => entry.key?.fingerprint === key.fingerprint))
        throw new Error("a witness has a name, a key of its own that cosigns, and an address");
    addEntry(policy, name, key, 0);
}

function readGroup(policy: Policy, [name, threshold = "", ...members]: string[]): void {
    const least = threshold === "all" ? members.length : threshold === "any" ? 1 : /^(0|[1-9]\d{0,5})$/.test(threshold) ? Number(threshold) : 0;
    if (least < 1 || least > members.length)
        throw new Error("a group's threshold is all, any, or from 1 to the number of its members");
    for (const member of members) {
        const entry = policy.entries.get(member);
        if (!entry || entry.group !== null)
            throw new Error("a member of the group is defined on no line before, or in a group already");
        entry.group = name ?? "";
    }
    addEntry(policy, name, null, least);
}

/** Throws an Error that says what is wrong, and in which line. */
export async function readPolicy(text: string): Promise<Policy> {
    const policy: Policy = { logs: [], entries: new Map(), quorum: null };
    let hasQuorum = false;
    if (text.length > LARGEST)
        throw new Error("the policy is larger than one megabyte");
    for (const [i, line] of text.split("\n").entries())
        try {
            // eslint-disable-next-line no-control-regex
            if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(line))
                throw new Error("the line has a control character");
            const [word = "", ...items] = line.split(/[ \t]+/).filter((item) => item !== "");
            if (word === "" || word.startsWith("#"))
                continue;
            if (word === "log")
                await readLog(policy, items);
            else if (word === "witness")
                await readWitness(policy, items);
            else if (word === "group")
                readGroup(policy, items);
            else if (word === "quorum" && !hasQuorum && items.length === 1 && items[0] !== undefined && (items[0] === "none" || policy.entries.has(items[0]))) {
                policy.quorum = items[0] === "none" ? null : items[0];
                hasQuorum = true;
            } else
                throw new Error("the line is none of log, witness, group, and one quorum that was defined before");
        } catch (error) {
            throw new Error(`line ${i + 1} of the policy: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
        }
    if (!hasQuorum)
        throw new Error("the policy has no quorum line");
    return policy;
}

export interface Judgement { /** that signed it under its origin */ log: NoteKey | null; /** a known key whose line does not verify: nothing else counts then */ forged: string | null; quorum: boolean; cosigned: { key: NoteKey; time: bigint }[] }

/** What a policy says of a signed checkpoint. The browser must know Ed25519. */
export async function judge(policy: Policy, checkpoint: Checkpoint): Promise<Judgement> {
    const judgement: Judgement = { log: null, forged: null, quorum: false, cosigned: [] }, counted = new Map<string, number>(), witnessed = new Set<string>();
    for (const key of policy.logs.filter((log) => log.name === checkpoint.origin)) {
        const { by } = await signedBy(checkpoint, key);
        if (by === "forger")
            judgement.forged = key.name;
        else if (by === "key")
            judgement.log ??= key;
    }
    // A group stands after its members, so that each is complete when it is looked at.
    for (const { name, key, least, group } of policy.entries.values()) {
        const signed = key ? await signedBy(checkpoint, key) : null;
        if (key && signed?.by === "forger")
            judgement.forged = key.name;
        if (key && signed?.by === "key")
            judgement.cosigned.push({ key, time: signed.time });
        if (!(signed ? signed.by === "key" : (counted.get(name) ?? 0) >= least))
            continue;
        witnessed.add(name);
        if (group !== null)
            counted.set(group, (counted.get(group) ?? 0) + 1);
    }
    judgement.quorum = policy.quorum === null || witnessed.has(policy.quorum);
    return judgement.forged === null ? judgement : { ...judgement, log: null, quorum: false };
}
