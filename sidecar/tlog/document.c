/* document.c: a document, record by record, against events that are in the log. */
#include "tlog/document.h"

#include "base/doorbell.h"
#include "core/json_reader.h"
#include "core/recorded_time.h"
#include "core/sha256.h"
#include "core/shown_record.h"
#include "core/snapshot_graph.h"
#include "core/uuid_text.h"
#include "tlog/published.h"
#include "tlog/tree.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* As deep as the database itself reads canonical JSON by default. */
static const JsonLimits limits = {.max_depth = 1000};

#define AT_ONCE 500
/* A clock that is so far ahead is no witness of what came before what: half of SNAPSHOT_CLOCK_SECONDS, for it may be on its way back. */
#define AHEAD_SECONDS (SNAPSHOT_CLOCK_SECONDS / 2)
/* Nodes at which the walk stopped may have thousands of edges each. */
#define LINKS_AT_ONCE 100
/* So many records, each with its event and its content, have no more; nor have the edges of so many nodes. */
#define RECORDS_BYTES_MOST (1024L * 1024 * 1024)

/* Some seconds. Only names that somebody chose for that need more than one look each. */
#define LOOKS_MOST 10000000
enum kind { NODES, EDGES, ANNOTATIONS, KINDS };

static const struct {
    const char *array, *record, *event;
} kinds[KINDS] = {{"nodes", "node", "node.created"}, {"edges", "edge", "edge.created"}, {"annotations", "annotation", "annotation.created"}};

struct record {
    uint8_t id[UUID_BYTES];
    const JsonNode *value;
    bool met;                   /* its event was compared with it */
};

struct records {
    struct record *list;        /* by id */
    size_t count;
};

struct reading {
    struct document_question *question;
    JsonDocument document;
    JsonDocument event;         /* of the record that is compared */
    JsonDocument content;       /* and its payload */
    ShownWork work;             /* of comparing what was redacted */
    SnapshotGraph graph;
    struct records kinds[KINDS];
    struct tree_tiles *tiles;
    MerkleHash root;            /* of all that was signed */
};

static bool goes_on(void)
{
    return !doorbell_stopped();
}

static enum document_verdict false_because(struct reading *reading, const char *format, ...) __attribute__((format(printf, 2, 3)));

static enum document_verdict false_because(struct reading *reading, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reading->question->reason, sizeof(reading->question->reason), format, arguments);
    va_end(arguments);
    return DOCUMENT_FALSE;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct record *)a)->id, ((const struct record *)b)->id, UUID_BYTES);
}

static struct record *find_record(const struct records *records, const uint8_t id[UUID_BYTES])
{
    struct record key = {.value = NULL};

    memcpy(key.id, id, UUID_BYTES);
    return bsearch(&key, records->list, records->count, sizeof(key), by_id);
}

static bool read_id(const JsonDocument *document, const JsonNode *value, uint8_t id[UUID_BYTES])
{
    return value && value->kind == JSON_STRING && uuid_read_text(json_string(document, value), value->length, id);
}

/* ---------------------------------------------------------------- the graph */

static bool collect(struct reading *reading, enum kind kind, const JsonNode *array)
{
    const JsonDocument *document = &reading->document;
    struct records *records = &reading->kinds[kind];

    if (!array)
        return kind == ANNOTATIONS;
    if (array->kind != JSON_ARRAY)
        return false;
    records->list = calloc((size_t)array->length + 1, sizeof(*records->list));
    if (!records->list)
        return false;
    for (const JsonNode *value = json_first(document, array); value; value = json_next(document, array, value)) {
        struct record *record = &records->list[records->count++];

        if (value->kind != JSON_OBJECT || !read_id(document, json_member_literal(document, value, "id"), record->id))
            return false;
        record->value = value;
        if (kind == NODES)
            snapshot_graph_node(&reading->graph, document, value);
        else if (kind == EDGES)
            snapshot_graph_edge(&reading->graph, document, value);
        else
            snapshot_graph_annotation(&reading->graph, document, value);
    }
    qsort(records->list, records->count, sizeof(*records->list), by_id);
    for (size_t i = 1; i < records->count; i++)
        if (by_id(&records->list[i - 1], &records->list[i]) == 0)
            return false;
    return true;
}

