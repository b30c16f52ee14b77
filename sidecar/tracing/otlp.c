/* otlp.c: spans in OTLP's JSON. */
#include "tracing/otlp.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* trace.proto, SpanFlags: it is known whether the parent is remote, and it is */
#define FLAGS_PARENT_IS_REMOTE 0x300
#define FLAG_SAMPLED 1
/* trace.proto, Status.StatusCode */
#define STATUS_ERROR 2

static json_t *text_attribute(const char *key, const char *text)
{
    return json_pack("{s:s, s:{s:s}}", "key", key, "value", "stringValue", text);
}

static json_t *encode_attributes(const struct span *span)
{
    json_t *array = json_array();

    for (int i = 0; i < span->attribute_count; i++) {
        const struct span_attribute *attribute = &span->attributes[i];
        char number[24];

        snprintf(number, sizeof(number), "%ld", attribute->number);
        json_array_append_new(array, attribute->is_text ? text_attribute(attribute->key, attribute->text)
                                                        : json_pack("{s:s, s:{s:s}}", "key", attribute->key, "value", "intValue", number));
    }
    return array;
}

static json_t *encode_span(const struct span *span)
{
    char trace_id[2 * TRACE_ID_LENGTH + 1], id[2 * SPAN_ID_LENGTH + 1], parent_id[2 * SPAN_ID_LENGTH + 1], began[32], ended[32];
    json_t *json;

    sodium_bin2hex(trace_id, sizeof(trace_id), span->context.trace_id, TRACE_ID_LENGTH);
    sodium_bin2hex(id, sizeof(id), span->id, SPAN_ID_LENGTH);
    sodium_bin2hex(parent_id, sizeof(parent_id), span->context.parent_id, SPAN_ID_LENGTH);
    snprintf(began, sizeof(began), "%ld000", span->began_us);
    snprintf(ended, sizeof(ended), "%ld000", span->ended_us);
    json = json_pack("{s:s, s:s, s:s, s:i, s:s, s:i, s:s, s:s, s:o*}", "traceId", trace_id, "spanId", id, "parentSpanId", parent_id, "flags",
                     FLAGS_PARENT_IS_REMOTE | FLAG_SAMPLED, "name", span->name, "kind", (int)span->kind, "startTimeUnixNano", began,
                     "endTimeUnixNano", ended, "attributes", encode_attributes(span));
    if (json && span->failed)
        json_object_set_new(json, "status", json_pack("{s:i, s:s}", "code", STATUS_ERROR, "message", span->failure));
    return json;
}

char *otlp_encode(const struct otlp_resource *resource, const struct span *spans, size_t count)
{
    json_t *list = json_array(), *request;
    char *text;

    for (size_t i = 0; i < count; i++)
        /* a text that is no UTF-8 makes no JSON: that span is left out */
        json_array_append_new(list, encode_span(&spans[i]));
    request = json_pack("{s:[{s:{s:[o,o,o]}, s:[{s:{s:s, s:s}, s:o}]}]}", "resourceSpans", "resource", "attributes",
                        text_attribute("service.name", resource->service), text_attribute("service.version", REASON_VERSION),
                        text_attribute("service.instance.id", resource->instance), "scopeSpans", "scope", "name", "reason-sidecar", "version",
                        REASON_VERSION, "spans", list);
    text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    return text;
}

long otlp_rejected(const char *answer, size_t length)
{
    json_t *json = json_loadb(answer, length, 0, NULL);
    const json_t *rejected = json_object_get(json_object_get(json, "partialSuccess"), "rejectedSpans");
    long count = json_is_string(rejected) ? atol(json_string_value(rejected)) : (long)json_integer_value(rejected);

    if (!json_is_object(json))
        count = -1;
    else if (count < 0)
        count = 0;
    json_decref(json);
    return count;
}
