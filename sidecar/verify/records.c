/*
 * The records inside a snapshot: digests, contents, and what edges say of their nodes.
 */
#include <string.h>

#include "core/canonical.h"
#include "core/json_pointer.h"
#include "core/name_order.h"
#include "core/names.h"
#include "core/snapshot_graph.h"
#include "verify.h"

/* Members that a digest covers, in canonical order; those that a record may lack are simply not there. */
static const char *const node_members[] = {"author", "createdAt", "division", "id", "manifestSignatureId",
                                           "metadata", "payloadHash", "payloadRef", "ts", "type", "version", NULL};
static const char *const edge_members[] = {"createdAt", "division", "from", "fromDigest", "id", "metadata",
                                           "to", "toDigest", "type", "weight", NULL};
static const char *const annotation_members[] = {"author", "createdAt", "division", "id", "metadata",
                                                 "payloadHash", "target", "targetDigest", "type", NULL};

static const char *const *const members_of[] = {node_members, edge_members, annotation_members};

/* What may stand beside the members of the record. */
static const char *const companions[] = {"digest", "erased", "payload", "redacted", "salt", NULL};

void record_digest(uint8_t digest[SHA256_LENGTH], const JsonDocument *document, const JsonNode *object,
                   RecordKind kind)
{
    static ByteBuffer out;

    if (!out.realloc)
        buffer_init(&out, NULL, NULL);
    out.length = 0;
    buffer_append_char(&out, '{');
    for (const char *const *name = members_of[kind]; *name; name++) {
        const JsonNode *value = json_member(document, object, *name, strlen(*name));

        if (!value)
            continue;
        if (out.length > 1)
            buffer_append_char(&out, ',');
        canonical_write_string(&out, *name, strlen(*name));
        buffer_append_char(&out, ':');
        canonical_write_value(&out, document, value);
    }
    buffer_append_char(&out, '}');
    sha256_of(digest, out.data, out.length);
}

#define SALT_LENGTH 16

bool content_matches(const JsonDocument *document, const JsonNode *salt, const JsonNode *payload, Bytes payload_hash)
{
    static ByteBuffer out;
    uint8_t salt_bytes[SALT_LENGTH];
    uint8_t expected[SHA256_LENGTH];
    uint8_t computed[SHA256_LENGTH];

    if (salt->kind != JSON_STRING
        || !decode_base64((Bytes){json_string(document, salt), salt->length}, salt_bytes, SALT_LENGTH)
        || !decode_hex(payload_hash, expected, SHA256_LENGTH))
        return false;
    if (!out.realloc)
        buffer_init(&out, NULL, NULL);
    out.length = 0;
    canonical_write_value(&out, document, payload);
    sha256_of_two(computed, salt_bytes, SALT_LENGTH, out.data, out.length);
    return memcmp(computed, expected, SHA256_LENGTH) == 0;
}

/* What the records of one kind came to. */
typedef struct {
    size_t count;
    size_t contents; /* payloads that match their hash */
    size_t withheld; /* payloads that are not there */
    size_t redacted; /* records that stand here in part: their digest is that of the whole */
    size_t outside;  /* ends of edges, or targets, that are not in the snapshot */
    size_t unclear;  /* whose author's name holds what cannot be seen */
    size_t bad;
    bool may_redact; /* the document says that it leaves out personal data */
} Tally;

#define BAD_SHOWN 10

/* Names the first few records that are wrong, with their place. */
static void bad_record(Report *report, Tally *tally, const JsonDocument *document, const JsonNode *record,
                       const char *check, const char *what)
{
    Bytes id = member_text(document, record, "id");
    ByteBuffer pointer;

    if (tally->bad++ >= BAD_SHOWN)
        return;
    buffer_init(&pointer, NULL, NULL);
    json_write_pointer(&pointer, document, record);
    report_add(report, FINDING_BAD, check, "%.*s %s (JSON Pointer \"%.*s\")", (int)id.length, id.data ? id.data : "",
               what, (int)pointer.length, pointer.data);
    buffer_free(&pointer);
}

