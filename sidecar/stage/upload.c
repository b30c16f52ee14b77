/*
 * upload.c: snapshots: pending → signed → stored → complete.
 *
 * Each step is recorded before the next begins, and each may be done again: the signature is the same, and the store
 * takes the same bytes under the same name for success.
 */
#include "stage/stage.h"

#include "base/doorbell.h"
#include "base/log.h"
#include "core/names.h"
#include "core/recorded_time.h"
#include "core/uuid_text.h"
#include "tlog/pending.h"
#include "tlog/signers.h"
#include "tracing/tracing.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* columns of claim_snapshots() */
enum { ID, DIVISION, STATUS, HASH, SIZE, CHUNKS, SIGNER, SIGNATURE, TS };

/* ---------------------------------------------------------------- spans */

/* What belongs to one snapshot. */
struct trace {
    bool traced;                /* else no span is made */
    struct trace_context context;
    const char *id, *division;
    PGresult *times;            /* of snapshot_spans() */
};

/* columns of snapshot_spans() */
enum { TRACEPARENT, CANONICALISE_BEGAN, CANONICALISE_ENDED, CANONICALISE_US, HASH_BEGAN, HASH_ENDED, HASH_US, WALK_BEGAN, NODES };

static struct trace trace_of(struct worker *worker, const char *id, const char *division)
{
    struct trace trace = {.id = id, .division = division};
    const char *parameters[] = {id};

    if (!tracing_on())
        return trace;
    trace.times = db_call(&worker->db,
                          "SELECT traceparent, canonicalise_began, canonicalise_ended, canonicalise_us, hash_began, hash_ended, hash_us, walk_began, nodes"
                          " FROM reason.snapshot_spans($1)", "?tIIIIIIII",
                          1, parameters, NULL);
    trace.traced = trace.times && PQntuples(trace.times) > 0 && tracing_context(PQgetvalue(trace.times, 0, TRACEPARENT), &trace.context);
    return trace;
}

static void begin(const struct trace *trace, struct span *span, const char *name, enum span_kind kind, long began_us)
{
    span_begin(span, &trace->context, name, kind, began_us);
    span_text(span, "reason.division", trace->division);
    span_text(span, "reason.snapshot.id", trace->id);
}

/* What the database did takes turns with other work of the same pass, so the time at work is told beside the span's. */
static void trace_freezing(const struct trace *trace, const char *name, int began, int ended, int worked)
{
    struct span span;

    if (!trace->traced)
        return;
    begin(trace, &span, name, SPAN_INTERNAL, atol(PQgetvalue(trace->times, 0, began)));
    span_number(&span, "reason.worked_us", atol(PQgetvalue(trace->times, 0, worked)));
    span_end(&span, atol(PQgetvalue(trace->times, 0, ended)), NULL);
}

/* Until it was known what to write. */
static void trace_walk(const struct trace *trace)
{
    struct span span;

    if (!trace->traced)
        return;
    begin(trace, &span, "traversal", SPAN_INTERNAL, atol(PQgetvalue(trace->times, 0, WALK_BEGAN)));
    span_number(&span, "reason.nodes", atol(PQgetvalue(trace->times, 0, NODES)));
    span_end(&span, atol(PQgetvalue(trace->times, 0, CANONICALISE_BEGAN)), NULL);
}

static void trace_signing(const struct trace *trace, const char *signer_id, long began_us, const char *failure)
{
    struct span span;

    if (!trace->traced)
        return;
    begin(trace, &span, "sign", SPAN_CLIENT, began_us);
    span_text(&span, "reason.signer.id", signer_id);
    span_end(&span, tracing_now(), failure);
}

static void trace_upload(const struct trace *trace, const struct object *object, long began_us, const char *failure)
{
    struct span span;

    if (!trace->traced)
        return;
    begin(trace, &span, "upload", SPAN_CLIENT, began_us);
    span_text(&span, "reason.object.key", object->key);
    span_number(&span, "reason.object.size", (long)object->size);
    span_end(&span, tracing_now(), failure);
}

/* ---------------------------------------------------------------- steps */

/* An attempt failed. It is tried again later, until it was tried too often or trying again cannot help. */
static void record_failure(struct worker *worker, const char *token, const char *id, const char *reason, bool for_good)
{
    char most[16];
    const char *parameters[] = {token, id, reason, for_good ? "true" : "false", most};

    snprintf(most, sizeof(most), "%d", worker->sidecar->config.snapshot_attempts);
    log_error("snapshot %s: %s", id, reason);
    PGresult *result = db_call(&worker->db,
                               "SELECT g.up, reason.record_snapshot_failure($1, $2, $3, g.up)"
                               " FROM (SELECT $4::boolean OR reason.snapshot_attempts($2) + 1 >= $5::integer AS up) g", "1bT",
                               5, parameters, NULL);

    if (result && PQgetvalue(result, 0, 0)[0] == 't')
        metrics_add(METRIC_SNAPSHOTS_FAILED, 1);
    PQclear(result);
}

