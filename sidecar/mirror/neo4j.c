/*
 * neo4j.c: Neo4j over its transactional HTTP API: https://neo4j.com/docs/http-api/current/
 *
 * A request is a transaction: when one of its statements fails, none has done anything. A statement has no way to fail on
 * purpose but to divide by zero, which is therefore how a mark that is not where it should be, and an edge without its ends,
 * undo the rest. Errors come with status 200: an answer counts when it holds no errors, and the mark that was to be written.
 *
 * Nodes are (:ReasonNode:<type>), edges [:<type>], annotations (:ReasonAnnotation)-[:annotates]->(:ReasonNode), marks
 * (:ReasonMark). Types, of a fixed set, are all that becomes part of a statement's text.
 */
#include "mirror/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many records are removed in a transaction. */
#define EMPTY_AT_ONCE 5000

/* What Neo4j says of statements that it will never take, such as a property that a constraint forbids. */
static bool is_refusal(const char *code)
{
    static const char *const refusals[] = {"Neo.ClientError.Statement.ArithmeticError", "Neo.ClientError.Statement.ArgumentError",
                                           "Neo.ClientError.Statement.TypeError", "Neo.ClientError.Statement.PropertyNotFound",
                                           "Neo.ClientError.Schema.ConstraintValidationFailed", "Neo.ClientError.Statement.ExecutionFailed"};

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (!strcmp(code, refusals[i]))
            return true;
    return false;
}

/* Adds a statement, whose parameters are released. */
static bool add(json_t *statements, const char *text, json_t *parameters)
{
    return parameters && json_array_append_new(statements, json_pack("{s:s, s:o}", "statement", text, "parameters", parameters)) == 0;
}

/* Runs statements in a transaction, and releases them; *results gets as many results, or the outcome is not MIRROR_DONE. */
static enum mirror_outcome run(struct mirror *mirror, json_t *statements, json_t **results)
{
    char path[256];
    size_t count = json_array_size(statements);
    json_t *answer, *errors, *got;
    enum mirror_outcome outcome;

    *results = NULL;
    if (snprintf(path, sizeof(path), "/db/%s/tx/commit", mirror->config->database) >= (int)sizeof(path)) {
        json_decref(statements);
        return target_says(mirror, MIRROR_AWAY, "the name of its database is too long");
    }
    outcome = target_post(mirror, path, json_pack("{s:o}", "statements", statements), NULL, &answer);
    if (outcome != MIRROR_DONE)
        return outcome;
    errors = json_object_get(answer, "errors");
    got = json_object_get(answer, "results");
    if (json_array_size(errors) > 0) {
        const char *code = json_string_value(json_object_get(json_array_get(errors, 0), "code"));
        const char *message = json_string_value(json_object_get(json_array_get(errors, 0), "message"));

        outcome = target_says(mirror, code && is_refusal(code) ? MIRROR_REFUSED : MIRROR_AWAY, "%s: %s", code ? code : "an error", message ? message : "");
    } else if (!json_is_array(errors) || json_array_size(got) != count) {
        outcome = target_says(mirror, MIRROR_AWAY, "its answer is none to what was asked");
    } else {
        *results = json_incref(got);
    }
    json_decref(answer);
    return outcome;
}

/* Runs one statement, whose parameters are released. */
static enum mirror_outcome run_one(struct mirror *mirror, const char *text, json_t *parameters, json_t **results)
{
    json_t *statements = json_array();

    if (!add(statements, text, parameters)) {
        json_decref(statements);
        return target_says(mirror, MIRROR_AWAY, "out of memory");
    }
    return run(mirror, statements, results);
}

/* A row of a result; NULL: there is none. */
static json_t *row_of(const json_t *results, size_t result, size_t row)
{
    json_t *data = json_object_get(json_array_get(results, result), "data");

    return json_object_get(json_array_get(data, row), "row");
}

static size_t rows_of(const json_t *results, size_t result)
{
    return json_array_size(json_object_get(json_array_get(results, result), "data"));
}

