/*
 * Segments of the audit archive: chain, hashes, signatures, and what the events say of nodes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "approvals.h"
#include "core/canonical.h"
#include "core/names.h"
#include "verify.h"

static const JsonLimits event_limits = {.max_depth = 1000};

/* The chain of one division, as far as it has been seen. */
typedef struct {
    char *division;
    uint64_t seq;
    uint8_t hash[SHA256_LENGTH];
    uint64_t first;                  /* seq of the first hash that is kept */
    uint8_t(*hashes)[SHA256_LENGTH];  /* of each event, if they are to be compared with a log */
    size_t hash_count, hash_capacity;
} Chain;

struct Audit {
    const Registry *registry;
    Chain *chains;
    size_t chain_count;
    NodeIndex *nodes;    /* node → digest */
    NodeIndex *contents; /* event → payloadHash of its record */
    bool keep_hashes;
    Approvals *approvals;
    size_t unapproved;   /* changes whose approvals could not be looked at */
    JsonDocument document;
    ByteBuffer bytes;
};

/* What one object came to. */
typedef struct {
    size_t events;
    size_t bad;
    size_t contents;
    size_t outside; /* nodes referred to that no event here records */
    size_t unknown; /* contents of events that were not given */
    size_t line;    /* 0: it is one event, and no segment */
} Tally;

#define BAD_SHOWN 10

static void *must(void *memory)
{
    if (!memory) {
        fputs("reason-verify: out of memory\n", stderr);
        exit(VERDICT_UNCHECKED);
    }
    return memory;
}

Audit *audit_new(const Registry *registry)
{
    Audit *audit = must(calloc(1, sizeof(*audit)));

    audit->registry = registry;
    audit->nodes = node_index_new();
    audit->contents = node_index_new();
    audit->approvals = approvals_new();
    json_document_init(&audit->document, NULL, NULL);
    buffer_init(&audit->bytes, NULL, NULL);
    return audit;
}

void audit_free(Audit *audit)
{
    for (size_t i = 0; i < audit->chain_count; i++)
        free(audit->chains[i].division), free(audit->chains[i].hashes);
    free(audit->chains);
    node_index_free(audit->nodes);
    node_index_free(audit->contents);
    approvals_free(audit->approvals);
    json_document_free(&audit->document);
    buffer_free(&audit->bytes);
    free(audit);
}

static size_t line_length(const char *text, size_t length)
{
    const char *end = memchr(text, '\n', length);

    return end ? (size_t)(end - text) : length;
}

bool audit_recognises(const char *text, size_t length)
{
    JsonDocument document;
    JsonError error;
    bool found = false;

    json_document_init(&document, NULL, NULL);
    if (length > 0 && json_read(&document, text, line_length(text, length), &event_limits, &error)) {
        const JsonNode *root = json_root(&document);

        found = (json_member_literal(&document, root, "prevHash") && json_member_literal(&document, root, "seq"))
                || (json_member_literal(&document, root, "content") && !json_member_literal(&document, root, "root_ids"));
    }
    json_document_free(&document);
    return found;
}

static void bad(Report *report, Tally *tally, const char *check, const char *what)
{
    if (tally->bad++ >= BAD_SHOWN)
        return;
    if (tally->line)
        report_add(report, FINDING_BAD, check, "line %zu %s", tally->line, what);
    else
        report_add(report, FINDING_BAD, check, "it %s", what);
}

static bool same_text(const JsonDocument *document, const JsonNode *a, const JsonNode *b, const char *member)
{
    Bytes first = member_text(document, a, member);
    Bytes second = member_text(document, b, member);

    return first.data && second.data && first.length == second.length
           && memcmp(first.data, second.data, first.length) == 0;
}

static Chain *find_chain(const Audit *audit, Bytes division)
{
    for (size_t i = 0; i < audit->chain_count; i++) {
        if (strlen(audit->chains[i].division) == division.length
            && memcmp(audit->chains[i].division, division.data, division.length) == 0)
            return &audit->chains[i];
    }
    return NULL;
}

