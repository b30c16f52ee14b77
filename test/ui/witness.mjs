/* A witness of checkpoints (C2SP tlog-cosignature), whose key nobody keeps. */
import { createHash, generateKeyPairSync, sign } from "node:crypto";

/* Its verifier key, its entry in a registry, and the line by which it cosigns a checkpoint. */
export function newWitness(name) {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519"), spki = publicKey.export({ type: "spki", format: "der" }), typed = Buffer.concat([Buffer.from([4]), spki.subarray(-32)]);
    const keyId = createHash("sha256").update(name + "\n").update(typed).digest().subarray(0, 4);
    return {
        vkey: `${name}+${keyId.toString("hex")}+${typed.toString("base64")}`,
        fingerprint: createHash("sha256").update(spki.subarray(-32)).digest("hex"),
        entry: { signerId: name, algorithm: "ed25519", publicKey: spki.toString("base64"), status: "active", purpose: "witness", validFrom: "2020-01-01T00:00:00Z" },
        line(text, seconds = Math.floor(Date.now() / 1000)) {
            const time = Buffer.alloc(8);
            time.writeBigUInt64BE(BigInt(seconds));
            return `— ${name} ${Buffer.concat([keyId, time, sign(null, Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`), privateKey)]).toString("base64")}\n`;
        },
    };
}
