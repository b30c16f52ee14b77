/* mirror.c: opening mirrors. */
#include "mirror/mirror.h"

#include "base/db.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *const mirror_node_types[] = {"observation", "recommendation", "decision", "action", "hypothesis", "policyCheck", "score", "correction",
                                         "annotation", NULL};
const char *const mirror_edge_types[] = {"causal", "supports", "contradicts", "derivedFrom", "influencedBy", "corrects", NULL};

static const struct mirror_engine *const engines[] = {&mirror_neo4j, &mirror_janusgraph, &mirror_dgraph};

/* False after logging that records and credentials would travel unencrypted to another machine. */
static bool is_hidden(const struct mirror *mirror)
{
    const struct mirror_config *config = mirror->config;

    if (config->plaintext || !strncasecmp(mirror->url, "https://", 8) || http_is_loopback(mirror->url))
        return true;
    log_error("mirror \"%s\" at \"%s\" would get records and credentials unencrypted: use https://, or set plaintext = yes", config->name, mirror->url);
    return false;
}

bool mirror_has_type(const char *const *types, const char *type)
{
    while (*types && strcmp(*types, type) != 0)
        types++;
    return *types != NULL;
}

bool mirror_take_mark(struct mirror_mark *mark, const json_t *seq, const json_t *hash, const json_t *schema, const json_t *rebuilding)
{
    long number = (long)json_integer_value(seq);

    if (!json_is_integer(seq) || !json_is_integer(schema) || !json_is_boolean(rebuilding) || number < -1
        || json_string_length(hash) != (number < 0 ? 0 : MIRROR_HASH_HEX))
        return false;
    *mark = (struct mirror_mark){.there = true, .rebuilding = json_is_true(rebuilding), .schema = (long)json_integer_value(schema), .seq = number};
    if (number >= 0)
        memcpy(mark->hash, json_string_value(hash), MIRROR_HASH_HEX);
    return true;
}

struct mirror *mirror_open(const struct mirror_config *config)
{
    const struct http_tls tls = {config->ca_file, config->cert_file, config->cert_key_file};
    struct mirror *mirror = calloc(1, sizeof(*mirror));

    if (!mirror)
        return NULL;
    mirror->config = config;
    for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
        if (!strcmp(engines[i]->type, config->type))
            mirror->engine = engines[i];
    mirror->url = strdup(config->url);
    mirror->http = http_new(&tls);
    if (!mirror->engine || !mirror->url || !mirror->http) {
        mirror_close(mirror);
        return NULL;
    }
    if (mirror->url[0] && mirror->url[strlen(mirror->url) - 1] == '/')
        mirror->url[strlen(mirror->url) - 1] = '\0';
    if (!is_hidden(mirror)) {
        mirror_close(mirror);
        return NULL;
    }
    return mirror;
}

void mirror_close(struct mirror *mirror)
{
    if (!mirror)
        return;
    http_free(mirror->http);
    free(mirror->url);
    free(mirror);
}

const struct mirror_config *mirror_named(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->mirror_count; i++)
        if (!strcmp(config->mirrors[i].name, name))
            return &config->mirrors[i];
    return NULL;
}

char *mirror_divisions(const struct mirror_config *config)
{
    struct array array = {0};
    char *list = strdup(config->divisions), *rest = NULL;
    const char *literal = NULL;
    bool ok = list != NULL;

    for (char *name = list ? strtok_r(list, ", \t", &rest) : NULL; ok && name; name = strtok_r(NULL, ", \t", &rest))
        ok = array_add(&array, name);
    free(list);
    if (ok)
        literal = array_end(&array);
    if (!literal)
        array_free(&array);
    return array.text;
}

bool mirror_answers(const struct mirror_config *config)
{
    struct mirror *mirror = mirror_open(config);
    bool ok = mirror && mirror->engine->prepare(mirror) == MIRROR_DONE;

    if (mirror && !ok)
        log_error("mirror \"%s\": %s", config->name, mirror->error);
    mirror_close(mirror);
    return ok;
}
