/* snapshot.c: a snapshot of what was written: asked for, waited for, and taken from the store itself. */
#include "canary/answer.h"

#include "core/uuid_text.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A cause, an effect and an edge. */
#define DOCUMENT_MOST (1024 * 1024)

static json_t *ask_for_it(struct canary *canary)
{
    json_t *body = json_pack("{s:[s], s:s, s:s, s:i}", "rootNodeIds", canary->effect, "division", canary->division, "description", "a release is tried",
                             "depth", 5);
    json_t *answer = answer_to(canary, &(struct question){.gateway = &canary->gateway, .method = "POST", .path = "/reason/snapshot", .body = body,
                                                          .key = canary->marker, .prefer = "wait=1", .status = 202, .or_status = 201});

    json_decref(body);
    return answer;
}

bool canary_freezes(struct canary *canary)
{
    json_t *answer = ask_for_it(canary), *expected;
    char id[MARKER_SIZE] = "";
    unsigned char bytes[UUID_BYTES];
    const char *status = "pending";
    bool ok;

    if (!answer)
        return false;
    snprintf(id, sizeof(id), "%s", answer_text(canary, "the snapshot", answer, "snapshotId"));
    json_decref(answer);
    /* it names an object of the store */
    if (!uuid_read_text(id, strlen(id), bytes))
        return canary_fail(canary, "the snapshot's id is no UUID: \"%s\"", id);
    do {
        json_decref(canary->snapshot);
        canary->snapshot = answer_from(canary, &canary->gateway, "/reason/snapshot/%s?division=%s", id, canary->division);
        if (!canary->snapshot)
            return false;
        status = answer_text(canary, "the snapshot", canary->snapshot, "status");
    } while (!strcmp(status, "pending") && canary_pause(canary));
    expected = json_pack("{s:s, s:s, s:s, s:[s], s:s, s:i, s:i}", "snapshotId", id, "status", "complete", "division", canary->division, "rootNodeIds",
                         canary->effect, "direction", "ancestors", "nodeCount", 2, "edgeCount", 1);
    if (!strcmp(status, "pending"))
        canary_fail(canary, "the snapshot was not complete in time");
    ok = strcmp(status, "pending") != 0 && answer_says(canary, "the snapshot", canary->snapshot, expected)
         && answer_text(canary, "the snapshot", canary->snapshot, "hash")[0] && answer_text(canary, "the snapshot", canary->snapshot, "signature")[0]
         && answer_text(canary, "the snapshot", canary->snapshot, "signerId")[0];
    json_decref(expected);
    return ok;
}

/* ---------------------------------------------------------------- the object */

static bool has_hash(const char *bytes, size_t length, const char *hash)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    char hex[2 * crypto_hash_sha256_BYTES + 1];

    crypto_hash_sha256(digest, (const unsigned char *)bytes, length);
    sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
    return !strcmp(hex, hash);
}

/* The record of an id among those of the document; NULL: it is not there. */
static json_t *record_of(const json_t *records, const char *id)
{
    size_t number;
    json_t *record;

    json_array_foreach(records, number, record)
    if (!strcmp(json_string_value(json_object_get(record, "id")) ? json_string_value(json_object_get(record, "id")) : "", id))
        return record;
    return NULL;
}

/* In a document a record stands as it was hashed, without the event that recorded it. */
static bool holds(struct canary *canary, const json_t *records, const json_t *must)
{
    json_t *expected = json_copy((json_t *)must);
    bool ok;

    json_object_del(expected, "auditEventId");
    ok = answer_says(canary, "the snapshot in the store", record_of(records, json_string_value(json_object_get(must, "id"))), expected);
    json_decref(expected);
    return ok;
}

static bool is_of_what_was_written(struct canary *canary, size_t length)
{
    json_error_t error;
    json_t *document = json_loadb(canary->document, length, JSON_REJECT_DUPLICATES, &error);
    const json_t *payload = json_object_get(document, "payload"), *nodes = json_object_get(payload, "nodes"), *edges = json_object_get(payload, "edges");
    json_t *expected = json_pack("{s:O, s:[s]}", "id", json_object_get(canary->snapshot, "snapshotId"), "root_ids", canary->effect);
    bool ok = document ? answer_says(canary, "the snapshot in the store", document, expected) : canary_fail(canary, "the snapshot in the store is no JSON: %s", error.text);

    if (ok && (json_array_size(nodes) != 2 || json_array_size(edges) != 1))
        ok = canary_fail(canary, "the snapshot in the store has %zu nodes and %zu edges, not 2 and 1", json_array_size(nodes), json_array_size(edges));
    ok = ok && holds(canary, nodes, canary->cause_shown) && holds(canary, nodes, canary->effect_shown) && holds(canary, edges, canary->edge_shown);
    json_decref(expected);
    json_decref(document);
    return ok;
}

bool canary_stores(struct canary *canary)
{
    const char *id = json_string_value(json_object_get(canary->snapshot, "snapshotId")), *version = json_string_value(json_object_get(canary->snapshot, "objectVersion"));
    const char *hash = json_string_value(json_object_get(canary->snapshot, "hash"));
    char key[256], path[256], *shown = NULL;
    size_t length, shown_length;
    bool ok;

    snprintf(key, sizeof(key), "snapshots/%s/%s.json", canary->division, id);
    canary->store->until_ms = canary->until_ms;
    if (!store_read_text(canary->store, key, version ? version : "", DOCUMENT_MOST, &canary->document) || !canary->document)
        return canary_fail(canary, "\"%s\" cannot be had from the store", key);
    length = strlen(canary->document);
    if (!has_hash(canary->document, length, hash))
        return canary_fail(canary, "\"%s\" in the store has other bytes than were signed: its SHA-256 is not %s", key, hash);
    if (!is_of_what_was_written(canary, length))
        return false;
    snprintf(path, sizeof(path), "/reason/snapshot/%s?format=canonical&division=%s", id, canary->division);
    shown = answer_bytes(canary, path, &shown_length);
    ok = shown && shown_length == length && !memcmp(shown, canary->document, length);
    free(shown);
    return ok || canary_fail(canary, "the gateway shows other bytes of the snapshot than the store has");
}