static enum document_verdict check_graph(struct reading *reading, const JsonNode *payload)
{
    snapshot_graph_header(&reading->graph, &reading->document, json_root(&reading->document));
    for (enum kind kind = 0; kind < KINDS; kind++)
        if (!collect(reading, kind, json_member(&reading->document, payload, kinds[kind].array, strlen(kinds[kind].array))))
            return false_because(reading, "its %s are no list of records with ids of their own", kinds[kind].array);
    if (!snapshot_graph_check(&reading->graph, NULL))
        return false_because(reading, "%s: %s", reading->graph.part, reading->graph.fault);
    return DOCUMENT_TRUE;
}

/* ---------------------------------------------------------------- records */

/* The record in the document is the event's, but for what was redacted in it, and has the event's digest. */
static bool is_shown_truly(struct reading *reading, const struct record *record, const JsonNode *recorded)
{
    const JsonDocument *document = &reading->document, *event = &reading->event;
    const JsonNode *digest = json_member_literal(document, record->value, "digest");
    uint8_t computed[SHA256_LENGTH];
    char hex[2 * SHA256_LENGTH + 1];

    sha256_of(computed, json_raw(event, recorded), json_raw_length(recorded));
    sodium_bin2hex(hex, sizeof(hex), computed, sizeof(computed));
    return recorded->flags & JSON_CANONICAL && digest && json_string_is(document, digest, hex, strlen(hex))
           && shown_record_is_of(&reading->work, document, record->value, event, recorded, reading->graph.may_redact);
}

/* columns of log_records() */
enum { ID, SEQ, PREV_HASH, PAYLOAD, SALT, CONTENT };

/* The salt of a whole document is the one that was recorded; one that leaves out personal data has none. */
static bool has_its_salt(struct reading *reading, const struct record *record, PGresult *result, int row)
{
    const JsonNode *salt = json_member_literal(&reading->document, record->value, "salt");
    uint8_t bytes[64];
    size_t length;

    if (reading->graph.may_redact)
        return !salt;
    return salt && salt->kind == JSON_STRING
           && sodium_base642bin(bytes, sizeof(bytes), json_string(&reading->document, salt), salt->length, NULL, &length, NULL,
                                sodium_base64_VARIANT_ORIGINAL) == 0
           && length == (size_t)PQgetlength(result, row, SALT) && !memcmp(bytes, PQgetvalue(result, row, SALT), length);
}

/* The payload that is shown is the one that the record commits to, but for what was redacted; none is shown of what was erased. */
static bool has_its_content(struct reading *reading, const struct record *record, const JsonNode *recorded, PGresult *result, int row)
{
    const JsonDocument *document = &reading->document;
    const JsonNode *payload = json_member_literal(document, record->value, "payload");
    const JsonNode *committed = json_member_literal(&reading->event, recorded, "payloadHash");
    const JsonNode *erased = json_member_literal(document, record->value, "erased");
    uint8_t computed[SHA256_LENGTH];
    char hex[2 * SHA256_LENGTH + 1];
    JsonError error;

    /* an edge */
    if (!committed)
        return !payload && !erased && !json_member_literal(document, record->value, "salt");
    if (!payload)
        return false;
    if (PQgetisnull(result, row, SALT) || PQgetisnull(result, row, CONTENT))
        return erased && payload->kind == JSON_NULL && !json_member_literal(document, record->value, "salt");
    sha256_of_two(computed, PQgetvalue(result, row, SALT), (size_t)PQgetlength(result, row, SALT), PQgetvalue(result, row, CONTENT),
                  (size_t)PQgetlength(result, row, CONTENT));
    sodium_bin2hex(hex, sizeof(hex), computed, sizeof(computed));
    if (erased || !json_string_is(&reading->event, committed, hex, strlen(hex)) || !has_its_salt(reading, record, result, row))
        return false;
    if (!reading->graph.may_redact)
        return json_raw_length(payload) == (size_t)PQgetlength(result, row, CONTENT)
               && !memcmp(json_raw(document, payload), PQgetvalue(result, row, CONTENT), json_raw_length(payload));
    return json_read(&reading->content, PQgetvalue(result, row, CONTENT), (size_t)PQgetlength(result, row, CONTENT), &limits, &error)
           && shown_value_is_of(&reading->work, document, payload, &reading->content, json_root(&reading->content));
}

