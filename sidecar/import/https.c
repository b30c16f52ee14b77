/* https.c: batches to POST /nodes and POST /edges, each under an Idempotency-Key of its own. */
#include "import/target.h"

#include "core/json_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct https {
    struct target target;
    const struct target_settings *settings;
    struct http *http;
};

static const JsonLimits limits = {.max_depth = 16};

/* Whether an answer says that all of the batch was written. */
static bool says_all(const struct http_answer *answer, const struct batch *batch)
{
    JsonDocument document;
    JsonError error;
    const JsonNode *count = NULL;
    bool ok;

    json_document_init(&document, NULL, NULL);
    if (answer->body && json_read(&document, answer->body, answer->body_length, &limits, &error) && json_root(&document)->kind == JSON_OBJECT)
        count = json_member_literal(&document, json_root(&document), "count");
    ok = count && count->kind == JSON_NUMBER && count->u.number == batch->count;
    json_document_free(&document);
    return ok;
}

/* What the service says is wrong, or the beginning of what it says. */
static void take_error(const struct http_answer *answer, struct outcome *outcome)
{
    JsonDocument document;
    JsonError json_error;
    const JsonNode *error = NULL;

    json_document_init(&document, NULL, NULL);
    if (answer->body && json_read(&document, answer->body, answer->body_length, &limits, &json_error) && json_root(&document)->kind == JSON_OBJECT)
        error = json_member_literal(&document, json_root(&document), "error");
    if (error && error->kind == JSON_STRING)
        snprintf(outcome->why, sizeof(outcome->why), "%.*s", (int)(error->length < 900 ? error->length : 900), json_string(&document, error));
    else
        snprintf(outcome->why, sizeof(outcome->why), "the service answers with status %ld: %.200s", answer->status, answer->body ? answer->body : "");
    json_document_free(&document);
}

static bool passes(long status)
{
    return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

static void https_recognize(struct target *target, struct outcome *outcome)
{
    const struct https *https = (struct https *)target;

    outcome->index = -1;
    outcome->written = journal_is_at(https->settings->journal, https->settings->url, outcome->why) ? WRITTEN : REFUSED;
}

static void https_write(struct target *target, struct batch *batch, struct outcome *outcome)
{
    struct https *https = (struct https *)target;
    char url[2048], key[128], id[UUID_TEXT_LENGTH + 1];
    const struct http_header headers[] = {{"Content-Type", "application/json"}, {"Idempotency-Key", key}};
    const struct http_request request = {.method = "POST", .url = url, .connect_to = https->settings->connect_to, .headers = headers, .header_count = 2,
                                         .body = batch->text.data, .body_size = batch->text.length, .timeout_ms = https->settings->timeout_ms};
    struct http_answer answer = {0};

    https_recognize(target, outcome);
    if (outcome->written == REFUSED)
        return;
    uuid_write_text(id, https->settings->import_id);
    snprintf(url, sizeof(url), "%s/%s", https->settings->url, kind_names[batch->kind]);
    /* What records were taken out of is another request. */
    snprintf(key, sizeof(key), "import-%s-%s-%" PRIu64 "-%d", id, kind_names[batch->kind], batch->number, batch->refused);
    if (!http_call(https->http, &request, &answer)) {
        outcome->written = PASSING;
        snprintf(outcome->why, sizeof(outcome->why), "%s", answer.error);
    } else if (answer.status == 201 && says_all(&answer, batch))
        outcome->written = WRITTEN;
    else if (answer.status == 201) {
        outcome->written = UNKNOWN;
        snprintf(outcome->why, sizeof(outcome->why), "the service answers with 201, and not with the number of records that it was sent");
    } else {
        outcome->written = passes(answer.status) ? PASSING : REFUSED;
        take_error(&answer, outcome);
        outcome->index = outcome->written == REFUSED ? target_index(answer.body, answer.body_length) : -1;
    }
    http_answer_free(&answer);
}

static void https_close(struct target *target)
{
    http_free(((struct https *)target)->http);
    free(target);
}

struct target *https_open(const struct target_settings *settings)
{
    struct https *https = calloc(1, sizeof(*https));

    if (!https)
        return NULL;
    https->target = (struct target){.recognize = https_recognize, .write = https_write, .close = https_close};
    https->settings = settings;
    https->http = http_new(&settings->tls);
    if (https->http)
        return &https->target;
    free(https);
    return NULL;
}
