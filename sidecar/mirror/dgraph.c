/*
 * dgraph.c: Dgraph over its HTTP API, /alter, /mutate and /query: https://docs.dgraph.io/clients/raw-http/, https://docs.dgraph.io/dql/dql-mutation/
 *
 * A request to /mutate that commits at once is a transaction. Its query is answered first, and a mutation is made only where its
 * condition holds on what the query found; one whose condition does not hold is passed over in silence. So the answer to the query
 * says whether it held, and the mark, read back, that it was committed. Errors come with status 200, and none says that it is for
 * good: what is refused is only what lacks its ends.
 *
 * Every predicate begins with "reason.". Nodes are of type ReasonNode, annotations ReasonAnnotation, marks ReasonMark. What leads from
 * one to another has no name of its own in Dgraph: an edge is a ReasonEdge, which has its properties and ends, and besides
 * the predicate reason.<its type> leads from cause to effect. A list is a set there: the order of tags is in reason.tagList, a text of JSON.
 */
#include "mirror/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many records are removed in a transaction. */
#define EMPTY_AT_ONCE 1000

#define PROPERTIES "reason.key reason.id reason.division reason.type reason.author reason.createdAt reason.occurredAt reason.digest reason.auditEventId" \
    " reason.payload reason.payloadOmitted reason.erased reason.confidence reason.weight reason.tags reason.tagList"
#define MARK "reason.seq reason.hash reason.schema reason.rebuilding"

static const char schema[] =
    "reason.key: string @index(exact) @upsert .\n"
    "reason.id: string @index(exact) .\n"
    "reason.division: string @index(exact) .\n"
    "reason.type: string @index(exact) .\n"
    "reason.author: string @index(exact) .\n"
    "reason.createdAt: string @index(exact) .\n"
    "reason.tags: [string] @index(exact) .\n"
    "reason.tagList: string .\n"
    "reason.occurredAt: string .\n"
    "reason.digest: string .\n"
    "reason.auditEventId: string .\n"
    "reason.payload: string .\n"
    "reason.payloadOmitted: bool .\n"
    "reason.erased: bool @index(bool) .\n"
    "reason.confidence: float .\n"
    "reason.weight: float .\n"
    "reason.seq: int @index(int) .\n"
    "reason.hash: string @index(exact) .\n"
    "reason.schema: int .\n"
    "reason.rebuilding: bool @index(bool) .\n"
    "reason.from: uid @reverse .\n"
    "reason.to: uid @reverse .\n"
    "reason.annotates: uid @reverse .\n";

/* A text that grows. */
struct text {
    FILE *out;
    char *bytes;
    size_t length;
};

static bool text_begin(struct text *text)
{
    *text = (struct text){0};
    text->out = open_memstream(&text->bytes, &text->length);
    return text->out != NULL;
}

/* What was written, which the caller frees; NULL when memory was short. */
static char *text_end(struct text *text)
{
    bool ok = !ferror(text->out);

    if (fclose(text->out) != 0 || !ok) {
        free(text->bytes);
        return NULL;
    }
    return text->bytes;
}

/* A JSON string in quotes, whose escapes are those of DQL too. */
static void write_quoted(FILE *out, const json_t *string)
{
    json_dumpf(string, out, JSON_ENCODE_ANY);
}

static void write_list(FILE *out, const json_t *strings)
{
    json_dumpf(strings, out, JSON_COMPACT);
}

/* Sends a text of a type; *data gets what the answer holds of it, or the outcome is not MIRROR_DONE. */
static enum mirror_outcome send_text(struct mirror *mirror, const char *path, const char *type, const char *text, json_t **data)
{
    json_t *answer, *errors;
    enum mirror_outcome outcome;

    *data = NULL;
    outcome = target_post_text(mirror, path, type, text, NULL, &answer);
    if (outcome != MIRROR_DONE)
        return outcome;
    errors = json_object_get(answer, "errors");
    if (errors) {
        const char *message = json_string_value(json_object_get(json_array_get(errors, 0), "message"));

        outcome = target_says(mirror, MIRROR_AWAY, "%s", message ? message : "an error");
    } else if (!json_is_object(json_object_get(answer, "data"))) {
        outcome = target_says(mirror, MIRROR_AWAY, "its answer is none to what was asked");
    } else {
        *data = json_incref(json_object_get(answer, "data"));
    }
    json_decref(answer);
    return outcome;
}

