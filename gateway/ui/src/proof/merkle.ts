/** Proofs in a Merkle tree (RFC 6962, section 2.1): verified, not made. */
import { equal, sha256, type Bytes } from "./bytes.ts";

const LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);

export function leafHash(data: Bytes): Promise<Bytes> {
    return sha256(LEAF, data);
}

function nodeHash(left: Bytes, right: Bytes): Promise<Bytes> {
    return sha256(NODE, left, right);
}

/** Whether the leaf of this index stands in the tree of `size` leaves with this root (RFC 9162, section 2.1.3.2). */
export async function verifyInclusion(index: bigint, size: bigint, leaf: Bytes, path: readonly Bytes[], root: Bytes): Promise<boolean> {
    if (index < 0n || index >= size)
        return false;
    let node = index, last = size - 1n, hash = leaf;
    for (const sibling of path) {
        if (last === 0n)
            return false;
        if ((node & 1n) === 1n || node === last) {
            hash = await nodeHash(sibling, hash);
            while ((node & 1n) === 0n && node !== 0n) {
                node >>= 1n;
                last >>= 1n;
            }
        } else
            hash = await nodeHash(hash, sibling);
        node >>= 1n;
        last >>= 1n;
    }
    return last === 0n && equal(hash, root);
}

