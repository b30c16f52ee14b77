/*
 * A snapshot: the signed bytes themselves with what is claimed about them, or an envelope.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/canonical.h"
#include "verify.h"

/* As deep as the database itself reads canonical JSON by default. */
static const JsonLimits document_limits = {.max_depth = 1000};

void claims_take(Claims *claims, const JsonDocument *metadata)
{
    static const struct {
        size_t claim;
        const char *names[4];
    } members[] = {
        {offsetof(Claims, snapshot_id), {"snapshot-id", "snapshotId", "id", NULL}},
        {offsetof(Claims, hash), {"hash", NULL}},
        {offsetof(Claims, signature), {"signature", NULL}},
        {offsetof(Claims, signer_id), {"signer-id", "signerId", NULL}},
        {offsetof(Claims, ts), {"ts", "signedAt", NULL}},
    };

    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        Bytes *claim = (Bytes *)((char *)claims + members[i].claim);

        for (const char *const *name = members[i].names; *name && !claim->data; name++)
            *claim = member_text(metadata, json_root(metadata), *name);
    }
}

static bool read_document(Report *report, JsonDocument *document, const char *text, size_t length)
{
    JsonError error;

    if (!json_read(document, text, length, &document_limits, &error)) {
        report_add(report, FINDING_BAD, "document", "%s (JSON Pointer \"%s\", byte offset %zu)", error.message,
                   error.pointer, error.offset);
        return false;
    }
    if (json_root(document)->kind != JSON_OBJECT) {
        report_add(report, FINDING_BAD, "document", "is not a JSON object");
        return false;
    }
    return true;
}

static void take_id(Report *report, Bytes id)
{
    snprintf(report->id, sizeof(report->id), "%.*s", (int)id.length, id.data ? id.data : "");
}

static bool is_member(const char *name, size_t length, const char *const *allowed)
{
    for (; *allowed; allowed++) {
        if (strlen(*allowed) == length && memcmp(*allowed, name, length) == 0)
            return true;
    }
    return false;
}

/* The form of a snapshot document; what was signed as something else must not pass for one. */
static void check_form(Report *report, const JsonDocument *document, const JsonNode *root,
                       const char *const *envelope_members)
{
    static const char *const members[] = {"id", "root_ids", "created_at", "reasoning_graph_version",
                                          "manifest_signature_id", "payload", NULL};
    const JsonNode *root_ids = json_member_literal(document, root, "root_ids");
    const JsonNode *payload = json_member_literal(document, root, "payload");

    if (json_member_literal(document, root, "eventType")) {
        report_add(report, FINDING_BAD, "document", "is an audit event, not a snapshot");
        return;
    }
    for (const JsonNode *name = json_first(document, root); name; name = json_next(document, root, json_value(name))) {
        const char *text = json_string(document, name);

        if (!is_member(text, name->length, members)
            && !(envelope_members && is_member(text, name->length, envelope_members)))
            report_add(report, FINDING_BAD, "document", "has the unknown member \"%.*s\"",
                       (int)(name->length < 60 ? name->length : 60), text);
    }
    if (!member_text(document, root, "id").data || !member_text(document, root, "created_at").data
        || !member_text(document, root, "reasoning_graph_version").data || !root_ids
        || root_ids->kind != JSON_ARRAY || root_ids->length == 0 || !payload || payload->kind != JSON_OBJECT) {
        report_add(report, FINDING_BAD, "document", "lacks members that every snapshot has");
        return;
    }
    verify_records(report, document, payload);
}

/* When it can have been signed: from the document's own time to the one claimed, or to now. */
static void signing_times(Report *report, const JsonDocument *document, Bytes ts, int64_t *earliest, int64_t *latest)
{
    Bytes created_at = member_text(document, json_root(document), "created_at");
    int64_t signed_at;

    *latest = latest_present();
    if (!parse_time(created_at, earliest)) {
        report_add(report, FINDING_BAD, "document", "created_at is not a time");
        *earliest = *latest;
        return;
    }
    if (*earliest > *latest)
        report_add(report, FINDING_BAD, "document", "says it was made at %.*s, which is in the future",
                   (int)created_at.length, created_at.data);
    if (!ts.data)
        return;
    if (!parse_time(ts, &signed_at)) {
        report_add(report, FINDING_BAD, "metadata", "ts is not a time");
        return;
    }
    if (signed_at > *latest)
        report_add(report, FINDING_BAD, "metadata", "says it was signed at %.*s, which is in the future", (int)ts.length,
                   ts.data);
    else if (signed_at < *earliest - CLOCK_TOLERANCE)
        report_add(report, FINDING_BAD, "metadata", "says it was signed at %.*s, before it was made at %.*s",
                   (int)ts.length, ts.data, (int)created_at.length, created_at.data);
    else if (signed_at > *earliest)
        *earliest = signed_at;
    *latest = *earliest;
}

