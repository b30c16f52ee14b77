/* target.c: where batches are written. */
#include "import/target.h"

#include "core/json_reader.h"

static const JsonLimits limits = {.max_depth = 16};

struct target *target_open(const struct target_settings *settings)
{
    return settings->url ? https_open(settings) : sql_open(settings);
}

long target_index(const char *json, size_t length)
{
    JsonDocument document;
    JsonError error;
    const JsonNode *index = NULL, *details;
    long value = -1;

    json_document_init(&document, NULL, NULL);
    if (json && json_read(&document, json, length, &limits, &error) && json_root(&document)->kind == JSON_OBJECT) {
        details = json_member_literal(&document, json_root(&document), "details");
        index = json_member_literal(&document, details && details->kind == JSON_OBJECT ? details : json_root(&document), "index");
    }
    if (index && index->kind == JSON_NUMBER && index->u.number >= 0 && index->u.number < 1e9)
        value = (long)index->u.number;
    json_document_free(&document);
    return value;
}
