/*
 * Heads of logs: what a log was at some size, as proofs, checkpoints, snapshots and whoever verifies say. Two heads of one
 * log and size must be the same; a larger one must extend what was noted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "core/decimal.h"
#include "log.h"

static bool fail(ByteBuffer *error, const char *what)
{
    buffer_append(error, what, strlen(what));
    return false;
}

void heads_free(Heads *heads)
{
    for (size_t i = 0; i < heads->count; i++) {
        free(heads->heads[i].label);
        free(heads->heads[i].origin);
    }
    free(heads->heads);
    free(heads->consistency);
    memset(heads, 0, sizeof(*heads));
}

/* NULL when there is no memory. */
static Head *add(Heads *heads, const char *label, const Checkpoint *checkpoint, bool noted)
{
    Head *larger = realloc(heads->heads, (heads->count + 1) * sizeof(*larger));
    Head *head;

    if (!larger)
        return NULL;
    heads->heads = larger;
    head = &larger[heads->count];
    *head = (Head){.label = strdup(label), .origin = strndup(checkpoint->origin.data, checkpoint->origin.length),
                   .size = checkpoint->size, .noted = noted};
    memcpy(head->root, checkpoint->root, SHA256_LENGTH);
    if (!head->label || !head->origin) {
        free(head->label);
        free(head->origin);
        return NULL;
    }
    heads->count++;
    return head;
}

bool heads_note(Heads *heads, const char *label, const char *text, size_t length, ByteBuffer *error)
{
    SignedNote *note = calloc(1, sizeof(*note));
    const char *fault = note ? NULL : "out of memory";
    Checkpoint checkpoint;

    /* A file with signatures is read as a signed checkpoint; three lines that somebody noted have none. */
    if (note && note_parse(note, text, length) == NULL)
        fault = checkpoint_parse(&checkpoint, note->text.data, note->text.length);
    else if (note)
        fault = checkpoint_parse(&checkpoint, text, length);
    if (!fault && !add(heads, label, &checkpoint, true))
        fault = "out of memory";
    free(note);
    return fault ? fail(error, fault) : true;
}

bool heads_note_by_hand(Heads *heads, const char *origin, const char *size, const char *root, ByteBuffer *error)
{
    Checkpoint checkpoint = {.origin = {origin, strlen(origin)}};
    Bytes text = {root, strlen(root)};

    if (!decimal_read(size, strlen(size), &checkpoint.size))
        return fail(error, "the size is no number");
    if (!decode_base64(text, checkpoint.root, SHA256_LENGTH) && !decode_hex(text, checkpoint.root, SHA256_LENGTH))
        return fail(error, "the root is not 32 bytes in Base 64 or hexadecimal");
    return add(heads, "what you noted", &checkpoint, true) || fail(error, "out of memory");
}

static bool add_hash(Heads *heads, const char *text, size_t length, ByteBuffer *error)
{
    if (heads->consistency_count == MERKLE_MAX_HASHES)
        return fail(error, "there are more than 64 hashes");
    if (!decode_base64((Bytes){text, length}, heads->consistency[heads->consistency_count], SHA256_LENGTH))
        return fail(error, "a hash is not 32 bytes in Base 64");
    heads->consistency_count++;
    return true;
}

static bool read_hashes_of_json(Heads *heads, const char *text, size_t length, ByteBuffer *error)
{
    const JsonLimits limits = {.max_depth = 16};
    JsonDocument document;
    JsonError json_error;
    const JsonNode *hashes = NULL;
    bool good = true;

    json_document_init(&document, NULL, NULL);
    if (json_read(&document, text, length, &limits, &json_error))
        hashes = json_member_literal(&document, json_root(&document), "hashes");
    if (!hashes || hashes->kind != JSON_ARRAY)
        good = fail(error, "it is neither lines of Base 64 nor JSON with an array \"hashes\"");
    for (const JsonNode *h = good ? json_first(&document, hashes) : NULL; h && good; h = json_next(&document, hashes, h))
        good = h->kind == JSON_STRING ? add_hash(heads, json_string(&document, h), h->length, error) : fail(error, "a hash is no text");
    json_document_free(&document);
    return good;
}

