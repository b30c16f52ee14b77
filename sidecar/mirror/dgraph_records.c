/* dgraph_records.c: what Dgraph has, to be compared. */
#include "mirror/dgraph.h"

#include <stdlib.h>
#include <string.h>

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

enum mirror_outcome dgraph_count(struct mirror *mirror, const char *division, json_t **counts)
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
    text_quote(text.out, name);
    fputs(")) node(func: uid(all)) @filter(type(ReasonNode)) @groupby(reason.type) { count(uid) }"
          " edge(func: uid(all)) @filter(type(ReasonEdge)) @groupby(reason.type) { count(uid) }"
          " annotation(func: uid(all)) @filter(type(ReasonAnnotation)) { count(uid) } }", text.out);
    outcome = dgraph_ask(mirror, text_end(&text), &data);
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

enum mirror_outcome dgraph_fetch(struct mirror *mirror, const char *kind, const json_t *keys, json_t **found)
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
    text_list(text.out, keys);
    fprintf(text.out, ")) @filter(type(%s)) { " DGRAPH_PROPERTIES " reason.from { reason.key } reason.to { reason.key } reason.annotates { reason.key } } }", type);
    outcome = dgraph_ask(mirror, text_end(&text), &data);
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

enum mirror_outcome dgraph_causes(struct mirror *mirror, const json_t *keys, json_t **found)
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
    text_list(text.out, keys);
    fputs(")) @filter(type(ReasonNode)) {", text.out);
    for (const char *const *type = mirror_edge_types; *type; type++)
        fprintf(text.out, " ~reason.%s { reason.key }", *type);
    fputs(" } }", text.out);
    outcome = dgraph_ask(mirror, text_end(&text), &data);
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
