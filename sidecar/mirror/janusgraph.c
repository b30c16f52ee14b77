/*
 * janusgraph.c: JanusGraph behind Gremlin Server's HTTP endpoint: https://tinkerpop.apache.org/docs/current/reference/#connecting-via-http
 *
 * A request is a script with bindings, and a transaction: what it throws undoes all that it did. Scripts are constants, so that the
 * server compiles each once; each gives one text of JSON, which looks alike in every GraphSON that a server may be set to write. No
 * binding may have a name that Gremlin imports, such as keys.
 *
 * A vertex has one label: nodes have their type's, annotations ReasonAnnotation, marks ReasonMark. The property "kind" tells them
 * apart, for a node may be of type annotation. Lists are for vertices: tags of edges are one text of JSON. "key" is a word of
 * JanusGraph's own: there it is reasonKey.
 */
#include "mirror/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Around a script: what its last line gives, as a text. */
#define BEGIN "[groovy.json.JsonOutput.toJson(({->\n"
#define END "\n}).call())]"

static const char prepare_script[] = BEGIN
                                     "def m = graph.openManagement()\n"
                                     "def text = {name -> m.getPropertyKey(name) ?: m.makePropertyKey(name).dataType(String.class).cardinality(org.janusgraph.core.Cardinality.SINGLE).make()}\n"
                                     "def typed = {name, type -> m.getPropertyKey(name) ?: m.makePropertyKey(name).dataType(type).cardinality(org.janusgraph.core.Cardinality.SINGLE).make()}\n"
                                     "try {\n"
                                     "  ['reasonKey', 'id', 'division', 'kind', 'type', 'author', 'createdAt', 'occurredAt', 'digest', 'auditEventId', 'payload', 'tagList', 'hash'].each(text)\n"
                                     "  ['payloadOmitted', 'erased', 'rebuilding'].each {typed(it, Boolean.class)}\n"
                                     "  ['confidence', 'weight'].each {typed(it, Double.class)}\n"
                                     "  ['seq', 'schema'].each {typed(it, Long.class)}\n"
                                     "  if (!m.getPropertyKey('tags')) m.makePropertyKey('tags').dataType(String.class).cardinality(org.janusgraph.core.Cardinality.LIST).make()\n"
                                     "  (nodeTypes + ['ReasonAnnotation', 'ReasonMark']).each {if (!m.getVertexLabel(it)) m.makeVertexLabel(it).make()}\n"
                                     "  (edgeTypes + ['annotates']).each {if (!m.getEdgeLabel(it)) m.makeEdgeLabel(it).make()}\n"
                                     "  if (!m.getGraphIndex('reasonKey')) {\n"
                                     "    def index = m.buildIndex('reasonKey', org.apache.tinkerpop.gremlin.structure.Vertex.class).addKey(text('reasonKey')).unique().buildCompositeIndex()\n"
                                     "    m.setConsistency(index, org.janusgraph.core.schema.ConsistencyModifier.LOCK)\n"
                                     "    m.setConsistency(m.getPropertyKey('seq'), org.janusgraph.core.schema.ConsistencyModifier.LOCK)\n"
                                     "    m.buildIndex('reasonEdgeKey', org.apache.tinkerpop.gremlin.structure.Edge.class).addKey(text('reasonKey')).buildCompositeIndex()\n"
                                     "    ['id', 'author', 'createdAt', 'tags'].each {\n"
                                     "      m.buildIndex('reason_' + it, org.apache.tinkerpop.gremlin.structure.Vertex.class).addKey(m.getPropertyKey(it)).buildCompositeIndex()}\n"
                                     "  }\n"
                                     "  m.commit()\n"
                                     "} catch (Throwable fault) { m.rollback(); throw fault }\n"
                                     "[done: true]"
                                     END;

/* A mark as scripts give it: [seq, hash, schema, rebuilding], or nothing. */
#define MARK_OF "def markOf = {m -> [m.value('seq'), m.value('hash'), m.value('schema'), m.value('rebuilding')]}\n"

static const char mark_script[] = BEGIN
                                  MARK_OF "g.V().has('reasonKey', markKey).toList().collect(markOf)"
                                  END;

