/*
 * recover.c: replays what archive, Kafka and store hold and a restored database has forgotten.
 *
 * Only in safe mode, which the running sidecar leaves by itself once nothing is missing any more; or one division whose writes
 * rest, because it moves here from another cell. The database verifies every signature, and that each event follows the one
 * before it, so nothing but the chain as it was can come back. Which keys count says the registry that the operator holds:
 * whoever can write the archive can make a whole chain of his own.
 */
#include "recover.h"

#include "base/log.h"
#include "readback/readback.h"

#include <jansson.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KAFKA_MS 30000
/* What reason.snapshot_chunk() gives. */
#define CHUNK_BYTES (1024 * 1024)

/* Names something that is lost; the log line before it says why. */
__attribute__((format(printf, 1, 2))) static void lose(const char *format, ...)
{
    va_list arguments;

    printf("lost: ");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

/* ---------------------------------------------------------------- the archive */

static const struct segment *find_segment(const struct segments *segments, const char *prefix)
{
    size_t i = 0;

    while (strcmp(segments->list[i].prefix, prefix) != 0)
        i++;
    return &segments->list[i];
}

/* The database takes no larger value. */
#define SEGMENT_MOST (1024UL * 1024 * 1024 - 1024)

/* How many events of a segment came back; -1 when it could not be read or does not hold together. */
static long recover_segment(struct db *db, struct store *store, const char *target, const struct segment *segment, const char *registry)
{
    char key[1100], contents_key[1100], uri[2200], contents_uri[2200] = "";
    const char *version = segment->version ? segment->version : "", *contents_version = segment->contents_version;
    long count = -1;
    char *events = NULL, *contents = NULL;
    bool told;

    snprintf(key, sizeof(key), "%s.jsonl", segment->prefix);
    snprintf(contents_key, sizeof(contents_key), "%s.contents.jsonl", segment->prefix);
    snprintf(uri, sizeof(uri), "%s/%s", target, key);
    if (contents_version)
        snprintf(contents_uri, sizeof(contents_uri), "%s/%s", target, contents_key);
    told = store_read_text(store, key, version, SEGMENT_MOST, &events)
           && (!contents_version || store_read_text(store, contents_key, contents_version, SEGMENT_MOST, &contents));
    if (told && events && (contents || !contents_version)) {
        const char *parameters[] = {target, segment->prefix, uri, version, contents_uri, contents_version ? contents_version : "", events,
                                    contents ? contents : "", registry};
        PGresult *result = db_call(db, "SELECT reason.recover_segment($1, $2, $3, $4, $5, $6, $7, $8, $9)", "1n", 9, parameters, NULL);

        if (result)
            count = atol(PQgetvalue(result, 0, 0));
        PQclear(result);
    }
    free(events);
    free(contents);
    return count;
}

static bool recover_archive(struct sidecar *sidecar, struct db *db, const char *registry, const char *only)
{
    const char *target = sidecar->config.archive_url;
    const struct store_options options = {target, "none", 0};
    struct store *store = store_open(&sidecar->config, &options);
    struct segments found = {0};
    struct array prefixes = {0};
    const char *parameters[] = {target, NULL, only};
    PGresult *unknown = NULL;
    const char *broken = NULL;  /* the division that has lost something last; they come one after the other */
    long events = 0, segments = 0;
    bool ok = store && readback_archive(store, db, target, &found);

    for (size_t i = 0; ok && i < found.count; i++)
        ok = array_add(&prefixes, found.list[i].prefix);
    parameters[1] = array_end(&prefixes);
    if (ok && parameters[1])
        unknown = db_call(db, "SELECT object_prefix, division, first_seq, last_seq FROM reason.unknown_segments($1, $2::text[]) WHERE $3::text IS NULL OR division = $3", "ttnn", 3, parameters, NULL);
    ok = unknown != NULL;
    for (int row = 0; unknown && db->connection && row < PQntuples(unknown); row++) {
        const char *division = PQgetvalue(unknown, row, 1);
        bool follows = broken && !strcmp(broken, division);
        long count = follows ? -1 : recover_segment(db, store, target, find_segment(&found, PQgetvalue(unknown, row, 0)), registry);

        /* what one division has lost keeps no other from coming back */
        if (count < 0) {
            lose("events %s to %s of division \"%s\", from segment %s on%s", PQgetvalue(unknown, row, 2), PQgetvalue(unknown, row, 3), division,
                 PQgetvalue(unknown, row, 0), follows ? ": they follow on what is lost" : "");
            broken = division;
            ok = false;
        }
        events += count > 0 ? count : 0;
        segments += count >= 0;
    }
    ok = ok && db->connection;
    printf("archive %s: %ld events from %ld segments\n", ok ? "ok" : "failed", events, segments);
    PQclear(unknown);
    array_free(&prefixes);
    segments_free(&found);
    if (store)
        store->close(store);
    return ok;
}

/* ---------------------------------------------------------------- Kafka */

struct replaying {
    struct db *db;
    const char *registry;
    PGresult *heads;            /* what chain_heads() gave: events that are signed here, and need not be recovered */
    const char *only;           /* the division that is wanted; NULL: all */
    bool system;                /* this time those of division system, which registers signers; or all others */
    long count;
    bool failed;
};

static bool is_known(const struct replaying *replaying, const char *division, const char *event)
{
    json_t *json = json_loads(event, 0, NULL);
    long seq = (long)json_integer_value(json_object_get(json, "seq"));
    bool known = false;

    for (int row = 0; !known && row < PQntuples(replaying->heads); row++)
        known = !strcmp(PQgetvalue(replaying->heads, row, 0), division) && seq <= atol(PQgetvalue(replaying->heads, row, 1));
    json_decref(json);
    return known;
}

static bool replay(void *context, const char *division, const char *event)
{
    struct replaying *replaying = context;
    const char *parameters[] = {event, replaying->registry};
    PGresult *result;

    if (!strcmp(division, "system") != replaying->system || (replaying->only && strcmp(division, replaying->only) != 0) || is_known(replaying, division, event))
        return true;
    result = db_call(replaying->db, "SELECT reason.recover_event($1, $2)", "1b", 2, parameters, NULL);
    replaying->failed = !result;
    if (result)
        replaying->count += PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return !replaying->failed;
}

static bool recover_kafka(struct sidecar *sidecar, struct db *db, const char *registry, const char *only)
{
    const struct topic_part all = {0};
    struct replaying replaying = {.db = db, .registry = registry, .only = only, .system = true};
    bool ok;

    replaying.heads = db_call(db, "SELECT division, head_seq FROM reason.chain_heads()", "ti", 0, NULL, NULL);
    ok = replaying.heads != NULL;
    for (int pass = 0; ok && pass < 2; pass++) {
        replaying.system = pass == 0;
        ok = readback_kafka(&sidecar->config, &all, KAFKA_MS, 0, replay, &replaying) && !replaying.failed;
    }
    PQclear(replaying.heads);
    printf("kafka %s: %ld events\n", ok ? "ok" : "failed", replaying.count);
    return ok;
}

/* ---------------------------------------------------------------- snapshots */

/* A document on its way from the store into the database, in pieces of the size that it had there. */
struct document {
    struct db *db;
    const char *event_id, *division;
    long next;                  /* the number of the chunk in the making */
    size_t length;              /* of it */
    unsigned char chunk[CHUNK_BYTES];
    char hex[2 * CHUNK_BYTES + 3];
};

static bool send_chunk(struct document *document)
{
    char number[24];
    const char *parameters[] = {document->event_id, document->division, number, document->hex};
    PGresult *result;

    snprintf(number, sizeof(number), "%ld", document->next++);
    memcpy(document->hex, "\\x", 2);
    sodium_bin2hex(document->hex + 2, sizeof(document->hex) - 2, document->chunk, document->length);
    document->length = 0;
    result = db_call(document->db, "SELECT reason.restore_snapshot_chunk($1, $2, $3, $4)", NULL, 4, parameters, NULL);
    PQclear(result);
    return result != NULL;
}

static bool take_bytes(void *context, const void *bytes, size_t length)
{
    struct document *document = context;
    const unsigned char *from = bytes;

    while (length > 0) {
        size_t n = CHUNK_BYTES - document->length < length ? CHUNK_BYTES - document->length : length;

        memcpy(document->chunk + document->length, from, n);
        document->length += n;
        from += n;
        length -= n;
        if (document->length == CHUNK_BYTES && !send_chunk(document))
            return false;
    }
    return true;
}

static bool run(struct db *db, const char *statement)
{
    PGresult *result = db_call(db, statement, NULL, 0, NULL, NULL);

    PQclear(result);
    return result != NULL;
}

/* All in one transaction: until the whole was proved against the chain, nothing of it is there. */
static bool restore_snapshot(struct db *db, struct store *store, PGresult *forgotten, int row)
{
    const char *parameters[] = {PQgetvalue(forgotten, row, 0), PQgetvalue(forgotten, row, 1)};
    struct document *document = calloc(1, sizeof(*document));
    PGresult *result = NULL;
    bool ok = document && run(db, "BEGIN");

    if (ok) {
        *document = (struct document){.db = db, .event_id = parameters[0], .division = parameters[1]};
        ok = store->read(store, PQgetvalue(forgotten, row, 2), PQgetvalue(forgotten, row, 3), take_bytes, document)
             && (document->length == 0 || send_chunk(document));
    }
    if (ok)
        result = db_call(db, "SELECT reason.restore_snapshot($1, $2)", NULL, 2, parameters, NULL);
    ok = result && run(db, "COMMIT");
    PQclear(result);
    if (!ok && db->connection)
        run(db, "ROLLBACK");
    free(document);
    return ok;
}

static bool recover_snapshots(struct sidecar *sidecar, struct db *db, const char *only)
{
    const char *parameters[] = {only};
    bool ok = sidecar_open_store(sidecar);
    PGresult *forgotten = NULL;
    int restored = 0;

    if (ok)
        forgotten = db_call(db, "SELECT event_id, division, object_key, object_version FROM reason.forgotten_snapshots() WHERE $1::text IS NULL OR division = $1", "tttt", 1, parameters, NULL);
    ok = forgotten != NULL;
    for (int row = 0; forgotten && db->connection && row < PQntuples(forgotten); row++)
        if (restore_snapshot(db, sidecar->store, forgotten, row)) {
            restored++;
        } else {
            lose("the snapshot %s", PQgetvalue(forgotten, row, 2));
            ok = false;
        }
    ok = ok && db->connection;
    printf("snapshots %s: %d\n", ok ? "ok" : "failed", restored);
    PQclear(forgotten);
    return ok;
}

/* ---------------------------------------------------------------- the registry */

/* The file's text, from malloc(); NULL after logging why not. */
static char *read_registry(const char *path)
{
    json_error_t error;
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    char *text = NULL;

    if (!json)
        log_error("cannot read the registry of signers \"%s\": line %d: %s", path, error.line, error.text);
    else if (!json_is_array(json_object_get(json, "signers")))
        log_error("\"%s\" is no registry of signers: it has no array \"signers\"", path);
    else
        text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

/* Before anything is read or written, so that a refusal leaves nothing behind. */
static bool may_recover(struct db *db, const char *registry, const char *division)
{
    const char *parameters[] = {registry, division};
    PGresult *result = db_call(db, "SELECT coalesce(reason.recovery_fault($1, $2), '')", "1t", 2, parameters, NULL);
    bool ok = result && !PQgetvalue(result, 0, 0)[0];

    if (result && !ok)
        log_error("nothing is recovered: %s%s", PQgetvalue(result, 0, 0), registry ? "" : " (--registry FILE)");
    PQclear(result);
    return ok;
}

bool recover(struct sidecar *sidecar, const char *registry_file, const char *division)
{
    struct db db = {.conninfo = sidecar->config.conninfo, .name = "recover", .timeout_ms = 0x7fffffff / 2};
    char *registry = NULL;
    PGresult *state = NULL;
    bool restored, may, ok;

    if (registry_file[0] && !(registry = read_registry(registry_file)))
        return false;
    if (db_connect(&db))
        state = db_call(&db, "SELECT reason.safe_mode_fault()", "1T", 0, NULL, NULL);
    restored = state && (division || !PQgetisnull(state, 0, 0));
    ok = state != NULL;
    PQclear(state);
    if (restored) {
        ok = may_recover(&db, registry, division);
        may = ok;
        if (may && sidecar->config.archive_url[0])
            ok = recover_archive(sidecar, &db, registry, division);
        /* what the archive lacks Kafka may have */
        if (may && sidecar->config.kafka_brokers[0])
            ok = recover_kafka(sidecar, &db, registry, division) && ok;
        ok = may && recover_snapshots(sidecar, &db, division) && ok;
    } else if (ok) {
        printf("there is no safe mode: nothing is recovered\n");
    }
    db_close(&db);
    free(registry);
    return ok;
}
