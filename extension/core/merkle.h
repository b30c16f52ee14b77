/*
 * merkle.h
 *		The Merkle tree of RFC 6962, section 2.1, with SHA-256: roots, and proofs
 *		that a leaf is in a tree, or that a tree extends a smaller one.
 *
 * A leaf's hash is SHA-256(0x00 || data), a node's SHA-256(0x01 || left || right).
 * Node (level, index) is the root over the 2^level leaves from index * 2^level on,
 * which are all there; such a node never changes while the tree grows.
 *
 * Sizes go to 2^63 - 1 leaves.  Nothing here allocates memory or raises an error.
 */
#ifndef REASON_CORE_MERKLE_H
#define REASON_CORE_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/sha256.h"

#define MERKLE_HASH_LENGTH SHA256_LENGTH
#define MERKLE_MAX_SIZE ((uint64_t) INT64_MAX)
/* Hashes in a proof, and complete subtrees that a tree falls into, at most. */
#define MERKLE_MAX_HASHES 64

typedef uint8_t MerkleHash[MERKLE_HASH_LENGTH];

extern void merkle_leaf_hash(const void *data, size_t length, uint8_t out[MERKLE_HASH_LENGTH]);
/* out may be left or right. */
extern void merkle_node_hash(const uint8_t left[MERKLE_HASH_LENGTH], const uint8_t right[MERKLE_HASH_LENGTH],
							 uint8_t out[MERKLE_HASH_LENGTH]);

/* ---------------------------------------------------------------- compact range */

/*
 * What must be known of a tree to let it grow: the roots of the complete subtrees
 * that its leaves fall into, one for each bit of size, largest first.
 */
typedef struct MerkleRange
{
	uint64_t	size;
	MerkleHash	hashes[MERKLE_MAX_HASHES];
} MerkleRange;

extern void merkle_range_init(MerkleRange *range);

/* How many of hashes[] are in use. */
extern int	merkle_range_count(const MerkleRange *range);

/* Adds one leaf.  False, and nothing is added, when the tree is full. */
extern bool merkle_range_append(MerkleRange *range, const uint8_t leaf_hash[MERKLE_HASH_LENGTH]);

/* Adds the 2^level leaves with this root.  False, and nothing is added, unless size is a multiple of 2^level and there is room. */
extern bool merkle_range_append_subtree(MerkleRange *range, int level, const uint8_t hash[MERKLE_HASH_LENGTH]);

/* The root of the tree; SHA-256 of nothing when it is empty. */
extern void merkle_range_root(const MerkleRange *range, uint8_t out[MERKLE_HASH_LENGTH]);

/* ---------------------------------------------------------------- reading a tree */

/*
 * Gives node (level, index) of the tree that is read.  If it returns false, so
 * does the function that called it. merkle_range_load() asks for nodes in
 * ascending order of their leaves, the proofs in any order.
 */
typedef bool (*MerkleNodeReader) (void *context, int level, uint64_t index, uint8_t out[MERKLE_HASH_LENGTH]);

/* The compact range of the first `size` leaves. */
extern bool merkle_range_load(MerkleRange *range, uint64_t size, MerkleNodeReader reader, void *context);

/* PATH(index, D[size]): *count hashes, lowest first.  False, too, unless index < size. */
extern bool merkle_inclusion_proof(uint64_t size, uint64_t index, MerkleNodeReader reader, void *context,
								   MerkleHash out[MERKLE_MAX_HASHES], int *count);

/*
 * PROOF(old_size, D[new_size]): *count hashes.  False, too, unless old_size <=
 * new_size.  Nothing need be proved when old_size is 0 or new_size: no hashes.
 */
extern bool merkle_consistency_proof(uint64_t old_size, uint64_t new_size, MerkleNodeReader reader, void *context,
									 MerkleHash out[MERKLE_MAX_HASHES], int *count);

/* ---------------------------------------------------------------- verifying */

extern bool merkle_verify_inclusion(uint64_t index, uint64_t size, const uint8_t leaf_hash[MERKLE_HASH_LENGTH],
									const MerkleHash *proof, size_t count, const uint8_t root[MERKLE_HASH_LENGTH]);

/*
 * Whether the tree with new_root extends that with old_root.  False when old_size
 * is 0: every tree extends the empty one, so that nothing can be proved about it.
 */
extern bool merkle_verify_consistency(uint64_t old_size, uint64_t new_size,
									  const uint8_t old_root[MERKLE_HASH_LENGTH], const uint8_t new_root[MERKLE_HASH_LENGTH],
									  const MerkleHash *proof, size_t count);

#endif							/* REASON_CORE_MERKLE_H */