static const char apply_script[] = BEGIN
                                   MARK_OF
                                   "def marks = g.V().has('reasonKey', markKey).toList()\n"
                                   "if (marks.size() > 1 || (marks.size() == 1) != before.there || (before.there && markOf(marks[0])[0, 1, 3] != [before.seq as long, before.hash, before.rebuilding]))\n"
                                   "  throw new IllegalStateException('reason: the mark is elsewhere')\n"
                                   "def mark = marks ? marks[0] : g.addV('ReasonMark').property('reasonKey', markKey).property('kind', 'mark').next()\n"
                                   "mark.property('seq', after.seq as long); mark.property('hash', after.hash); mark.property('schema', after.schema as long)\n"
                                   "mark.property('rebuilding', after.rebuilding)\n"
                                   "def keys = groups.collectMany {it.rows.collectMany {row -> [row.key, row.from, row.to]}}.findAll {it != null}.unique()\n"
                                   "def there = [:]\n"
                                   "keys.collate(500).each {part -> g.V().has('reasonKey', org.apache.tinkerpop.gremlin.process.traversal.P.within(part)).each {there[it.value('reasonKey')] = it}}\n"
                                   "def fill = {element, record, vertex ->\n"
                                   "  record.each {name, value ->\n"
                                   "    if (name != 'tags') element.property(name == 'key' ? 'reasonKey' : name, value)\n"
                                   "    else if (vertex) value.each {element.property(org.apache.tinkerpop.gremlin.structure.VertexProperty.Cardinality.list, 'tags', it)}\n"
                                   "    else element.property('tagList', groovy.json.JsonOutput.toJson(value))}}\n"
                                   "def vertex = {row, label, kind ->\n"
                                   "  def made = there[row.key]\n"
                                   "  if (made) made.properties().each {it.remove()}\n"
                                   "  else there[row.key] = made = graph.addVertex(label)\n"
                                   "  made.property('kind', kind); fill(made, row.record, true); made}\n"
                                   "def end = {key -> there[key] ?: {throw new IllegalStateException('reason: an end is missing')}()}\n"
                                   "groups.each {group -> group.rows.each {row ->\n"
                                   "  if (group.op == 'node') vertex(row, group.type, 'node')\n"
                                   "  else if (group.op == 'annotation') {\n"
                                   "    def target = end(row.to), made = vertex(row, 'ReasonAnnotation', 'annotation')\n"
                                   "    if (!made.edges(org.apache.tinkerpop.gremlin.structure.Direction.OUT, 'annotates').hasNext()) made.addEdge('annotates', target)\n"
                                   "  } else if (group.op == 'edge') {\n"
                                   "    def from = end(row.from), to = end(row.to)\n"
                                   "    if (!again || !g.E().has('reasonKey', row.key).hasNext()) fill(from.addEdge(group.type, to), row.record, false)\n"
                                   "  } else if (there[row.key]) {\n"
                                   "    there[row.key].properties('payload', 'payloadOmitted').each {it.remove()}\n"
                                   "    there[row.key].property('erased', true)\n"
                                   "  }}}\n"
                                   "[markOf(mark)]"
                                   END;

static const char count_script[] = BEGIN
                                   "def of = {kind -> g.V().has('division', division).has('kind', kind)}\n"
                                   "[[node: of('node').groupCount().by(T.label).next(), edge: of('node').outE().groupCount().by(T.label).next(), annotation: [annotation: of('annotation').count().next()]]]"
                                   END;

static const char vertices_script[] = BEGIN
                                      "g.V().has('reasonKey', org.apache.tinkerpop.gremlin.process.traversal.P.within(wanted)).has('kind', kind).toList().collect {v ->\n"
                                      "  def record = [:]\n"
                                      "  v.properties().each {p -> if (p.key() == 'tags') record.tags = (record.tags ?: []) + [p.value()] else if (p.key() != 'kind') record[p.key() == 'reasonKey' ? 'key' : p.key()] = p.value()}\n"
                                      "  def to = v.vertices(org.apache.tinkerpop.gremlin.structure.Direction.OUT, 'annotates')\n"
                                      "  [v.value('reasonKey'), [kind == 'node' ? v.label() : kind], null, to.hasNext() ? to.next().value('reasonKey') : null, record]}"
                                      END;

static const char edges_script[] = BEGIN
                                   "g.E().has('reasonKey', org.apache.tinkerpop.gremlin.process.traversal.P.within(wanted)).toList().collect {e ->\n"
                                   "  def record = [:]\n"
                                   "  e.properties().each {p -> if (p.key() == 'tagList') record.tags = new groovy.json.JsonSlurper().parseText(p.value()) else record[p.key() == 'reasonKey' ? 'key' : p.key()] = p.value()}\n"
                                   "  [e.value('reasonKey'), [e.label()], e.outVertex().value('reasonKey'), e.inVertex().value('reasonKey'), record]}"
                                   END;

