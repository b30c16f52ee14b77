/*
 * check.c: whether a mirror is what the database says that it should be.
 *
 * The mirror may be fed meanwhile. What was recorded never changes, so records can be compared at any time; how many there are is
 * counted between two looks at the mark that find the same. A content that was erased behind the mark is not compared.
 */
#include "mirror/check.h"

#include "base/db.h"
#include "base/log.h"
#include "mirror/batch.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_EVENTS 500
#define SAMPLES 20
#define SAMPLE_EVENTS 25
#define TRACES 10
#define TRACE_DEPTH 6
/* A larger front is not asked for: the trace is left out. */
#define TRACE_KEYS_MOST 5000
/* Answers are held in memory: so much is asked for at once. */
#define FETCH_BYTES (512 * 1024)
#define COUNT_ATTEMPTS 10
#define DIFFERENCES_SHOWN 20

struct check {
    const struct mirror_config *config;
    struct mirror *mirror;
    struct db db;
    const char *division;
    struct mirror_mark mark;
    long head;
    long records, differences;
    json_t *nodes;              /* keys to draw from for traces */
};

static void differs(struct check *check, const char *what, const char *key, const char *how)
{
    if (check->differences++ < DIFFERENCES_SHOWN)
        printf("division %s: %s %s: %s\n", check->division, what, key, how);
}

/* Equal values; a number may be written in two ways. */
static bool equal(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;

    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    if (json_is_object(a) && json_is_object(b)) {
        if (json_object_size(a) != json_object_size(b))
            return false;
        json_object_foreach((json_t *)a, key, value)
        if (!equal(value, json_object_get(b, key)))
            return false;
        return true;
    }
    return json_equal(a, b);
}

/* What of a record differs; NULL: nothing. */
static const char *difference(struct check *check, json_t *row, const json_t *found)
{
    json_t *expected = json_object_get(row, "record"), *record = json_object_get(found, "record");
    const json_t *types = json_object_get(found, "types");
    const char *op = json_string_value(json_object_get(row, "op")), *key;
    const char *type = !strcmp(op, "annotation") ? op : json_string_value(json_object_get(row, "type"));
    json_t *value;

    if (!found)
        return "is missing";
    if (json_array_size(types) != 1 || strcmp(json_string_value(json_array_get(types, 0)) ? json_string_value(json_array_get(types, 0)) : "", type) != 0)
        return "has another type, or is there twice";
    if (json_object_get(row, "to") && !equal(json_object_get(row, "to"), json_object_get(found, "to")))
        return "leads elsewhere";
    if (json_object_get(row, "from") && !equal(json_object_get(row, "from"), json_object_get(found, "from")))
        return "comes from elsewhere";
    if (json_is_true(json_object_get(expected, "erased")) && check->mark.seq < check->head) {
        static const char *const content[] = {"payload", "payloadOmitted", "erased"};

        for (size_t i = 0; i < 3; i++) {
            json_object_del(expected, content[i]);
            json_object_del(record, content[i]);
        }
    }
    json_object_foreach(expected, key, value)
    if (!equal(value, json_object_get(record, key)))
        return key;
    return json_object_size(record) == json_object_size(expected) ? NULL : "has a property more";
}

/* Fetches and compares rows of one kind, and releases them. */
static bool compare_rows(struct check *check, const char *kind, json_t *rows)
{
    json_t *keys = json_array(), *found = NULL, *row;
    size_t index;
    bool ok;

    json_array_foreach(rows, index, row)
    json_array_append(keys, json_object_get(row, "key"));
    ok = check->mirror->engine->fetch(check->mirror, kind, keys, &found) == MIRROR_DONE;
    if (!ok)
        log_error("mirror \"%s\": %s", check->config->name, check->mirror->error);
    else
        json_array_foreach(rows, index, row) {
            const char *key = json_string_value(json_object_get(row, "key"));
            const char *how = difference(check, row, json_object_get(found, key));

            check->records++;
            if (how)
                differs(check, kind, key, how);
            if (!strcmp(kind, "node") && json_array_size(check->nodes) < 10000)
                json_array_append(check->nodes, json_object_get(row, "key"));
        }
    json_decref(found);
    json_decref(keys);
    json_decref(rows);
    return ok;
}

/* Compares what the events of a range recorded. */
static bool compare_range(struct check *check, long after_seq, int events, long *last_seq)
{
    static const char *const kinds[] = {"node", "annotation", "edge"};
    json_t *records = batch_records(&check->db, check->config, check->division, after_seq, events, check->mark.seq, last_seq), *row;
    bool ok = records != NULL;

    for (size_t kind = 0; ok && kind < 3; kind++) {
        json_t *rows = json_array();
        size_t index, bytes = 0;

        json_array_foreach(records, index, row)
        if (ok && !strcmp(json_string_value(json_object_get(row, "op")), kinds[kind])) {
            json_array_append(rows, row);
            bytes += 1024 + json_string_length(json_object_get(json_object_get(row, "record"), "payload"));
            if (bytes > FETCH_BYTES) {
                ok = compare_rows(check, kinds[kind], rows);
                rows = json_array();
                bytes = 0;
            }
        }
        if (ok && json_array_size(rows) > 0)
            ok = compare_rows(check, kinds[kind], rows);
        else
            json_decref(rows);
    }
    json_decref(records);
    return ok;
}

