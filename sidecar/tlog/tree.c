/* tree.c: nodes of a division's tree, from the hashes that the database keeps. */
#include "tlog/tree.h"

#include "base/doorbell.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TILE_HEIGHT 8
/* What an answer needs beside its bytes. */
#define ANSWER_FRAME 256

/* How many there are; -1: the database did not answer. */
static long read_hashes(struct tree *tree, int level, uint64_t first, size_t count, MerkleHash *hashes)
{
    char level_text[8], first_text[24], count_text[24];
    const char *parameters[] = {tree->division, level_text, first_text, count_text};
    static const char statement[] = "SELECT reason.log_hashes($1, $2, $3, $4)";
    PGresult *result = NULL;
    long got = -1;

    snprintf(level_text, sizeof(level_text), "%d", level);
    snprintf(first_text, sizeof(first_text), "%" PRIu64, first);
    snprintf(count_text, sizeof(count_text), "%zu", count);
    /* a tree of which nothing but leaves is stored takes thousands */
    if (!doorbell_stopped())
        result = db_call_binary(tree->db, statement, count * MERKLE_HASH_LENGTH + ANSWER_FRAME, 4, parameters);
    /* NULL: there are none */
    if (result && PQntuples(result) == 1 && PQnfields(result) == 1) {
        size_t length = (size_t)PQgetlength(result, 0, 0);

        if (length % MERKLE_HASH_LENGTH == 0 && length / MERKLE_HASH_LENGTH <= count) {
            got = (long)(length / MERKLE_HASH_LENGTH);
            memcpy(hashes, PQgetvalue(result, 0, 0), length);
        }
    }
    if (result && got < 0)
        db_refuse(tree->db, statement, "what are no hashes");
    PQclear(result);
    tree->failed = tree->failed || got < 0;
    return got;
}

/* The same from a tile that is kept; first to first + count lie in one tile. */
static long read_kept(struct tree *tree, int level, uint64_t first, size_t count, MerkleHash *hashes)
{
    struct tree_tiles *tiles = tree->tiles;
    uint64_t n = first / TILE_WIDTH;
    size_t place = 0, offset = (size_t)(first % TILE_WIDTH);
    long got;

    if (!tiles)
        return read_hashes(tree, level, first, count, hashes);
    while (place < TREE_TILES_KEPT && !(tiles->list[place].used && tiles->list[place].level == level && tiles->list[place].n == n))
        place++;
    if (place == TREE_TILES_KEPT) {
        place = tiles->next++ % TREE_TILES_KEPT;
        tiles->list[place].used = false;
        tiles->list[place].count = read_hashes(tree, level, n * TILE_WIDTH, TILE_WIDTH, tiles->list[place].hashes);
        if (tiles->list[place].count < 0)
            return -1;
        tiles->list[place].used = true;
        tiles->list[place].level = level;
        tiles->list[place].n = n;
    }
    got = tiles->list[place].count - (long)offset;
    if (got < 0)
        got = 0;
    if (got > (long)count)
        got = (long)count;
    memcpy(hashes, tiles->list[place].hashes + offset, (size_t)got * sizeof(*hashes));
    return got;
}

long tree_seals(struct tree *tree, uint64_t first, size_t count, MerkleHash *hashes)
{
    return read_hashes(tree, 0, first, count, hashes);
}

long tree_subtrees(struct tree *tree, uint64_t first, size_t count, MerkleHash *hashes)
{
    return read_hashes(tree, 1, first, count, hashes);
}

/* The root over hashes, of which there are a power of two; in their place. */
static void fold(MerkleHash *hashes, size_t count)
{
    for (; count > 1; count /= 2)
        for (size_t i = 0; i < count / 2; i++)
            merkle_node_hash(hashes[2 * i], hashes[2 * i + 1], hashes[i]);
}

/* As many as there may be below one node of a tile's height: the node itself lies a whole tile above its children. */
static bool read_below(struct tree *tree, int tile_level, uint64_t first, size_t count, MerkleHash *hashes)
{
    long got = read_kept(tree, tile_level, first, count, hashes);

    if (got < 0)
        return false;
    if (tile_level == 0) {
        for (long i = 0; i < got; i++)
            merkle_leaf_hash(hashes[i], MERKLE_HASH_LENGTH, hashes[i]);
        return (size_t)got == count;
    }
    /* the tree is grown behind the signatures: what is not there yet is made from what lies below */
    for (size_t i = (size_t)got; i < count; i++)
        if (!tree_node(tree, TILE_HEIGHT * tile_level, first + i, hashes[i]))
            return false;
    return true;
}

bool tree_node(void *context, int level, uint64_t index, uint8_t out[MERKLE_HASH_LENGTH])
{
    struct tree *tree = context;
    int tile_level = level / TILE_HEIGHT, above = level % TILE_HEIGHT;
    MerkleHash *hashes = malloc(TILE_WIDTH * sizeof(*hashes));
    bool ok = hashes != NULL;

    tree->failed = tree->failed || !ok;
    /* a root of a whole tile: the database may have it, and what lies below has it in any case */
    if (ok && above == 0 && tile_level > 0) {
        long got = read_kept(tree, tile_level, index, 1, hashes);

        ok = got >= 0;
        if (got == 1)
            goto done;
        above = TILE_HEIGHT;
        tile_level--;
    }
    ok = ok && read_below(tree, tile_level, index << above, (size_t)1 << above, hashes);
    if (ok)
        fold(hashes, (size_t)1 << above);
done:
    if (ok)
        memcpy(out, hashes[0], MERKLE_HASH_LENGTH);
    free(hashes);
    return ok;
}

bool tree_range(struct tree *tree, uint64_t size, MerkleRange *range)
{
    return merkle_range_load(range, size, tree_node, tree);
}

bool tree_extends(struct tree *tree, uint64_t old_size, const MerkleHash old_root, uint64_t new_size, const MerkleHash new_root)
{
    MerkleHash proof[MERKLE_MAX_HASHES];
    int count;

    if (old_size == 0 || old_size > new_size)
        return old_size == 0;
    if (old_size == new_size)
        return !memcmp(old_root, new_root, MERKLE_HASH_LENGTH);
    return merkle_consistency_proof(old_size, new_size, tree_node, tree, proof, &count)
           && merkle_verify_consistency(old_size, new_size, old_root, new_root, (const MerkleHash *)proof, (size_t)count);
}