static bool is_among(const char *name, size_t length, const char *const *names)
{
    for (; *names; names++) {
        if (strlen(*names) == length && memcmp(*names, name, length) == 0)
            return true;
    }
    return false;
}

/* Every member of a record is one that its digest covers, or one that may stand beside it. */
static bool has_known_members(const JsonDocument *document, const JsonNode *record, RecordKind kind)
{
    if (record->kind != JSON_OBJECT)
        return false;
    for (const JsonNode *name = json_first(document, record); name; name = json_next(document, record, json_value(name))) {
        if (!is_among(json_string(document, name), name->length, members_of[kind])
            && !is_among(json_string(document, name), name->length, companions))
            return false;
    }
    return true;
}

/* The digest that edges are to name: the record's own, or the stated one of a record that was redacted. */
static bool digest_matches(const JsonDocument *document, const JsonNode *record, RecordKind kind, Tally *tally,
                           uint8_t digest[SHA256_LENGTH])
{
    uint8_t stated[SHA256_LENGTH];

    if (!decode_hex(member_text(document, record, "digest"), stated, SHA256_LENGTH)) {
        record_digest(digest, document, record, kind);
        return false;
    }
    if (tally->may_redact && json_member_literal(document, record, "redacted")) {
        memcpy(digest, stated, SHA256_LENGTH);
        tally->redacted++;
        return true;
    }
    record_digest(digest, document, record, kind);
    return memcmp(digest, stated, SHA256_LENGTH) == 0;
}

static void check_content(Report *report, Tally *tally, const JsonDocument *document, const JsonNode *record,
                          const char *check)
{
    const JsonNode *salt = json_member_literal(document, record, "salt");
    const JsonNode *payload = json_member_literal(document, record, "payload");

    /* Without the salt a payload was withheld or erased, or is a redacted form of what was hashed. */
    if (!salt || !payload || salt->kind == JSON_NULL)
        tally->withheld++;
    else if (content_matches(document, salt, payload, member_text(document, record, "payloadHash")))
        tally->contents++;
    else
        bad_record(report, tally, document, record, check, "has a payload other than its payloadHash says");
}

static void report_redacted(Report *report, const Tally *tally, const char *check)
{
    if (tally->redacted)
        report_add(report, FINDING_OK, check, "%zu of %zu redacted: their digests are those of the whole records, which are not here",
                   tally->redacted, tally->count);
}

/* When it was recorded. Not after the document was made: the database's clock may have been set back in between. */
static void check_time(Report *report, Tally *tally, const JsonDocument *document, const JsonNode *record, const char *check)
{
    int64_t created_at;

    if (!parse_time(member_text(document, record, "createdAt"), &created_at))
        bad_record(report, tally, document, record, check, "has a createdAt that is not a time");
    else if (created_at > latest_present())
        bad_record(report, tally, document, record, check, "says it was recorded in the future");
}

/* No division ever had another name. An author may have, before there was a rule; the name is as it was signed. */
static void check_names(Report *report, Tally *tally, const JsonDocument *document, const JsonNode *record, const char *check)
{
    Bytes division = member_text(document, record, "division");
    Bytes author = member_text(document, record, "author");

    if (!division_name_is_valid(division.data ? division.data : "", division.length))
        bad_record(report, tally, document, record, check, "is of a division that can have no such name");
    tally->unclear += author.data && label_fault(author.data, author.length);
}

static void report_unclear(Report *report, const Tally *tally, const char *check)
{
    if (tally->unclear)
        report_add(report, FINDING_NOTE, check, "%zu of %zu have an author in whose name something cannot be seen", tally->unclear, tally->count);
}

/* The digest that an edge or annotation states for a node, against the node itself. */
static void check_reference(Report *report, Tally *tally, const JsonDocument *document, const JsonNode *record,
                            const char *check, const NodeIndex *nodes, const char *id_name, const char *digest_name)
{
    const uint8_t *known = node_index_find(nodes, member_text(document, record, id_name));
    uint8_t stated[SHA256_LENGTH];

    if (!known)
        tally->outside++;
    else if (!decode_hex(member_text(document, record, digest_name), stated, SHA256_LENGTH)
             || memcmp(known, stated, SHA256_LENGTH) != 0)
        bad_record(report, tally, document, record, check, "was made over another version of its node");
}

