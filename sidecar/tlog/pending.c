/* pending.c: a snapshot before it is signed. */
#include "tlog/pending.h"

#include "base/log.h"
#include "core/sha256.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So long the database may take to show that a document is what the log says, and a little for each answer. */
#define DOCUMENT_MS 600000
/* The database cuts documents into pieces of 1 MiB. */
#define CHUNK_MOST (2L * 1024 * 1024)

/* ---------------------------------------------------------------- bytes */

bool pending_next(void *context, const void **bytes, size_t *length)
{
    struct pending_chunks *chunks = context;
    char number[24];
    const char *parameters[] = {chunks->id, number};

    PQclear(chunks->result);
    chunks->result = NULL;
    *length = 0;
    if (chunks->next == chunks->count)
        return true;
    snprintf(number, sizeof(number), "%" PRIu64, chunks->next++);
    chunks->result = db_call_binary(chunks->db, "SELECT reason.snapshot_chunk($1, $2)", CHUNK_MOST, 2, parameters);
    if (!chunks->result || PQntuples(chunks->result) != 1 || PQgetisnull(chunks->result, 0, 0))
        return false;
    *bytes = PQgetvalue(chunks->result, 0, 0);
    *length = (size_t)PQgetlength(chunks->result, 0, 0);
    return *length > 0;
}

bool pending_rewind(void *context)
{
    struct pending_chunks *chunks = context;

    chunks->next = 0;
    return true;
}

/*
 * The bytes, from malloc(), if their hash is the one that is to be signed; *length 0: too large to be held here, and the
 * hash is. NULL: it is not, or (*failed) they could not be read.
 */
static char *read_document(struct pending *pending, size_t *length, bool *failed)
{
    bool held = pending->size <= DOCUMENT_BYTES_MOST;
    char *text = held ? malloc(pending->size + 1) : malloc(1), hex[2 * SHA256_LENGTH + 1];
    uint64_t taken = 0;
    size_t piece = 1;
    const void *bytes;
    uint8_t digest[SHA256_LENGTH];
    Sha256 context;
    bool ok = text != NULL;

    *failed = !ok;
    sha256_init(&context);
    while (ok && piece > 0) {
        *failed = !pending_next(&pending->chunks, &bytes, &piece);
        ok = !*failed && piece <= pending->size - taken;
        if (ok) {
            sha256_update(&context, bytes, piece);
            if (held)
                memcpy(text + taken, bytes, piece);
            taken += piece;
        }
    }
    sha256_final(&context, digest);
    sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
    PQclear(pending->chunks.result);
    pending->chunks.result = NULL;
    pending_rewind(&pending->chunks);
    *length = held ? taken : 0;
    if (ok && taken == pending->size && !strcmp(hex, pending->hash))
        return text;
    free(text);
    return NULL;
}

void pending_take_size(struct pending *pending, const PGresult *result, int row, int size, int chunks)
{
    if (!db_number(result, row, size, &pending->size) || !db_number(result, row, chunks, &pending->chunks.count))
        pending->size = 0;
}

/* ---------------------------------------------------------------- the verdict */

/* Copies what is remembered of the division's log, but for what it points to; false: nothing is remembered. */
static bool copy_log(struct log_memory *memory, const char *division, struct log_division *copy)
{
    const struct log_division *known;

    pthread_mutex_lock(&memory->lock);
    known = log_memory_refresh(memory) ? log_state_find(&memory->state, division) : NULL;
    if (known) {
        *copy = *known;
        copy->keys = NULL;
        copy->closed = NULL;
        copy->key_count = copy->closed_count = 0;
    }
    pthread_mutex_unlock(&memory->lock);
    return known != NULL;
}

enum document_verdict pending_verdict(struct log_memory *memory, struct db *db, struct pending *pending, char reason[PENDING_REASON_SIZE])
{
    struct log_division known;
    struct document_question question = {.db = db, .id = pending->id, .division = pending->division, .prefix = memory->prefix, .known = &known,
                                         .ahead_until = atomic_load(&memory->ahead_until)};
    enum document_verdict verdict = DOCUMENT_TRUE;
    bool failed;
    size_t length;
    char *text;