static Chain *add_chain(Audit *audit, Bytes division)
{
    Chain *chain;

    audit->chains = must(realloc(audit->chains, (audit->chain_count + 1) * sizeof(Chain)));
    chain = &audit->chains[audit->chain_count++];
    *chain = (Chain){0};
    chain->division = must(strndup(division.data, division.length));
    return chain;
}

static bool read_seq(const JsonDocument *document, const JsonNode *event, uint64_t *seq)
{
    const JsonNode *value = json_member_literal(document, event, "seq");

    if (!value || value->kind != JSON_NUMBER || !(value->u.number >= 0 && value->u.number <= 9007199254740992.0)
        || value->u.number != (double)(uint64_t)value->u.number)
        return false;
    *seq = (uint64_t)value->u.number;
    return true;
}

/* What an event says of its place: seq, and the hash before, *previous_length 0 for the first event. False: it has no seq. */
static bool read_place(Audit *audit, Report *report, Tally *tally, const JsonNode *event, uint64_t *seq, uint8_t *previous,
                       size_t *previous_length)
{
    Bytes prev_hash = member_text(&audit->document, event, "prevHash");

    *previous_length = prev_hash.length ? SHA256_LENGTH : 0;
    if (!read_seq(&audit->document, event, seq)) {
        bad(report, tally, "chain", "has no seq");
        return false;
    }
    if (*previous_length && !decode_hex(prev_hash, previous, SHA256_LENGTH)) {
        bad(report, tally, "chain", "has a prevHash that is not 64 hexadecimal digits");
        *previous_length = 0;
    }
    if ((*seq == 0) != (*previous_length == 0))
        bad(report, tally, "chain", "is first in its chain or follows another, but seq and prevHash disagree");
    return true;
}

static void keep_hash(Chain *chain, uint64_t seq, const uint8_t hash[SHA256_LENGTH])
{
    if (chain->hash_count == 0)
        chain->first = seq;
    if (chain->hash_count == chain->hash_capacity) {
        chain->hash_capacity = chain->hash_capacity ? chain->hash_capacity * 2 : 1024;
        chain->hashes = must(realloc(chain->hashes, chain->hash_capacity * sizeof(*chain->hashes)));
    }
    /* what does not continue its chain is a fault of its own */
    if (seq == chain->first + chain->hash_count)
        memcpy(chain->hashes[chain->hash_count++], hash, SHA256_LENGTH);
}

/* The chain of division system says who must approve what, which proposals say by its hashes where they were made. */
static bool is_system(Bytes division)
{
    return division.length == 6 && memcmp(division.data, "system", 6) == 0;
}

static void continue_chain(Audit *audit, Report *report, Tally *tally, Bytes division, uint64_t seq, const uint8_t *previous,
                           size_t previous_length, const uint8_t hash[SHA256_LENGTH])
{
    Chain *chain = find_chain(audit, division);

    if (!chain) {
        chain = add_chain(audit, division);
        if (seq != 0)
            report_add(report, FINDING_NOTE, "chain", "division \"%.*s\" begins at seq %llu: what is before was not given",
                       (int)division.length, division.data, (unsigned long long)seq);
    } else if (seq != chain->seq + 1)
        bad(report, tally, "chain", "does not continue its division's seq");
    else if (previous_length && memcmp(previous, chain->hash, SHA256_LENGTH) != 0)
        bad(report, tally, "chain", "does not name the hash of the event before");
    chain->seq = seq;
    memcpy(chain->hash, hash, SHA256_LENGTH);
    if (audit->keep_hashes || is_system(division))
        keep_hash(chain, seq, hash);
}

/* Whether a change has the approvals that it needs, if the chain was given from its first event on. */
static void check_approvals(Audit *audit, Report *report, Tally *tally, const JsonNode *payload, uint64_t seq)
{
    const Chain *chain = find_chain(audit, (Bytes){"system", 6});
    const char *fault;

    if (chain->first != 0 || chain->hash_count != seq + 1) {
        audit->unapproved += approvals_concern(&audit->document, payload);
        return;
    }
    fault = approvals_take(audit->approvals, &audit->document, payload, (const uint8_t(*)[SHA256_LENGTH])chain->hashes, seq);
    if (fault)
        bad(report, tally, "approvals", fault);
}

