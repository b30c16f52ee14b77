/** The registry of signers: whose keys count, and when they did. The rule is that of extension/core/key_validity.h. */
import { bytesOfBase64, concat, equal, hex, sha256, type Bytes } from "./bytes.ts";
import { isObject, type Json, type JsonObject } from "./canonical.ts";
import { microseconds } from "./time.ts";

export interface Signer {
    id: string;
    status: "active" | "retired" | "revoked";
    publicKey: Bytes;
    /** of the 32 bytes of the key: what people compare */
    fingerprint: string;
    purpose: string;
    validFrom: bigint | null;
    validTo: bigint | null;
    /** null: nobody says since when */
    revokedAt: bigint | null;
}

/* SubjectPublicKeyInfo of an Ed25519 key is this, then the 32 bytes (RFC 8410, section 4). */
const SPKI = new Uint8Array([0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]);
const KEY_LENGTH = 32;

function timeOf(object: JsonObject, name: string): bigint | null {
    const value = object[name];
    if (value === undefined || value === null)
        return null;
    const time = microseconds(value);
    if (time === null)
        throw new Error(`a signer's ${name} is not a time`);
    return time;
}

async function readSigner(value: Json): Promise<Signer> {
    if (!isObject(value) || typeof value["signerId"] !== "string" || value["signerId"] === "")
        throw new Error("a signer has no signerId");
    const spki = bytesOfBase64(value["publicKey"], SPKI.length + KEY_LENGTH);
    if (value["algorithm"] !== "ed25519")
        throw new Error("a signer's algorithm is not ed25519");
    if (!spki || !equal(spki.slice(0, SPKI.length), SPKI))
        throw new Error("a signer's publicKey is not the base64 of an Ed25519 SubjectPublicKeyInfo");
    const status = value["status"];
    if (status !== "active" && status !== "retired" && status !== "revoked")
        throw new Error("a signer's status is none of active, retired, revoked");
    const publicKey = spki.slice(SPKI.length);
    const validTo = timeOf(value, "validTo");
    let revokedAt = timeOf(value, "revokedAt");
    // In a registry, validTo of a revoked key is when its signatures ceased to count.
    if (status === "revoked" && validTo !== null && (revokedAt === null || validTo < revokedAt))
        revokedAt = validTo;
    return {
        id: value["signerId"], status, publicKey, fingerprint: hex(await sha256(publicKey)),
        purpose: typeof value["purpose"] === "string" ? value["purpose"] : "events",
        validFrom: timeOf(value, "validFrom"), validTo, revokedAt,
    };
}

/** Throws an Error that says what is wrong with the text. */
export async function readRegistry(text: string): Promise<Signer[]> {
    const value = JSON.parse(text) as Json;
    const list = isObject(value) ? value["signers"] : undefined;
    if (!Array.isArray(list))
        throw new Error('there is no array "signers"');
    const signers: Signer[] = [];
    for (const entry of list) {
        const signer = await readSigner(entry);
        for (const other of signers) {
            if (other.id === signer.id)
                throw new Error(`there are two entries of ${signer.id}`);
            if (equal(other.publicKey, signer.publicKey) && (other.status === "revoked") !== (signer.status === "revoked"))
                throw new Error(`there are two entries of one key, of which one is revoked: ${other.id} and ${signer.id}`);
        }
        signers.push(signer);
    }
    return signers;
}

/** Why a signature made between these times does not count, or null. */
export function refusal(signer: Signer, earliest: bigint, latest: bigint): string | null {
    const revoked = signer.status === "revoked";
    if (revoked && (signer.revokedAt === null || earliest >= signer.revokedAt))
        return signer.revokedAt === null ? "the signer's key is revoked" : "the signer's key was revoked before it signed";
    if (signer.validFrom !== null && latest < signer.validFrom)
        return "the signer's key was not valid yet";
    if (signer.validTo !== null && earliest > signer.validTo)
        return "the signer's key was no longer valid";
    return null;
}

let supported: Promise<boolean> | null = null;

/** Whether this browser can verify Ed25519: old ones cannot. */
export function canVerify(): Promise<boolean> {
    supported ??= importKey(new Uint8Array(KEY_LENGTH)).then(() => true, () => false);
    return supported;
}

function importKey(publicKey: Bytes): Promise<CryptoKey> {
    return crypto.subtle.importKey("spki", concat(SPKI, publicKey), { name: "Ed25519" }, false, ["verify"]);
}

export async function verifySignature(publicKey: Bytes, signature: Bytes, message: Bytes): Promise<boolean> {
    return crypto.subtle.verify({ name: "Ed25519" }, await importKey(publicKey), signature, message);
}
