/* answer.c: requests to a gateway, and whether an answer says what it must. */
#include "canary/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer than a gateway waits for its database. */
#define REQUEST_MS 60000
#define HEADERS_MOST 3
#define SHOWN 300               /* of an answer that is not what it must be */

static bool ask(struct canary *canary, const struct question *question, struct http_answer *answer)
{
    int left_ms = canary_time_left(canary);
    char url[1024];
    char *body = question->body ? json_dumps(question->body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    struct http_header headers[HEADERS_MOST];
    struct http_request request = {.method = question->method, .url = url, .connect_to = question->gateway->connect_to, .headers = headers,
                                   .body = body, .body_size = body ? strlen(body) : 0, .timeout_ms = left_ms < REQUEST_MS ? left_ms : REQUEST_MS};
    bool ok = false;

    if (body)
        headers[request.header_count++] = (struct http_header){"Content-Type", "application/json"};
    if (question->key)
        headers[request.header_count++] = (struct http_header){"Idempotency-Key", question->key};
    if (question->prefer)
        headers[request.header_count++] = (struct http_header){"Prefer", question->prefer};
    snprintf(url, sizeof(url), "%s%s", question->gateway->url, question->path);
    memset(answer, 0, sizeof(*answer));
    if (left_ms == 0)
        canary_fail(canary, "%s %s: the time is over", question->method, question->path);
    else if (!http_call(canary->http, &request, answer))
        canary_fail(canary, "%s %s: no answer: %s", question->method, question->path, answer->error);
    else if (answer->status != question->status && answer->status != question->or_status)
        canary_fail(canary, "%s %s: status %ld, not %ld: %.*s", question->method, question->path, answer->status, question->status, SHOWN,
                    answer->body ? answer->body : "");
    else
        ok = true;
    free(body);
    return ok;
}

json_t *answer_to(struct canary *canary, const struct question *question)
{
    struct http_answer answer;
    json_error_t error;
    json_t *json = NULL;
    char type[64] = "";

    if (ask(canary, question, &answer)) {
        http_answer_header(&answer, "content-type", type, sizeof(type));
        json = json_loadb(answer.body ? answer.body : "", answer.body_length, JSON_REJECT_DUPLICATES, &error);
        if (!json)
            canary_fail(canary, "%s %s: the answer is no JSON: %s", question->method, question->path, error.text);
        else if (strncmp(type, "application/json", strlen("application/json")) != 0) {
            canary_fail(canary, "%s %s: the answer is of type \"%s\"", question->method, question->path, type);
            json_decref(json);
            json = NULL;
        }
    }
    http_answer_free(&answer);
    return json;
}

json_t *answer_from(struct canary *canary, const struct gateway *gateway, const char *format, ...)
{
    char path[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(path, sizeof(path), format, arguments);
    va_end(arguments);
    return answer_to(canary, &(struct question){.gateway = gateway, .method = "GET", .path = path, .status = 200});
}

char *answer_bytes(struct canary *canary, const char *path, size_t *length)
{
    const struct question question = {.gateway = &canary->gateway, .method = "GET", .path = path, .status = 200};
    struct http_answer answer;
    char *bytes = NULL;

    *length = 0;
    if (ask(canary, &question, &answer)) {
        bytes = answer.body ? answer.body : strdup("");
        *length = answer.body_length;
        answer.body = NULL;
    }
    http_answer_free(&answer);
    return bytes;
}

/* ---------------------------------------------------------------- what it says */

static void differ(struct canary *canary, const char *what, const char *place, const json_t *found, const json_t *expected)
{
    char *is = found ? json_dumps(found, JSON_COMPACT | JSON_ENCODE_ANY) : NULL, *must = json_dumps(expected, JSON_COMPACT | JSON_ENCODE_ANY);

    canary_fail(canary, "%s: %s is %.*s, not %.*s", what, place[0] ? place : "the answer", SHOWN, is ? is : "not there", SHOWN, must ? must : "");
    free(is);
    free(must);
}

static bool covers(struct canary *canary, const char *what, const char *place, const json_t *found, const json_t *expected)
{
    char below[400];
    const char *name;
    json_t *value;
    size_t number;

    if (json_is_object(expected) && json_is_object(found)) {
        json_object_foreach((json_t *)expected, name, value) {
            snprintf(below, sizeof(below), "%s/%s", place, name);
            if (!covers(canary, what, below, json_object_get(found, name), value))
                return false;
        }
        return true;
    }
    if (json_is_array(expected) && json_is_array(found) && json_array_size(expected) == json_array_size(found)) {
        json_array_foreach(expected, number, value) {
            snprintf(below, sizeof(below), "%s/%zu", place, number);
            if (!covers(canary, what, below, json_array_get(found, number), value))
                return false;
        }
        return true;
    }
    if (found && json_is_number(expected) && json_is_number(found) ? json_number_value(expected) == json_number_value(found) : json_equal(found, expected))
        return true;
    differ(canary, what, place, found, expected);
    return false;
}

bool answer_says(struct canary *canary, const char *what, const json_t *answer, const json_t *expected)
{
    if (!expected)
        return canary_fail(canary, "%s: out of memory", what);
    return covers(canary, what, "", answer, expected);
}

const char *answer_text(struct canary *canary, const char *what, const json_t *answer, const char *member)
{
    const char *text = json_string_value(json_object_get(answer, member));

    if (!text || !text[0])
        canary_fail(canary, "%s: there is no %s", what, member);
    return text ? text : "";
}
