/*
 * archive.c: segments of the chain to the object store, under their retention.
 *
 * audit/<division>/<yyyy>/<mm>/<dd>/<first seq>-<last seq>.jsonl holds one canonical event a line; the contents of
 * these events (payloads and salts, which may have to be erased one day) lie in <first>-<last>.contents.jsonl beside
 * it, without object lock. The database decides where a segment ends and makes its exact text; the same segment made
 * again is the same bytes, because what has been signed does not change. Contents can: the contents are taken as they
 * are when the segment is stored first, and a repeat that finds another text there keeps the older.
 *
 * When nothing is to be archived, segments that are there are brought under the rule that their division has now.
 */
#include "stage/stage.h"

#include "base/log.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the making, and then on its way. */
struct text {
    char *bytes;
    size_t length, capacity;
    bool done;
};

/* What belongs to one segment. */
struct segment_text {
    struct text events, contents;
    bool failed;                /* out of memory, or a line that is none */
};

static bool add(struct text *text, const char *bytes, size_t length)
{
    if (length > text->capacity - text->length) {
        size_t capacity = 2 * (text->capacity + length);
        char *larger = realloc(text->bytes, capacity);

        if (!larger)
            return false;
        text->bytes = larger;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    return true;
}

static void take_line(void *context, const PGresult *row)
{
    struct segment_text *text = context;

    if (PQgetisnull(row, 0, 0) || !add(&text->events, PQgetvalue(row, 0, 0), (size_t)PQgetlength(row, 0, 0))
        || (!PQgetisnull(row, 0, 1) && !add(&text->contents, PQgetvalue(row, 0, 1), (size_t)PQgetlength(row, 0, 1))))
        text->failed = true;
}

static bool next_text(void *context, const void **bytes, size_t *length)
{
    struct text *text = context;

    *bytes = text->bytes;
    *length = text->done ? 0 : text->length;
    text->done = true;
    return true;
}

static bool rewind_text(void *context)
{
    ((struct text *)context)->done = false;
    return true;
}

/* Columns of segment_to_archive(). */
enum { DIVISION, FIRST, LAST, PREFIX, RETAIN_UNTIL, LEGAL_HOLD };

static PGresult *claim(struct worker *worker, const char *token)
{
    const struct config *config = &worker->sidecar->config;
    char events[16], interval[32];
    const char *parameters[] = {token, config->archive_url, events, interval};

    snprintf(events, sizeof(events), "%d", config->archive_events);
    snprintf(interval, sizeof(interval), "%d seconds", config->archive_interval_s);
    return db_call(&worker->db,
                   "SELECT division, first_seq, last_seq, object_prefix, extract(epoch FROM retain_until)::bigint, legal_hold"
                   " FROM reason.segment_to_archive($1, $2, $3, $4)", "?tnntIb",
                   4, parameters, NULL);
}

static bool read_text(struct worker *worker, const char *token, PGresult *claimed, struct segment_text *text)
{
    const char *parameters[] = {token, PQgetvalue(claimed, 0, DIVISION), PQgetvalue(claimed, 0, FIRST), PQgetvalue(claimed, 0, LAST)};

    return db_each(&worker->db, "SELECT event, content FROM reason.segment_lines($1, $2, $3, $4)", 4, parameters, take_line, text) && !text->failed
           && text->events.length > 0;
}

static void hash_text(const char *text, size_t length, char hex[65])
{
    unsigned char digest[32];

    EVP_Digest(text, length, digest, NULL, EVP_sha256(), NULL);
    sodium_bin2hex(hex, 65, digest, sizeof(digest));
}

/* Until when the events of a segment are to be locked; 0: not. */
static time_t retention(const struct worker *worker, PGresult *claimed)
{
    const struct config *config = &worker->sidecar->config;

    if (!PQgetisnull(claimed, 0, RETAIN_UNTIL))
        return (time_t)atol(PQgetvalue(claimed, 0, RETAIN_UNTIL));
    return !strcmp(config->archive_lock_mode, "none") ? 0 : time(NULL) + (time_t)config->archive_lock_days * 86400;
}

static enum store_result put_text(struct store *store, PGresult *claimed, struct text *text, const char *suffix, time_t retain_until,
                                  bool legal_hold, char hash[65], struct stored *stored)
{
    char key[1024];
    const struct pair metadata[] = {{"first-seq", PQgetvalue(claimed, 0, FIRST)}, {"hash", hash}, {"last-seq", PQgetvalue(claimed, 0, LAST)}};
    struct object object = {.key = key, .content_type = "application/jsonl", .metadata = metadata, .metadata_count = 3, .hash = hash,
                            .size = (long long)text->length, .next = next_text, .rewind = rewind_text, .context = text,
                            .retain_until = retain_until, .legal_hold = legal_hold};

    snprintf(key, sizeof(key), "%s%s", PQgetvalue(claimed, 0, PREFIX), suffix);
    hash_text(text->bytes, text->length, hash);
    return store->put(store, &object, stored);
}

struct archive {
    struct store *events;       /* under object lock */
    struct store *contents;     /* erasable: never under lock */
    int reloads;                /* when they were opened */
};

static void close_archive(struct worker *worker)
{
    struct archive *archive = worker->state;

    if (!archive)
        return;
    if (archive->events)
        archive->events->close(archive->events);
    if (archive->contents)
        archive->contents->close(archive->contents);
    free(archive);
    worker->state = NULL;
}

static struct archive *archive_of(struct worker *worker)
{
    const struct config *config = &worker->sidecar->config;
    const struct store_options locked = {config->archive_url, config->archive_lock_mode, config->archive_lock_days};
    const struct store_options unlocked = {config->archive_url, "none", 0};
    struct archive *archive = worker->state;
    int reloads = atomic_load(&worker->sidecar->reloads);

    if (archive && archive->reloads != reloads) {
        close_archive(worker);
        archive = NULL;
    }
    if (!archive)
        archive = worker->state = calloc(1, sizeof(*archive));
    if (!archive)
        return NULL;
    archive->reloads = reloads;
    if (!archive->events)
        archive->events = store_open(config, &locked);
    if (!archive->contents)
        archive->contents = store_open(config, &unlocked);
    return archive->events && archive->contents ? archive : NULL;
}

static bool record(struct worker *worker, const char *token, PGresult *claimed, const struct stored *events, time_t retain_until,
                   const char *hash, const struct stored *contents)
{
    char until[24];
    const char *parameters[] = {token, worker->sidecar->config.archive_url, PQgetvalue(claimed, 0, DIVISION), PQgetvalue(claimed, 0, FIRST),
                                PQgetvalue(claimed, 0, LAST), events->uri, events->version[0] ? events->version : NULL, hash,
                                contents->uri[0] ? contents->uri : NULL, contents->version[0] ? contents->version : NULL,
                                retain_until && !events->existed ? until : NULL, events->existed ? NULL : PQgetvalue(claimed, 0, LEGAL_HOLD)};
    PGresult *result;
    bool ok;

    snprintf(until, sizeof(until), "%lld", (long long)retain_until);
    result = db_call(&worker->db,
                     "SELECT reason.record_archived($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, to_timestamp($11::bigint), $12::boolean)", NULL, 12,
                     parameters, NULL);
    ok = result != NULL;
    PQclear(result);
    return ok;
}

/* An attempt failed. It is tried again later, until it was tried too often or trying again cannot help. False: that could not be recorded. */
static bool record_failure(struct worker *worker, const char *token, PGresult *claimed, const char *reason, bool for_good)
{
    char most[16];
    const char *parameters[] = {token, worker->sidecar->config.archive_url, PQgetvalue(claimed, 0, DIVISION), PQgetvalue(claimed, 0, FIRST), reason, most};
    PGresult *result;
    bool ok;

    log_error("cannot archive events %s to %s of division \"%s\": %s", PQgetvalue(claimed, 0, FIRST), PQgetvalue(claimed, 0, LAST),
              PQgetvalue(claimed, 0, DIVISION), reason);
    metrics_add(METRIC_ARCHIVE_FAILURES, 1);
    snprintf(most, sizeof(most), "%d", for_good ? 0 : worker->sidecar->config.archive_attempts);
    result = db_call(&worker->db, "SELECT reason.record_archive_failure($1, $2, $3, $4, $5, $6)", "1b", 6, parameters, NULL);
    ok = result != NULL;
    if (ok && PQgetvalue(result, 0, 0)[0] == 't')
        metrics_add(METRIC_ARCHIVE_PARKED, 1);
    PQclear(result);
    return ok;
}

/* ---------------------------------------------------------------- what is there already */

/* columns of segments_to_protect() */
enum { P_DIVISION, P_FIRST, P_PREFIX, P_VERSION, P_UNTIL, P_HOLD };

static bool protect(struct worker *worker, const char *token, struct store *store, PGresult *segments, int row)
{
    const bool as_it_is = PQgetisnull(segments, row, P_HOLD);
    const struct protection protection = {
        .retain_until = (time_t)atol(PQgetvalue(segments, row, P_UNTIL)),
        .legal_hold = as_it_is ? HOLD_AS_IT_IS : PQgetvalue(segments, row, P_HOLD)[0] == 't' ? HOLD_ON : HOLD_OFF
    };
    const char *parameters[] = {token, worker->sidecar->config.archive_url, PQgetvalue(segments, row, P_DIVISION), PQgetvalue(segments, row, P_FIRST),
                                protection.retain_until ? PQgetvalue(segments, row, P_UNTIL) : NULL, as_it_is ? NULL : PQgetvalue(segments, row, P_HOLD)};
    struct stored stored = {0};
    char key[1024];
    PGresult *result;
    bool ok;

    snprintf(key, sizeof(key), "%s.jsonl", PQgetvalue(segments, row, P_PREFIX));
    if (store->protect(store, key, PQgetvalue(segments, row, P_VERSION), &protection, &stored) != STORE_DONE) {
        log_error("cannot bring \"%s\" under the rule of division \"%s\": %s", key, parameters[2], stored.reason);
        return false;
    }
    result = db_call(&worker->db, "SELECT reason.record_protected($1, $2, $3, $4, to_timestamp($5::bigint), $6::boolean)", NULL, 6, parameters, NULL);
    ok = result != NULL;
    PQclear(result);
    return ok;
}

static enum progress protect_segments(struct worker *worker, const char *token, struct archive *archive)
{
    const char *parameters[] = {token, worker->sidecar->config.archive_url};
    PGresult *segments = db_call(&worker->db,
                                 "SELECT division, first_seq, object_prefix, object_version, extract(epoch FROM retain_until)::bigint, legal_hold"
                                 " FROM reason.segments_to_protect($1, $2)", "tntTIB",
                                 2, parameters, NULL);
    enum progress progress = segments ? PROGRESS_NONE : PROGRESS_FAILED;

    if (segments && PQntuples(segments) > 0 && !archive->events->locks) {
        log_error("division \"%s\" has an archive rule, but archive.lock_mode is none, or the store cannot lock", PQgetvalue(segments, 0, P_DIVISION));
        progress = PROGRESS_FAILED;
    }
    for (int row = 0; progress != PROGRESS_FAILED && row < PQntuples(segments); row++)
        progress = protect(worker, token, archive->events, segments, row) ? PROGRESS_SOME : PROGRESS_FAILED;
    if (progress == PROGRESS_FAILED)
        metrics_add(METRIC_ARCHIVE_FAILURES, 1);
    PQclear(segments);
    return progress;
}

/* ---------------------------------------------------------------- turns */

/* Stores a segment and records it, or records why not. */
static enum progress store_segment(struct worker *worker, const char *token, struct archive *archive, PGresult *claimed, struct segment_text *text)
{
    struct stored events = {0}, contents = {0};
    enum store_result stored = STORE_DONE;
    char hash[65], contents_hash[65];
    time_t retain_until = retention(worker, claimed);

    if (!PQgetisnull(claimed, 0, RETAIN_UNTIL) && !archive->events->locks) {
        snprintf(events.reason, sizeof(events.reason), "the division has an archive rule, but archive.lock_mode is none, or the store cannot lock");
        stored = STORE_RETRY;
    }
    if (stored == STORE_DONE && text->contents.length > 0) {
        stored = put_text(archive->contents, claimed, &text->contents, ".contents.jsonl", 0, false, contents_hash, &contents);
        if (stored == STORE_REFUSED) {
            log_info("the contents of events %s to %s of division \"%s\" are stored already, from before an erasure", PQgetvalue(claimed, 0, FIRST),
                     PQgetvalue(claimed, 0, LAST), PQgetvalue(claimed, 0, DIVISION));
            stored = STORE_DONE;
        }
    }
    if (stored == STORE_DONE)
        stored = put_text(archive->events, claimed, &text->events, ".jsonl", retain_until, PQgetvalue(claimed, 0, LEGAL_HOLD)[0] == 't', hash, &events);
    if (stored != STORE_DONE) {
        bool recorded = record_failure(worker, token, claimed, events.reason[0] ? events.reason : contents.reason, stored == STORE_REFUSED);

        /* credentials and certificates may have been replaced */
        close_archive(worker);
        /* it waits by itself (next_attempt_at) and holds up no other */
        return recorded ? PROGRESS_TRIED : PROGRESS_FAILED;
    }
    if (!record(worker, token, claimed, &events, retain_until, hash, &contents))
        return PROGRESS_FAILED;
    metrics_add(METRIC_EVENTS_ARCHIVED, atol(PQgetvalue(claimed, 0, LAST)) - atol(PQgetvalue(claimed, 0, FIRST)) + 1);
    return PROGRESS_SOME;
}

static enum progress turn(struct worker *worker, const char *token)
{
    struct archive *archive = archive_of(worker);
    struct segment_text text = {0};
    enum progress progress = PROGRESS_FAILED;
    PGresult *claimed = archive ? claim(worker, token) : NULL;

    if (claimed && PQntuples(claimed) == 0) {
        PQclear(claimed);
        return protect_segments(worker, token, archive);
    }
    if (claimed && read_text(worker, token, claimed, &text))
        progress = store_segment(worker, token, archive, claimed, &text);
    else
        metrics_add(METRIC_ARCHIVE_FAILURES, 1);
    free(text.events.bytes);
    free(text.contents.bytes);
    PQclear(claimed);
    return progress;
}

const struct stage stage_archive = {.name = "archive", .histogram = HISTOGRAM_ARCHIVE, .turn = turn, .close = close_archive};