/* Sends a document, and releases it. */
static enum mirror_outcome send(struct mirror *mirror, const char *path, json_t *body, json_t **data)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    enum mirror_outcome outcome;

    *data = NULL;
    outcome = text ? send_text(mirror, path, "application/json", text, data) : target_says(mirror, MIRROR_AWAY, "out of memory");
    free(text);
    json_decref(body);
    return outcome;
}

/* Asks, with a text that is freed. */
static enum mirror_outcome ask(struct mirror *mirror, char *query, json_t **data)
{
    enum mirror_outcome outcome = send(mirror, "/query", query ? json_pack("{s:s}", "query", query) : NULL, data);

    free(query);
    return outcome;
}

/* Mutates, with a query that is freed and mutations that are released; *queries gets the answer to the query. */
static enum mirror_outcome mutate(struct mirror *mirror, char *query, json_t *mutations, json_t **queries)
{
    json_t *data;
    enum mirror_outcome outcome = send(mirror, "/mutate?commitNow=true", query ? json_pack("{s:s, s:O}", "query", query, "mutations", mutations) : NULL, &data);
    const char *code = json_string_value(json_object_get(data, "code"));

    free(query);
    json_decref(mutations);
    *queries = json_object_get(data, "queries");
    if (outcome == MIRROR_DONE && (!code || strcmp(code, "Success") != 0 || !json_is_object(*queries)))
        outcome = target_says(mirror, MIRROR_AWAY, "its answer is none to what was asked");
    *queries = outcome == MIRROR_DONE ? json_incref(*queries) : NULL;
    json_decref(data);
    return outcome;
}

static enum mirror_outcome prepare(struct mirror *mirror)
{
    static const char *const types[] = {"ReasonNode", "ReasonEdge", "ReasonAnnotation"};
    struct text text;
    json_t *data;
    char *whole;
    enum mirror_outcome outcome;

    if (!text_begin(&text))
        return target_says(mirror, MIRROR_AWAY, "out of memory");
    fputs(schema, text.out);
    for (const char *const *type = mirror_edge_types; *type; type++)
        fprintf(text.out, "reason.%s: [uid] @reverse .\n", *type);
    /* a type says what goes with a record that is removed */
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        fprintf(text.out, "type %s { " PROPERTIES " reason.from reason.to reason.annotates", types[i]);
        for (const char *const *type = mirror_edge_types; *type; type++)
            fprintf(text.out, " reason.%s", *type);
        fputs(" }\n", text.out);
    }
    fputs("type ReasonMark { reason.key " MARK " }\n", text.out);
    whole = text_end(&text);
    if (!whole)
        return target_says(mirror, MIRROR_AWAY, "out of memory");
    outcome = send_text(mirror, "/alter", "application/dql", whole, &data);
    free(whole);
    if (outcome == MIRROR_DONE && strcmp(json_string_value(json_object_get(data, "code")) ? json_string_value(json_object_get(data, "code")) : "", "Success") != 0)
        outcome = target_says(mirror, MIRROR_AWAY, "its answer is none to what was asked");
    json_decref(data);
    return outcome;
}

/* ":" is no character of a division's name, so no record has such a key. */
static json_t *mark_key(const char *division)
{
    return json_pack("s+", "mark:", division);
}

