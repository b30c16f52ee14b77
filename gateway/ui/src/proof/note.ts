/** Signed notes with checkpoints in them (C2SP signed-note, tlog-checkpoint, tlog-cosignature), and proofs (tlog-proof). */
import { bytesOfBase64, concat, equal, hex, sha256, utf8, type Bytes } from "./bytes.ts";
import { leafHash, verifyInclusion } from "./merkle.ts";
import { verifySignature } from "./registry.ts";

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

/** Types of signatures: the byte that key ids and verifier keys hold. */
export const TYPE_ED25519 = 1, TYPE_COSIGNATURE = 4;
const TYPE_COSIGNATURE_ML_DSA = 6;

/** A verifier key. One of another type than the two above can be named, and verifies nothing. */
export interface NoteKey { name: string; keyId: Bytes; type: number; publicKey: Bytes; fingerprint: string }

const KEY_LENGTH = 32;
const SIGNATURE_LENGTH = 64;
/* Seconds since 1970 in eight bytes, big end first, stand before the signature. */
const TIME_LENGTH = 8;

export async function noteKey(name: string, type: number, publicKey: Bytes): Promise<NoteKey> {
    const id = await sha256(utf8(name + "\n"), new Uint8Array([type]), publicKey);
    return { name, keyId: id.slice(0, 4), type, publicKey, fingerprint: hex(await sha256(publicKey)) };
}

/** `<name>+<hex of the key id>+<base64 of type and public key>`; throws an Error that says what is wrong. */
export async function readNoteKey(vkey: string): Promise<NoteKey> {
    const match = /^([^\s+]+)\+([0-9a-f]{8})\+(.+)$/u.exec(vkey), bytes = bytesOfBase64(match?.[3]), type = bytes?.[0];
    if (!match?.[1] || !bytes || bytes.length < 2 || type === undefined)
        throw new Error("a verifier key is <name>+<8 hexadecimal digits, lower case>+<base64>");
    const key = await noteKey(match[1], type, bytes.slice(1));
    if (type !== TYPE_ED25519 && type !== TYPE_COSIGNATURE)
        return key;
    if (key.publicKey.length !== KEY_LENGTH)
        throw new Error("the verifier key's public key is not 32 bytes long");
    if (hex(key.keyId) !== match[2])
        throw new Error("the verifier key's id is not that of its name and key");
    return key;
}

export const cosigns = (key: NoteKey): boolean => key.type === TYPE_COSIGNATURE || key.type === TYPE_COSIGNATURE_ML_DSA;

/** By a forger: a line of the key does not verify, and the whole note is to be refused. */
export interface Signed { by: "nobody" | "key" | "forger"; /** the latest that a cosignature states, in seconds since 1970 */ time: bigint }

/** Whether the key signed the checkpoint: each line with its name and id must verify. The browser must know Ed25519. */
export async function signedBy(checkpoint: Checkpoint, key: NoteKey): Promise<Signed> {
    const signed: Signed = { by: "nobody", time: 0n };
    if (key.type !== TYPE_ED25519 && key.type !== TYPE_COSIGNATURE)
        return signed;
    for (const { name, keyId, bytes } of checkpoint.signatures) {
        if (name !== key.name || !equal(keyId, key.keyId))
            continue;
        const cosigned = key.type === TYPE_COSIGNATURE, timeLength = cosigned ? TIME_LENGTH : 0;
        const time = cosigned && bytes.length >= TIME_LENGTH ? new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0) : 0n;
        const message = cosigned ? `cosignature/v1\ntime ${time}\n${checkpoint.text}` : checkpoint.text;
        if (bytes.length !== timeLength + SIGNATURE_LENGTH || time >= 1n << 63n || !await verifySignature(key.publicKey, bytes.slice(timeLength), utf8(message)))
            return { by: "forger", time: 0n };
        signed.by = "key";
        signed.time = time > signed.time ? time : signed.time;
    }
    return signed;
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
