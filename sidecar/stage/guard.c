/*
 * guard.c: before anything is sealed, the chains are compared with what is known of them outside.
 *
 * A database that was restored to an earlier state has forgotten events that archive and Kafka hold; to seal others in
 * their places would fork the chains. So this comes first whenever the connection is a new one, and again after a
 * failure. Where a restore or a promotion can be told (system identifier, timeline), nothing is sealed until archive
 * and Kafka have answered; where nothing points to one, whichever does not answer at once holds nothing up.
 */
#include "stage/stage.h"

#include "base/clock.h"
#include "base/log.h"
#include "readback/readback.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUICK_MS 500
/* Connecting to brokers anew and authenticating takes time. */
#define QUICK_KAFKA_MS 2000
#define NEW_MS 3000
#define PATIENT_MS 10000
/* So long a listing of the archive may take in all, unless there is a restore: then it is waited for. */
#define LISTING_MS 30000
/* So long a topic is read, under the same condition. */
#define READING_MS 3000
/* An event in its line; its content is apart. */
#define LINE_MOST (256L * 1024 * 1024)
/* So far the clocks of sidecars, brokers and database may be apart. */
#define CLOCKS_MS 600000

struct head {
    char division[256];
    long seq;
    char hash[65];
};

struct evidence {
    struct segments segments;
    struct head *heads;         /* the last event of each division that the archive, or Kafka, holds */
    size_t head_count;
    int asked;
    char silent[32];            /* who did not answer */
};

static bool take_head(void *context, const char *division, const char *event)
{
    struct evidence *evidence = context;
    json_t *json = json_loads(event, 0, NULL);
    const char *hash = json_string_value(json_object_get(json, "hash"));
    long seq = (long)json_integer_value(json_object_get(json, "seq"));
    size_t i = 0;

    while (i < evidence->head_count && strcmp(evidence->heads[i].division, division) != 0)
        i++;
    if (hash && strlen(division) < sizeof(evidence->heads[i].division)) {
        if (i == evidence->head_count) {
            struct head *larger = realloc(evidence->heads, (i + 1) * sizeof(*larger));

            if (!larger) {
                json_decref(json);
                return false;
            }
            evidence->heads = larger;
            evidence->head_count++;
            evidence->heads[i].seq = -1;
            snprintf(evidence->heads[i].division, sizeof(evidence->heads[i].division), "%s", division);
        }
        if (seq > evidence->heads[i].seq) {
            evidence->heads[i].seq = seq;
            snprintf(evidence->heads[i].hash, sizeof(evidence->heads[i].hash), "%s", hash);
        }
    }
    json_decref(json);
    return true;
}

/* The last line of a text that comes in pieces. */
struct last_line {
    char *bytes;
    size_t length;
    bool ended;                 /* the next byte begins another */
};

static bool take_piece(void *context, const void *bytes, size_t length)
{
    struct last_line *line = context;
    const char *from = bytes, *end = from + length;

    while (from < end) {
        const char *stop = memchr(from, '\n', (size_t)(end - from));
        size_t more = (size_t)((stop ? stop : end) - from);
        char *larger;

        if (line->ended)
            line->length = 0;
        line->ended = false;
        /* what has no end is no event */
        if (more > LINE_MOST - line->length)
            return false;
        larger = realloc(line->bytes, line->length + more + 1);
        if (!larger)
            return false;
        line->bytes = larger;
        memcpy(line->bytes + line->length, from, more);
        line->length += more;
        line->bytes[line->length] = '\0';
        line->ended = stop != NULL;
        from = stop ? stop + 1 : end;
    }
    return true;
}

/* audit/<division>/<yyyy>/<mm>/<dd>/<first>-<last>: the division, and the first place. False: it is no segment's name. */
static bool read_prefix(const char *prefix, char division[256], long *first)
{
    return sscanf(prefix, "audit/%255[^/]/%*[0-9]/%*[0-9]/%*[0-9]/%ld-", division, first) == 2;
}

/* The last event of a segment: its hash tells of all before it. */
static bool take_archived_head(struct store *store, const struct segment *segment, const char *division, struct evidence *evidence)
{
    struct last_line line = {.ended = false};
    char key[1100];
    bool ok;

    snprintf(key, sizeof(key), "%s.jsonl", segment->prefix);
    ok = !segment->version || (store->read(store, key, segment->version, take_piece, &line) && (!line.bytes || take_head(evidence, division, line.bytes)));
    free(line.bytes);
    return ok;
}

/* Takes them from each division's last segment; they are listed division by division, but not in the order of their numbers. */
static bool take_archived_heads(struct store *store, struct evidence *evidence)
{
    const struct segments *segments = &evidence->segments;
    const struct segment *last = NULL;
    char division[256] = "", other[256];
    long first, latest = -1;
    bool ok = true;

    for (size_t i = 0; ok && i < segments->count; i++) {
        if (!read_prefix(segments->list[i].prefix, other, &first))
            continue;
        if (last && strcmp(division, other) != 0) {
            ok = take_archived_head(store, last, division, evidence);
            latest = -1;
        }
        if (first > latest) {
            last = &segments->list[i];
            latest = first;
        }
        strcpy(division, other);
    }
    return ok && (!last || take_archived_head(store, last, division, evidence));
}

/*
 * What the database cannot know stands in the topic behind what it knows to have emitted: everything since then, whosever
 * messages lie between, and the last batch, whatever the clocks say. Where nothing points to a restore, that is what time allows.
 */