static const char causes_script[] = BEGIN
                                    "g.V().has('reasonKey', org.apache.tinkerpop.gremlin.process.traversal.P.within(wanted)).has('kind', 'node').in(*types).dedup().values('reasonKey').toList()"
                                    END;

static const char empty_script[] = BEGIN
                                   "def found = g.V().has('division', division).has('kind', org.apache.tinkerpop.gremlin.process.traversal.P.within('node', 'annotation')).limit(2000).toList()\n"
                                   "found.each {it.remove()}\n"
                                   "[found.size()]"
                                   END;

static json_t *list_of(const char *const *types)
{
    json_t *list = json_array();

    for (; *types; types++)
        json_array_append_new(list, json_string(*types));
    return list;
}

/* What a script threw. */
static enum mirror_outcome thrown(struct mirror *mirror, long status, const json_t *answer)
{
    const char *message = json_string_value(json_object_get(answer, "message")), *class = json_string_value(json_object_get(answer, "Exception-Class"));

    if (message && strstr(message, "reason: the mark is elsewhere"))
        return target_says(mirror, MIRROR_MOVED, "its mark is elsewhere");
    if (message && strstr(message, "reason: an end is missing"))
        return target_says(mirror, MIRROR_REFUSED, "a node that an edge or an annotation goes to is not in the mirror");
    if (class && strstr(class, "SchemaViolationException"))
        return target_says(mirror, MIRROR_REFUSED, "%s", message ? message : class);
    return target_says(mirror, MIRROR_AWAY, "it answered with status %ld: %s", status, message ? message : "");
}

/* The text in what a server gives for a list of one: ["…"], with or without the types of a GraphSON around it. */
static const char *only_text(const json_t *data)
{
    while (data && !json_is_string(data)) {
        const json_t *inner = json_array_get(data, 1);

        if (json_is_object(data))
            data = json_object_get(data, "@value");
        else
            data = json_is_array(inner) ? inner : json_array_get(data, 0);
    }
    return json_string_value(data);
}

/* Runs a script, and releases its bindings; *data gets what it gives. */
static enum mirror_outcome run(struct mirror *mirror, const char *script, json_t *bindings, json_t **data)
{
    json_t *answer;
    const char *text;
    long status = 0;
    enum mirror_outcome outcome;

    *data = NULL;
    outcome = target_post(mirror, "/", bindings ? json_pack("{s:s, s:o}", "gremlin", script, "bindings", bindings) : NULL, &status, &answer);
    if (outcome != MIRROR_DONE)
        return outcome;
    text = only_text(json_object_get(json_object_get(answer, "result"), "data"));
    if (status != 200)
        outcome = thrown(mirror, status, answer);
    else if (json_integer_value(json_object_get(json_object_get(answer, "status"), "code")) / 100 != 2 || !text || !(*data = json_loads(text, 0, NULL)))
        outcome = target_says(mirror, MIRROR_AWAY, "its answer is none to what was asked");
    json_decref(answer);
    return outcome;
}

static enum mirror_outcome prepare(struct mirror *mirror)
{
    json_t *data;
    enum mirror_outcome outcome = run(mirror, prepare_script, json_pack("{s:o, s:o}", "nodeTypes", list_of(mirror_node_types), "edgeTypes", list_of(mirror_edge_types)), &data);

    json_decref(data);
    return outcome == MIRROR_DONE ? outcome : MIRROR_AWAY;
}

static bool take_mark(const json_t *row, struct mirror_mark *mark)
{
    return mirror_take_mark(mark, json_array_get(row, 0), json_array_get(row, 1), json_array_get(row, 2), json_array_get(row, 3));
}

/* ":" is no character of a division's name, so no record has such a key. */
static json_t *mark_key(const char *division)
{
    return json_pack("s+", "mark:", division);
}

static enum mirror_outcome read_mark(struct mirror *mirror, const char *division, struct mirror_mark *mark)
{
    json_t *data;
    enum mirror_outcome outcome = run(mirror, mark_script, json_pack("{s:o}", "markKey", mark_key(division)), &data);

    *mark = (struct mirror_mark){.seq = -1};
    if (outcome == MIRROR_DONE && json_array_size(data) > 0 && (json_array_size(data) > 1 || !take_mark(json_array_get(data, 0), mark)))
        outcome = target_says(mirror, MIRROR_AWAY, "its mark for division \"%s\" is none", division);
    json_decref(data);
    return outcome;
}

