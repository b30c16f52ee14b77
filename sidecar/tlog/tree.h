/*
 * tree.h: the Merkle tree of a division, read from the database.
 *
 * The database gives hashes of leaves and of complete subtrees, and is believed none of them: what is computed from them
 * counts when it equals a root that is known from elsewhere, or follows from one by a consistency proof.
 */
#ifndef SIDECAR_TLOG_TREE_H
#define SIDECAR_TLOG_TREE_H

#include "base/db.h"
#include "core/merkle.h"

/* Leaves in a tile of level 0, subtrees in one above: https://c2sp.org/tlog-tiles */
#define TILE_WIDTH 256
/* At the most in one call */
#define TREE_HASHES_MOST 65536

#define TREE_TILES_KEPT 64

/* Tiles that were read, for many proofs in one go. Zeroed at first. */
struct tree_tiles {
    struct {
        bool used;
        int level;
        uint64_t n;
        long count;
        MerkleHash hashes[TILE_WIDTH];
    } list[TREE_TILES_KEPT];
    size_t next;                /* whose place the next one takes */
};

struct tree {
    struct db *db;
    const char *division;
    struct tree_tiles *tiles;   /* NULL: every node is asked for */
    bool failed;                /* the database did not answer; else what was asked for is not there */
};

/* Hashes of seals from event `first` on: fewer than count where the chain ends. -1: the database did not answer. */
long tree_seals(struct tree *tree, uint64_t first, size_t count, MerkleHash *hashes);
/* The same of roots of TILE_WIDTH leaves each, as far as the database has them. */
long tree_subtrees(struct tree *tree, uint64_t first, size_t count, MerkleHash *hashes);
/* A MerkleNodeReader, with a struct tree as its context. */
bool tree_node(void *context, int level, uint64_t index, uint8_t out[MERKLE_HASH_LENGTH]);
/* The compact range of the first `size` leaves. */
bool tree_range(struct tree *tree, uint64_t size, MerkleRange *range);
/* Whether the tree of new_size with new_root begins with that of old_size with old_root: false with !failed says no. */
bool tree_extends(struct tree *tree, uint64_t old_size, const MerkleHash old_root, uint64_t new_size, const MerkleHash new_root);

#endif