static bool compare_records(struct check *check, bool all)
{
    long seq = -1;

    if (all || check->mark.seq < SAMPLES * SAMPLE_EVENTS) {
        while (seq < check->mark.seq) {
            long last = seq, left = check->mark.seq - seq;

            if (!compare_range(check, seq, left < PAGE_EVENTS ? (int)left : PAGE_EVENTS, &last) || last == seq)
                return false;
            seq = last;
        }
        return true;
    }
    for (int i = 0; i < SAMPLES; i++)
        if (!compare_range(check, (long)randombytes_uniform((uint32_t)(check->mark.seq - SAMPLE_EVENTS)) - 1, SAMPLE_EVENTS, &seq))
            return false;
    return true;
}

/* How many records the mirror should have, in the form of the engine's count(). */
static json_t *expected_counts(struct check *check)
{
    char seq[24];
    const char *parameters[] = {check->division, seq};
    json_t *counts = json_pack("{s:{}, s:{}, s:{}}", "node", "edge", "annotation");
    PGresult *result;

    snprintf(seq, sizeof(seq), "%ld", check->mark.seq);
    result = db_call(&check->db, "SELECT kind, type, count FROM reason.mirror_counts($1, $2)", "ttn", 2, parameters, NULL);
    for (int i = 0; result && i < PQntuples(result); i++)
        json_object_set_new(json_object_get(counts, PQgetvalue(result, i, 0)), PQgetvalue(result, i, 1), json_integer(atol(PQgetvalue(result, i, 2))));
    if (!result) {
        json_decref(counts);
        counts = NULL;
    }
    PQclear(result);
    return counts;
}

static void compare_counts_of(struct check *check, const char *kind, json_t *expected, json_t *found)
{
    const char *type;
    json_t *count;
    char how[100];

    json_object_foreach(expected, type, count)
    if (json_integer_value(count) != json_integer_value(json_object_get(found, type))) {
        snprintf(how, sizeof(how), "%lld of them, not %lld", (long long)json_integer_value(json_object_get(found, type)), (long long)json_integer_value(count));
        differs(check, kind, type, how);
    }
    json_object_foreach(found, type, count)
    if (!json_object_get(expected, type)) {
        snprintf(how, sizeof(how), "%lld of them, not 0", (long long)json_integer_value(count));
        differs(check, kind, type, how);
    }
}

/* Counts while the mark stands still, and makes that the mark at which all is compared. */
static bool compare_counts(struct check *check)
{
    static const char *const kinds[] = {"node", "edge", "annotation"};
    json_t *found = NULL, *expected;
    struct mirror_mark after;

    for (int attempt = 0;; attempt++) {
        if (check->mirror->engine->count(check->mirror, check->division, &found) != MIRROR_DONE
            || check->mirror->engine->read_mark(check->mirror, check->division, &after) != MIRROR_DONE) {
            log_error("mirror \"%s\": %s", check->config->name, check->mirror->error);
            json_decref(found);
            return false;
        }
        if (after.seq == check->mark.seq)
            break;
        check->mark = after;
        json_decref(found);
        found = NULL;
        if (attempt == COUNT_ATTEMPTS) {
            printf("division %s: the mirror moves too fast to be counted; again when less is written\n", check->division);
            check->differences++;
            return true;
        }
    }
    expected = expected_counts(check);
    for (size_t i = 0; expected && i < 3; i++)
        compare_counts_of(check, kinds[i], json_object_get(expected, kinds[i]), json_object_get(found, kinds[i]));
    json_decref(found);
    if (!expected)
        return false;
    json_decref(expected);
    return true;
}

/* The causes of a node as the mirror has them, as an object of keys; NULL: it is too large, or the mirror does not answer (*ok false). */
static json_t *found_trace(struct check *check, json_t *key, bool *ok)
{
    json_t *seen = json_object(), *front = json_pack("[O]", key);

    json_object_set_new(seen, json_string_value(key), json_true());
    for (int depth = 0; depth < TRACE_DEPTH && json_array_size(front) > 0; depth++) {
        json_t *causes = NULL, *next = json_array(), *cause;
        size_t index;

        *ok = json_array_size(front) <= TRACE_KEYS_MOST && check->mirror->engine->causes(check->mirror, front, &causes) == MIRROR_DONE;
        json_array_foreach(causes, index, cause) {
            const char *name = json_string_value(cause);

            if (name && !json_object_get(seen, name)) {
                json_object_set_new(seen, name, json_true());
                json_array_append(next, cause);
            }
        }
        json_decref(causes);
        json_decref(front);
        front = next;
        if (!*ok)
            break;
    }
    json_decref(front);
    if (!*ok) {
        json_decref(seen);
        seen = NULL;
    }
    return seen;
}