static void check_signature(Report *report, const Registry *registry, const JsonDocument *document, Bytes signature,
                            Bytes signer_id, Bytes ts, const uint8_t hash[SHA256_LENGTH])
{
    uint8_t bytes[SIGNATURE_LENGTH];
    int64_t earliest, latest;

    if (!signature.data || !signer_id.data) {
        report_add(report, FINDING_UNCHECKED, "signature", "there is no signature with a signer's id: give its metadata");
        return;
    }
    if (!decode_base64(signature, bytes, SIGNATURE_LENGTH)) {
        report_add(report, FINDING_BAD, "signature", "is not the base64 of 64 bytes");
        return;
    }
    signing_times(report, document, ts, &earliest, &latest);
    registry_check(registry, report, signer_id, bytes, hash, SHA256_LENGTH, earliest, latest);
}

void verify_snapshot(Report *report, const Registry *registry, const char *text, size_t length, const Claims *claims)
{
    JsonDocument document;
    uint8_t hash[SHA256_LENGTH];
    uint8_t claimed[SHA256_LENGTH];
    Bytes id;

    /* The hash is over the bytes, whatever they are. */
    sha256_of(hash, text, length);
    encode_hex(report->hash, hash, sizeof(hash));
    if (claims->hash.data) {
        if (!decode_hex(claims->hash, claimed, SHA256_LENGTH) || memcmp(hash, claimed, SHA256_LENGTH) != 0)
            report_add(report, FINDING_BAD, "hash", "of these %zu bytes is %s, not %.*s", length, report->hash,
                       (int)(claims->hash.length < 80 ? claims->hash.length : 80), claims->hash.data);
        else
            report_add(report, FINDING_OK, "hash", "SHA-256 %s of %zu bytes", report->hash, length);
    } else
        report_add(report, FINDING_NOTE, "hash", "SHA-256 %s of %zu bytes; none was given to compare with",
                   report->hash, length);

    json_document_init(&document, NULL, NULL);
    if (read_document(report, &document, text, length)) {
        id = member_text(&document, json_root(&document), "id");
        take_id(report, id);
        if (json_root(&document)->flags & JSON_CANONICAL && json_raw_length(json_root(&document)) == length)
            report_add(report, FINDING_OK, "canonical", "the bytes are canonical JSON (RFC 8785)");
        else
            report_add(report, FINDING_BAD, "canonical", "the bytes are not canonical JSON (RFC 8785)");
        if (claims->snapshot_id.data && (!id.data || claims->snapshot_id.length != id.length
                                         || memcmp(claims->snapshot_id.data, id.data, id.length) != 0))
            report_add(report, FINDING_BAD, "metadata", "is of snapshot %.*s", (int)claims->snapshot_id.length,
                       claims->snapshot_id.data);
        check_signature(report, registry, &document, claims->signature, claims->signer_id, claims->ts, hash);
        check_form(report, &document, json_root(&document), NULL);
    }
    json_document_free(&document);
}

static const char *const envelope_members[] = {"snapshot_bytes_canonical_hash", "signer_kid", "signature", NULL};

/* The signed bytes: the envelope's members in canonical order, without those that the envelope adds. */
static void write_signed_bytes(ByteBuffer *out, const JsonDocument *document, const JsonNode *root)
{
    const uint32_t *order = root->flags & JSON_REORDERED ? document->order + root->u.span.extra : NULL;
    const JsonNode *name = json_first(document, root);
    bool first = true;

    buffer_append_char(out, '{');
    for (uint32_t i = 0; i < root->length; i++) {
        if (order)
            name = document->nodes + order[i];
        if (!is_member(json_string(document, name), name->length, envelope_members)) {
            if (!first)
                buffer_append_char(out, ',');
            first = false;
            canonical_write_string(out, json_string(document, name), name->length);
            buffer_append_char(out, ':');
            canonical_write_value(out, document, json_value(name));
        }
        if (!order)
            name = json_next(document, root, json_value(name));
    }
    buffer_append_char(out, '}');
}

void verify_envelope(Report *report, const Registry *registry, const char *text, size_t length)
{
    JsonDocument document;
    ByteBuffer bytes;
    uint8_t hash[SHA256_LENGTH];
    uint8_t stated[SHA256_LENGTH];

    json_document_init(&document, NULL, NULL);
    buffer_init(&bytes, NULL, NULL);
    if (read_document(report, &document, text, length)) {
        const JsonNode *root = json_root(&document);

        take_id(report, member_text(&document, root, "id"));
        write_signed_bytes(&bytes, &document, root);
        if (bytes.failed)
            report_add(report, FINDING_UNCHECKED, "hash", "out of memory");
        else {
            sha256_of(hash, bytes.data, bytes.length);
            encode_hex(report->hash, hash, sizeof(hash));
            if (!decode_base64(member_text(&document, root, "snapshot_bytes_canonical_hash"), stated, SHA256_LENGTH))
                report_add(report, FINDING_BAD, "hash", "snapshot_bytes_canonical_hash is not the base64 of 32 bytes");
            else if (memcmp(hash, stated, SHA256_LENGTH) != 0)
                report_add(report, FINDING_BAD, "hash", "of the canonical document is %s, not the one stated", report->hash);
            else
                report_add(report, FINDING_OK, "hash", "SHA-256 %s of the canonical document's %zu bytes", report->hash,
                           bytes.length);
            check_signature(report, registry, &document, member_text(&document, root, "signature"),
                            member_text(&document, root, "signer_kid"), (Bytes){NULL, 0}, hash);
        }
        check_form(report, &document, root, envelope_members);
    }
    buffer_free(&bytes);
    json_document_free(&document);
}