/* Whether this event is leaf seq of the log. */
static enum document_verdict check_leaf(struct reading *reading, uint64_t seq, PGresult *result, int row)
{
    struct tree tree = {.db = reading->question->db, .division = reading->question->division, .tiles = reading->tiles};
    MerkleHash hash, leaf, proof[MERKLE_MAX_HASHES];
    int count;

    if (seq >= reading->question->known->signed_range.size)
        return DOCUMENT_TOO_NEW;
    sha256_of_two(hash, PQgetvalue(result, row, PAYLOAD), (size_t)PQgetlength(result, row, PAYLOAD), PQgetvalue(result, row, PREV_HASH),
                  (size_t)PQgetlength(result, row, PREV_HASH));
    merkle_leaf_hash(hash, sizeof(hash), leaf);
    if (merkle_inclusion_proof(reading->question->known->signed_range.size, seq, tree_node, &tree, proof, &count)
        && merkle_verify_inclusion(seq, reading->question->known->signed_range.size, leaf, (const MerkleHash *)proof, (size_t)count, reading->root))
        return DOCUMENT_TRUE;
    return tree.failed ? DOCUMENT_NOT_KNOWN : DOCUMENT_FALSE;
}

static uint64_t big_endian(const char *bytes)
{
    uint64_t number = 0;

    for (int i = 0; i < 8; i++)
        number = number << 8 | (unsigned char)bytes[i];
    return number;
}

static enum document_verdict check_record(struct reading *reading, enum kind kind, PGresult *result, int row)
{
    const JsonDocument *event = &reading->event;
    struct record *record = NULL;
    const JsonNode *recorded = NULL, *type = NULL, *division;
    enum document_verdict verdict;
    char id[UUID_TEXT_LENGTH + 1];
    uint8_t own[UUID_BYTES];
    JsonError error;

    if (PQgetlength(result, row, ID) == UUID_BYTES)
        record = find_record(&reading->kinds[kind], (const uint8_t *)PQgetvalue(result, row, ID));
    if (!record)
        return false_because(reading, "the database names %s that it does not hold", kinds[kind].array);
    uuid_write_text(id, record->id);
    if (record->met)
        return false_because(reading, "%s %s was recorded twice", kinds[kind].record, id);
    record->met = true;
    if (PQgetlength(result, row, SEQ) != 8)
        return DOCUMENT_TOO_NEW;
    verdict = check_leaf(reading, big_endian(PQgetvalue(result, row, SEQ)), result, row);
    if (verdict == DOCUMENT_FALSE)
        return false_because(reading, "the event of %s %s is not in the log", kinds[kind].record, id);
    if (verdict != DOCUMENT_TRUE)
        return verdict;
    if (json_read(&reading->event, PQgetvalue(result, row, PAYLOAD), (size_t)PQgetlength(result, row, PAYLOAD), &limits, &error)) {
        type = json_member_literal(event, json_root(event), "eventType");
        recorded = json_member(event, json_root(event), kinds[kind].record, strlen(kinds[kind].record));
    }
    if (!type || !recorded || recorded->kind != JSON_OBJECT || !json_string_is(event, type, kinds[kind].event, strlen(kinds[kind].event))
        || !(division = json_member_literal(event, recorded, "division")) || !json_string_is(event, division, reading->question->division, strlen(reading->question->division))
        || !read_id(event, json_member_literal(event, recorded, "id"), own) || memcmp(own, record->id, UUID_BYTES) != 0
        || !is_shown_truly(reading, record, recorded) || !has_its_content(reading, record, recorded, result, row)) {
        false_because(reading, "%s %s is another one than was recorded", kinds[kind].record, id);
        verdict = DOCUMENT_FALSE;
    }
    if (doorbell_stopped())
        return DOCUMENT_NOT_KNOWN;
    if (reading->work.left == 0) {
        false_because(reading, "the redacted names of %s %s cannot be compared in a time that is reasonable", kinds[kind].record, id);
        return DOCUMENT_UNDECIDED;
    }
    return verdict;
}