static void check_hash_and_signature(Audit *audit, Report *report, Tally *tally, const JsonNode *event,
                                     const JsonNode *payload, const uint8_t hash[SHA256_LENGTH],
                                     const uint8_t *previous, size_t previous_length)
{
    const JsonDocument *document = &audit->document;
    uint8_t computed[SHA256_LENGTH];
    uint8_t signature[SIGNATURE_LENGTH];
    int64_t ts;
    const char *refusal;

    audit->bytes.length = 0;
    canonical_write_value(&audit->bytes, document, payload);
    sha256_of_two(computed, audit->bytes.data, audit->bytes.length, previous, previous_length);
    if (memcmp(computed, hash, SHA256_LENGTH) != 0) {
        bad(report, tally, "hash", "has a hash that its payload and prevHash do not give");
        return;
    }
    if (!parse_time(member_text(document, payload, "ts"), &ts)) {
        bad(report, tally, "payload", "has no time");
        return;
    }
    if (ts > latest_present()) {
        bad(report, tally, "payload", "says it happened in the future");
        return;
    }
    if (!audit->registry)
        return;
    if (!decode_base64(member_text(document, event, "signature"), signature, SIGNATURE_LENGTH)) {
        bad(report, tally, "signature", "has a signature that is not the base64 of 64 bytes");
        return;
    }
    refusal = registry_refusal(audit->registry, member_text(document, event, "signerId"), signature, hash, SHA256_LENGTH,
                               ts, latest_present());
    if (refusal)
        bad(report, tally, "signature", refusal);
}

static void check_reference(Audit *audit, Report *report, Tally *tally, const JsonNode *record, const char *id_name,
                            const char *digest_name)
{
    const JsonDocument *document = &audit->document;
    const uint8_t *known = node_index_find(audit->nodes, member_text(document, record, id_name));
    uint8_t stated[SHA256_LENGTH];

    if (!known)
        tally->outside++;
    else if (!decode_hex(member_text(document, record, digest_name), stated, SHA256_LENGTH)
             || memcmp(known, stated, SHA256_LENGTH) != 0)
        bad(report, tally, "record", "was made over another version of its node");
}

static void check_content(Audit *audit, Report *report, Tally *tally, const JsonNode *content, Bytes payload_hash)
{
    const JsonDocument *document = &audit->document;
    const JsonNode *salt = json_member_literal(document, content, "salt");
    const JsonNode *payload = json_member_literal(document, content, "payload");

    if (!salt || !payload || !content_matches(document, salt, payload, payload_hash))
        bad(report, tally, "content", "has a content other than its payloadHash says");
    else
        tally->contents++;
}

/* What an event records, and its content if it came along. */
static void check_record(Audit *audit, Report *report, Tally *tally, const JsonNode *event, const JsonNode *payload)
{
    const JsonDocument *document = &audit->document;
    const JsonNode *content = json_member_literal(document, event, "content");
    const JsonNode *node = json_member_literal(document, payload, "node");
    const JsonNode *edge = json_member_literal(document, payload, "edge");
    const JsonNode *annotation = json_member_literal(document, payload, "annotation");
    const JsonNode *committed = node ? node : annotation;
    uint8_t digest[SHA256_LENGTH];

    if (json_string_is(document, json_member_literal(document, payload, "eventType"), "node.created", 12) && node) {
        /* The digest is over the whole record, as it stands in the event. */
        audit->bytes.length = 0;
        canonical_write_value(&audit->bytes, document, node);
        sha256_of(digest, audit->bytes.data, audit->bytes.length);
        if (!node_index_add(audit->nodes, member_text(document, node, "id"), digest))
            bad(report, tally, "record", "records a node without an id of its own");
    }
    if (edge) {
        check_reference(audit, report, tally, edge, "from", "fromDigest");
        check_reference(audit, report, tally, edge, "to", "toDigest");
    }
    if (annotation)
        check_reference(audit, report, tally, annotation, "target", "targetDigest");
    if (committed) {
        Bytes payload_hash = member_text(document, committed, "payloadHash");

        if (!decode_hex(payload_hash, digest, SHA256_LENGTH))
            bad(report, tally, "record", "has no payloadHash");
        else {
            node_index_add(audit->contents, member_text(document, payload, "id"), digest);
            if (content && content->kind == JSON_OBJECT)
                check_content(audit, report, tally, content, payload_hash);
        }
    }
}