    if (pending->size == 0) {
        snprintf(reason, PENDING_REASON_SIZE, "the document has no bytes, or a number of them that is none");
        return DOCUMENT_FALSE;
    }
    if (!copy_log(memory, pending->division, &known))
        return DOCUMENT_TOO_NEW;
    db_begin_budget(db, DOCUMENT_MS);
    text = read_document(pending, &length, &failed);
    if (text && length > 0)
        verdict = document_verdict(&question, text, length);
    db_end_budget(db);
    if (!text) {
        snprintf(reason, PENDING_REASON_SIZE, "the document has not the hash that is to be signed");
        return failed ? DOCUMENT_NOT_KNOWN : DOCUMENT_FALSE;
    }
    if (length == 0)
        log_warning("snapshot %s is too large to be compared with the log: of its %" PRIu64 " bytes only the hash was", pending->id, pending->size);
    free(text);
    snprintf(reason, PENDING_REASON_SIZE, "the document is not what the log says: %s", question.reason);
    if (verdict == DOCUMENT_MISTIMED) {
        snprintf(reason, PENDING_REASON_SIZE, "%s", question.reason);
        if (question.made_at > question.ahead_until)
            atomic_store(&memory->ahead_until, question.made_at);
    }
    if (verdict == DOCUMENT_OUTDATED && atomic_load(&memory->misnamed)) {
        snprintf(reason, PENDING_REASON_SIZE, "the database names its logs otherwise than checkpoint.origin (\"%s\") says: %s", memory->prefix, question.reason);
        verdict = DOCUMENT_MISNAMED;
    }
    return verdict;
}

enum document_verdict pending_look_again(struct log_memory *memory, struct db *db, const char *id)
{
    const char *parameters[] = {id};
    PGresult *found = db_call(db, "SELECT division, hash, size_bytes, chunks FROM reason.pending_snapshot($1)", "?ttTT", 1, parameters, NULL);
    enum document_verdict verdict = found ? DOCUMENT_TRUE : DOCUMENT_NOT_KNOWN;
    char reason[PENDING_REASON_SIZE];

    if (found && PQntuples(found) == 1) {
        struct pending pending = {.id = id, .division = PQgetvalue(found, 0, 0), .hash = PQgetvalue(found, 0, 1),
                                  .chunks = {.db = db, .id = id}};

        pending_take_size(&pending, found, 0, 2, 3);
        verdict = pending_verdict(memory, db, &pending, reason);
    }
    if (verdict == DOCUMENT_FALSE) {
        pthread_mutex_lock(&memory->lock);
        log_memory_break(memory, METRIC_LOG_STOPS_SNAPSHOT, "snapshot %s of division \"%s\" was altered before it was signed: %s", id,
                         PQgetvalue(found, 0, 0), reason);
        snprintf(memory->bad_snapshot, sizeof(memory->bad_snapshot), "%s", id);
        pthread_mutex_unlock(&memory->lock);
    }
    PQclear(found);
    return verdict;
}

bool pending_is_denied_again(struct log_memory *memory, const struct pending *pending, const char *reason)
{
    size_t kept = memory->denied_count < LOG_DENIED ? memory->denied_count : LOG_DENIED;
    bool again = false;

    pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; i < kept; i++)
        again = again || (!strcmp(memory->denied[i].id, pending->id) && !strcmp(memory->denied[i].hash, pending->hash));
    if (again) {
        log_memory_break(memory, METRIC_LOG_STOPS_SNAPSHOT,
                         "snapshot %s of division \"%s\" was altered before it was signed: %s; the database says that it does not wait, and gives it again",
                         pending->id, pending->division, reason);
        memory->denied_again = true;
    } else {
        struct log_denied *denied = &memory->denied[memory->denied_count++ % LOG_DENIED];

        snprintf(denied->id, sizeof(denied->id), "%s", pending->id);
        snprintf(denied->hash, sizeof(denied->hash), "%s", pending->hash);
    }
    pthread_mutex_unlock(&memory->lock);
    return again;
}