/* The marks that were found, of which there is one or none. */
static bool take_mark(const json_t *found, struct mirror_mark *mark)
{
    const json_t *row = json_array_get(found, 0), *seq = json_object_get(row, "reason.seq"), *version = json_object_get(row, "reason.schema");
    const json_t *hash = json_object_get(row, "reason.hash");
    long number = (long)json_integer_value(seq);

    *mark = (struct mirror_mark){.seq = -1};
    if (json_is_array(found) && json_array_size(found) == 0)
        return true;
    if (json_array_size(found) != 1 || !json_is_integer(seq) || !json_is_integer(version) || number < -1
        || !json_is_boolean(json_object_get(row, "reason.rebuilding")) || json_string_length(hash) != (number < 0 ? 0 : MIRROR_HASH_HEX))
        return false;
    mark->there = true;
    mark->seq = number;
    mark->schema = (long)json_integer_value(version);
    mark->rebuilding = json_is_true(json_object_get(row, "reason.rebuilding"));
    snprintf(mark->hash, sizeof(mark->hash), "%s", number < 0 ? "" : json_string_value(hash));
    return true;
}

static bool same_mark(const struct mirror_mark *a, const struct mirror_mark *b)
{
    return a->there == b->there && a->seq == b->seq && !strcmp(a->hash, b->hash) && a->rebuilding == b->rebuilding;
}

static void write_mark_query(FILE *out, const json_t *key)
{
    fputs(" mark(func: eq(reason.key, ", out);
    write_quoted(out, key);
    fputs(")) { " MARK " }", out);
}

static enum mirror_outcome read_mark(struct mirror *mirror, const char *division, struct mirror_mark *mark)
{
    json_t *key = mark_key(division), *data;
    struct text text;
    enum mirror_outcome outcome;

    *mark = (struct mirror_mark){.seq = -1};
    if (!text_begin(&text)) {
        json_decref(key);
        return target_says(mirror, MIRROR_AWAY, "out of memory");
    }
    fputs("{", text.out);
    write_mark_query(text.out, key);
    fputs(" }", text.out);
    outcome = ask(mirror, text_end(&text), &data);
    if (outcome == MIRROR_DONE && !take_mark(json_object_get(data, "mark"), mark))
        outcome = target_says(mirror, MIRROR_AWAY, "its mark for division \"%s\" is none", division);
    json_decref(data);
    json_decref(key);
    return outcome;
}

/* What a transaction is made of. */
struct writing {
    json_t *names;              /* of the keys that it is about, each the number of its variable */
    json_t *written;            /* keys that it writes */
    json_t *ends;               /* keys that must be there already */
    json_t *erased;
    json_t *set;
};

static json_t *name_of(struct writing *writing, json_t *key)
{
    json_t *number = json_object_get(writing->names, json_string_value(key));
    char name[40];

    if (!number) {
        number = json_integer((json_int_t)json_object_size(writing->names));
        json_object_set_new(writing->names, json_string_value(key), number);
    }
    snprintf(name, sizeof(name), "uid(k%lld)", (long long)json_integer_value(number));
    return json_string(name);
}

/* A record with the names of predicates. */
static json_t *properties_of(struct writing *writing, json_t *row, const char *type)
{
    json_t *properties = json_pack("{s:o, s:s}", "uid", name_of(writing, json_object_get(row, "key")), "dgraph.type", type), *value;
    const char *name;
    char predicate[100];

    json_object_foreach(json_object_get(row, "record"), name, value) {
        snprintf(predicate, sizeof(predicate), "reason.%s", name);
        json_object_set(properties, predicate, value);
        if (!strcmp(name, "tags")) {
            char *list = json_dumps(value, JSON_COMPACT);

            json_object_set_new(properties, "reason.tagList", json_string(list ? list : ""));
            free(list);
        }
    }
    return properties;
}

static json_t *end_of(struct writing *writing, json_t *row, const char *which)
{
    return json_pack("{s:o}", "uid", name_of(writing, json_object_get(row, which)));
}