/* True when seq and hash are known. An event of a segment must continue its chain. */
static bool check_event(Audit *audit, Report *report, Tally *tally, const JsonNode *event, const JsonNode *payload,
                        uint64_t *seq, uint8_t hash[SHA256_LENGTH])
{
    static const char *const repeated[] = {"id", "eventType", "division", "ts", NULL};
    const JsonDocument *document = &audit->document;
    Bytes division = member_text(document, event, "division");
    Bytes type = member_text(document, payload, "eventType");
    uint8_t previous[SHA256_LENGTH];
    size_t previous_length;
    bool placed;

    tally->events++;
    if (!division.data || !decode_hex(member_text(document, event, "hash"), hash, SHA256_LENGTH)) {
        bad(report, tally, "event", "has no division or no hash of 64 hexadecimal digits");
        return false;
    }
    if (!division_name_is_valid(division.data, division.length))
        bad(report, tally, "event", "is of a division that can have no such name");
    for (const char *const *name = repeated; *name; name++) {
        if (!same_text(document, event, payload, *name)) {
            bad(report, tally, "event", "says otherwise than its payload");
            break;
        }
    }
    placed = read_place(audit, report, tally, event, seq, previous, &previous_length);
    if (placed && tally->line)
        continue_chain(audit, report, tally, division, *seq, previous, previous_length, hash);
    check_hash_and_signature(audit, report, tally, event, payload, hash, previous, previous_length);
    if (placed && tally->line && is_system(division))
        check_approvals(audit, report, tally, payload, *seq);
    if (type.data && !is_system(division) && event_type_is_of_system(type.data, type.length))
        bad(report, tally, "event", "is of a type that division \"system\" alone may hold");
    if (type.data)
        check_record(audit, report, tally, event, payload);
    return placed;
}

/* A line of a contents segment: the event's id, and salt and payload. */
static void check_content_line(Audit *audit, Report *report, Tally *tally, const JsonNode *line)
{
    const JsonDocument *document = &audit->document;
    const JsonNode *content = json_member_literal(document, line, "content");
    Bytes id = member_text(document, line, "id");
    const uint8_t *payload_hash;
    char hex[SHA256_LENGTH * 2 + 1];

    if (content->kind != JSON_OBJECT)
        return;
    payload_hash = id.data ? node_index_find(audit->contents, id) : NULL;
    if (!payload_hash) {
        tally->unknown++;
        return;
    }
    encode_hex(hex, payload_hash, SHA256_LENGTH);
    check_content(audit, report, tally, content, (Bytes){hex, SHA256_LENGTH * 2});
}

static void summarize(Report *report, const Audit *audit, const Tally *tally)
{
    if (audit->unapproved)
        report_add(report, FINDING_NOTE, "approvals",
                   "whether %zu changes have the approvals that they need cannot be told: the chain of division \"system\" was not given from its first event on",
                   audit->unapproved);
    if (tally->bad) {
        report_add(report, FINDING_BAD, "events", "%zu faults in %zu events", tally->bad, tally->events);
        return;
    }
    if (tally->events)
        report_add(report, FINDING_OK, "events", "%zu events: hashes, chain and signatures; %zu references to nodes outside",
                   tally->events, tally->outside);
    if (tally->events && approvals_counted(audit->approvals))
        report_add(report, FINDING_OK, "approvals", "%zu changes have the approvals that they needed", approvals_counted(audit->approvals));
    if (tally->contents)
        report_add(report, FINDING_OK, "contents", "%zu payloads match their hash", tally->contents);
    if (tally->unknown)
        report_add(report, FINDING_UNCHECKED, "contents", "%zu payloads are of events that were not given before",
                   tally->unknown);
    if (!tally->events && !tally->contents && !tally->unknown)
        report_add(report, FINDING_UNCHECKED, "events", "there are none");
    for (size_t i = 0; tally->events && i < audit->chain_count; i++) {
        char hex[SHA256_LENGTH * 2 + 1];

        encode_hex(hex, audit->chains[i].hash, SHA256_LENGTH);
        report_add(report, FINDING_NOTE, "head", "division \"%s\" at seq %llu: %s", audit->chains[i].division,
                   (unsigned long long)audit->chains[i].seq, hex);
    }
}

