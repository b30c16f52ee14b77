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
#include "mirror/dgraph.h"

#include <stdlib.h>
#include <string.h>

/* So many records are removed in a transaction. */
#define EMPTY_AT_ONCE 1000

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
        fprintf(text.out, "type %s { " DGRAPH_PROPERTIES " reason.from reason.to reason.annotates", types[i]);
        for (const char *const *type = mirror_edge_types; *type; type++)
            fprintf(text.out, " reason.%s", *type);
        fputs(" }\n", text.out);
    }
    fputs("type ReasonMark { reason.key " MARK " }\n", text.out);
    whole = text_end(&text);
    if (!whole)
        return target_says(mirror, MIRROR_AWAY, "out of memory");
    outcome = dgraph_send(mirror, "/alter", "application/dql", whole, &data);
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
    const json_t *row = json_array_get(found, 0);

    *mark = (struct mirror_mark){.seq = -1};
    if (json_is_array(found) && json_array_size(found) == 0)
        return true;
    return json_array_size(found) == 1
           && mirror_take_mark(mark, json_object_get(row, "reason.seq"), json_object_get(row, "reason.hash"), json_object_get(row, "reason.schema"),
                               json_object_get(row, "reason.rebuilding"));
}

static bool same_mark(const struct mirror_mark *a, const struct mirror_mark *b)
{
    return a->there == b->there && a->seq == b->seq && !strcmp(a->hash, b->hash) && a->rebuilding == b->rebuilding;
}

static void write_mark_query(FILE *out, const json_t *key)
{
    fputs(" mark(func: eq(reason.key, ", out);
    text_quote(out, key);
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
    outcome = dgraph_ask(mirror, text_end(&text), &data);
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
    text_quote(text.out, key);
    fputs("))", text.out);
    if (before->there) {
        fputs(" right as var(func: eq(reason.key, ", text.out);
        text_quote(text.out, key);
        fprintf(text.out, ")) @filter(eq(reason.seq, \"%ld\") AND eq(reason.rebuilding, %s)", before->seq, before->rebuilding ? "true" : "false");
        if (before->hash[0])
            fprintf(text.out, " AND eq(reason.hash, \"%s\")", before->hash);
        fputs(")", text.out);
    }
    json_object_foreach(writing->names, name, number) {
        json_t *quoted = json_string(name);

        fprintf(text.out, " k%lld as var(func: eq(reason.key, ", (long long)json_integer_value(number));
        text_quote(text.out, quoted);
        fputs("))", text.out);
        json_decref(quoted);
    }
    if (json_array_size(writing->ends) > 0) {
        fputs(" ends as var(func: eq(reason.key, ", text.out);
        text_list(text.out, writing->ends);
        fputs(")) there(func: uid(ends)) { count(uid) }", text.out);
    }
    if (json_array_size(writing->erased) > 0) {
        fputs(" erased as var(func: eq(reason.key, ", text.out);
        text_list(text.out, writing->erased);
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
        outcome = dgraph_mutate(mirror, apply_query(&writing, key, before), apply_mutations(&writing, before), &queries);
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
    text_quote(text.out, name);
    fprintf(text.out, "), first: %d) gone(func: uid(some)) { count(uid) } }", EMPTY_AT_ONCE);
    outcome = dgraph_mutate(mirror, text_end(&text), json_pack("[{s:s, s:[{s:s}]}]", "cond", "@if(gt(len(some), 0))", "delete", "uid", "uid(some)"), &queries);
    gone = json_object_get(json_array_get(json_object_get(queries, "gone"), 0), "count");
    if (outcome == MIRROR_DONE && !json_is_integer(gone))
        outcome = target_says(mirror, MIRROR_AWAY, "its answer is none to what was asked");
    *removed = (long)json_integer_value(gone);
    json_decref(queries);
    json_decref(name);
    return outcome;
}

const struct mirror_engine mirror_dgraph = {.type = "dgraph", .token_header = "X-Dgraph-AuthToken", .prepare = prepare, .read_mark = read_mark, .apply = apply,
                                            .count = dgraph_count, .fetch = dgraph_fetch, .causes = dgraph_causes, .empty = empty};
