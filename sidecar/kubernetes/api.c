/* api.c: requests to the Kubernetes API. */
#include "kubernetes/api.h"

#include "net/http.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/plain_file.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_SIZE 16384

struct kube_api {
    struct http *http;
    char url[512];
    char namespace[64];         /* DNS label: at most 63 characters */
    const char *token_file;
    int timeout_ms;
    bool (*give_up)(void);
    long failing;               /* how the last request failed, so that the same is not told again; 0: it did not */
};

/* There was no answer. */
#define NO_ANSWER (-1)

static bool find_url(struct kube_api *api, const char *configured)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");

    if (configured[0])
        snprintf(api->url, sizeof(api->url), "%.*s", (int)(strlen(configured) - (configured[strlen(configured) - 1] == '/')), configured);
    else if (host && *host)
        /* an IPv6 address needs its brackets */
        snprintf(api->url, sizeof(api->url), strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port && *port ? port : "443");
    else
        log_error("kubernetes.lease is set, but this is no pod: there is no KUBERNETES_SERVICE_HOST, and no kubernetes.url");
    return api->url[0] != '\0';
}

struct kube_api *kube_api_open(const struct config *config, int timeout_ms, bool (*give_up)(void))
{
    const struct http_tls tls = {.ca_file = config->kubernetes_ca_file};
    struct kube_api *api = calloc(1, sizeof(*api));
    bool ok;

    if (!api)
        return NULL;
    api->token_file = config->kubernetes_token_file;
    api->timeout_ms = timeout_ms;
    api->give_up = give_up;
    api->http = http_new(&tls);
    ok = api->http && find_url(api, config->kubernetes_url);
    if (ok && config->kubernetes_namespace[0])
        snprintf(api->namespace, sizeof(api->namespace), "%s", config->kubernetes_namespace);
    else if (ok)
        ok = plain_file_read_secret(config->kubernetes_namespace_file, api->namespace, sizeof(api->namespace));
    if (!ok) {
        kube_api_close(api);
        return NULL;
    }
    return api;
}

void kube_api_close(struct kube_api *api)
{
    if (api)
        http_free(api->http);
    free(api);
}

const char *kube_api_namespace(const struct kube_api *api)
{
    return api->namespace;
}

/* Counts and, if it is new, tells what failed. */
static void fail(struct kube_api *api, const char *method, const char *path, const struct http_answer *answer)
{
    long now = answer->status ? answer->status : NO_ANSWER;
    enum log_level level = now == api->failing ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR;

    api->failing = now;
    metrics_add(METRIC_KUBERNETES_FAILURES, 1);
    if (now == NO_ANSWER) {
        log_event(level, "the Kubernetes API does not answer: %s", answer->error);
    } else {
        json_t *status = json_loadb(answer->body ? answer->body : "", answer->body_length, 0, NULL);
        const char *message = json_string_value(json_object_get(status, "message"));

        log_event(level, "the Kubernetes API answered %s %s with status %ld: %.300s", method, path, answer->status,
                  message ? message : "something else than the Kubernetes API says");
        json_decref(status);
    }
}

/* The answer's object, if it is of that kind. A server that answers 200 or 404 with anything else is no API server. */
static json_t *read_object(const struct http_answer *answer, const char *kind)
{
    json_t *object = json_loadb(answer->body ? answer->body : "", answer->body_length, 0, NULL);
    const char *told = json_string_value(json_object_get(object, "kind"));

    if (told && !strcmp(told, kind))
        return object;
    json_decref(object);
    return NULL;
}

long kube_api_call(struct kube_api *api, const char *method, const char *path, const json_t *body, json_t **object)
{
    char token[TOKEN_SIZE], authorization[TOKEN_SIZE + 8], url[1024], *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct http_header headers[] = {{"authorization", authorization}, {"accept", "application/json"}, {"content-type", "application/json"}};
    struct http_request request = {.method = method, .url = url, .headers = headers, .header_count = text ? 3 : 2, .body = text,
                                   .body_size = text ? strlen(text) : 0, .give_up = api->give_up, .timeout_ms = api->timeout_ms};
    struct http_answer answer = {0};
    long status = 0;

    *object = NULL;
    snprintf(url, sizeof(url), "%s%s", api->url, path);
    if ((!body || text) && plain_file_read_secret(api->token_file, token, sizeof(token))) {
        snprintf(authorization, sizeof(authorization), "Bearer %s", token);
        http_call(api->http, &request, &answer);
    } else {
        snprintf(answer.error, sizeof(answer.error), "there is no token to ask with");
    }
    status = answer.status;
    *object = read_object(&answer, status / 100 == 2 ? "Lease" : "Status");
    if (!*object && (status / 100 == 2 || status == 404 || status == 409))
        status = 0;
    if (status / 100 != 2) {
        json_decref(*object);
        *object = NULL;
    }
    if (*object || status == 404 || status == 409)
        api->failing = 0;
    else
        fail(api, method, path, &answer);
    sodium_memzero(token, sizeof(token));
    sodium_memzero(authorization, sizeof(authorization));
    http_answer_free(&answer);
    free(text);
    return status;
}