static void write_row(struct writing *writing, const struct mirror_group *group, json_t *row)
{
    json_t *record;

    if (!strcmp(group->op, "erase")) {
        /* what is written here is without its content already */
        if (!json_object_get(writing->written, json_string_value(json_object_get(row, "key"))))
            json_array_append(writing->erased, json_object_get(row, "key"));
        return;
    }
    if (!strcmp(group->op, "node")) {
        record = properties_of(writing, row, "ReasonNode");
    } else if (!strcmp(group->op, "annotation")) {
        record = properties_of(writing, row, "ReasonAnnotation");
        json_object_set_new(record, "reason.annotates", end_of(writing, row, "to"));
    } else {
        char predicate[60];
        json_t *cause = end_of(writing, row, "from");

        snprintf(predicate, sizeof(predicate), "reason.%s", group->type);
        json_object_set_new(cause, predicate, end_of(writing, row, "to"));
        json_array_append_new(writing->set, cause);
        record = properties_of(writing, row, "ReasonEdge");
        json_object_set_new(record, "reason.from", end_of(writing, row, "from"));
        json_object_set_new(record, "reason.to", end_of(writing, row, "to"));
    }
    json_array_append_new(writing->set, record);
}

static bool is_whole(const struct mirror_group *group, const json_t *row)
{
    bool from = !strcmp(group->op, "edge"), to = from || !strcmp(group->op, "annotation");

    return json_is_string(json_object_get(row, "key")) && (!from || json_is_string(json_object_get(row, "from")))
           && (!to || json_is_string(json_object_get(row, "to")));
}

/* False: the database gave what is no row. */
static bool collect(struct writing *writing, const struct mirror_changes *changes)
{
    json_t *row, *unused;
    size_t index;
    const char *key;

    for (size_t i = 0; changes && i < changes->count; i++)
        json_array_foreach(changes->groups[i].rows, index, row) {
            if (!is_whole(&changes->groups[i], row))
                return false;
            if (strcmp(changes->groups[i].op, "erase") != 0)
                json_object_set_new(writing->written, json_string_value(json_object_get(row, "key")), json_true());
        }
    for (size_t i = 0; changes && i < changes->count; i++)
        json_array_foreach(changes->groups[i].rows, index, row)
        write_row(writing, &changes->groups[i], row);
    json_object_foreach(writing->names, key, unused)
    if (!json_object_get(writing->written, key))
        json_array_append_new(writing->ends, json_string(key));
    return true;
}

static char *apply_query(const struct writing *writing, const json_t *key, const struct mirror_mark *before)
{
    struct text text;
    const char *name;
    json_t *number;

    if (!text_begin(&text))
        return NULL;
    fputs("{", text.out);
    write_mark_query(text.out, key);
    fputs(" mine as var(func: eq(reason.key, ", text.out);
    write_quoted(text.out, key);
    fputs("))", text.out);
    if (before->there) {
        fputs(" right as var(func: eq(reason.key, ", text.out);
        write_quoted(text.out, key);
        fprintf(text.out, ")) @filter(eq(reason.seq, \"%ld\") AND eq(reason.rebuilding, %s)", before->seq, before->rebuilding ? "true" : "false");
        if (before->hash[0])
            fprintf(text.out, " AND eq(reason.hash, \"%s\")", before->hash);
        fputs(")", text.out);
    }
    json_object_foreach(writing->names, name, number) {
        json_t *quoted = json_string(name);

        fprintf(text.out, " k%lld as var(func: eq(reason.key, ", (long long)json_integer_value(number));
        write_quoted(text.out, quoted);
        fputs("))", text.out);
        json_decref(quoted);
    }
    if (json_array_size(writing->ends) > 0) {
        fputs(" ends as var(func: eq(reason.key, ", text.out);
        write_list(text.out, writing->ends);
        fputs(")) there(func: uid(ends)) { count(uid) }", text.out);
    }
    if (json_array_size(writing->erased) > 0) {
        fputs(" erased as var(func: eq(reason.key, ", text.out);
        write_list(text.out, writing->erased);
        fputs("))", text.out);
    }
    fputs(" }", text.out);
    return text_end(&text);
}