/* ---------------------------------------------------------------- the document, before it is signed */

/* SOME: it may be signed. TRIED: not, and that is recorded. NONE: not yet. FAILED: nothing may be signed any more. */
static enum progress may_sign(struct worker *worker, const char *token, struct pending *pending)
{
    char reason[PENDING_REASON_SIZE] = "", seal[24];
    enum document_verdict verdict = DOCUMENT_TRUE;

    if (worker->sidecar->log.on && pending->size > DOCUMENT_BYTES_MOST && !worker->sidecar->config.sign_unread) {
        record_failure(worker, token, pending->id, "it is too large to be compared with the log (sign_unread = yes in [sidecar] signs it unseen)", true);
        return PROGRESS_TRIED;
    }
    if (worker->sidecar->log.on)
        verdict = pending_verdict(&worker->sidecar->log, &worker->db, pending, reason);
    /* it may have been erased meanwhile: its present state is read */
    if (verdict == DOCUMENT_FALSE) {
        verdict = pending_look_again(&worker->sidecar->log, &worker->db, pending->id);
        /* the snapshot waits no longer; if it does, this attempt counts */
        if (verdict == DOCUMENT_TRUE && pending_is_denied_again(&worker->sidecar->log, pending, reason))
            verdict = DOCUMENT_FALSE;
        if (verdict == DOCUMENT_TRUE) {
            record_failure(worker, token, pending->id, reason, false);
            return PROGRESS_TRIED;
        }
    }
    switch (verdict) {
    case DOCUMENT_TRUE:
        return PROGRESS_SOME;
    case DOCUMENT_TOO_NEW:
        /* another sidecar signs the events: what it has signed is taken over by the next proof */
        if (!leader_token(DUTY_SEAL, seal)[0])
            worker->proved = 0;
        return PROGRESS_NONE;
    case DOCUMENT_FALSE:
        /* the thread that seals tells the database */
        worker->proved = 0;
        doorbell_ring();
        return PROGRESS_FAILED;
    case DOCUMENT_OUTDATED:
    case DOCUMENT_UNDECIDED:
        record_failure(worker, token, pending->id, reason, true);
        return PROGRESS_TRIED;
    case DOCUMENT_MISNAMED:
    case DOCUMENT_MISTIMED:
    case DOCUMENT_STRANGE:
        record_failure(worker, token, pending->id, reason, false);
        return PROGRESS_TRIED;
    case DOCUMENT_NOT_KNOWN:
        if (doorbell_stopped())
            return PROGRESS_NONE;
        break;
    }
    record_failure(worker, token, pending->id, "the document could not be compared with the log", false);
    return PROGRESS_TRIED;
}

/* RFC 3339, as the database writes it. */
#define TIME_SIZE 40

/* A document's, as it stands in the store beside it. */
struct signature {
    uint8_t digest[DIGEST_LENGTH], bytes[SIGNATURE_LENGTH];
    char hex[2 * SIGNATURE_LENGTH + 3]; /* as SQL writes bytes */
    char signer[LOG_SIGNER_SIZE], ts[TIME_SIZE];
};