static enum mirror_outcome prepare(struct mirror *mirror)
{
    static const char *const texts[] = {
        "CREATE CONSTRAINT reason_node_key IF NOT EXISTS FOR (n:ReasonNode) REQUIRE n.key IS UNIQUE",
        "CREATE CONSTRAINT reason_annotation_key IF NOT EXISTS FOR (n:ReasonAnnotation) REQUIRE n.key IS UNIQUE",
        "CREATE CONSTRAINT reason_mark_division IF NOT EXISTS FOR (m:ReasonMark) REQUIRE m.division IS UNIQUE",
        "CREATE INDEX reason_node_id IF NOT EXISTS FOR (n:ReasonNode) ON (n.id)",
        "CREATE INDEX reason_node_author IF NOT EXISTS FOR (n:ReasonNode) ON (n.author)",
        "CREATE INDEX reason_node_created IF NOT EXISTS FOR (n:ReasonNode) ON (n.createdAt)",
        "CREATE INDEX reason_node_tags IF NOT EXISTS FOR (n:ReasonNode) ON (n.tags)",
    };
    json_t *statements = json_array(), *results;
    enum mirror_outcome outcome;
    bool ok = statements != NULL;

    for (size_t i = 0; ok && i < sizeof(texts) / sizeof(texts[0]); i++)
        ok = add(statements, texts[i], json_object());
    for (const char *const *type = mirror_edge_types; ok && *type; type++) {
        char text[200];

        snprintf(text, sizeof(text), "CREATE CONSTRAINT reason_edge_%s IF NOT EXISTS FOR ()-[e:%s]-() REQUIRE e.key IS UNIQUE", *type, *type);
        ok = add(statements, text, json_object());
    }
    if (!ok) {
        json_decref(statements);
        return target_says(mirror, MIRROR_AWAY, "out of memory");
    }
    outcome = run(mirror, statements, &results);
    json_decref(results);
    return outcome == MIRROR_REFUSED ? MIRROR_AWAY : outcome;
}

/* A mark as statements return it: [seq, hash, schema, rebuilding]. */
static bool take_mark(const json_t *row, struct mirror_mark *mark)
{
    return mirror_take_mark(mark, json_array_get(row, 0), json_array_get(row, 1), json_array_get(row, 2), json_array_get(row, 3));
}

static enum mirror_outcome read_mark(struct mirror *mirror, const char *division, struct mirror_mark *mark)
{
    json_t *results;
    enum mirror_outcome outcome = run_one(mirror, "MATCH (m:ReasonMark {division: $division}) RETURN m.seq, m.hash, m.schema, m.rebuilding",
                                          json_pack("{s:s}", "division", division), &results);

    *mark = (struct mirror_mark){.seq = -1};
    if (outcome == MIRROR_DONE && rows_of(results, 0) > 0 && (rows_of(results, 0) > 1 || !take_mark(row_of(results, 0, 0), mark)))
        outcome = target_says(mirror, MIRROR_AWAY, "its mark for division \"%s\" is none", division);
    json_decref(results);
    return outcome;
}

/* The statement that writes a group, into text. */
static void write_statement(const struct mirror_group *group, bool again, char *text, size_t size)
{
    if (!strcmp(group->op, "node"))
        snprintf(text, size, "UNWIND $rows AS row MERGE (n:ReasonNode {key: row.key}) SET n:%s, n = row.record RETURN count(n)", group->type);
    else if (!strcmp(group->op, "annotation"))
        snprintf(text, size, "UNWIND $rows AS row MATCH (t:ReasonNode {key: row.to}) MERGE (n:ReasonAnnotation {key: row.key}) SET n = row.record"
                 " MERGE (n)-[:annotates]->(t) WITH count(n) AS written RETURN written / CASE WHEN written = $count THEN 1 ELSE 0 END");
    else if (!strcmp(group->op, "edge"))
        snprintf(text, size, "UNWIND $rows AS row MATCH (f:ReasonNode {key: row.from}) MATCH (t:ReasonNode {key: row.to}) %s (f)-[e:%s%s]->(t)"
                 " SET e = row.record WITH count(e) AS written RETURN written / CASE WHEN written = $count THEN 1 ELSE 0 END",
                 again ? "MERGE" : "CREATE", group->type, again ? " {key: row.key}" : "");
    else
        snprintf(text, size, "UNWIND $rows AS row MATCH (n:%s {key: row.key}) REMOVE n.payload, n.payloadOmitted SET n.erased = true RETURN count(n)",
                 strcmp(group->type, "annotation") ? "ReasonNode" : "ReasonAnnotation");
}

static bool add_group(json_t *statements, const struct mirror_group *group, bool again)
{
    char text[600];

    write_statement(group, again, text, sizeof(text));
    return add(statements, text, json_pack("{s:O, s:I}", "rows", group->rows, "count", (json_int_t)json_array_size(group->rows)));
}