static json_t *apply_mutations(const struct writing *writing, const struct mirror_mark *before)
{
    json_t *mutations = json_array();
    char holds[200], condition[240];
    size_t length;

    length = (size_t)snprintf(holds, sizeof(holds), before->there ? "eq(len(mine), 1) AND eq(len(right), 1)" : "eq(len(mine), 0)");
    if (json_array_size(writing->ends) > 0)
        snprintf(holds + length, sizeof(holds) - length, " AND eq(len(ends), %zu)", json_array_size(writing->ends));
    snprintf(condition, sizeof(condition), "@if(%s)", holds);
    json_array_append_new(mutations, json_pack("{s:s, s:O}", "cond", condition, "set", writing->set));
    if (json_array_size(writing->erased) > 0) {
        snprintf(condition, sizeof(condition), "@if(%s AND gt(len(erased), 0))", holds);
        json_array_append_new(mutations, json_pack("{s:s, s:[{s:s, s:b}], s:[{s:s, s:n, s:n}]}", "cond", condition,
                                                   "set", "uid", "uid(erased)", "reason.erased", 1,
                                                   "delete", "uid", "uid(erased)", "reason.payload", "reason.payloadOmitted"));
    }
    return mutations;
}

/* What a transaction did, from what its query found and from the mark afterwards. */
static enum mirror_outcome judge(struct mirror *mirror, const char *division, const struct mirror_mark *before, const struct mirror_mark *after,
                                 const struct writing *writing, const json_t *queries)
{
    size_t ends = json_array_size(writing->ends);
    struct mirror_mark found, now;
    enum mirror_outcome outcome;

    if (!take_mark(json_object_get(queries, "mark"), &found))
        return target_says(mirror, MIRROR_AWAY, "its mark for division \"%s\" is none", division);
    if (!same_mark(&found, before))
        return target_says(mirror, MIRROR_MOVED, "its mark for division \"%s\" is at %ld, not at %ld", division, found.seq, before->seq);
    if (ends > 0) {
        const json_t *there = json_object_get(json_array_get(json_object_get(queries, "there"), 0), "count");

        if (!json_is_integer(there))
            return target_says(mirror, MIRROR_AWAY, "its answer is none to what was asked");
        if ((size_t)json_integer_value(there) != ends)
            return target_says(mirror, MIRROR_REFUSED, "a node that an edge or an annotation goes to is not in the mirror");
    }
    outcome = read_mark(mirror, division, &now);
    if (outcome != MIRROR_DONE)
        return outcome;
    /* somebody else may have moved it on since; where it was it cannot be */
    if (!same_mark(&now, after) && same_mark(&now, before))
        return target_says(mirror, MIRROR_AWAY, "it does not say that the mark was moved");
    return MIRROR_DONE;
}

static enum mirror_outcome apply(struct mirror *mirror, const char *division, const struct mirror_mark *before, const struct mirror_mark *after,
                                 const struct mirror_changes *changes)
{
    struct writing writing = {json_object(), json_object(), json_array(), json_array(), json_array()};
    struct mirror_mark goal = *after;
    json_t *key = mark_key(division), *queries = NULL;
    enum mirror_outcome outcome;

    goal.there = true;
    json_array_append_new(writing.set, json_pack("{s:s, s:s, s:O, s:I, s:s, s:I, s:b}", "uid", "uid(mine)", "dgraph.type", "ReasonMark", "reason.key", key,
                                                 "reason.seq", (json_int_t)after->seq, "reason.hash", after->hash,
                                                 "reason.schema", (json_int_t)MIRROR_SCHEMA, "reason.rebuilding", after->rebuilding));
    if (!collect(&writing, changes))
        outcome = target_says(mirror, MIRROR_REFUSED, "the database gave a record in a form that is not known");
    else
        outcome = mutate(mirror, apply_query(&writing, key, before), apply_mutations(&writing, before), &queries);
    if (outcome == MIRROR_DONE)
        outcome = judge(mirror, division, before, &goal, &writing, queries);
    json_decref(queries);
    json_decref(key);
    json_decref(writing.names);
    json_decref(writing.written);
    json_decref(writing.ends);
    json_decref(writing.erased);
    json_decref(writing.set);
    return outcome;
}