/* Makes and records the signature of the digest, with the time that the database recorded for it. */
static bool sign(struct worker *worker, const char *token, const struct trace *trace, const char *id, struct signature *signature)
{
    long began_us = tracing_now();
    PGresult *result;
    const char *parameters[] = {token, id, worker->sidecar->config.signer.id, signature->hex};

    if (!sign_digest(worker, signature->digest, signature->bytes)) {
        trace_signing(trace, parameters[2], began_us, "the signer could not sign");
        record_failure(worker, token, id, "the signer could not sign", false);
        return false;
    }
    strcpy(signature->hex, "\\x");
    sodium_bin2hex(signature->hex + 2, sizeof(signature->hex) - 2, signature->bytes, sizeof(signature->bytes));
    snprintf(signature->signer, sizeof(signature->signer), "%s", parameters[2]);
    result = db_call(&worker->db, "SELECT reason.record_snapshot_signature($1, $2, $3, $4::bytea)", "1t", 4, parameters, NULL);
    trace_signing(trace, parameters[2], began_us, result ? NULL : "the registry refused the signature");
    if (!result) {
        sign_refused(worker);
        record_failure(worker, token, id, "the registry refused the signature", false);
        return false;
    }
    snprintf(signature->ts, sizeof(signature->ts), "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    sign_accepted(worker);
    metrics_add(METRIC_SNAPSHOTS_SIGNED, 1);
    /* told once, when the snapshot leaves this state for good */
    trace_walk(trace);
    trace_freezing(trace, "canonicalise", CANONICALISE_BEGAN, CANONICALISE_ENDED, CANONICALISE_US);
    trace_freezing(trace, "hash", HASH_BEGAN, HASH_ENDED, HASH_US);
    return true;
}

static enum store_result store(struct worker *worker, const struct object *object, struct stored *stored)
{
    struct sidecar *sidecar = worker->sidecar;
    enum store_result result = STORE_RETRY;

    pthread_mutex_lock(&sidecar->store_lock);
    if (sidecar_open_store(sidecar))
        result = sidecar->store->put(sidecar->store, object, stored);
    else
        snprintf(stored->reason, sizeof(stored->reason), "the store could not be opened");
    pthread_mutex_unlock(&sidecar->store_lock);
    return result;
}

static bool record(struct worker *worker, const char *token, const char *id, const struct stored *stored)
{
    const char *parameters[] = {token, id, stored->uri, stored->version[0] ? stored->version : NULL};
    PGresult *result = db_call(&worker->db, "SELECT reason.record_snapshot_stored($1, $2, $3, $4)", NULL, 4, parameters, NULL);

    if (!result) {
        /* for instance because its signer was revoked meanwhile */
        record_failure(worker, token, id, "the snapshot could not be completed", false);
        return false;
    }
    PQclear(result);
    metrics_add(METRIC_SNAPSHOTS_STORED, 1);
    log_info("snapshot %s is complete", id);
    return true;
}

/* ---------------------------------------------------------------- what the database says was signed before */

/* Whether it is by a key that is known outside the database. Where nothing is remembered outside, another's than those is not judged. */
static bool is_known_signature(struct worker *worker, const struct signature *signature)
{
    struct sidecar *sidecar = worker->sidecar;
    struct log_memory *memory = &sidecar->log;
    struct log_signers signers = {0};
    struct log_signer own;
    bool known = log_signers_add_file(&signers, sidecar->config.archive_registry_file, "events")
                 && (!sign_own_key(sidecar, &own) || log_signers_add(&signers, own.id, own.public_key));

    pthread_mutex_lock(&memory->lock);
    known = known && log_signers_add_state(&signers, &memory->state);
    pthread_mutex_unlock(&memory->lock);
    known = known && ((!memory->on && !log_signers_know(&signers, signature->signer))
                      || log_signers_who(&signers, signature->signer, signature->digest, signature->bytes));
    log_signers_free(&signers);
    return known;
}

/* Reads the signature of a snapshot that was signed and not stored yet. What is wrong with it; NULL: nothing. */
static const char *take_signature(struct worker *worker, const PGresult *claimed, int row, struct signature *signature)
{
    const char *hex = PQgetvalue(claimed, row, SIGNATURE), *signer = PQgetvalue(claimed, row, SIGNER);

    if (strlen(hex) != 2 + 2 * SIGNATURE_LENGTH
        || sodium_hex2bin(signature->bytes, sizeof(signature->bytes), hex + 2, 2 * SIGNATURE_LENGTH, NULL, NULL, NULL) != 0)
        return "the database gives a signature that is none";
    if (!signer_id_is_valid(signer, strlen(signer)) || strlen(signer) >= sizeof(signature->signer))
        return "the database gives a signer that is none";
    strcpy(signature->signer, signer);
    snprintf(signature->ts, sizeof(signature->ts), "%s", PQgetvalue(claimed, row, TS));
    return is_known_signature(worker, signature) ? NULL : "the signature that the database gives is by no key of that name that is known outside of it (archive.registry_file)";
}

static bool is_time(const char *text)
{
    int64_t seconds;

    return recorded_time_read(text, strlen(text), &seconds);
}

#define SNAPSHOT_KEY_SIZE (DIVISION_NAME_LENGTH + UUID_TEXT_LENGTH + 32)

/* Where it is stored. False: one of them is none. What the database would have stored under names of its own is not. */
static bool snapshot_key(const char *id, const char *division, char key[SNAPSHOT_KEY_SIZE])
{
    uint8_t read[UUID_BYTES];

    snprintf(key, SNAPSHOT_KEY_SIZE, "snapshots/%.*s/%.*s.json", DIVISION_NAME_LENGTH, division, UUID_TEXT_LENGTH, id);
    return uuid_read_text(id, strlen(id), read) && division_name_is_valid(division, strlen(division));
}

/* Takes one claimed snapshot through what is left of its steps. */
static enum progress finish(struct worker *worker, const char *token, const struct trace *trace, PGresult *claimed, int row)
{
    const char *id = PQgetvalue(claimed, row, ID);
    const char *hash = PQgetvalue(claimed, row, HASH);
    struct signature signature = {.hex = ""};
    char base64[128];
    size_t length = 0;
    struct pending pending = {.id = id, .division = PQgetvalue(claimed, row, DIVISION), .hash = hash, .chunks = {.db = &worker->db, .id = id}};
    struct stored stored = {0};
    enum store_result result;
    char key[SNAPSHOT_KEY_SIZE];

    if (!snapshot_key(id, PQgetvalue(claimed, row, DIVISION), key)) {
        log_error("the database gives a snapshot \"%s\" of division \"%s\" to be stored: these are no names", id, PQgetvalue(claimed, row, DIVISION));
        return PROGRESS_FAILED;
    }
    if (strlen(hash) != 2 * DIGEST_LENGTH || sodium_hex2bin(signature.digest, DIGEST_LENGTH, hash, strlen(hash), NULL, &length, NULL) != 0
        || length != DIGEST_LENGTH) {
        record_failure(worker, token, id, "the database gives a hash that is none", false);
        return PROGRESS_TRIED;
    }
    pending_take_size(&pending, claimed, row, SIZE, CHUNKS);
    if (!strcmp(PQgetvalue(claimed, row, STATUS), "pending")) {
        enum progress admitted = may_sign(worker, token, &pending);

        if (admitted != PROGRESS_SOME)
            return admitted;
        /* comparing may have taken minutes, and another thread has found a fault meanwhile */
        if (log_memory_rests(&worker->sidecar->log))
            return PROGRESS_NONE;
        if (!sign(worker, token, trace, id, &signature))
            return PROGRESS_TRIED;
    } else {
        const char *fault = take_signature(worker, claimed, row, &signature);

        if (fault) {
            record_failure(worker, token, id, fault, false);
            return PROGRESS_TRIED;
        }
    }
    if (!is_time(signature.ts)) {
        record_failure(worker, token, id, "the database gives a time of the signature that is none", false);
        return PROGRESS_TRIED;
    }
    sodium_bin2base64(base64, sizeof(base64), signature.bytes, sizeof(signature.bytes), sodium_base64_VARIANT_ORIGINAL);
    {
        const struct pair metadata[] = {{"hash", hash}, {"signature", base64}, {"signer-id", signature.signer}, {"snapshot-id", id},
                                        {"ts", signature.ts}};
        const struct object object = {.key = key,
                                      .content_type = "application/json",
                                      .metadata = metadata,
                                      .metadata_count = sizeof(metadata) / sizeof(metadata[0]),
                                      .hash = hash,
                                      .size = pending.size,
                                      .next = pending_next,
                                      .rewind = pending_rewind,
                                      .context = &pending.chunks};
        long began_us = tracing_now();

        result = store(worker, &object, &stored);
        trace_upload(trace, &object, began_us, result == STORE_DONE ? NULL : stored.reason);
    }
    PQclear(pending.chunks.result);
    if (result != STORE_DONE) {
        metrics_add(METRIC_STORE_FAILURES, 1);
        record_failure(worker, token, id, stored.reason, result == STORE_REFUSED);
        return PROGRESS_TRIED;
    }
    return record(worker, token, id, &stored) ? PROGRESS_SOME : PROGRESS_TRIED;
}

static enum progress turn(struct worker *worker, const char *token)
{
    const char *parameters[] = {token, "8"};
    enum progress progress = PROGRESS_NONE;
    PGresult *claimed;

    if (!stage_is_proved(worker, token) && !stage_proves(worker, token, true))
        return PROGRESS_FAILED;
    claimed = db_call(&worker->db,
                      "SELECT id, division, status, hash, size_bytes, chunks, signer_id, signature, ts FROM reason.claim_snapshots($1, $2)", "ttttTTTTT",
                      2, parameters, NULL);
    if (!claimed)
        return PROGRESS_FAILED;
    /* one that fails waits by itself (next_attempt_at) and holds up no other */
    for (int i = 0; i < PQntuples(claimed) && worker->db.connection; i++) {
        char now[24];
        enum progress made;
        struct trace trace;

        if (strcmp(leader_token(worker->duty, now), token) != 0)
            break;
        trace = trace_of(worker, PQgetvalue(claimed, i, ID), PQgetvalue(claimed, i, DIVISION));
        made = finish(worker, token, &trace, claimed, i);
        if (made == PROGRESS_FAILED) {
            PQclear(trace.times);
            PQclear(claimed);
            return made;
        }
        if (made == PROGRESS_SOME || progress == PROGRESS_NONE)
            progress = made;
        PQclear(trace.times);
    }
    PQclear(claimed);
    return progress;
}

const struct stage stage_upload = {.name = "upload", .histogram = HISTOGRAM_UPLOAD, .turn = turn};
