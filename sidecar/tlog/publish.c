/*
 * publish.c: what a log has grown by since the last checkpoint that was published.
 *
 * Twice through its events: first to the root, keeping the root of each tile of 256; then tile by tile, each of which must
 * have that root again. Tiles of higher levels are made from what was kept.
 */
#include "tlog/publish.h"

#include "tlog/published.h"
#include "tlog/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS 8
/* https://c2sp.org/tlog-tiles: two bytes of length before each entry */
#define ENTRY_LENGTH (2 + MERKLE_HASH_LENGTH)
#define TILE_BYTES (TILE_WIDTH * MERKLE_HASH_LENGTH)
#define OCTETS "application/octet-stream"

/* Hashes of one level from the tile on in which what is published ended. */
struct level {
    uint64_t first;             /* of these hashes; a multiple of 256 */
    MerkleHash *hashes;
    size_t count, capacity;
};

struct growth {
    struct publication *publication;
    struct tree tree;
    struct level levels[LEVELS];        /* level 0: only the leaves of the last, partial tile */
    MerkleHash *entries;        /* TILE_WIDTH of them: one tile's */
};

static bool add_hash(struct level *level, const MerkleHash hash)
{
    if (level->count == level->capacity) {
        size_t capacity = level->capacity ? 2 * level->capacity : TILE_WIDTH;
        MerkleHash *larger = realloc(level->hashes, capacity * sizeof(*larger));

        if (!larger)
            return false;
        level->hashes = larger;
        level->capacity = capacity;
    }
    memcpy(level->hashes[level->count++], hash, MERKLE_HASH_LENGTH);
    return true;
}

/* The root over the 256 hashes of a whole tile. */
static void tile_root(const MerkleHash *tile, MerkleHash root)
{
    MerkleHash hashes[TILE_WIDTH];

    memcpy(hashes, tile, sizeof(hashes));
    for (int count = TILE_WIDTH; count > 1; count /= 2)
        for (int i = 0; i < count / 2; i++)
            merkle_node_hash(hashes[2 * i], hashes[2 * i + 1], hashes[i]);
    memcpy(root, hashes[0], MERKLE_HASH_LENGTH);
}

/* Entries of a tile, and their hashes as leaves. */
static bool read_leaves(struct growth *growth, uint64_t first, size_t count, MerkleHash leaves[TILE_WIDTH])
{
    if (tree_seals(&growth->tree, first, count, growth->entries) != (long)count)
        return false;
    for (size_t i = 0; i < count; i++)
        merkle_leaf_hash(growth->entries[i], MERKLE_HASH_LENGTH, leaves[i]);
    return true;
}

/* The hashes left of what is new in the tiles above level 0 in which it begins. */
static bool begin_levels(struct growth *growth, uint64_t base)
{
    for (int level = 1; level < LEVELS; level++) {
        uint64_t here = base >> (8 * level);

        growth->levels[level].first = here / TILE_WIDTH * TILE_WIDTH;
        for (uint64_t index = growth->levels[level].first; index < here; index++) {
            MerkleHash hash;

            if (!tree_node(&growth->tree, 8 * level, index, hash) || !add_hash(&growth->levels[level], hash))
                return false;
        }
    }
    return true;
}

