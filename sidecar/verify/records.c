/*
 * The records inside a snapshot: digests, contents, and what edges say of their nodes.
 */
#include <string.h>

#include "core/canonical.h"
#include "core/json_pointer.h"
#include "core/name_order.h"
#include "verify.h"

/* Members that a digest covers, in canonical order; those that a record may lack are simply not there. */
static const char *const node_members[] = {"author", "createdAt", "division", "id", "manifestSignatureId",
    "metadata", "payloadHash", "payloadRef", "ts", "type", "version", NULL};
static const char *const edge_members[] = {"createdAt", "division", "from", "fromDigest", "id", "metadata",
    "to", "toDigest", "type", "weight", NULL};
static const char *const annotation_members[] = {"author", "createdAt", "division", "id", "metadata",
    "payloadHash", "target", "targetDigest", "type", NULL};

static const char *const *const members_of[] = {node_members, edge_members, annotation_members};

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

    if (salt->kind != JSON_STRING ||
        !decode_base64((Bytes){json_string(document, salt), salt->length}, salt_bytes, SALT_LENGTH) ||
        !decode_hex(payload_hash, expected, SHA256_LENGTH))
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
    report_add(report, FINDING_BAD, check, "%.*s %s (JSON Pointer \"%.*s\")", (int) id.length, id.data ? id.data : "",
               what, (int) pointer.length, pointer.data);
    buffer_free(&pointer);
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

/* The digest that an edge or annotation states for a node, against the node itself. */
static void check_reference(Report *report, Tally *tally, const JsonDocument *document, const JsonNode *record,
                            const char *check, const NodeIndex *nodes, const char *id_name, const char *digest_name)
{
    const uint8_t *known = node_index_find(nodes, member_text(document, record, id_name));
    uint8_t stated[SHA256_LENGTH];

    if (!known)
        tally->outside++;
    else if (!decode_hex(member_text(document, record, digest_name), stated, SHA256_LENGTH) ||
             memcmp(known, stated, SHA256_LENGTH) != 0)
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

static void check_nodes(Report *report, const JsonDocument *document, const JsonNode *nodes, NodeIndex *index,
                        bool may_redact)
{
    Tally tally = {.may_redact = may_redact};
    Bytes previous = {NULL, 0};

    for (const JsonNode *n = json_first(document, nodes); n; n = json_next(document, nodes, n)) {
        uint8_t digest[SHA256_LENGTH];

        tally.count++;
        if (!in_order(document, n, &previous))
            bad_record(report, &tally, document, n, "nodes", "is out of order, or there twice");
        if (!digest_matches(document, n, RECORD_NODE, &tally, digest))
            bad_record(report, &tally, document, n, "nodes", "has a digest that its record does not give");
        node_index_add(index, member_text(document, n, "id"), digest);
        check_content(report, &tally, document, n, "nodes");
    }
    if (tally.bad)
        report_add(report, FINDING_BAD, "nodes", "%zu faults in %zu nodes", tally.bad, tally.count);
    else
        report_add(report, FINDING_OK, "nodes", "%zu nodes: digests recomputed; %zu payloads match, %zu withheld or erased",
                   tally.count, tally.contents, tally.withheld);
    report_redacted(report, &tally, "nodes");
}

static void check_edges(Report *report, const JsonDocument *document, const JsonNode *edges, const NodeIndex *index,
                        bool may_redact)
{
    Tally tally = {.may_redact = may_redact};
    Bytes previous = {NULL, 0};

    for (const JsonNode *e = json_first(document, edges); e; e = json_next(document, edges, e)) {
        uint8_t digest[SHA256_LENGTH];

        tally.count++;
        if (!in_order(document, e, &previous))
            bad_record(report, &tally, document, e, "edges", "is out of order, or there twice");
        if (!digest_matches(document, e, RECORD_EDGE, &tally, digest))
            bad_record(report, &tally, document, e, "edges", "has a digest that its record does not give");
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

    for (const JsonNode *a = json_first(document, annotations); a; a = json_next(document, annotations, a)) {
        uint8_t digest[SHA256_LENGTH];

        tally.count++;
        if (!digest_matches(document, a, RECORD_ANNOTATION, &tally, digest))
            bad_record(report, &tally, document, a, "annotations", "has a digest that its record does not give");
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
}

static void check_roots(Report *report, const JsonDocument *document, const JsonNode *root_ids, const NodeIndex *index)
{
    size_t missing = 0;
    size_t unsorted = 0;
    Bytes previous = {NULL, 0};

    for (const JsonNode *r = json_first(document, root_ids); r; r = json_next(document, root_ids, r)) {
        Bytes id = {json_string(document, r), r->length};

        if (r->kind != JSON_STRING) {
            missing++;
            continue;
        }
        missing += !node_index_find(index, id);
        unsorted += previous.data &&
                    canonical_compare_names(previous.data, previous.length, id.data, id.length) >= 0;
        previous = id;
    }
    if (missing || unsorted)
        report_add(report, FINDING_BAD, "roots", "%zu of %u root nodes are not among the nodes, %zu not in order",
                   missing, root_ids->length, unsorted);
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

        bad += !node_index_find(index, id) ||
               (previous.data && canonical_compare_names(previous.data, previous.length, id.data, id.length) >= 0);
        previous = id;
    }
    if (bad)
        report_add(report, FINDING_BAD, "frontier", "%zu of %u ids are not among the nodes, or not in order", bad,
                   frontier->length);
    else if (frontier->length > 0)
        report_add(report, FINDING_NOTE, "frontier", "the snapshot was cut by its depth: %u nodes have further edges",
                   frontier->length);
}

void verify_records(Report *report, const JsonDocument *document, const JsonNode *payload, const JsonNode *root_ids)
{
    const JsonNode *nodes = json_member_literal(document, payload, "nodes");
    const JsonNode *edges = json_member_literal(document, payload, "edges");
    const JsonNode *annotations = json_member_literal(document, payload, "annotations");
    const JsonNode *frontier = json_member_literal(document, payload, "frontier");
    const JsonNode *pii = json_member_literal(document, payload, "pii_included");
    bool may_redact = pii && pii->kind == JSON_FALSE;
    NodeIndex *index;

    if (!nodes || nodes->kind != JSON_ARRAY || !edges || edges->kind != JSON_ARRAY ||
        (annotations && annotations->kind != JSON_ARRAY)) {
        report_add(report, FINDING_BAD, "document", "payload has no arrays of nodes and edges");
        return;
    }
    index = node_index_new();
    check_nodes(report, document, nodes, index, may_redact);
    check_edges(report, document, edges, index, may_redact);
    if (annotations)
        check_annotations(report, document, annotations, index, may_redact);
    check_roots(report, document, root_ids, index);
    if (frontier)
        check_frontier(report, document, frontier, index);
    node_index_free(index);
}