bool heads_read_consistency(Heads *heads, const char *text, size_t length, ByteBuffer *error)
{
    const char *end;

    heads->consistency = calloc(MERKLE_MAX_HASHES, sizeof(*heads->consistency));
    if (!heads->consistency)
        return fail(error, "out of memory");
    heads->has_consistency = true;
    if (length == 0)
        return true;
    if (text[0] == '{')
        return read_hashes_of_json(heads, text, length, error);
    end = text + length;
    for (const char *line = text; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t size = (size_t)((newline ? newline : end) - line);

        if (size > 0 && !add_hash(heads, line, size, error))
            return false;
        line += size + 1;
    }
    return true;
}

/* A head that an object states, against one that was noted, which it must extend. */
static void compare_with_noted(const Heads *heads, Report *report, Head *noted, const Checkpoint *now)
{
    if (now->size < noted->size) {
        noted->compared = true;
        report_add(report, FINDING_BAD, "noted", "the log had %llu events by %s, and has %llu here: its end was cut off, or this is older",
                   (unsigned long long)noted->size, noted->label, (unsigned long long)now->size);
        return;
    }
    if (!heads->has_consistency)
        return;
    noted->compared = true;
    if (noted->size == 0 || merkle_verify_consistency(noted->size, now->size, noted->root, now->root,
                                                      (const MerkleHash *)heads->consistency, heads->consistency_count))
        report_add(report, FINDING_OK, "noted", "it extends the log of %llu events by %s", (unsigned long long)noted->size,
                   noted->label);
    else
        report_add(report, FINDING_BAD, "noted", "the proof does not show that it extends the log of %llu events by %s",
                   (unsigned long long)noted->size, noted->label);
}

void heads_add(Heads *heads, Report *report, const Checkpoint *checkpoint)
{
    for (size_t i = 0; i < heads->count; i++) {
        Head *head = &heads->heads[i];

        if (strlen(head->origin) != checkpoint->origin.length
            || memcmp(head->origin, checkpoint->origin.data, checkpoint->origin.length) != 0)
            continue;
        if (head->size == checkpoint->size) {
            head->compared = true;
            if (memcmp(head->root, checkpoint->root, SHA256_LENGTH) != 0)
                report_add(report, FINDING_BAD, head->noted ? "noted" : "heads", "the log has another root at %llu events than by %s",
                           (unsigned long long)head->size, head->label);
            else if (head->noted)
                report_add(report, FINDING_OK, "noted", "it is the log of %llu events by %s", (unsigned long long)head->size,
                           head->label);
        } else if (head->noted)
            compare_with_noted(heads, report, head, checkpoint);
    }
    if (!add(heads, report->name, checkpoint, false))
        report_add(report, FINDING_UNCHECKED, "heads", "out of memory");
}

bool heads_remember(Heads *heads, const char *label, const Checkpoint *checkpoint)
{
    return add(heads, label, checkpoint, false) != NULL;
}

/* Whether the document's payload.log names a head; it points into the document. */
static bool read_snapshot_head(const JsonDocument *document, Checkpoint *checkpoint)
{
    const JsonNode *payload = json_member_literal(document, json_root(document), "payload");
    const JsonNode *log = payload ? json_member_literal(document, payload, "log") : NULL;
    const JsonNode *size = log && log->kind == JSON_OBJECT ? json_member_literal(document, log, "size") : NULL;
    Bytes origin = member_text(document, log, "origin");

    if (!size || size->kind != JSON_NUMBER || !(size->u.number >= 0 && size->u.number <= 9007199254740992.0)
        || size->u.number != (double)(uint64_t)size->u.number || origin.length == 0
        || !decode_base64(member_text(document, log, "root"), checkpoint->root, SHA256_LENGTH))
        return false;
    checkpoint->origin = (NoteText){origin.data, origin.length};
    checkpoint->size = (uint64_t)size->u.number;
    return true;
}

void heads_add_snapshot(Heads *heads, Report *report, const char *text, size_t length)
{
    const JsonLimits limits = {.max_depth = 1000};
    JsonDocument document;
    JsonError error;
    Checkpoint checkpoint = {0};

    if (!heads->wanted)
        return;
    json_document_init(&document, NULL, NULL);
    if (json_read(&document, text, length, &limits, &error) && read_snapshot_head(&document, &checkpoint))
        heads_add(heads, report, &checkpoint);
    json_document_free(&document);
}

void heads_report_left(const Heads *heads, Report *report)
{
    for (size_t i = 0; i < heads->count; i++) {
        const Head *head = &heads->heads[i];

        if (head->noted && !head->compared)
            report_add(report, FINDING_UNCHECKED, "noted",
                       "nothing that was given says what the log \"%s\" was at %llu events: give the log, or a proof with --consistency",
                       head->origin, (unsigned long long)head->size);
    }
}