/* Reads what is new up to the root; false: it is not the checkpoint's, or could not be read. */
static bool collect(struct growth *growth, uint64_t base)
{
    const struct publication *publication = growth->publication;
    MerkleHash leaves[TILE_WIDTH], root;
    MerkleRange range;

    growth->levels[0].first = publication->size / TILE_WIDTH * TILE_WIDTH;
    if (!begin_levels(growth, base))
        return false;
    for (uint64_t first = base; first < publication->size; first += TILE_WIDTH) {
        size_t count = publication->size - first < TILE_WIDTH ? (size_t)(publication->size - first) : TILE_WIDTH;

        if (!publication->goes_on(publication->context) || !read_leaves(growth, first, count, leaves))
            return false;
        for (size_t i = 0; count < TILE_WIDTH && i < count; i++)
            if (!add_hash(&growth->levels[0], leaves[i]))
                return false;
        if (count == TILE_WIDTH) {
            tile_root((const MerkleHash *)leaves, root);
            if (!add_hash(&growth->levels[1], root))
                return false;
        }
    }
    for (int level = 1; level + 1 < LEVELS; level++)
        for (size_t i = 0; i + TILE_WIDTH <= growth->levels[level].count; i += TILE_WIDTH) {
            tile_root((const MerkleHash *)growth->levels[level].hashes + i, root);
            if (!add_hash(&growth->levels[level + 1], root))
                return false;
        }
    merkle_range_init(&range);
    for (int level = LEVELS - 1; level >= 0; level--) {
        size_t whole = growth->levels[level].count / TILE_WIDTH * TILE_WIDTH;

        for (size_t i = whole; i < growth->levels[level].count; i++)
            if (!merkle_range_append_subtree(&range, 8 * level, growth->levels[level].hashes[i]))
                return false;
    }
    merkle_range_root(&range, root);
    return range.size == publication->size && !memcmp(root, publication->root, sizeof(root));
}

/* ---------------------------------------------------------------- putting */

/* An index in groups of three digits, all but the last with an x before. */
static void index_path(uint64_t n, char path[64])
{
    char groups[8][8];
    int count = 0, length = 0;

    do {
        snprintf(groups[count++], sizeof(groups[0]), "%03" PRIu64, n % 1000);
        n /= 1000;
    } while (n > 0);
    while (count > 0) {
        count--;
        length += snprintf(path + length, 64 - (size_t)length, "%s%s%s", count ? "x" : "", groups[count], count ? "/" : "");
    }
}

/* what: the level, or "entries" */
static enum store_result put_tile(struct publication *publication, const char *what, uint64_t n, size_t width, const void *bytes, size_t length)
{
    struct stored stored = {.reason = ""};
    char path[64], partial[16] = "", key[400];
    enum store_result result;

    index_path(n, path);
    if (width < TILE_WIDTH)
        snprintf(partial, sizeof(partial), ".p/%zu", width);
    snprintf(key, sizeof(key), "%s/tile/%s/%s%s", publication->folder, what, path, partial);
    result = store_put_bytes(width < TILE_WIDTH ? publication->mutable : publication->immutable, key, OCTETS, bytes, length, false, &stored);
    if (result != STORE_DONE)
        snprintf(publication->reason, sizeof(publication->reason), "%s: %s", key, stored.reason);
    return result;
}

static enum store_result put_entries(struct growth *growth, uint64_t n, size_t width)
{
    unsigned char bundle[TILE_WIDTH * ENTRY_LENGTH];

    for (size_t i = 0; i < width; i++) {
        bundle[i * ENTRY_LENGTH] = 0;
        bundle[i * ENTRY_LENGTH + 1] = MERKLE_HASH_LENGTH;
        memcpy(bundle + i * ENTRY_LENGTH + 2, growth->entries[i], MERKLE_HASH_LENGTH);
    }
    return put_tile(growth->publication, "entries", n, width, bundle, width * ENTRY_LENGTH);
}

/* One tile of level 0 and its entries, which must be those that were collected. */
static enum store_result put_leaves(struct growth *growth, uint64_t first, size_t count)
{
    const struct level *kept = &growth->levels[count < TILE_WIDTH ? 0 : 1];
    MerkleHash leaves[TILE_WIDTH], root;
    enum store_result result;
    bool same;