static bool add_ids(const struct records *records, size_t first, size_t count, struct array *ids)
{
    char id[UUID_TEXT_LENGTH + 1];
    bool ok = true;

    for (size_t i = first; ok && i < first + count; i++) {
        uuid_write_text(id, records->list[i].id);
        ok = array_add(ids, id);
    }
    return ok;
}

static enum document_verdict check_some(struct reading *reading, enum kind kind, size_t first, size_t count)
{
    struct array ids = {0};
    const char *parameters[] = {reading->question->division, kinds[kind].record, NULL};
    enum document_verdict verdict = DOCUMENT_NOT_KNOWN;
    PGresult *result = NULL;

    if (doorbell_stopped())
        return DOCUMENT_NOT_KNOWN;
    if (add_ids(&reading->kinds[kind], first, count, &ids) && (parameters[2] = array_end(&ids)))
        result = db_call_binary(reading->question->db, "SELECT id, seq, prev_hash, payload, salt, content FROM reason.log_records($1, $2, $3::uuid[])", RECORDS_BYTES_MOST, 3,
                                parameters);
    if (result) {
        /* so many, and each of them once: each of these */
        verdict = PQntuples(result) == (int)count ? DOCUMENT_TRUE
                                                  : false_because(reading, "of %zu %s it holds, %d were recorded", count, kinds[kind].array, PQntuples(result));
        for (int row = 0; verdict == DOCUMENT_TRUE && row < PQntuples(result); row++)
            verdict = check_record(reading, kind, result, row);
    }
    PQclear(result);
    array_free(&ids);
    return verdict;
}

/* ---------------------------------------------------------------- what is left out */

static bool is_own_origin(struct reading *reading, const JsonNode *value)
{
    char origin[LOG_ORIGIN_SIZE];

    if (value->length >= sizeof(origin))
        return false;
    snprintf(origin, sizeof(origin), "%.*s", (int)value->length, json_string(&reading->document, value));
    return published_epoch(reading->question->prefix, reading->question->division, origin) > 0;
}

/*
 * It names fewer events than were signed by this sidecar's clock ten minutes before the time that it has by the database's. Where that one is ahead
 * it says nothing. Whoever rules the database can say that it is: then the document is signed no more than any other that is false.
 */
static enum document_verdict judge_older(struct reading *reading, uint64_t size, uint64_t least)
{
    struct document_question *question = reading->question;
    int64_t ahead = 0;
    PGresult *result = db_call(question->db, "SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp())::pg_catalog.int8", "1n", 0, NULL, NULL);
    bool told = result != NULL;

    if (told)
        ahead = strtoll(PQgetvalue(result, 0, 0), NULL, 10) - time(NULL);
    PQclear(result);
    if (!told)
        return DOCUMENT_NOT_KNOWN;
    question->made_at = reading->graph.made_at;
    if (ahead > AHEAD_SECONDS) {
        false_because(reading, "the clock of the database is %" PRId64 " seconds ahead of this sidecar's, so that nobody can say whether there were %" PRIu64 " or %" PRIu64
                      " events when it was frozen: set them right",
                      ahead, size, least);
        return DOCUMENT_MISTIMED;
    }
    if (question->made_at <= question->ahead_until) {
        false_because(reading, "it was frozen while the clock of the database was ahead of this sidecar's: it is to be frozen again");
        return DOCUMENT_OUTDATED;
    }
    return false_because(reading, "payload.log names %" PRIu64 " events, and %" PRIu64 " were signed before it was frozen", size, least);
}