/* Moves the mark, first of all, which locks it; a mark that is not where it should be divides by zero. */
static bool add_mark(json_t *statements, const char *division, const struct mirror_mark *before, const struct mirror_mark *after)
{
    static const char move[] =
        "MERGE (m:ReasonMark {division: $division}) ON CREATE SET m.seq = $none SET m.touched = timestamp()"
        " WITH m, CASE WHEN m.seq = $beforeSeq AND coalesce(m.hash, '') = $beforeHash AND coalesce(m.rebuilding, false) = $beforeRebuilding THEN 1 ELSE 0 END AS right"
        " SET m.seq = $seq / right, m.hash = $hash, m.schema = $schema, m.rebuilding = $rebuilding"
        " RETURN m.seq, m.hash, m.schema, m.rebuilding";

    /* one that is not there is made, if it was not to be there: no mark can be at -2 */
    return add(statements, move, json_pack("{s:s, s:I, s:I, s:s, s:b, s:I, s:s, s:I, s:b}", "division", division, "none", (json_int_t)(before->there ? -2 : -1),
                                           "beforeSeq", (json_int_t)before->seq, "beforeHash", before->hash, "beforeRebuilding", before->rebuilding,
                                           "seq", (json_int_t)after->seq, "hash", after->hash, "schema", (json_int_t)MIRROR_SCHEMA,
                                           "rebuilding", after->rebuilding));
}

static bool same_mark(const struct mirror_mark *a, const struct mirror_mark *b)
{
    return a->seq == b->seq && !strcmp(a->hash, b->hash) && a->rebuilding == b->rebuilding;
}

/* Why nothing was written: the mark was elsewhere, or an edge's end or an annotation's node is not there. */
static enum mirror_outcome explain_refusal(struct mirror *mirror, const char *division, const struct mirror_mark *before)
{
    char said[sizeof(mirror->error)];
    struct mirror_mark now;
    enum mirror_outcome outcome;

    memcpy(said, mirror->error, sizeof(said));
    outcome = read_mark(mirror, division, &now);
    if (outcome != MIRROR_DONE)
        return outcome;
    if (now.there != before->there || !same_mark(&now, before))
        return target_says(mirror, MIRROR_MOVED, "its mark for division \"%s\" is at %ld, not at %ld", division, now.seq, before->seq);
    if (strstr(said, "ArithmeticError"))
        return target_says(mirror, MIRROR_REFUSED, "a node that an edge or an annotation goes to is not in the mirror");
    return target_says(mirror, MIRROR_REFUSED, "%s", said);
}

static enum mirror_outcome apply(struct mirror *mirror, const char *division, const struct mirror_mark *before, const struct mirror_mark *after,
                                 const struct mirror_changes *changes)
{
    json_t *statements = json_array(), *results;
    struct mirror_mark written = {0};
    enum mirror_outcome outcome;
    bool ok = add_mark(statements, division, before, after);

    for (size_t i = 0; ok && changes && i < changes->count; i++)
        ok = add_group(statements, &changes->groups[i], changes->again);
    if (!ok) {
        json_decref(statements);
        return target_says(mirror, MIRROR_AWAY, "out of memory");
    }
    outcome = run(mirror, statements, &results);
    if (outcome == MIRROR_DONE && (!take_mark(row_of(results, 0, 0), &written) || !same_mark(&written, after)))
        outcome = target_says(mirror, MIRROR_AWAY, "it does not say that the mark was moved");
    json_decref(results);
    return outcome == MIRROR_REFUSED ? explain_refusal(mirror, division, before) : outcome;
}

/* Rows of [type, count] into an object. */
static json_t *counts_of(const json_t *results, size_t result)
{
    json_t *counts = json_object();

    for (size_t i = 0; i < rows_of(results, result); i++) {
        const char *type = json_string_value(json_array_get(row_of(results, result, i), 0));
        json_t *count = json_array_get(row_of(results, result, i), 1);

        if (type && json_integer_value(count) > 0)
            json_object_set(counts, type, count);
    }
    return counts;
}

static enum mirror_outcome count(struct mirror *mirror, const char *division, json_t **counts)
{
    json_t *statements = json_array(), *results;
    json_t *parameters = json_pack("{s:s+}", "prefix", division, "/");
    enum mirror_outcome outcome;

    add(statements, "MATCH (n:ReasonNode) WHERE n.key STARTS WITH $prefix UNWIND [l IN labels(n) WHERE l <> 'ReasonNode'] AS type RETURN type, count(*)", json_incref(parameters));
    add(statements, "MATCH (n:ReasonNode)-[e]->(:ReasonNode) WHERE n.key STARTS WITH $prefix RETURN type(e), count(*)", json_incref(parameters));
    add(statements, "MATCH (n:ReasonAnnotation) WHERE n.key STARTS WITH $prefix RETURN 'annotation', count(*)", parameters);
    outcome = run(mirror, statements, &results);
    *counts = outcome == MIRROR_DONE ? json_pack("{s:o, s:o, s:o}", "node", counts_of(results, 0), "edge", counts_of(results, 1), "annotation", counts_of(results, 2)) : NULL;
    json_decref(results);
    return outcome == MIRROR_DONE && !*counts ? target_says(mirror, MIRROR_AWAY, "out of memory") : outcome;
}

