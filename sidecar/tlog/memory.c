/* memory.c: whether an event may be signed, and what is remembered of it then. */
#include "tlog/memory.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/json_reader.h"
#include "core/sha256.h"
#include "tlog/published.h"
#include "tlog/tree.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool log_memory_refresh(struct log_memory *memory)
{
    const char *path = memory->state.path;

    if (memory->known && log_state_is_current(&memory->state))
        return true;
    /* else what the database has would be taken for what was signed */
    if (log_state_is_gone(&memory->state)) {
        log_memory_break(memory, METRIC_LOG_STOPS_MEMORY, "\"%s\", which holds what was signed, is gone", path);
        return false;
    }
    memory->known = log_state_load(&memory->state, path);
    memory->state.path = path;
    if (!memory->state.loaded)
        memory->asked = false;
    return memory->known;
}

static unsigned latest_epoch(const struct log_memory *memory)
{
    unsigned latest = 0;

    for (size_t i = 0; i < memory->state.count; i++) {
        const struct log_division *division = memory->state.divisions[i];
        unsigned epoch = division->origin[0] ? published_epoch(memory->prefix, division->name, division->origin) : 0;

        latest = epoch > latest ? epoch : latest;
    }
    return latest;
}

static void keep_fault(struct log_memory *memory, enum metric kind, const char fault[LOG_FAULT_SIZE])
{
    if (strcmp(fault, memory->fault) != 0) {
        log_error("nothing is signed: %s", fault);
        metrics_add(kind, 1);
    }
    strcpy(memory->fault, fault);
    memory->fault_epoch = latest_epoch(memory);
    atomic_store(&memory->broken, true);
    metrics_set(METRIC_LOG_STOPPED, 1);
    metrics_set(METRIC_SAFE_MODE, 1);
}

