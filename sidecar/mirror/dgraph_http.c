/* dgraph_http.c: requests to Dgraph. Errors come with status 200. */
#include "mirror/dgraph.h"

#include <stdlib.h>
#include <string.h>

bool text_begin(struct text *text)
{
    *text = (struct text){0};
    text->out = open_memstream(&text->bytes, &text->length);
    return text->out != NULL;
}

char *text_end(struct text *text)
{
    bool ok = !ferror(text->out);

    if (fclose(text->out) != 0 || !ok) {
        free(text->bytes);
        return NULL;
    }
    return text->bytes;
}

void text_quote(FILE *out, const json_t *string)
{
    json_dumpf(string, out, JSON_ENCODE_ANY);
}

void text_list(FILE *out, const json_t *strings)
{
    json_dumpf(strings, out, JSON_COMPACT);
}

enum mirror_outcome dgraph_send(struct mirror *mirror, const char *path, const char *type, const char *text, json_t **data)
{
    json_t *answer, *errors;
    enum mirror_outcome outcome;

    *data = NULL;
    outcome = target_post_text(mirror, path, type, text, NULL, &answer);
    if (outcome != MIRROR_DONE)
        return outcome;
    errors = json_object_get(answer, "errors");
    if (errors) {
        const char *message = json_string_value(json_object_get(json_array_get(errors, 0), "message"));

        outcome = target_says(mirror, MIRROR_AWAY, "%s", message ? message : "an error");
    } else if (!json_is_object(json_object_get(answer, "data"))) {
        outcome = target_says(mirror, MIRROR_AWAY, "its answer is none to what was asked");
    } else {
        *data = json_incref(json_object_get(answer, "data"));
    }
    json_decref(answer);
    return outcome;
}

/* Sends a document, and releases it. */
static enum mirror_outcome send(struct mirror *mirror, const char *path, json_t *body, json_t **data)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    enum mirror_outcome outcome;

    *data = NULL;
    outcome = text ? dgraph_send(mirror, path, "application/json", text, data) : target_says(mirror, MIRROR_AWAY, "out of memory");
    free(text);
    json_decref(body);
    return outcome;
}

enum mirror_outcome dgraph_ask(struct mirror *mirror, char *query, json_t **data)
{
    enum mirror_outcome outcome = send(mirror, "/query", query ? json_pack("{s:s}", "query", query) : NULL, data);

    free(query);
    return outcome;
}

enum mirror_outcome dgraph_mutate(struct mirror *mirror, char *query, json_t *mutations, json_t **queries)
{
    json_t *data;
    enum mirror_outcome outcome = send(mirror, "/mutate?commitNow=true", query ? json_pack("{s:s, s:O}", "query", query, "mutations", mutations) : NULL, &data);
    const char *code = json_string_value(json_object_get(data, "code"));

    free(query);
    json_decref(mutations);
    *queries = json_object_get(data, "queries");
    if (outcome == MIRROR_DONE && (!code || strcmp(code, "Success") != 0 || !json_is_object(*queries)))
        outcome = target_says(mirror, MIRROR_AWAY, "its answer is none to what was asked");
    *queries = outcome == MIRROR_DONE ? json_incref(*queries) : NULL;
    json_decref(data);
    return outcome;
}