/* The size of the tree that the document was frozen against. */
static enum document_verdict check_tree(struct reading *reading, const JsonNode *payload, uint64_t *size)
{
    const JsonDocument *document = &reading->document;
    const JsonNode *log = json_member_literal(document, payload, "log"), *origin, *named, *root;
    const struct log_division *known = reading->question->known;
    struct tree tree = {.db = reading->question->db, .division = reading->question->division};
    uint64_t least;
    MerkleHash told, nothing;
    size_t length;

    if (!log || log->kind != JSON_OBJECT) {
        false_because(reading, "it names no log, as every document does that is frozen now");
        /* before there was a checkpoint it may be older than logs are: then it can only be frozen again */
        return known->origin[0] ? DOCUMENT_FALSE : DOCUMENT_OUTDATED;
    }
    origin = json_member_literal(document, log, "origin");
    named = json_member_literal(document, log, "size");
    root = json_member_literal(document, log, "root");
    if (!origin || origin->kind != JSON_STRING || !named || named->kind != JSON_NUMBER || !(named->u.number >= 0 && named->u.number < 9e15) || !root
        || root->kind != JSON_STRING)
        return false_because(reading, "payload.log names no tree");
    *size = (uint64_t)named->u.number;
    if (*size > reading->question->known->signed_range.size)
        return DOCUMENT_TOO_NEW;
    if (known->origin[0] && !json_string_is(document, origin, known->origin, strlen(known->origin))) {
        false_because(reading, "payload.log names another log than \"%s\"", known->origin);
        return DOCUMENT_OUTDATED;
    }
    /* one that no checkpoint has named yet is a log of this division all the same */
    if (!known->origin[0] && !is_own_origin(reading, origin)) {
        false_because(reading, "payload.log names a log that is none of this division, as checkpoint.origin has it");
        return DOCUMENT_OUTDATED;
    }
    least = log_division_signed_by(known, reading->graph.made_at - SNAPSHOT_CLOCK_SECONDS);
    if (*size < least)
        return judge_older(reading, *size, least);
    if ((sodium_base642bin(told, sizeof(told), json_string(document, root), root->length, NULL, &length, NULL, sodium_base64_VARIANT_ORIGINAL) != 0
         && sodium_hex2bin(told, sizeof(told), json_string(document, root), root->length, NULL, &length, NULL) != 0)
        || length != sizeof(told))
        return false_because(reading, "payload.log.root is no hash");
    merkle_range_root(&(MerkleRange){.size = 0}, nothing);
    if (*size == 0)
        return !memcmp(told, nothing, sizeof(told)) ? DOCUMENT_TRUE : false_because(reading, "payload.log.root is not that of no events");
    if (tree_extends(&tree, *size, told, reading->question->known->signed_range.size, reading->root))
        return DOCUMENT_TRUE;
    return tree.failed ? DOCUMENT_NOT_KNOWN : false_because(reading, "payload.log names a tree that the log does not extend");
}

/* What a document has, and nothing else: whatever stands in it is signed. */
static const char *const members[] = {"created_at", "id", "manifest_signature_id", "payload", "reasoning_graph_version", "root_ids", NULL};
static const char *const payload_members[] = {"annotations", "audience", "depth", "description", "direction", "edges",
                                              "frontier", "log", "nodes", "pii_included", NULL};

static bool is_one_of(const JsonDocument *document, const JsonNode *name, const char *const *names)
{
    while (*names && !json_string_is(document, name, *names, strlen(*names)))
        names++;
    return *names != NULL;
}

static bool has_no_others(struct reading *reading, const JsonNode *object, const char *const *names)
{
    const JsonDocument *document = &reading->document;

    for (const JsonNode *name = json_first(document, object); name; name = json_next(document, object, json_value(name)))
        if (!is_one_of(document, name, names)) {
            false_because(reading, "it has a member \"%.*s\", which this sidecar does not know", (int)(name->length < 60 ? name->length : 60), json_string(document, name));
            return false;
        }
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, UUID_BYTES);
}

