/*
 * reread.c: old hashes and signatures read again, from where the last time ended.
 *
 * A hash deep below that was altered leaves the roots above it and all that comes after as they were, and so does a signature.
 * What is found stays found: every proof reads it, until it is right.
 */
#include "tlog/reread.h"

#include "base/clock.h"
#include "base/doorbell.h"
#include "tlog/pending.h"
#include "tlog/tree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What of a division need be known to read a piece of it again. */
struct piece {
    struct log_place place;
    struct log_division division;       /* name, range and keys alone; the keys are its own */
    bool found;
};

/* Whole blocks; signatures that were recorded. */
static uint64_t piece_count(const struct log_division *division, enum log_piece kind)
{
    uint64_t recorded = division->recorded < division->signed_range.size ? division->recorded : division->signed_range.size;

    return kind == LOG_BLOCK ? division->signed_range.size / PROVE_BLOCK : (recorded + PROVE_SIGNATURES - 1) / PROVE_SIGNATURES;
}

static uint64_t all_pieces(struct log_memory *memory, enum log_piece kind)
{
    uint64_t count = 0;

    pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; i < memory->state.count; i++)
        count += piece_count(memory->state.divisions[i], kind);
    pthread_mutex_unlock(&memory->lock);
    return count;
}

/* ---------------------------------------------------------------- which */

/* The division of this place, or the first after it that has a piece, the first again behind the last; NULL: there is none. */
static struct log_division *division_at(struct log_memory *memory, struct log_place *place)
{
    for (int ends = 0; ends < 2;) {
        struct log_division *division = proving_division_from(&memory->state, place->division);

        if (!division) {
            ends++;
            place->division[0] = '\0';
            place->piece = 0;
        } else if (strcmp(division->name, place->division) != 0) {
            strcpy(place->division, division->name);
            place->piece = 0;
        } else if (place->piece < piece_count(division, place->kind)) {
            return division;
        } else {
            /* what follows it: no name has a blank */
            place->piece = 0;
            strcat(place->division, " ");
        }
    }
    return NULL;
}

static bool copy_piece(const struct log_division *division, const struct log_place *place, struct piece *piece)
{
    size_t size = division->key_count * sizeof(*division->keys);

    piece->place = *place;
    piece->division = *division;
    piece->division.closed = NULL;
    piece->division.closed_count = 0;
    piece->division.keys = malloc(size + 1);
    if (piece->division.keys && size > 0)
        memcpy(piece->division.keys, division->keys, size);
    piece->found = piece->division.keys != NULL;
    return piece->found;
}

/* The piece that is next. False: the state cannot be read. */
static bool choose_piece(struct log_memory *memory, enum log_piece kind, struct piece *piece)
{
    struct log_place *next = &memory->next[kind];
    const struct log_division *division;
    bool ok;

    piece->found = false;
    pthread_mutex_lock(&memory->lock);
    next->kind = kind;
    ok = log_memory_refresh(memory);
    division = ok ? division_at(memory, next) : NULL;
    if (division) {
        ok = copy_piece(division, next, piece);
        next->piece++;
    }
    pthread_mutex_unlock(&memory->lock);
    return ok;
}

/* ---------------------------------------------------------------- reading */

static enum log_verdict is_bad(struct proving *proving, const struct piece *piece, uint64_t first, uint64_t last)
{
    struct log_memory *memory = proving->memory;

    pthread_mutex_lock(&memory->lock);
    if (piece->place.kind == LOG_BLOCK)
        log_memory_break(memory, METRIC_LOG_STOPS_REWRITTEN, "events %" PRIu64 " to %" PRIu64 " of division \"%s\" are others than were signed", first, last,
                         piece->division.name);
    else
        log_memory_break(memory, METRIC_LOG_STOPS_RESIGNED,
                         "a signature of events %" PRIu64 " to %" PRIu64 " of division \"%s\" is not the one that was made", first, last,
                         piece->division.name);
    memory->bad = piece->place;
    pthread_mutex_unlock(&memory->lock);
    return LOG_BROKEN;
}

/* Whether the events of a whole block are those that the tree was made of. */
static enum log_verdict read_block(struct proving *proving, const struct piece *piece)
{
    const MerkleRange *range = &piece->division.signed_range;
    uint64_t first = piece->place.piece * PROVE_BLOCK;
    struct tree tree = {.db = proving->db, .division = piece->division.name};
    MerkleHash proof[MERKLE_MAX_HASHES], root, leaf;
    int count, height = 0;
    bool ok = tree_seals(&tree, first, PROVE_BLOCK, proving->block) == PROVE_BLOCK;

    if (ok)
        ok = merkle_inclusion_proof(range->size, first, tree_node, &tree, proof, &count);
    for (size_t i = 0; ok && i < PROVE_BLOCK; i++)
        merkle_leaf_hash(proving->block[i], MERKLE_HASH_LENGTH, proving->block[i]);
    if (ok)
        memcpy(leaf, proving->block[0], sizeof(leaf));
    /* the siblings within the block are made from its events: with them the proof holds for every one */
    for (size_t width = PROVE_BLOCK; ok && width > 1; width /= 2) {
        memcpy(proof[height++], proving->block[1], MERKLE_HASH_LENGTH);
        for (size_t i = 0; i < width / 2; i++)
            merkle_node_hash(proving->block[2 * i], proving->block[2 * i + 1], proving->block[i]);
    }
    merkle_range_root(range, root);
    if (ok && merkle_verify_inclusion(first, range->size, leaf, (const MerkleHash *)proof, (size_t)count, root))
        return LOG_EXTENDS;
    return tree.failed ? LOG_NOT_KNOWN : is_bad(proving, piece, first, first + PROVE_BLOCK - 1);
}