static bool ask_kafka(struct worker *worker, const struct config *config, int timeout_ms, struct evidence *evidence)
{
    const char *parameters[] = {config->kafka_topic};
    PGresult *result = db_call(&worker->db, "SELECT coalesce((extract(epoch FROM reason.last_emission($1)) * 1000)::bigint, 0)", "1n", 1, parameters, NULL);
    long emitted_ms = result ? atol(PQgetvalue(result, 0, 0)) : 0;
    struct topic_part part = {.last = config->kafka_batch_size, .since_ms = emitted_ms > CLOCKS_MS ? emitted_ms - CLOCKS_MS : 0};
    bool ok;

    if (timeout_ms < QUICK_KAFKA_MS)
        timeout_ms = QUICK_KAFKA_MS;
    ok = result && readback_kafka(config, &part, timeout_ms, timeout_ms < PATIENT_MS ? timeout_ms + READING_MS : 0, take_head, evidence);
    PQclear(result);
    return ok;
}

static void ask(struct worker *worker, int timeout_ms, struct evidence *evidence)
{
    struct config config = worker->sidecar->config;

    if (config.archive_url[0]) {
        const struct store_options options = {config.archive_url, "none", 0};
        struct store *store;

        if (config.store_timeout_ms > timeout_ms)
            config.store_timeout_ms = timeout_ms;
        store = store_open(&config, &options);
        evidence->asked++;
        if (store && timeout_ms < PATIENT_MS)
            store->until_ms = clock_ms() + LISTING_MS;
        if (!store || !readback_archive(store, &worker->db, config.archive_url, &evidence->segments) || !take_archived_heads(store, evidence))
            snprintf(evidence->silent, sizeof(evidence->silent), "the archive");
        if (store)
            store->close(store);
    }
    if (config.kafka_brokers[0]) {
        evidence->asked++;
        if (!ask_kafka(worker, &config, timeout_ms, evidence))
            snprintf(evidence->silent, sizeof(evidence->silent), "Kafka");
    }
}

/* What the database says to that: "" that all is well, else why not. NULL when it could not be asked. */
static PGresult *compare(struct worker *worker, const char *token, const struct evidence *evidence)
{
    struct array segments = {0}, divisions = {0}, seqs = {0}, hashes = {0};
    char seq[24];
    const char *parameters[] = {token, worker->sidecar->config.archive_url, NULL, NULL, NULL, NULL, evidence->silent};
    bool ok = true;
    PGresult *result = NULL;

    for (size_t i = 0; ok && i < evidence->segments.count; i++)
        ok = array_add(&segments, evidence->segments.list[i].prefix);
    for (size_t i = 0; ok && i < evidence->head_count; i++) {
        snprintf(seq, sizeof(seq), "%ld", evidence->heads[i].seq);
        ok = array_add(&divisions, evidence->heads[i].division) && array_add(&seqs, seq) && array_add(&hashes, evidence->heads[i].hash);
    }
    parameters[2] = array_end(&segments);
    parameters[3] = array_end(&divisions);
    parameters[4] = array_end(&seqs);
    parameters[5] = array_end(&hashes);
    if (ok && parameters[2] && parameters[3] && parameters[4] && parameters[5])
        result = db_call(&worker->db, "SELECT coalesce(reason.compare_chains($1, $2, $3::text[], $4::text[], $5::bigint[], $6::text[], $7), '')", "1t",
                         7, parameters, NULL);
    array_free(&segments);
    array_free(&divisions);
    array_free(&seqs);
    array_free(&hashes);
    return result;
}

static enum progress turn(struct worker *worker, const char *token)
{
    struct evidence evidence = {0};
    PGresult *result;
    enum progress progress = PROGRESS_FAILED;
    bool restored, is_new;

    if (worker->compared == worker->db.connections)
        return PROGRESS_NONE;
    result = db_call(&worker->db, "SELECT reason.compared()", "1t", 0, NULL, NULL);
    if (!result)
        return PROGRESS_FAILED;
    is_new = !strcmp(PQgetvalue(result, 0, 0), "new");
    restored = !is_new && strcmp(PQgetvalue(result, 0, 0), "here") != 0;
    if (strcmp(PQgetvalue(result, 0, 0), "accepted") != 0)
        ask(worker, restored ? PATIENT_MS : is_new ? NEW_MS : QUICK_MS, &evidence);
    PQclear(result);
    result = compare(worker, token, &evidence);
    if (result && !PQgetvalue(result, 0, 0)[0]) {
        if (restored && evidence.asked == 0)
            log_warning("the database was restored or promoted; without archive and Kafka nothing tells what it may have forgotten");
        if (evidence.silent[0])
            log_warning("the chains were not compared with what %s knows, which did not answer", evidence.silent);
        else if (evidence.asked > 0)
            log_info("archive and Kafka know of nothing that is not here");
        worker->compared = worker->db.connections;
        progress = PROGRESS_NONE;
    } else if (result) {
        log_error("safe mode, nothing is sealed or signed: %s", PQgetvalue(result, 0, 0));
    }
    metrics_set(METRIC_SAFE_MODE, result && progress == PROGRESS_FAILED);
    PQclear(result);
    segments_free(&evidence.segments);
    free(evidence.heads);
    return progress;
}

const struct stage stage_guard = {.name = "guard", .histogram = HISTOGRAM_SEAL, .turn = turn, .gate = true};
