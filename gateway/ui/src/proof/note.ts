/** Signed notes with checkpoints in them (C2SP signed-note, tlog-checkpoint, tlog-cosignature), and proofs (tlog-proof). */
import { bytesOfBase64, concat, equal, sha256, utf8, type Bytes } from "./bytes.ts";
import { leafHash, verifyInclusion } from "./merkle.ts";
import { canVerify, verifySignature, type Signer } from "./registry.ts";

export interface NoteSignature { name: string; keyId: Bytes; bytes: Bytes }

export interface Checkpoint { text: string; origin: string; size: bigint; root: Bytes; signatures: NoteSignature[] }

const LARGEST = 1000000;
const MOST_SIGNATURES = 100;

/** Throws an Error that says what is wrong. */
export function readCheckpoint(note: string): Checkpoint {
    const end = note.lastIndexOf("\n\n");
    // eslint-disable-next-line no-control-regex
    if (note.length > LARGEST || end < 0 || !note.endsWith("\n") || /[\u0000-\u0009\u000b-\u001f]/.test(note))
        throw new Error("it is not a signed note");
    const text = note.slice(0, end + 1), lines = text.split("\n"), [origin = "", size = "", root = ""] = lines;
    const bytes = bytesOfBase64(root, 32);
    if (origin === "" || !/^(0|[1-9]\d{0,18})$/.test(size) || !bytes)
        throw new Error("it is not a checkpoint");
    const signatures = note.slice(end + 2, -1).split("\n").map((line) => {
        const match = /^\u2014 ([^ +]+) ([A-Za-z0-9+/]+=*)$/.exec(line), raw = bytesOfBase64(match?.[2]);
        if (!match?.[1] || !raw || raw.length < 5)
            throw new Error("a line of its signatures is not one");
        return { name: match[1], keyId: raw.slice(0, 4), bytes: raw.slice(4) };
    });
    if (signatures.length > MOST_SIGNATURES)
        throw new Error("it has too many signatures");
    return { text, origin, size: BigInt(size), root: bytes, signatures };
}

export async function keyId(name: string, type: number, key: Bytes): Promise<Bytes> {
    return (await sha256(utf8(name + "\n"), new Uint8Array([type]), key)).slice(0, 4);
}

const TYPE_ED25519 = 1;

/** Whether one of its signatures is that of a key of the registry for checkpoints; null where this browser cannot tell. */
export async function signedBy(checkpoint: Checkpoint, signers: readonly Signer[]): Promise<Signer | null | undefined> {
    for (const signer of signers.filter((s) => s.purpose === "checkpoints"))
        for (const signature of checkpoint.signatures) {
            if (signature.name !== checkpoint.origin || !equal(signature.keyId, await keyId(checkpoint.origin, TYPE_ED25519, signer.publicKey)))
                continue;
            if (!await canVerify())
                return undefined;
            if (signature.bytes.length === 64 && await verifySignature(signer.publicKey, signature.bytes, utf8(checkpoint.text)))
                return signer;
        }
    return null;
}

export interface Proof { extra: Bytes; index: bigint; path: Bytes[]; checkpoint: Checkpoint }

/** Throws an Error that says what is wrong. */
export function readProof(text: string): Proof {
    const end = text.indexOf("\n\n"), lines = text.slice(0, end < 0 ? 0 : end).split("\n");
    if (lines.shift() !== "c2sp.org/tlog-proof@v1")
        throw new Error("it is not a tlog-proof");
    const extra = lines[0]?.startsWith("extra ") ? bytesOfBase64(lines.shift()?.slice(6)) : new Uint8Array(0);
    const index = /^index (0|[1-9]\d{0,18})$/.exec(lines.shift() ?? "")?.[1];
    const path = lines.map((line) => bytesOfBase64(line, 32));
    if (!extra || index === undefined || path.length > 63 || path.some((hash) => hash === null))
        throw new Error("it is not a tlog-proof");
    return { extra, index: BigInt(index), path: path.filter((hash) => hash !== null), checkpoint: readCheckpoint(text.slice(end + 2)) };
}

/** Whether the proof shows an event with this hash in the log of its checkpoint. The checkpoint's signature is another question. */
export async function proves(proof: Proof, eventHash: Bytes): Promise<boolean> {
    return verifyInclusion(proof.index, proof.checkpoint.size, await leafHash(eventHash), proof.path, proof.checkpoint.root);
}

/** The hash of an event as its chain has it: over its canonical payload and the hash before. */
export function eventHash(payload: Bytes, previous: Bytes): Promise<Bytes> {
    return sha256(concat(payload, previous));
}
