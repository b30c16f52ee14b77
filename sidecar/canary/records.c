/*
 * records.c: what is written through the gateway on trial, and shown by it and by others.
 *
 * Each record bears the trial's marker, a UUID of its own: what is read cannot be what another trial left.
 */
#include "canary/answer.h"

#include <stdio.h>
#include <string.h>

#define AUTHOR "reason-canary"

bool canary_is_ready(struct canary *canary)
{
    json_t *answer, *expected = json_pack("{s:b, s:s}", "ok", 1, "db", "up");
    bool ok;

    /* pods of a release come up one after the other */
    while (!(answer = answer_from(canary, &canary->gateway, "/ready")) && canary_pause(canary))
        canary->failure[0] = '\0';
    ok = answer && answer_says(canary, "GET /ready", answer, expected);
    json_decref(answer);
    json_decref(expected);
    return ok;
}

/* Writes one record, twice with one key: the second answer is the first again. */
static json_t *write_once(struct canary *canary, const char *path, const char *id_member, const char *id, json_t *record)
{
    const struct question question = {.gateway = &canary->gateway, .method = "POST", .path = path, .body = record, .key = id, .status = 201};
    json_t *first = answer_to(canary, &question), *second = first ? answer_to(canary, &question) : NULL, *expected = json_pack("{s:s}", id_member, id);
    bool ok = second && answer_says(canary, path, first, expected) && answer_text(canary, path, first, "auditEventId")[0]
              && answer_text(canary, path, first, "createdAt")[0] && answer_says(canary, "a repeated POST", second, first) && json_equal(first, second);

    if (second && !ok)
        canary_fail(canary, "%s: a repeated request has another answer", path);
    json_decref(expected);
    json_decref(second);
    if (ok)
        return first;
    json_decref(first);
    return NULL;
}

/* What must be shown of a record: all that was written, and what the answer to the writing said. */
static json_t *shown(json_t *record, json_t *written)
{
    json_object_set(record, "createdAt", json_object_get(written, "createdAt"));
    json_object_set(record, "auditEventId", json_object_get(written, "auditEventId"));
    json_decref(written);
    return record;
}

static json_t *write_node(struct canary *canary, const char *type, const char *id)
{
    json_t *record = json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:s}, s:{s:b, s:[s], s:f}}", "id", id, "type", type, "author", AUTHOR, "division",
                               canary->division, "payload", "canary", canary->marker, "text", "a release is tried", "metadata", "canary", 1, "tags",
                               "canary", "confidence", 0.5);
    json_t *written = record ? write_once(canary, "/reason/node", "nodeId", id, record) : NULL;

    if (written)
        return shown(record, written);
    json_decref(record);
    return NULL;
}

static json_t *write_edge(struct canary *canary)
{
    json_t *record = json_pack("{s:s, s:s, s:s, s:s, s:s, s:f, s:{s:b}}", "id", canary->edge, "from", canary->cause, "to", canary->effect, "type", "causal",
                               "division", canary->division, "weight", 0.75, "metadata", "canary", 1);
    json_t *written = record ? write_once(canary, "/reason/edge", "edgeId", canary->edge, record) : NULL;

    if (written)
        return shown(record, written);
    json_decref(record);
    return NULL;
}

bool canary_writes(struct canary *canary)
{
    canary->cause_shown = write_node(canary, "observation", canary->cause);
    canary->effect_shown = canary->cause_shown ? write_node(canary, "decision", canary->effect) : NULL;
    canary->edge_shown = canary->effect_shown ? write_edge(canary) : NULL;
    return canary->edge_shown != NULL;
}

/* ---------------------------------------------------------------- reading */

/* Compares an answer with what must be in it, and releases both. */
static bool says(struct canary *canary, const char *what, json_t *answer, json_t *expected)
{
    bool ok = answer && answer_says(canary, what, answer, expected);

    json_decref(answer);
    json_decref(expected);
    return ok;
}

static bool shows_node(struct canary *canary, const struct gateway *gateway)
{
    json_t *answer = answer_from(canary, gateway, "/reason/node/%s?division=%s", canary->effect, canary->division);

    return says(canary, "the node", answer, json_pack("{s:O, s:[O], s:[], s:b}", "node", canary->effect_shown, "incoming", canary->edge_shown, "outgoing",
                                                      "truncated", 0));
}

/* Both nodes in the order of the walk, with the edge between them, and nothing else. */
static bool shows_trace(struct canary *canary, const struct gateway *gateway, bool up)
{
    const char *direction = up ? "ancestors" : "descendants", *start = up ? canary->effect : canary->cause;
    json_t *first = up ? canary->effect_shown : canary->cause_shown, *second = up ? canary->cause_shown : canary->effect_shown;
    json_t *answer = answer_from(canary, gateway, "/reason/trace/%s?direction=%s&division=%s", start, direction, canary->division);
    json_t *step = json_pack("{s:O, s:i, s:b, s:[O], s:[]}", "node", first, "depth", 0, "cycleDetected", 0, up ? "incoming" : "outgoing",
                             canary->edge_shown, up ? "outgoing" : "incoming");
    json_t *next = json_pack("{s:O, s:i, s:b, s:[], s:[O]}", "node", second, "depth", 1, "cycleDetected", 0, up ? "incoming" : "outgoing",
                             up ? "outgoing" : "incoming", canary->edge_shown);

    return says(canary, up ? "the trace of causes" : "the trace of effects", answer,
                json_pack("{s:s, s:s, s:[o, o], s:[O], s:[], s:b}", "startNodeId", start, "direction", direction, "steps", step, next, "edges",
                          canary->edge_shown, "frontier", "truncated", 0));
}

/* A search by the marker finds both, the newest first. */
static bool finds(struct canary *canary, const struct gateway *gateway)
{
    json_t *body = json_pack("{s:{s:s, s:s}}", "filters", "division", canary->division, "text", canary->marker);
    json_t *answer = answer_to(canary, &(struct question){.gateway = gateway, .method = "POST", .path = "/reason/query", .body = body, .status = 200});

    json_decref(body);
    return says(canary, "the search", answer, json_pack("{s:[O, O]}", "nodes", canary->effect_shown, canary->cause_shown));
}

static bool shows_all(struct canary *canary, const struct gateway *gateway)
{
    return shows_node(canary, gateway) && shows_trace(canary, gateway, true) && shows_trace(canary, gateway, false) && finds(canary, gateway);
}

bool canary_reads(struct canary *canary)
{
    return shows_all(canary, &canary->gateway);
}

bool canary_agrees(struct canary *canary)
{
    return !canary->peer.url || shows_all(canary, &canary->peer);
}
