/* batch.c: reading events from the database. */
#include "mirror/batch.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not many more bytes than these go into a request. */
#define BATCH_BYTES "2097152"

/* columns of mirror_events() */
enum { SEQ, HASH, OPS };

/* A node is there before what points to it, and a content is written before it is erased. */
static int rank(const char *op)
{
    static const char *const order[] = {"node", "annotation", "edge", "erase"};

    for (int i = 0; i < 4; i++)
        if (!strcmp(op, order[i]))
            return i;
    return -1;
}

static int compare_groups(const void *left, const void *right)
{
    const struct mirror_group *a = left, *b = right;
    int order = rank(a->op) - rank(b->op);

    return order ? order : strcmp(a->type, b->type);
}

static bool is_known(const char *op, const char *type)
{
    if (!strcmp(op, "node"))
        return mirror_has_type(mirror_node_types, type);
    if (!strcmp(op, "edge"))
        return mirror_has_type(mirror_edge_types, type);
    return !strcmp(op, "annotation") || (!strcmp(op, "erase") && (!strcmp(type, "node") || !strcmp(type, "annotation")));
}

/* Adds a row to the group of its op and type, which live as long as the row. */
static bool add_row(struct mirror_changes *changes, json_t *row)
{
    const char *op = json_string_value(json_object_get(row, "op")), *type = json_string_value(json_object_get(row, "type"));
    struct mirror_group *group = NULL;

    if (!op || !type || !is_known(op, type))
        return false;
    /* an annotation's type is anything: a property, not a label */
    if (!strcmp(op, "annotation"))
        type = op;
    for (size_t i = 0; i < changes->count && !group; i++)
        if (!strcmp(changes->groups[i].op, op) && !strcmp(changes->groups[i].type, type))
            group = &changes->groups[i];
    if (!group) {
        if (changes->count == MIRROR_GROUPS_MOST)
            return false;
        group = &changes->groups[changes->count];
        *group = (struct mirror_group){op, type, json_array()};
        if (!group->rows)
            return false;
        changes->count++;
    }
    return json_array_append(group->rows, row) == 0;
}

static bool take_event(struct mirror_batch *batch, const PGresult *events, int row)
{
    json_t *ops = json_loads(PQgetvalue(events, row, OPS), 0, NULL), *one;
    size_t index;
    bool ok = json_is_array(ops);

    json_array_foreach(ops, index, one)
    ok = ok && add_row(&batch->changes, one);
    json_decref(ops);
    batch->after.seq = atol(PQgetvalue(events, row, SEQ));
    snprintf(batch->after.hash, sizeof(batch->after.hash), "%s", PQgetvalue(events, row, HASH));
    batch->events++;
    return ok;
}

static PGresult *ask(struct db *db, const struct mirror_config *config, const char *division, const struct mirror_mark *before, int most, const char *at_seq,
                     char sqlstate[6])
{
    char after[24], count[16], bytes[16];
    const char *parameters[] = {division, after, before->hash[0] ? before->hash : NULL, count, BATCH_BYTES, config->payloads, bytes, at_seq};

    snprintf(after, sizeof(after), "%ld", before->seq);
    snprintf(count, sizeof(count), "%d", most);
    snprintf(bytes, sizeof(bytes), "%d", config->payload_bytes);
    return db_call(db, "SELECT seq, hash, ops FROM reason.mirror_events($1, $2, $3, $4, $5, $6, $7, $8)", "ntt", 8, parameters, sqlstate);
}

enum batch_result batch_read(struct db *db, const struct mirror_config *config, const char *division, const struct mirror_mark *before, int most,
                             struct mirror_batch *batch)
{
    char sqlstate[6];
    PGresult *events;
    bool ok = true;

    memset(batch, 0, sizeof(*batch));
    batch->after = *before;
    batch->after.there = true;
    batch->after.schema = MIRROR_SCHEMA;
    events = ask(db, config, division, before, most, NULL, sqlstate);
    if (!events)
        return !strcmp(sqlstate, "22000") ? BATCH_DIVERGED : BATCH_FAILED;
    for (int row = 0; ok && row < PQntuples(events); row++)
        ok = take_event(batch, events, row);
    PQclear(events);
    if (!ok) {
        log_error("mirror \"%s\": the database gave an event in a form that is not known", config->name);
        return BATCH_FAILED;
    }
    qsort(batch->changes.groups, batch->changes.count, sizeof(batch->changes.groups[0]), compare_groups);
    return BATCH_READ;
}

json_t *batch_records(struct db *db, const struct mirror_config *config, const char *division, long after_seq, int most, long at_seq, long *last_seq)
{
    struct mirror_mark before = {.seq = after_seq};
    json_t *records = json_array();
    char at[24];
    PGresult *events;

    snprintf(at, sizeof(at), "%ld", at_seq);
    events = ask(db, config, division, &before, most, at, NULL);
    for (int row = 0; records && events && row < PQntuples(events); row++) {
        json_t *ops = json_loads(PQgetvalue(events, row, OPS), 0, NULL);

        json_array_extend(records, ops);
        json_decref(ops);
        *last_seq = atol(PQgetvalue(events, row, SEQ));
    }
    if (!events) {
        json_decref(records);
        records = NULL;
    }
    PQclear(events);
    return records;
}

void batch_free(struct mirror_batch *batch)
{
    for (size_t i = 0; i < batch->changes.count; i++)
        json_decref(batch->changes.groups[i].rows);
    memset(batch, 0, sizeof(*batch));
}