static bool compare_trace(struct check *check, json_t *key)
{
    char seq[24], depth[16], how[200], cause[128];
    const char *text = json_string_value(key);
    const char *parameters[] = {check->division, text + strlen(check->division) + 1, seq, depth};
    bool ok = true;
    json_t *found = found_trace(check, key, &ok);
    PGresult *result;

    if (!found)
        return true;
    snprintf(seq, sizeof(seq), "%ld", check->mark.seq);
    snprintf(depth, sizeof(depth), "%d", TRACE_DEPTH);
    result = db_call(&check->db, "SELECT node_id FROM reason.mirror_trace($1, $2, $3, $4)", "t", 4, parameters, NULL);
    for (int i = 0; result && i < PQntuples(result); i++) {
        snprintf(cause, sizeof(cause), "%s/%s", check->division, PQgetvalue(result, i, 0));
        if (!json_object_get(found, cause)) {
            snprintf(how, sizeof(how), "its trace lacks node %s", cause);
            differs(check, "node", text, how);
            break;
        }
    }
    if (result && (size_t)PQntuples(result) != json_object_size(found)) {
        snprintf(how, sizeof(how), "its trace has %zu nodes, not %d", json_object_size(found), PQntuples(result));
        differs(check, "node", text, how);
    }
    json_decref(found);
    ok = result != NULL;
    PQclear(result);
    return ok;
}

static bool compare_traces(struct check *check)
{
    size_t nodes = json_array_size(check->nodes);

    for (size_t i = 0; i < TRACES && nodes > 0; i++)
        if (!compare_trace(check, json_array_get(check->nodes, randombytes_uniform((uint32_t)nodes))))
            return false;
    return true;
}

/* Whether the mark is of the database's history; what is wrong with it is printed. */
static bool mark_holds(struct check *check)
{
    struct mirror_batch batch = {0};
    const char *wrong = NULL;

    if (!check->mark.there)
        wrong = "the mirror has no mark: it was never fed, or the mark was removed";
    else if (check->mark.schema != MIRROR_SCHEMA)
        wrong = "the mirror was made by another version";
    else if (check->mark.rebuilding)
        wrong = "the mirror is being rebuilt, or that was cut short";
    else if (check->mark.seq > check->head)
        wrong = "the mirror has events that the database has not";
    else if (batch_read(&check->db, check->config, check->division, &check->mark, 1, &batch) != BATCH_READ)
        wrong = "the mirror's mark is not of this database's history";
    batch_free(&batch);
    if (wrong)
        differs(check, "mark", "", wrong);
    return !wrong;
}

static bool check_division(struct check *check, bool all)
{
    bool ok;

    if (check->mirror->engine->read_mark(check->mirror, check->division, &check->mark) != MIRROR_DONE) {
        log_error("mirror \"%s\": %s", check->config->name, check->mirror->error);
        return false;
    }
    if (!mark_holds(check))
        return true;
    check->nodes = json_array();
    ok = compare_counts(check) && compare_records(check, all) && compare_traces(check);
    json_decref(check->nodes);
    if (check->mark.seq < check->head)
        printf("division %s: the mirror is at event %ld, %ld behind\n", check->division, check->mark.seq, check->head - check->mark.seq);
    return ok;
}

bool mirror_check(const struct config *config, const char *name, bool all)
{
    struct check check = {.config = mirror_named(config, name), .db = {.conninfo = config->conninfo, .name = "check", .timeout_ms = config->database_timeout_ms}};
    char *wanted;
    const char *parameters[1];
    PGresult *heads = NULL;
    bool ok;

    if (!check.config) {
        log_error("there is no section [mirror %s]", name);
        return false;
    }
    wanted = mirror_divisions(check.config);
    parameters[0] = wanted;
    ok = wanted && (check.mirror = mirror_open(check.config)) != NULL && db_connect(&check.db)
         && (heads = db_call(&check.db, "SELECT division, head_seq FROM reason.mirror_heads($1)", "ti", 1, parameters, NULL)) != NULL;
    for (int i = 0; ok && i < PQntuples(heads); i++) {
        check.division = PQgetvalue(heads, i, 0);
        check.head = atol(PQgetvalue(heads, i, 1));
        ok = check_division(&check, all);
    }
    if (check.differences > DIFFERENCES_SHOWN)
        printf("and %ld more\n", check.differences - DIFFERENCES_SHOWN);
    if (ok)
        printf("mirror %s: %ld records compared, %ld differences\n", name, check.records, check.differences);
    PQclear(heads);
    free(wanted);
    mirror_close(check.mirror);
    db_close(&check.db);
    return ok && check.differences == 0;
}