    if (!growth->publication->goes_on(growth->publication->context) || !read_leaves(growth, first, count, leaves))
        return STORE_RETRY;
    if (count < TILE_WIDTH) {
        same = !memcmp(leaves, kept->hashes, count * sizeof(leaves[0]));
    } else {
        tile_root((const MerkleHash *)leaves, root);
        same = !memcmp(root, kept->hashes[first / TILE_WIDTH - kept->first], sizeof(root));
    }
    if (!same) {
        snprintf(growth->publication->reason, sizeof(growth->publication->reason), "the database gives other hashes than a moment ago");
        return STORE_RETRY;
    }
    result = put_entries(growth, first / TILE_WIDTH, count);
    return result == STORE_DONE ? put_tile(growth->publication, "0", first / TILE_WIDTH, count, leaves, count * MERKLE_HASH_LENGTH) : result;
}

static enum store_result put_level(struct growth *growth, int level)
{
    const struct level *kept = &growth->levels[level];
    enum store_result result = STORE_DONE;
    char what[12];

    /* the tile in which it ended lies there as it is */
    if (growth->publication->published >> (8 * level) == growth->publication->size >> (8 * level))
        return STORE_DONE;
    snprintf(what, sizeof(what), "%d", level);
    for (size_t i = 0; result == STORE_DONE && i < kept->count; i += TILE_WIDTH) {
        size_t width = kept->count - i < TILE_WIDTH ? kept->count - i : TILE_WIDTH;

        if (!growth->publication->goes_on(growth->publication->context))
            return STORE_RETRY;
        result = put_tile(growth->publication, what, (kept->first + i) / TILE_WIDTH, width, kept->hashes[i], width * MERKLE_HASH_LENGTH);
    }
    return result;
}

static enum store_result put_tiles(struct growth *growth, uint64_t base)
{
    uint64_t size = growth->publication->size;
    enum store_result result = STORE_DONE;

    for (uint64_t first = base; result == STORE_DONE && first < size; first += TILE_WIDTH)
        result = put_leaves(growth, first, size - first < TILE_WIDTH ? (size_t)(size - first) : TILE_WIDTH);
    for (int level = 1; result == STORE_DONE && level < LEVELS; level++)
        result = put_level(growth, level);
    return result;
}

/* First under its size: of two sidecars that sign different trees of one size, the second finds the first's checkpoint. */
static enum store_result put_checkpoint(struct publication *publication)
{
    struct stored stored = {.reason = ""};
    char key[400];
    size_t length = strlen(publication->note);
    enum store_result result;

    snprintf(key, sizeof(key), "%s/checkpoints/%" PRIu64, publication->folder, publication->size);
    result = store_put_bytes(publication->immutable, key, "text/plain; charset=utf-8", publication->note, length, false, &stored);
    /* our key was another when it was published */
    if (result == STORE_REFUSED && published_says_the_same(publication->immutable, key, publication->note))
        result = STORE_DONE;
    if (result == STORE_DONE && publication->announces) {
        snprintf(key, sizeof(key), "%s/checkpoint", publication->folder);
        result = store_put_bytes(publication->mutable, key, "text/plain; charset=utf-8", publication->note, length, true, &stored);
    }
    if (result != STORE_DONE)
        snprintf(publication->reason, sizeof(publication->reason), "%s: %s", key, stored.reason);
    return result;
}

enum store_result publish(struct publication *publication, struct db *db, const char *division)
{
    struct growth growth = {.publication = publication, .tree = {.db = db, .division = division}};
    uint64_t base = publication->published / TILE_WIDTH * TILE_WIDTH;
    enum store_result result = STORE_RETRY;

    publication->reason[0] = '\0';
    growth.entries = malloc(TILE_BYTES);
    if (growth.entries && collect(&growth, base)) {
        result = put_tiles(&growth, base);
        if (result == STORE_DONE)
            result = put_checkpoint(publication);
    } else {
        snprintf(publication->reason, sizeof(publication->reason), "the database does not give the hashes of the checkpoint");
    }
    for (int level = 0; level < LEVELS; level++)
        free(growth.levels[level].hashes);
    free(growth.entries);
    return result;
}