static enum log_verdict read_signatures(struct proving *proving, const struct piece *piece)
{
    uint64_t first = piece->place.piece * PROVE_SIGNATURES, seqs[PROVE_SIGNATURES];
    size_t count = 0;
    PGresult *result;
    bool ok;

    while (count < PROVE_SIGNATURES && first + count < piece->division.recorded) {
        seqs[count] = first + count;
        count++;
    }
    result = proving_signatures(proving, piece->division.name, seqs, count);
    if (!result)
        return LOG_NOT_KNOWN;
    ok = PQntuples(result) == (int)count;
    for (int row = 0; ok && row < (int)count; row++)
        ok = proving_is_of_its_signer(proving, &piece->division, result, row);
    PQclear(result);
    return ok ? LOG_EXTENDS : is_bad(proving, piece, first, first + count - 1);
}

static enum log_verdict read_piece(struct proving *proving, struct piece *piece)
{
    enum log_verdict verdict = piece->place.kind == LOG_BLOCK ? read_block(proving, piece) : read_signatures(proving, piece);

    free(piece->division.keys);
    return verdict;
}

/* No lock is held while a piece is read: what was signed of it does not change. */
static enum log_verdict reread(struct proving *proving, enum log_piece kind, long ms)
{
    enum log_verdict verdict = LOG_EXTENDS;
    long until_ms = clock_ms() + ms;
    struct piece piece = {.found = true};

    for (uint64_t left = all_pieces(proving->memory, kind); left > 0 && piece.found && verdict == LOG_EXTENDS; left--) {
        if (doorbell_stopped() || (!proving->outside->whole && clock_ms() >= until_ms))
            break;
        if (!choose_piece(proving->memory, kind, &piece))
            verdict = LOG_NOT_KNOWN;
        else if (piece.found)
            verdict = read_piece(proving, &piece);
    }
    /* what cannot be read is not passed over the next time */
    if (verdict == LOG_NOT_KNOWN && piece.found) {
        pthread_mutex_lock(&proving->memory->lock);
        if (!proving->memory->bad.division[0])
            proving->memory->bad = piece.place;
        pthread_mutex_unlock(&proving->memory->lock);
    }
    return verdict;
}

enum log_verdict proving_reread(struct proving *proving)
{
    enum log_verdict verdict = reread(proving, LOG_BLOCK, proving->outside->reread_ms);

    /* a signature takes a hundred times as long as a hash */
    return verdict == LOG_EXTENDS ? reread(proving, LOG_SIGNATURES, proving->outside->reread_ms / 10) : verdict;
}

/* ---------------------------------------------------------------- what was found */

static enum log_verdict read_bad_piece(struct proving *proving)
{
    struct log_memory *memory = proving->memory;
    struct piece piece = {.found = false};
    const struct log_division *division;
    enum log_verdict verdict = LOG_EXTENDS;
    bool ok = true;

    pthread_mutex_lock(&memory->lock);
    division = memory->bad.division[0] ? log_state_find(&memory->state, memory->bad.division) : NULL;
    /* less may be remembered than before, after a restore was accepted */
    if (division && memory->bad.piece < piece_count(division, memory->bad.kind))
        ok = copy_piece(division, &memory->bad, &piece);
    pthread_mutex_unlock(&memory->lock);
    if (piece.found)
        verdict = read_piece(proving, &piece);
    if (verdict == LOG_EXTENDS && ok) {
        pthread_mutex_lock(&memory->lock);
        memory->bad.division[0] = '\0';
        pthread_mutex_unlock(&memory->lock);
    }
    return ok ? verdict : LOG_NOT_KNOWN;
}

static enum log_verdict read_bad_seal(struct proving *proving)
{
    struct log_memory *memory = proving->memory;
    enum log_verdict verdict = LOG_EXTENDS;

    pthread_mutex_lock(&memory->lock);
    if (memory->bad_seal[0])
        switch (log_memory_bad_seal(memory, proving->db)) {
        case LOG_MUST_NOT: verdict = LOG_BROKEN; break;
        case LOG_PROVE_AGAIN: verdict = LOG_NOT_KNOWN; break;
        case LOG_MAY_SIGN: memory->bad_seal[0] = '\0'; break;
        }
    pthread_mutex_unlock(&memory->lock);
    return verdict;
}

static enum log_verdict read_bad_snapshot(struct proving *proving)
{
    struct log_memory *memory = proving->memory;
    char id[sizeof(memory->bad_snapshot)];
    bool denied;

    pthread_mutex_lock(&memory->lock);
    strcpy(id, memory->bad_snapshot);
    denied = memory->denied_again;
    pthread_mutex_unlock(&memory->lock);
    if (denied)
        return LOG_BROKEN;
    if (!id[0])
        return LOG_EXTENDS;
    switch (pending_look_again(memory, proving->db, id)) {
    case DOCUMENT_FALSE: return LOG_BROKEN;
    case DOCUMENT_NOT_KNOWN: return LOG_NOT_KNOWN;
    default: break;
    }
    pthread_mutex_lock(&memory->lock);
    memory->bad_snapshot[0] = '\0';
    pthread_mutex_unlock(&memory->lock);
    return LOG_EXTENDS;
}

enum log_verdict proving_suspects(struct proving *proving)
{
    enum log_verdict verdict = read_bad_piece(proving);

    if (verdict == LOG_EXTENDS)
        verdict = read_bad_seal(proving);
    return verdict == LOG_EXTENDS ? read_bad_snapshot(proving) : verdict;
}
