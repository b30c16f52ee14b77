/*
 * merkle.c
 *		The Merkle tree of RFC 6962, section 2.1, with SHA-256.
 *
 * A proof names the siblings on the way from a node to the root.  All but the
 * last of those to the right are complete subtrees; that one, at the border of
 * the tree, is made from the complete ones that it falls into.
 */
#include "core/merkle.h"

#include <string.h>

static const uint8_t leaf_prefix = 0x00;
static const uint8_t node_prefix = 0x01;

void
merkle_leaf_hash(const void *data, size_t length, uint8_t out[MERKLE_HASH_LENGTH])
{
	sha256_of_two(out, &leaf_prefix, 1, data, length);
}

void
merkle_node_hash(const uint8_t left[MERKLE_HASH_LENGTH], const uint8_t right[MERKLE_HASH_LENGTH], uint8_t out[MERKLE_HASH_LENGTH])
{
	uint8_t		bytes[1 + 2 * MERKLE_HASH_LENGTH];

	bytes[0] = node_prefix;
	memcpy(bytes + 1, left, MERKLE_HASH_LENGTH);
	memcpy(bytes + 1 + MERKLE_HASH_LENGTH, right, MERKLE_HASH_LENGTH);
	sha256_of(out, bytes, sizeof(bytes));
}

/* ---------------------------------------------------------------- compact range */

void
merkle_range_init(MerkleRange *range)
{
	range->size = 0;
}

int
merkle_range_count(const MerkleRange *range)
{
	return __builtin_popcountll(range->size);
}

bool
merkle_range_append_subtree(MerkleRange *range, int level, const uint8_t hash[MERKLE_HASH_LENGTH])
{
	int			count = merkle_range_count(range);
	uint64_t	leaves;
	MerkleHash	node;

	if (level < 0 || level > 62)
		return false;
	leaves = UINT64_C(1) << level;
	if (range->size % leaves != 0 || range->size > MERKLE_MAX_SIZE - leaves)
		return false;
	memcpy(node, hash, MERKLE_HASH_LENGTH);
	/* As in adding one to a binary number: each bit that is set is carried. */
	for (uint64_t carried = leaves; range->size & carried; carried <<= 1)
		merkle_node_hash(range->hashes[--count], node, node);
	memcpy(range->hashes[count], node, MERKLE_HASH_LENGTH);
	range->size += leaves;
	return true;
}

bool
merkle_range_append(MerkleRange *range, const uint8_t leaf_hash[MERKLE_HASH_LENGTH])
{
	return merkle_range_append_subtree(range, 0, leaf_hash);
}

void
merkle_range_root(const MerkleRange *range, uint8_t out[MERKLE_HASH_LENGTH])
{
	int			count = merkle_range_count(range);

	if (count == 0)
	{
		sha256_of(out, "", 0);
		return;
	}
	memcpy(out, range->hashes[--count], MERKLE_HASH_LENGTH);
	while (count > 0)
		merkle_node_hash(range->hashes[--count], out, out);
}

/* ---------------------------------------------------------------- reading a tree */

/* The largest power of two less than size, which is at least 2. */
static uint64_t
split_of(uint64_t size)
{
	return UINT64_C(1) << (63 - __builtin_clzll(size - 1));
}

/* The root over leaves [from, to), where from is a multiple of what the range would be rounded up to a power of two. */
static bool
range_hash(uint64_t from, uint64_t to, MerkleNodeReader reader, void *context, uint8_t out[MERKLE_HASH_LENGTH])
{
	MerkleRange range;
	uint64_t	left = to - from;

	/* The complete subtrees from the left, as a tree of its own: the last ones to be added are the smallest. */
	merkle_range_init(&range);
	while (left > 0)
	{
		int			level = 63 - __builtin_clzll(left);
		MerkleHash	node;

		if (!reader(context, level, (to - left) >> level, node) ||
			!merkle_range_append_subtree(&range, level, node))
			return false;
		left -= UINT64_C(1) << level;
	}
	merkle_range_root(&range, out);
	return true;
}

bool
merkle_range_load(MerkleRange *range, uint64_t size, MerkleNodeReader reader, void *context)
{
	merkle_range_init(range);
	if (size > MERKLE_MAX_SIZE)
		return false;
	while (range->size < size)
	{
		int			level = 63 - __builtin_clzll(size - range->size);
		MerkleHash	node;

		if (!reader(context, level, range->size >> level, node) ||
			!merkle_range_append_subtree(range, level, node))
			return false;
	}
	return true;
}

/* Found from the root down, wanted from below. */
static void
turn_round(MerkleHash *hashes, int count)
{
	for (int i = 0, j = count - 1; i < j; i++, j--)
	{
		MerkleHash	kept;

		memcpy(kept, hashes[i], MERKLE_HASH_LENGTH);
		memcpy(hashes[i], hashes[j], MERKLE_HASH_LENGTH);
		memcpy(hashes[j], kept, MERKLE_HASH_LENGTH);
	}
}