static bool is_frontier(const struct reading *reading, const uint8_t id[UUID_BYTES])
{
    const ByteBuffer *frontier = &reading->graph.frontier;

    return frontier->length > 0 && bsearch(id, frontier->data, frontier->length / UUID_BYTES, UUID_BYTES, compare_ids);
}

/* The first columns of the row are UUIDs: whoever rules the database may answer with anything. */
static bool are_ids(PGresult *result, int row, int columns)
{
    for (int column = 0; column < columns; column++)
        if (PQgetlength(result, row, column) != UUID_BYTES)
            return false;
    return true;
}

/* Every edge of these nodes is there, or leads to where the document says that it stopped. */
static enum document_verdict check_links(struct reading *reading, uint64_t size, size_t first, size_t count)
{
    struct array ids = {0};
    char number[24];
    const char *parameters[] = {reading->question->division, NULL, reading->graph.ancestors ? "ancestors" : "descendants", number};
    enum document_verdict verdict = DOCUMENT_NOT_KNOWN;
    PGresult *result = NULL;

    if (doorbell_stopped())
        return DOCUMENT_NOT_KNOWN;
    snprintf(number, sizeof(number), "%" PRIu64, size);
    if (add_ids(&reading->kinds[NODES], first, count, &ids) && (parameters[1] = array_end(&ids)))
        result = db_call_binary(reading->question->db, "SELECT node, edge, other FROM reason.log_links($1, $2::uuid[], $3, $4)", RECORDS_BYTES_MOST, 4, parameters);
    if (result)
        verdict = DOCUMENT_TRUE;
    for (int row = 0; verdict == DOCUMENT_TRUE && row < PQntuples(result); row++) {
        const uint8_t *node = (const uint8_t *)PQgetvalue(result, row, 0), *edge = (const uint8_t *)PQgetvalue(result, row, 1);
        const uint8_t *other = (const uint8_t *)PQgetvalue(result, row, 2);
        char node_id[UUID_TEXT_LENGTH + 1], edge_id[UUID_TEXT_LENGTH + 1];

        if (!are_ids(result, row, 3)) {
            verdict = false_because(reading, "the database names an edge by what is no id");
            break;
        }
        if (find_record(&reading->kinds[EDGES], edge) || (!find_record(&reading->kinds[NODES], other) && is_frontier(reading, node)))
            continue;
        uuid_write_text(node_id, node);
        uuid_write_text(edge_id, edge);
        verdict = false_because(reading, "edge %s of node %s is left out", edge_id, node_id);
    }
    PQclear(result);
    array_free(&ids);
    return verdict;
}

/* Where annotations were asked for, every one of these nodes is there. */
static enum document_verdict check_annotations(struct reading *reading, uint64_t size, size_t first, size_t count)
{
    struct array ids = {0};
    char number[24];
    const char *parameters[] = {reading->question->division, NULL, number};
    enum document_verdict verdict = DOCUMENT_NOT_KNOWN;
    PGresult *result = NULL;

    snprintf(number, sizeof(number), "%" PRIu64, size);
    if (add_ids(&reading->kinds[NODES], first, count, &ids) && (parameters[1] = array_end(&ids)))
        result = db_call_binary(reading->question->db, "SELECT annotation FROM reason.log_annotations($1, $2::uuid[], $3)", RECORDS_BYTES_MOST, 3, parameters);
    if (result)
        verdict = DOCUMENT_TRUE;
    for (int row = 0; verdict == DOCUMENT_TRUE && row < PQntuples(result); row++) {
        const uint8_t *id = (const uint8_t *)PQgetvalue(result, row, 0);
        char text[UUID_TEXT_LENGTH + 1];

        if (!are_ids(result, row, 1)) {
            verdict = false_because(reading, "the database names an annotation by what is no id");
            break;
        }
        uuid_write_text(text, id);
        if (!find_record(&reading->kinds[ANNOTATIONS], id))
            verdict = false_because(reading, "annotation %s is left out", text);
    }
    PQclear(result);
    array_free(&ids);
    return verdict;
}