/* [{"@groupby": [{"reason.type": …, "count": …}]}] as an object. */
static json_t *counts_of(const json_t *found)
{
    json_t *counts = json_object(), *row;
    size_t index;

    json_array_foreach(json_object_get(json_array_get(found, 0), "@groupby"), index, row) {
        const char *type = json_string_value(json_object_get(row, "reason.type"));

        if (type)
            json_object_set(counts, type, json_object_get(row, "count"));
    }
    return counts;
}

static enum mirror_outcome count(struct mirror *mirror, const char *division, json_t **counts)
{
    json_t *name = json_string(division), *data, *annotations;
    struct text text;
    enum mirror_outcome outcome;

    *counts = NULL;
    if (!text_begin(&text)) {
        json_decref(name);
        return target_says(mirror, MIRROR_AWAY, "out of memory");
    }
    fputs("{ all as var(func: eq(reason.division, ", text.out);
    write_quoted(text.out, name);
    fputs(")) node(func: uid(all)) @filter(type(ReasonNode)) @groupby(reason.type) { count(uid) }"
          " edge(func: uid(all)) @filter(type(ReasonEdge)) @groupby(reason.type) { count(uid) }"
          " annotation(func: uid(all)) @filter(type(ReasonAnnotation)) { count(uid) } }", text.out);
    outcome = ask(mirror, text_end(&text), &data);
    annotations = json_object_get(json_array_get(json_object_get(data, "annotation"), 0), "count");
    if (outcome == MIRROR_DONE && (!json_is_array(json_object_get(data, "node")) || !json_is_array(json_object_get(data, "edge")) || !json_is_integer(annotations)))
        outcome = target_says(mirror, MIRROR_AWAY, "its answer is none to what was asked");
    if (outcome == MIRROR_DONE) {
        *counts = json_pack("{s:o, s:o, s:{}}", "node", counts_of(json_object_get(data, "node")), "edge", counts_of(json_object_get(data, "edge")), "annotation");
        if (json_integer_value(annotations) > 0)
            json_object_set(json_object_get(*counts, "annotation"), "annotation", annotations);
    }
    json_decref(data);
    json_decref(name);
    return outcome;
}

static bool holds(const json_t *list, const json_t *value)
{
    json_t *one;
    size_t index;

    json_array_foreach(list, index, one)
    if (json_equal(one, value))
        return true;
    return false;
}

/* Tags in their order, where the list that has it has just those. */
static json_t *in_order(json_t *tags, const json_t *text)
{
    json_t *list = json_loads(json_string_value(text) ? json_string_value(text) : "", 0, NULL), *one;
    size_t index;
    bool same = json_is_array(list);

    json_array_foreach(list, index, one)
    same = same && holds(tags, one);
    json_array_foreach(tags, index, one)
    same = same && holds(list, one);
    if (same)
        return list;
    json_decref(list);
    return json_incref(tags);
}

/* A record as it is compared, from one with the names of predicates. */
static json_t *record_of(const json_t *row, bool annotation)
{
    const json_t *from = json_object_get(json_object_get(row, "reason.from"), "reason.key");
    const json_t *to = json_object_get(json_object_get(row, annotation ? "reason.annotates" : "reason.to"), "reason.key");
    json_t *record = json_object(), *value;
    const char *name;

    json_object_foreach((json_t *)row, name, value)
    if (!strncmp(name, "reason.", 7) && !json_is_object(value))
        json_object_set(record, name + 7, value);
    json_object_del(record, "tagList");
    if (json_object_get(record, "tags"))
        json_object_set_new(record, "tags", in_order(json_object_get(record, "tags"), json_object_get(row, "reason.tagList")));
    value = annotation ? json_string("annotation") : json_incref(json_object_get(row, "reason.type"));
    return json_pack("{s:[o?], s:O?, s:O?, s:o}", "types", value, "from", from, "to", to, "record", record);
}

static enum mirror_outcome fetch(struct mirror *mirror, const char *kind, const json_t *keys, json_t **found)
{
    bool annotation = !strcmp(kind, "annotation");
    const char *type = annotation ? "ReasonAnnotation" : !strcmp(kind, "edge") ? "ReasonEdge" : "ReasonNode";
    json_t *data, *row;
    struct text text;
    size_t index;
    enum mirror_outcome outcome;