void log_memory_break(struct log_memory *memory, enum metric kind, const char *format, ...)
{
    char fault[LOG_FAULT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(fault, sizeof(fault), format, arguments);
    va_end(arguments);
    keep_fault(memory, kind, fault);
}

bool log_memory_is_contradicted(const struct log_memory *memory)
{
    const struct log_division *division = memory->contradicted[0] ? log_state_find(&memory->state, memory->contradicted) : NULL;

    return memory->contradicted[0] && !(division && division->origin[0] && strcmp(division->origin, memory->contradicted_origin) != 0);
}

void log_memory_contradict(struct log_memory *memory, const char *name, const char *origin, const char *reason)
{
    const struct log_division *division = log_memory_refresh(memory) ? log_state_find(&memory->state, name) : NULL;

    /* the first one is kept, so that the fault does not change with each witness */
    if (log_memory_is_contradicted(memory) || (division && division->origin[0] && strcmp(division->origin, origin) != 0))
        return;
    snprintf(memory->contradicted, sizeof(memory->contradicted), "%s", name);
    snprintf(memory->contradicted_origin, sizeof(memory->contradicted_origin), "%s", origin);
    log_memory_break(memory, METRIC_LOG_STOPS_CONTRADICTED, "the log of division \"%s\" is contradicted: %s", name, reason);
}

bool log_memory_refused(struct log_memory *memory, const struct db *db)
{
    bool told = refusals_are_a_fault(&memory->refusals, clock_ms()), lasts = refusals_add(&memory->refusals, db->name, db->refusal_passes, clock_ms());

    /* the first one is kept: the same is refused in other words, too */
    if (lasts && !told)
        log_memory_break(memory, METRIC_LOG_STOPS_UNREADABLE, "the log cannot be read: %s", db->refusal);
    return lasts || told;
}

void log_memory_agree(struct log_memory *memory, const char *origin)
{
    if (!strcmp(memory->contradicted_origin, origin))
        memory->contradicted[0] = '\0';
}

void log_memory_mend(struct log_memory *memory, const char *thread)
{
    refusals_end(&memory->refusals, thread);
    if (log_memory_is_contradicted(memory) || refusals_are_a_fault(&memory->refusals, clock_ms()))
        return;
    if (memory->fault[0]) {
        log_info("the database extends what was signed: signing goes on");
        /* the comparison with archive and Kafka, which comes next, says if it is safe mode for another reason */
        metrics_set(METRIC_SAFE_MODE, 0);
    }
    memory->fault[0] = '\0';
    atomic_store(&memory->broken, false);
    metrics_set(METRIC_LOG_STOPPED, 0);
}

bool log_memory_rests(const struct log_memory *memory)
{
    return memory->on && (atomic_load(&memory->broken) || refusals_wait(&memory->refusals, clock_ms()));
}

void log_memory_tell(const struct log_memory *memory)
{
    uint64_t events = 0, covered = 0, published = 0;

    for (size_t i = 0; i < memory->state.count; i++) {
        const struct log_division *division = memory->state.divisions[i];

        events += division->signed_range.size;
        covered += division->checkpoint_size;
        published += division->published;
    }
    metrics_set(METRIC_LOG_EVENTS, (long)events);
    metrics_set(METRIC_LOG_COVERED, (long)covered);
    metrics_set(METRIC_LOG_PUBLISHED, (long)published);
}

static bool append(MerkleRange *range, const MerkleHash *hashes, size_t count)
{
    MerkleHash leaf;

    for (size_t i = 0; i < count; i++) {
        merkle_leaf_hash(hashes[i], MERKLE_HASH_LENGTH, leaf);
        if (!merkle_range_append(range, leaf))
            return false;
    }
    return true;
}

/*
 * Events that were signed already, as after a death between signing and recording: the hashes must be the same. They are
 * when, put behind the tree before them, they give the root that was signed.
 */
static enum log_answer admits_again(struct log_memory *memory, struct db *db, const struct log_division *division, const struct log_claim *claim)
{
    struct tree tree = {.db = db, .division = claim->division};
    uint64_t end = division->signed_range.size;
    size_t again = end - claim->first < claim->count ? (size_t)(end - claim->first) : claim->count;
    MerkleHash *hashes = malloc(TREE_HASHES_MOST * sizeof(*hashes)), root, signed_root;
    MerkleRange range;
    bool ok = hashes && tree_range(&tree, claim->first, &range) && append(&range, claim->hashes, again);

    while (ok && range.size < end) {
        size_t wanted = end - range.size < TREE_HASHES_MOST ? (size_t)(end - range.size) : TREE_HASHES_MOST;
        long got = tree_seals(&tree, range.size, wanted, hashes);

        ok = got > 0 && append(&range, (const MerkleHash *)hashes, (size_t)got);
    }
    free(hashes);
    if (!hashes || tree.failed)
        return LOG_PROVE_AGAIN;
    if (ok) {
        merkle_range_root(&range, root);
        merkle_range_root(&division->signed_range, signed_root);
        ok = !memcmp(root, signed_root, sizeof(root));
    }
    if (ok)
        return LOG_MAY_SIGN;
    log_memory_break(memory, METRIC_LOG_STOPS_REWRITTEN, "event %" PRIu64 " of division \"%s\", or one behind it, was signed before with another hash",
                     claim->first, claim->division);
    return LOG_MUST_NOT;
}

/* As deep as the database can be told to take it. */
static const JsonLimits limits = {.max_depth = 100000};

/*
 * A whole JSON text, with a member that only events have. What is signed is its bytes and the hash before it: a document could be
 * cut so that its last bytes were that hash, but no text that is whole before them is one with them.
 */
static bool is_event(const char *payload)
{
    JsonDocument document;
    JsonError error;
    bool is;

    json_document_init(&document, NULL, NULL);
    is = json_read(&document, payload, strlen(payload), &limits, &error) && json_root(&document)->kind == JSON_OBJECT
         && json_member_literal(&document, json_root(&document), "eventType") != NULL;
    json_document_free(&document);
    return is;
}

/* Whether the hash is that of this event behind the one before; NULL: it is the first of its chain. */
static bool is_hash_of(const MerkleHash hash, const char *payload, const uint8_t *before)
{
    MerkleHash computed;

    if (!payload || !is_event(payload))
        return false;
    sha256_of_two(computed, payload, strlen(payload), before, before ? MERKLE_HASH_LENGTH : 0);
    return !memcmp(computed, hash, sizeof(computed));
}

/* The events of a claim behind what was signed already. */
static enum log_answer admits_new(struct log_memory *memory, const struct log_division *division, const struct log_claim *claim)
{
    uint64_t size = division ? division->signed_range.size : 0;

    for (size_t i = size > claim->first ? (size_t)(size - claim->first) : 0; i < claim->count; i++) {
        uint64_t seq = claim->first + i;
        const uint8_t *before = seq == 0 ? NULL : seq == size ? division->head_hash : claim->hashes[i - 1];

        if (is_hash_of(claim->hashes[i], claim->payloads[i], before))
            continue;
        log_memory_break(memory, METRIC_LOG_STOPS_REWRITTEN, "event %" PRIu64 " of division \"%s\" is sealed with a hash that is not that of the event", seq,
                         claim->division);
        snprintf(memory->bad_seal, sizeof(memory->bad_seal), "%s", claim->division);
        return LOG_MUST_NOT;
    }
    return LOG_MAY_SIGN;
}

enum log_answer log_memory_admits(struct log_memory *memory, struct db *db, const struct log_claim *claim)
{
    const struct log_division *division = log_state_find(&memory->state, claim->division);
    uint64_t size = division ? division->signed_range.size : 0;
    enum log_answer answer = LOG_MAY_SIGN;

    if (claim->first > size)
        return LOG_PROVE_AGAIN;
    if (claim->first < size)
        answer = admits_again(memory, db, division, claim);
    return answer == LOG_MAY_SIGN ? admits_new(memory, division, claim) : answer;
}

enum log_answer log_memory_bad_seal(struct log_memory *memory, struct db *db)
{
    const struct log_division *division = log_state_find(&memory->state, memory->bad_seal);
    const char *parameters[] = {memory->bad_seal};
    PGresult *rows = db_call(db, "SELECT seq, encode(hash, 'hex'), payload FROM reason.unsigned_seals_with_events() WHERE division = $1 ORDER BY seq", "TTT", 1,
                             parameters, NULL);
    enum log_answer answer = rows ? LOG_MAY_SIGN : LOG_PROVE_AGAIN;
    char name[sizeof(memory->bad_seal)];
    size_t count = rows ? (size_t)PQntuples(rows) : 0, length;
    MerkleHash *hashes = calloc(count + 1, sizeof(*hashes));
    const char **payloads = calloc(count + 1, sizeof(*payloads));

    strcpy(name, memory->bad_seal);
    for (size_t row = 0; answer == LOG_MAY_SIGN && row < count; row++) {
        if (!hashes || !payloads)
            answer = LOG_PROVE_AGAIN;
        else {
            payloads[row] = PQgetisnull(rows, (int)row, 2) ? NULL : PQgetvalue(rows, (int)row, 2);
            sodium_hex2bin(hashes[row], sizeof(*hashes), PQgetvalue(rows, (int)row, 1), (size_t)PQgetlength(rows, (int)row, 1), NULL, &length, NULL);
        }
    }
    if (answer == LOG_MAY_SIGN && count > 0) {
        struct log_claim claim = {.division = name, .hashes = (const MerkleHash *)hashes, .payloads = payloads, .count = count};

        if (!db_number(rows, 0, 0, &claim.first))
            answer = LOG_PROVE_AGAIN;
        else if (claim.first <= (division ? division->signed_range.size : 0))
            answer = admits_new(memory, division, &claim);
    }
    free(hashes);
    free(payloads);
    PQclear(rows);
    return answer;
}

bool log_memory_add(struct log_memory *memory, const struct log_claim *claim, size_t signed_count,
                    const uint8_t last_signature[LOG_SIGNATURE_LENGTH], const struct log_signer *signer)
{
    struct log_division *division = log_state_add(&memory->state, claim->division);
    size_t known = division && division->signed_range.size > claim->first ? (size_t)(division->signed_range.size - claim->first) : 0;

    if (!division)
        return false;
    /* nothing but what was signed before */
    if (signed_count <= known)
        return true;
    log_division_mark(division, time(NULL));
    if (!log_division_key(division, division->signed_range.size, signer->id, signer->public_key)
        || !append(&division->signed_range, claim->hashes + known, signed_count - known))
        return false;
    memcpy(division->head_hash, claim->hashes[signed_count - 1], MERKLE_HASH_LENGTH);
    memcpy(division->head_signature, last_signature, LOG_SIGNATURE_LENGTH);
    snprintf(division->head_signer, sizeof(division->head_signer), "%s", signer->id);
    return true;
}