/* ---------------------------------------------------------------- the whole */

static enum document_verdict check(struct reading *reading, const char *text, size_t length)
{
    const JsonDocument *document = &reading->document;
    const JsonNode *payload, *id;
    enum document_verdict verdict;
    uint64_t size = 0;
    JsonError error;

    if (!json_read(&reading->document, text, length, &limits, &error) && error.code == JSON_ERROR_DEPTH) {
        false_because(reading, "it is nested more deeply than is compared: %s", error.message);
        return DOCUMENT_UNDECIDED;
    }
    if (error.code != JSON_OK)
        return error.code == JSON_ERROR_MEMORY ? DOCUMENT_NOT_KNOWN : false_because(reading, "it is no JSON: %s", error.message);
    payload = json_member_literal(document, json_root(document), "payload");
    id = json_member_literal(document, json_root(document), "id");
    if (!(json_root(document)->flags & JSON_CANONICAL) || json_raw_length(json_root(document)) != length || !payload || payload->kind != JSON_OBJECT
        || !id || !json_string_is(document, id, reading->question->id, strlen(reading->question->id)))
        return false_because(reading, "it is no canonical document of this snapshot");
    /* without a hash before it, its bytes would be those of the first event of a chain, and its signature that event's */
    if (json_member_literal(document, json_root(document), "eventType"))
        return false_because(reading, "it is an event");
    if (!has_no_others(reading, json_root(document), members) || !has_no_others(reading, payload, payload_members))
        return DOCUMENT_STRANGE;
    verdict = check_graph(reading, payload);
    if (verdict == DOCUMENT_TRUE)
        verdict = check_tree(reading, payload, &size);
    for (enum kind kind = 0; verdict == DOCUMENT_TRUE && kind < KINDS; kind++)
        for (size_t first = 0; verdict == DOCUMENT_TRUE && first < reading->kinds[kind].count; first += AT_ONCE) {
            size_t left = reading->kinds[kind].count - first;

            verdict = check_some(reading, kind, first, left < AT_ONCE ? left : AT_ONCE);
        }
    for (size_t first = 0; verdict == DOCUMENT_TRUE && first < reading->kinds[NODES].count; first += LINKS_AT_ONCE) {
        size_t left = reading->kinds[NODES].count - first;

        left = left < LINKS_AT_ONCE ? left : LINKS_AT_ONCE;
        verdict = check_links(reading, size, first, left);
        if (verdict == DOCUMENT_TRUE && reading->graph.has_annotations)
            verdict = check_annotations(reading, size, first, left);
    }
    return verdict;
}

enum document_verdict document_verdict(struct document_question *question, const char *text, size_t length)
{
    struct reading *reading = calloc(1, sizeof(*reading));
    enum document_verdict verdict = DOCUMENT_NOT_KNOWN;

    if (!reading)
        return DOCUMENT_NOT_KNOWN;
    reading->question = question;
    reading->tiles = calloc(1, sizeof(*reading->tiles));
    json_document_init(&reading->document, NULL, NULL);
    json_document_init(&reading->event, NULL, NULL);
    json_document_init(&reading->content, NULL, NULL);
    shown_work_init(&reading->work, LOOKS_MOST, goes_on, NULL, NULL);
    snapshot_graph_init(&reading->graph, NULL, NULL);
    merkle_range_root(&question->known->signed_range, reading->root);
    if (reading->tiles)
        verdict = check(reading, text, length);
    snapshot_graph_free(&reading->graph);
    shown_work_free(&reading->work);
    json_document_free(&reading->content);
    json_document_free(&reading->event);
    json_document_free(&reading->document);
    for (enum kind kind = 0; kind < KINDS; kind++)
        free(reading->kinds[kind].list);
    free(reading->tiles);
    free(reading);
    return verdict;
}