    *found = NULL;
    if (!text_begin(&text))
        return target_says(mirror, MIRROR_AWAY, "out of memory");
    fputs("{ found(func: eq(reason.key, ", text.out);
    write_list(text.out, keys);
    fprintf(text.out, ")) @filter(type(%s)) { " PROPERTIES " reason.from { reason.key } reason.to { reason.key } reason.annotates { reason.key } } }", type);
    outcome = ask(mirror, text_end(&text), &data);
    if (outcome == MIRROR_DONE && !json_is_array(json_object_get(data, "found")))
        outcome = target_says(mirror, MIRROR_AWAY, "its answer is none to what was asked");
    if (outcome == MIRROR_DONE)
        *found = json_object();
    json_array_foreach(json_object_get(data, "found"), index, row) {
        const char *key = json_string_value(json_object_get(row, "reason.key"));
        json_t *one = record_of(row, annotation), *there = key ? json_object_get(*found, key) : NULL;

        if (there)
            json_array_extend(json_object_get(there, "types"), json_object_get(one, "types"));
        else if (key && *found)
            json_object_set(*found, key, one);
        json_decref(one);
    }
    json_decref(data);
    return outcome;
}

static enum mirror_outcome causes(struct mirror *mirror, const json_t *keys, json_t **found)
{
    json_t *data, *row, *cause, *those;
    struct text text;
    const char *name;
    size_t index, place;
    enum mirror_outcome outcome;

    *found = NULL;
    if (!text_begin(&text))
        return target_says(mirror, MIRROR_AWAY, "out of memory");
    fputs("{ found(func: eq(reason.key, ", text.out);
    write_list(text.out, keys);
    fputs(")) @filter(type(ReasonNode)) {", text.out);
    for (const char *const *type = mirror_edge_types; *type; type++)
        fprintf(text.out, " ~reason.%s { reason.key }", *type);
    fputs(" } }", text.out);
    outcome = ask(mirror, text_end(&text), &data);
    if (outcome == MIRROR_DONE && !json_is_array(json_object_get(data, "found")))
        outcome = target_says(mirror, MIRROR_AWAY, "its answer is none to what was asked");
    if (outcome == MIRROR_DONE)
        *found = json_array();
    json_array_foreach(json_object_get(data, "found"), index, row)
    json_object_foreach(row, name, those)
    json_array_foreach(those, place, cause)
    if (json_is_string(json_object_get(cause, "reason.key")))
        json_array_append(*found, json_object_get(cause, "reason.key"));
    json_decref(data);
    return outcome;
}

static enum mirror_outcome empty(struct mirror *mirror, const char *division, long *removed)
{
    json_t *name = json_string(division), *queries, *gone;
    struct text text;
    enum mirror_outcome outcome;

    *removed = 0;
    if (!text_begin(&text)) {
        json_decref(name);
        return target_says(mirror, MIRROR_AWAY, "out of memory");
    }
    /* a mark has no division */
    fputs("{ some as var(func: eq(reason.division, ", text.out);
    write_quoted(text.out, name);
    fprintf(text.out, "), first: %d) gone(func: uid(some)) { count(uid) } }", EMPTY_AT_ONCE);
    outcome = mutate(mirror, text_end(&text), json_pack("[{s:s, s:[{s:s}]}]", "cond", "@if(gt(len(some), 0))", "delete", "uid", "uid(some)"), &queries);
    gone = json_object_get(json_array_get(json_object_get(queries, "gone"), 0), "count");
    if (outcome == MIRROR_DONE && !json_is_integer(gone))
        outcome = target_says(mirror, MIRROR_AWAY, "its answer is none to what was asked");
    *removed = (long)json_integer_value(gone);
    json_decref(queries);
    json_decref(name);
    return outcome;
}

const struct mirror_engine mirror_dgraph = {.type = "dgraph", .token_header = "X-Dgraph-AuthToken", .prepare = prepare, .read_mark = read_mark, .apply = apply,
                                            .count = count, .fetch = fetch, .causes = causes, .empty = empty};