/* Rows of [key, types, from, to, record] into an object by key; one that is there twice has two types. */
static json_t *records_of(const json_t *results)
{
    json_t *found = json_object();

    for (size_t result = 0; result < json_array_size(results); result++)
        for (size_t i = 0; i < rows_of(results, result); i++) {
            const json_t *row = row_of(results, result, i);
            const char *key = json_string_value(json_array_get(row, 0));
            json_t *there = key ? json_object_get(found, key) : NULL;

            if (there)
                json_array_extend(json_object_get(there, "types"), json_array_get(row, 1));
            else if (key)
                json_object_set_new(found, key, json_pack("{s:O, s:O, s:O, s:O}", "types", json_array_get(row, 1), "from", json_array_get(row, 2),
                                                          "to", json_array_get(row, 3), "record", json_array_get(row, 4)));
        }
    return found;
}

static enum mirror_outcome fetch(struct mirror *mirror, const char *kind, const json_t *keys, json_t **found)
{
    json_t *statements = json_array(), *results, *parameters = json_pack("{s:O}", "keys", keys);
    enum mirror_outcome outcome;

    if (!strcmp(kind, "node"))
        add(statements, "UNWIND $keys AS key MATCH (n:ReasonNode {key: key}) RETURN key, [l IN labels(n) WHERE l <> 'ReasonNode'], null AS from, null AS to, properties(n)", json_incref(parameters));
    else if (!strcmp(kind, "annotation"))
        add(statements, "UNWIND $keys AS key MATCH (n:ReasonAnnotation {key: key}) OPTIONAL MATCH (n)-[:annotates]->(t) RETURN key, ['annotation'], null AS from, t.key, properties(n)", json_incref(parameters));
    else
        for (const char *const *type = mirror_edge_types; *type; type++) {
            char text[200];

            snprintf(text, sizeof(text), "UNWIND $keys AS key MATCH (f)-[e:%s {key: key}]->(t) RETURN key, [type(e)], f.key, t.key, properties(e)", *type);
            add(statements, text, json_incref(parameters));
        }
    json_decref(parameters);
    outcome = run(mirror, statements, &results);
    *found = outcome == MIRROR_DONE ? records_of(results) : NULL;
    json_decref(results);
    return outcome;
}

static enum mirror_outcome causes(struct mirror *mirror, const json_t *keys, json_t **found)
{
    json_t *results;
    enum mirror_outcome outcome = run_one(mirror, "UNWIND $keys AS key MATCH (:ReasonNode {key: key})<--(f:ReasonNode) RETURN DISTINCT f.key",
                                          json_pack("{s:O}", "keys", keys), &results);

    *found = outcome == MIRROR_DONE ? json_array() : NULL;
    for (size_t i = 0; *found && i < rows_of(results, 0); i++)
        json_array_append(*found, json_array_get(row_of(results, 0, i), 0));
    json_decref(results);
    return outcome;
}

static enum mirror_outcome empty(struct mirror *mirror, const char *division, long *removed)
{
    json_t *statements = json_array(), *results, *parameters = json_pack("{s:s+, s:i}", "prefix", division, "/", "most", EMPTY_AT_ONCE);
    enum mirror_outcome outcome;

    add(statements, "MATCH (n:ReasonAnnotation) WHERE n.key STARTS WITH $prefix WITH n LIMIT $most DETACH DELETE n RETURN count(*)", json_incref(parameters));
    add(statements, "MATCH (n:ReasonNode) WHERE n.key STARTS WITH $prefix WITH n LIMIT $most DETACH DELETE n RETURN count(*)", parameters);
    outcome = run(mirror, statements, &results);
    *removed = (long)(json_integer_value(json_array_get(row_of(results, 0, 0), 0)) + json_integer_value(json_array_get(row_of(results, 1, 0), 0)));
    json_decref(results);
    return outcome;
}

const struct mirror_engine mirror_neo4j = {.type = "neo4j", .prepare = prepare, .read_mark = read_mark, .apply = apply, .count = count, .fetch = fetch,
                                           .causes = causes, .empty = empty};
