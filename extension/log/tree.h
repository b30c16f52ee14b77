/*
 * tree.h
 *		The Merkle tree over the chain of a division, as the tables have it.
 *
 * Leaf seq is the hash of the seal with this seq.  Of the nodes above, those are
 * stored (table audit_subtree) that are the roots of 256, 256^2, ... leaves: row
 * (level, index) is that of the 256^level leaves from index * 256^level on.  Level 0
 * are the leaves themselves, which the seals have.  These are the levels of tiles
 * (https://c2sp.org/tlog-tiles); a level of core/merkle.h is one of two branches.
 *
 * Whatever is asked for is there however far the tree was grown: a row that is
 * not there yet is made from the level below.
 *
 * The tables are read with one snapshot and without regard to privileges: who
 * may see the division is decided before.
 */
#ifndef REASON_LOG_TREE_H
#define REASON_LOG_TREE_H

#include "postgres.h"

#include "core/merkle.h"
#include "record/row_scan.h"

/* Hashes in a tile, and the branches of a stored node. */
#define LOG_TILE_WIDTH 256
#define LOG_TILE_BITS 8
/* 256^7 leaves are within, 256^8 beyond the numbers that there are. */
#define LOG_MAX_LEVEL 7

typedef struct LogTree
{
	text	   *division;
	Snapshot	snapshot;
	uint64		size;			/* leaves: events that are signed */
	RowScan		seals;			/* by seq */
	RowScan		subtrees;		/* by index, of one level */
	AttrNumber	seal_seq,
				seal_hash;
	AttrNumber	subtree_index,
				subtree_hash;
} LogTree;

/*
 * Raises 42501, the same for a division that does not exist, unless the role may
 * see it, or is one that serves all of them: members of reason_sidecar and
 * reason_gateway, which decide themselves whom they answer.
 */
extern void log_require_division(text *division, Oid role);

/* With the active snapshot.  division must stay. */
extern void log_tree_open(LogTree *tree, text *division);
extern void log_tree_close(LogTree *tree);

/* The hashes of nodes [first, first + count) of a level of tiles, at most LOG_TILE_WIDTH, all of them within the tree. */
extern void log_tree_hashes(LogTree *tree, int level, uint64 first, int count, MerkleHash *out);

/* The hashes of seals [first, first + count): the entries behind those of level 0. */
extern void log_tree_entries(LogTree *tree, uint64 first, int count, MerkleHash *out);

/* A MerkleNodeReader; context is the LogTree. */
extern bool log_tree_node(void *context, int level, uint64_t index, uint8_t out[MERKLE_HASH_LENGTH]);

/* The root over the first `size` leaves, of which there are so many. */
extern void log_tree_root(LogTree *tree, uint64 size, uint8_t out[MERKLE_HASH_LENGTH]);

/* The root over `count` hashes. */
extern void log_combine(MerkleHash *hashes, int count, uint8_t out[MERKLE_HASH_LENGTH]);

/* ---------------------------------------------------------------- one after another */

/* Leaves from `first` on; *seq says which one was found. */
extern void log_leaves_start(LogTree *tree, uint64 first);
extern bool log_leaves_next(LogTree *tree, int64 *seq, uint8_t out[MERKLE_HASH_LENGTH]);

/* The same of the stored nodes of a level, beginning with whatever index is lowest if `first` is PG_INT64_MIN. */
extern void log_subtrees_start(LogTree *tree, int level, int64 first);
extern bool log_subtrees_next(LogTree *tree, int64 *index, uint8_t out[MERKLE_HASH_LENGTH]);

/* How many nodes of a level are stored, if none is missing before the last. */
extern uint64 log_subtrees_count(LogTree *tree, int level);

#endif							/* REASON_LOG_TREE_H */