bool
merkle_inclusion_proof(uint64_t size, uint64_t index, MerkleNodeReader reader, void *context,
					   MerkleHash out[MERKLE_MAX_HASHES], int *count)
{
	uint64_t	from = 0;
	uint64_t	to = size;

	*count = 0;
	if (index >= size || size > MERKLE_MAX_SIZE)
		return false;
	while (to - from > 1)
	{
		uint64_t	middle = from + split_of(to - from);
		bool		in_left = index < middle;

		if (!range_hash(in_left ? middle : from, in_left ? to : middle, reader, context, out[(*count)++]))
			return false;
		if (in_left)
			to = middle;
		else
			from = middle;
	}
	turn_round(out, *count);
	return true;
}

bool
merkle_consistency_proof(uint64_t old_size, uint64_t new_size, MerkleNodeReader reader, void *context,
						 MerkleHash out[MERKLE_MAX_HASHES], int *count)
{
	uint64_t	from = 0;
	uint64_t	to = new_size;

	*count = 0;
	if (old_size > new_size || new_size > MERKLE_MAX_SIZE)
		return false;
	if (old_size == 0)
		return true;
	/* Down to the subtree at whose end the old tree ends. */
	while (old_size < to)
	{
		uint64_t	middle = from + split_of(to - from);
		bool		in_left = old_size <= middle;

		if (!range_hash(in_left ? middle : from, in_left ? to : middle, reader, context, out[(*count)++]))
			return false;
		if (in_left)
			to = middle;
		else
			from = middle;
	}
	/* When it is the whole old tree, the verifier knows its root. */
	if (from > 0 && !range_hash(from, to, reader, context, out[(*count)++]))
		return false;
	turn_round(out, *count);
	return true;
}

/* ---------------------------------------------------------------- verifying */

/* Goes up from a node to the one above its sibling; returns whether the sibling stands on the left. */
static bool
go_up(uint64_t *at, uint64_t *last)
{
	bool		is_left = (*at & 1) || *at == *last;

	/* The last node of a level without a sibling goes up as it is. */
	while (is_left && !(*at & 1) && *at != 0)
	{
		*at >>= 1;
		*last >>= 1;
	}
	*at >>= 1;
	*last >>= 1;
	return is_left;
}

bool
merkle_verify_inclusion(uint64_t index, uint64_t size, const uint8_t leaf_hash[MERKLE_HASH_LENGTH],
						const MerkleHash *proof, size_t count, const uint8_t root[MERKLE_HASH_LENGTH])
{
	MerkleHash	node;
	uint64_t	at = index;
	uint64_t	last = size - 1;

	/* RFC 9162, section 2.1.3.2 */
	if (index >= size || size > MERKLE_MAX_SIZE)
		return false;
	memcpy(node, leaf_hash, MERKLE_HASH_LENGTH);
	for (size_t i = 0; i < count; i++)
	{
		if (last == 0)
			return false;
		if (go_up(&at, &last))
			merkle_node_hash(proof[i], node, node);
		else
			merkle_node_hash(node, proof[i], node);
	}
	return last == 0 && memcmp(node, root, MERKLE_HASH_LENGTH) == 0;
}

bool
merkle_verify_consistency(uint64_t old_size, uint64_t new_size,
						  const uint8_t old_root[MERKLE_HASH_LENGTH], const uint8_t new_root[MERKLE_HASH_LENGTH],
						  const MerkleHash *proof, size_t count)
{
	MerkleHash	old_node;
	MerkleHash	new_node;
	uint64_t	at;
	uint64_t	last;
	size_t		next = 0;

	if (old_size == 0 || old_size > new_size || new_size > MERKLE_MAX_SIZE)
		return false;
	if (old_size == new_size)
		return count == 0 && memcmp(old_root, new_root, MERKLE_HASH_LENGTH) == 0;
	/* RFC 9162, section 2.1.4.2 */
	if (count == 0)
		return false;
	at = old_size - 1;
	last = new_size - 1;
	while (at & 1)
	{
		at >>= 1;
		last >>= 1;
	}
	/* A power of two is a subtree of the new tree itself. */
	memcpy(new_node, (old_size & (old_size - 1)) == 0 ? old_root : proof[next++], MERKLE_HASH_LENGTH);
	memcpy(old_node, new_node, MERKLE_HASH_LENGTH);
	for (; next < count; next++)
	{
		if (last == 0)
			return false;
		if (go_up(&at, &last))
		{
			merkle_node_hash(proof[next], old_node, old_node);
			merkle_node_hash(proof[next], new_node, new_node);
		}
		else
			merkle_node_hash(new_node, proof[next], new_node);
	}
	return last == 0 && memcmp(old_node, old_root, MERKLE_HASH_LENGTH) == 0 && memcmp(new_node, new_root, MERKLE_HASH_LENGTH) == 0;
}