static json_t *mark_binding(const struct mirror_mark *mark)
{
    return json_pack("{s:b, s:I, s:s, s:I, s:b}", "there", mark->there, "seq", (json_int_t)mark->seq, "hash", mark->hash, "schema", (json_int_t)MIRROR_SCHEMA,
                     "rebuilding", mark->rebuilding);
}

static enum mirror_outcome apply(struct mirror *mirror, const char *division, const struct mirror_mark *before, const struct mirror_mark *after,
                                 const struct mirror_changes *changes)
{
    json_t *groups = json_array(), *data;
    struct mirror_mark written = {0};
    enum mirror_outcome outcome;

    for (size_t i = 0; changes && i < changes->count; i++)
        json_array_append_new(groups, json_pack("{s:s, s:s, s:O}", "op", changes->groups[i].op, "type", changes->groups[i].type, "rows", changes->groups[i].rows));
    outcome = run(mirror, apply_script, json_pack("{s:o, s:o, s:o, s:o, s:b}", "markKey", mark_key(division), "before", mark_binding(before), "after", mark_binding(after),
                                                  "groups", groups, "again", changes && changes->again), &data);
    if (outcome == MIRROR_DONE && (json_array_size(data) != 1 || !take_mark(json_array_get(data, 0), &written) || written.seq != after->seq
                                   || strcmp(written.hash, after->hash) != 0 || written.rebuilding != after->rebuilding))
        outcome = target_says(mirror, MIRROR_AWAY, "it does not say that the mark was moved");
    json_decref(data);
    return outcome;
}

static enum mirror_outcome count(struct mirror *mirror, const char *division, json_t **counts)
{
    json_t *data, *found;
    enum mirror_outcome outcome = run(mirror, count_script, json_pack("{s:s}", "division", division), &data);

    found = json_array_get(data, 0);
    *counts = NULL;
    if (outcome == MIRROR_DONE && (!json_is_object(found) || !json_is_object(json_object_get(found, "node")) || !json_is_object(json_object_get(found, "edge"))))
        outcome = target_says(mirror, MIRROR_AWAY, "its answer is none to what was asked");
    if (outcome == MIRROR_DONE) {
        json_t *annotations = json_object_get(found, "annotation");

        if (json_integer_value(json_object_get(annotations, "annotation")) == 0)
            json_object_clear(annotations);
        *counts = json_incref(found);
    }
    json_decref(data);
    return outcome;
}

static enum mirror_outcome fetch(struct mirror *mirror, const char *kind, const json_t *keys, json_t **found)
{
    bool edges = !strcmp(kind, "edge");
    json_t *data, *row;
    size_t index;
    enum mirror_outcome outcome = run(mirror, edges ? edges_script : vertices_script, json_pack("{s:O, s:s}", "wanted", keys, "kind", kind), &data);

    *found = outcome == MIRROR_DONE ? json_object() : NULL;
    json_array_foreach(data, index, row) {
        const char *key = json_string_value(json_array_get(row, 0));
        json_t *there = key ? json_object_get(*found, key) : NULL;

        if (there)
            json_array_extend(json_object_get(there, "types"), json_array_get(row, 1));
        else if (key)
            json_object_set_new(*found, key, json_pack("{s:O, s:O, s:O, s:O}", "types", json_array_get(row, 1), "from", json_array_get(row, 2),
                                                       "to", json_array_get(row, 3), "record", json_array_get(row, 4)));
    }
    json_decref(data);
    return outcome;
}

static enum mirror_outcome causes(struct mirror *mirror, const json_t *keys, json_t **found)
{
    return run(mirror, causes_script, json_pack("{s:O, s:o}", "wanted", keys, "types", list_of(mirror_edge_types)), found);
}

static enum mirror_outcome empty(struct mirror *mirror, const char *division, long *removed)
{
    json_t *data;
    enum mirror_outcome outcome = run(mirror, empty_script, json_pack("{s:s}", "division", division), &data);

    if (outcome == MIRROR_DONE && !json_is_integer(json_array_get(data, 0)))
        outcome = target_says(mirror, MIRROR_AWAY, "its answer is none to what was asked");
    *removed = (long)json_integer_value(json_array_get(data, 0));
    json_decref(data);
    return outcome;
}

const struct mirror_engine mirror_janusgraph = {.type = "janusgraph", .prepare = prepare, .read_mark = read_mark, .apply = apply, .count = count, .fetch = fetch,
                                                .causes = causes, .empty = empty};