/* Strictly ascending by id, so that nothing is there twice. */
static bool in_order(const JsonDocument *document, const JsonNode *record, Bytes *previous)
{
    Bytes id = member_text(document, record, "id");
    bool ascending;

    if (!id.data)
        return false;
    ascending = !previous->data || canonical_compare_names(previous->data, previous->length, id.data, id.length) < 0;
    *previous = id;
    return ascending;
}

/* What every record must be; `digest` becomes its own. */
static void check_record(Report *report, Tally *tally, const JsonDocument *document, const JsonNode *record,
                         RecordKind kind, const char *check, Bytes *previous, uint8_t digest[SHA256_LENGTH])
{
    tally->count++;
    if (!has_known_members(document, record, kind))
        bad_record(report, tally, document, record, check, "has a member that no such record has");
    if (!in_order(document, record, previous))
        bad_record(report, tally, document, record, check, "is out of order, or there twice");
    if (!digest_matches(document, record, kind, tally, digest))
        bad_record(report, tally, document, record, check, "has a digest that its record does not give");
    check_time(report, tally, document, record, check);
    check_names(report, tally, document, record, check);
}

static void check_nodes(Report *report, const JsonDocument *document, const JsonNode *nodes, NodeIndex *index, bool may_redact)
{
    Tally tally = {.may_redact = may_redact};
    Bytes previous = {NULL, 0};

    for (const JsonNode *n = json_first(document, nodes); n; n = json_next(document, nodes, n)) {
        uint8_t digest[SHA256_LENGTH];

        check_record(report, &tally, document, n, RECORD_NODE, "nodes", &previous, digest);
        node_index_add(index, member_text(document, n, "id"), digest);
        check_content(report, &tally, document, n, "nodes");
    }
    if (tally.bad)
        report_add(report, FINDING_BAD, "nodes", "%zu faults in %zu nodes", tally.bad, tally.count);
    else
        report_add(report, FINDING_OK, "nodes", "%zu nodes: digests recomputed; %zu payloads match, %zu withheld or erased",
                   tally.count, tally.contents, tally.withheld);
    report_redacted(report, &tally, "nodes");
    report_unclear(report, &tally, "nodes");
}

static void check_edges(Report *report, const JsonDocument *document, const JsonNode *edges, const NodeIndex *index, bool may_redact)
{
    Tally tally = {.may_redact = may_redact};
    Bytes previous = {NULL, 0};

    for (const JsonNode *e = json_first(document, edges); e; e = json_next(document, edges, e)) {
        uint8_t digest[SHA256_LENGTH];

        check_record(report, &tally, document, e, RECORD_EDGE, "edges", &previous, digest);
        check_reference(report, &tally, document, e, "edges", index, "from", "fromDigest");
        check_reference(report, &tally, document, e, "edges", index, "to", "toDigest");
    }
    if (tally.bad)
        report_add(report, FINDING_BAD, "edges", "%zu faults in %zu edges", tally.bad, tally.count);
    else
        report_add(report, FINDING_OK, "edges",
                   "%zu edges: digests recomputed, both ends match; %zu ends outside this snapshot", tally.count,
                   tally.outside);
    report_redacted(report, &tally, "edges");
}

static void check_annotations(Report *report, const JsonDocument *document, const JsonNode *annotations,
                              const NodeIndex *index, bool may_redact)
{
    Tally tally = {.may_redact = may_redact};
    Bytes previous = {NULL, 0};

    for (const JsonNode *a = json_first(document, annotations); a; a = json_next(document, annotations, a)) {
        uint8_t digest[SHA256_LENGTH];

        check_record(report, &tally, document, a, RECORD_ANNOTATION, "annotations", &previous, digest);
        check_reference(report, &tally, document, a, "annotations", index, "target", "targetDigest");
        check_content(report, &tally, document, a, "annotations");
    }
    if (tally.bad)
        report_add(report, FINDING_BAD, "annotations", "%zu faults in %zu annotations", tally.bad, tally.count);
    else
        report_add(report, FINDING_OK, "annotations",
                   "%zu annotations: digests recomputed; %zu payloads match, %zu withheld or erased", tally.count,
                   tally.contents, tally.withheld);
    report_redacted(report, &tally, "annotations");
    report_unclear(report, &tally, "annotations");
}