void audit_verify(Audit *audit, Report *report, const char *text, size_t length)
{
    Tally tally = {0};
    const char *end = text + length;
    uint64_t seq;
    uint8_t hash[SHA256_LENGTH];

    for (const char *line = text; line < end;) {
        size_t size = line_length(line, (size_t)(end - line));
        JsonError error;

        tally.line++;
        if (size > 0 && !json_read(&audit->document, line, size, &event_limits, &error)) {
            char what[300];

            snprintf(what, sizeof(what), "is not JSON: %s (byte offset %zu)", error.message, error.offset);
            bad(report, &tally, "event", what);
        } else if (size > 0) {
            const JsonNode *root = json_root(&audit->document);
            const JsonNode *payload = json_member_literal(&audit->document, root, "payload");

            if (payload && payload->kind == JSON_OBJECT)
                check_event(audit, report, &tally, root, payload, &seq, hash);
            else if (json_member_literal(&audit->document, root, "content"))
                check_content_line(audit, report, &tally, root);
            else
                bad(report, &tally, "event", "is neither an event nor the content of one");
        }
        line += size + 1;
    }
    report->events = tally.events;
    summarize(report, audit, &tally);
}

bool audit_check_event(const Registry *registry, Report *report, const char *text, size_t length, AuditEvent *out)
{
    Audit *audit = audit_new(registry);
    const JsonDocument *document = &audit->document;
    const JsonNode *root, *payload = NULL;
    JsonError error;
    Tally tally = {0};
    bool good = false;

    if (json_read(&audit->document, text, length, &event_limits, &error)) {
        root = json_root(document);
        payload = json_member_literal(document, root, "payload");
    }
    if (!payload || payload->kind != JSON_OBJECT)
        bad(report, &tally, "event", "is no event");
    else
        good = check_event(audit, report, &tally, root, payload, &out->seq, out->hash);
    if (good) {
        Bytes division = member_text(document, root, "division"), type = member_text(document, payload, "eventType");

        out->division = must(strndup(division.data, division.length));
        out->event_type = must(strndup(type.data ? type.data : "", type.length));
        if (!parse_time(member_text(document, payload, "ts"), &out->ts))
            out->ts = KEY_TIME_BEGIN;
        if (tally.contents)
            report_add(report, FINDING_OK, "contents", "its content matches its payloadHash");
    }
    audit_free(audit);
    return good;
}

void audit_event_free(AuditEvent *event)
{
    free(event->division);
    free(event->event_type);
}

void audit_keep_hashes(Audit *audit)
{
    audit->keep_hashes = true;
}

const uint8_t *audit_hash_of(const Audit *audit, const char *division, uint64_t seq)
{
    const Chain *chain = find_chain(audit, (Bytes){division, strlen(division)});

    return chain && seq >= chain->first && seq - chain->first < chain->hash_count ? chain->hashes[seq - chain->first] : NULL;
}

uint64_t audit_events_from(const Audit *audit, const char *division, uint64_t seq)
{
    const Chain *chain = find_chain(audit, (Bytes){division, strlen(division)});
    uint64_t end = chain ? chain->first + chain->hash_count : 0;

    return end > seq ? end - (seq > chain->first ? seq : chain->first) : 0;
}