/* That the records are the graph which the document says they are; see core/snapshot_graph.h. */
static void check_graph(Report *report, const JsonDocument *document, const JsonNode *nodes, const JsonNode *edges,
                        const JsonNode *annotations)
{
    SnapshotGraph graph;

    snapshot_graph_init(&graph, NULL, NULL);
    snapshot_graph_header(&graph, document, json_root(document));
    for (const JsonNode *n = json_first(document, nodes); n; n = json_next(document, nodes, n))
        snapshot_graph_node(&graph, document, n);
    for (const JsonNode *e = json_first(document, edges); e; e = json_next(document, edges, e))
        snapshot_graph_edge(&graph, document, e);
    for (const JsonNode *a = annotations ? json_first(document, annotations) : NULL; a; a = json_next(document, annotations, a))
        snapshot_graph_annotation(&graph, document, a);
    if (snapshot_graph_check(&graph, NULL))
        report_add(report, FINDING_OK, "graph", "every node is led to from a root, every edge ends inside");
    else
        report_add(report, FINDING_BAD, graph.part, "%s", graph.fault);
    snapshot_graph_free(&graph);
}

/* Where the walk stopped for its depth: nodes of the snapshot, in order. */
static void check_frontier(Report *report, const JsonDocument *document, const JsonNode *frontier, const NodeIndex *index)
{
    size_t bad = 0;
    Bytes previous = {NULL, 0};

    if (frontier->kind != JSON_ARRAY) {
        report_add(report, FINDING_BAD, "frontier", "is not an array");
        return;
    }
    for (const JsonNode *f = json_first(document, frontier); f; f = json_next(document, frontier, f)) {
        Bytes id = {f->kind == JSON_STRING ? json_string(document, f) : "", f->kind == JSON_STRING ? f->length : 0};

        bad += !node_index_find(index, id)
               || (previous.data && canonical_compare_names(previous.data, previous.length, id.data, id.length) >= 0);
        previous = id;
    }
    if (bad)
        report_add(report, FINDING_BAD, "frontier", "%zu of %u ids are not among the nodes, or not in order", bad,
                   frontier->length);
    else if (frontier->length > 0)
        report_add(report, FINDING_NOTE, "frontier", "the snapshot was cut by its depth: %u nodes have further edges",
                   frontier->length);
}

void verify_records(Report *report, const JsonDocument *document, const JsonNode *payload)
{
    const JsonNode *nodes = json_member_literal(document, payload, "nodes");
    const JsonNode *edges = json_member_literal(document, payload, "edges");
    const JsonNode *annotations = json_member_literal(document, payload, "annotations");
    const JsonNode *frontier = json_member_literal(document, payload, "frontier");
    const JsonNode *pii = json_member_literal(document, payload, "pii_included");
    bool may_redact = pii && pii->kind == JSON_FALSE;
    NodeIndex *index;

    if (!nodes || nodes->kind != JSON_ARRAY || !edges || edges->kind != JSON_ARRAY
        || (annotations && annotations->kind != JSON_ARRAY)) {
        report_add(report, FINDING_BAD, "document", "payload has no arrays of nodes and edges");
        return;
    }
    index = node_index_new();
    check_nodes(report, document, nodes, index, may_redact);
    check_edges(report, document, edges, index, may_redact);
    if (annotations)
        check_annotations(report, document, annotations, index, may_redact);
    check_graph(report, document, nodes, edges, annotations);
    if (frontier)
        check_frontier(report, document, frontier, index);
    node_index_free(index);
}
