/*
 * target.c: one request to a mirror.
 *
 * Credentials are read for each, from a file that may be replaced meanwhile (as a Vault agent or the kubelet does), or from the
 * environment: REASON_SIDECAR_MIRROR_<NAME>_USER, _PASSWORD, _TOKEN.
 */
#include "mirror/target.h"

#include "base/plain_file.h"

#include <ctype.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_MOST 1024

struct credentials {
    char user[SECRET_MOST], password[SECRET_MOST], token[SECRET_MOST];
};

enum mirror_outcome target_says(struct mirror *mirror, enum mirror_outcome outcome, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(mirror->error, sizeof(mirror->error), format, arguments);
    va_end(arguments);
    for (char *p = mirror->error; *p; p++)
        if ((unsigned char)*p < ' ' || *p == '\x7f')
            *p = ' ';
    return outcome;
}

/* Takes the value of "name = value", if the line is one of that name. False: it has no room. */
static bool take_line(const char *line, const char *name, char value[SECRET_MOST])
{
    size_t length = strlen(name);

    if (strncmp(line, name, length) != 0)
        return true;
    line += length + strspn(line + length, " \t");
    if (*line != '=')
        return true;
    line += 1 + strspn(line + 1, " \t");
    return snprintf(value, SECRET_MOST, "%.*s", (int)strcspn(line, "\r\n"), line) < SECRET_MOST;
}

static bool take_variable(const struct mirror_config *config, const char *what, char value[SECRET_MOST])
{
    char name[160];
    const char *found;

    snprintf(name, sizeof(name), "REASON_SIDECAR_MIRROR_%s_%s", config->name, what);
    for (char *p = name; *p; p++)
        *p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
    found = getenv(name);
    return snprintf(value, SECRET_MOST, "%s", found ? found : "") < SECRET_MOST;
}

static bool read_credentials(struct mirror *mirror, struct credentials *credentials)
{
    const struct mirror_config *config = mirror->config;
    char line[SECRET_MOST + 64];
    FILE *file;
    bool whole = true;

    memset(credentials, 0, sizeof(*credentials));
    if (!config->credentials_file[0]) {
        whole = take_variable(config, "USER", credentials->user) && take_variable(config, "PASSWORD", credentials->password)
                && take_variable(config, "TOKEN", credentials->token);
        if (!whole)
            target_says(mirror, MIRROR_AWAY, "a credential in the environment has more than %d characters", SECRET_MOST - 1);
        return whole;
    }
    file = plain_file_open(config->credentials_file);
    if (!file) {
        target_says(mirror, MIRROR_AWAY, "its credentials_file cannot be read");
        return false;
    }
    while (whole && fgets(line, sizeof(line), file))
        whole = take_line(line, "user", credentials->user) && take_line(line, "password", credentials->password)
                && take_line(line, "token", credentials->token);
    fclose(file);
    sodium_memzero(line, sizeof(line));
    if (!whole)
        target_says(mirror, MIRROR_AWAY, "a credential in its credentials_file has more than %d characters", SECRET_MOST - 1);
    return whole;
}

/* The header that carries them; false: there are none. */
static bool authorization(const struct credentials *credentials, bool bearer, char *header, size_t size)
{
    char pair[2 * SECRET_MOST + 2];

    if (bearer && credentials->token[0]) {
        snprintf(header, size, "Bearer %s", credentials->token);
        return true;
    }
    if (!credentials->user[0])
        return false;
    snprintf(pair, sizeof(pair), "%s:%s", credentials->user, credentials->password);
    memcpy(header, "Basic ", 6);
    sodium_bin2base64(header + 6, size - 6, (const unsigned char *)pair, strlen(pair), sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(pair, sizeof(pair));
    return true;
}

enum mirror_outcome target_post_text(struct mirror *mirror, const char *path, const char *type, const char *text, long *status, json_t **answer)
{
    struct credentials credentials;
    const char *token_header = mirror->engine->token_header;
    char header[4 * SECRET_MOST], url[2048];
    struct http_header headers[4] = {{"Content-Type", type}, {"Accept", "application/json"}};
    struct http_request request = {.method = "POST", .url = url, .headers = headers, .header_count = 2, .body = text, .body_size = strlen(text),
                                   .timeout_ms = mirror->config->timeout_ms};
    struct http_answer got;
    enum mirror_outcome outcome = MIRROR_DONE;
    json_error_t fault;

    *answer = NULL;
    if (snprintf(url, sizeof(url), "%s%s", mirror->url, path) >= (int)sizeof(url))
        return target_says(mirror, MIRROR_AWAY, "its url is too long");
    if (!read_credentials(mirror, &credentials))
        return MIRROR_AWAY;
    if (token_header && credentials.token[0])
        headers[request.header_count++] = (struct http_header){token_header, credentials.token};
    if (authorization(&credentials, !token_header, header, sizeof(header)))
        headers[request.header_count++] = (struct http_header){"Authorization", header};
    if (!http_call(mirror->http, &request, &got))
        outcome = target_says(mirror, MIRROR_AWAY, "it does not answer: %s", got.error);
    else if (!status && got.status != 200)
        outcome = target_says(mirror, MIRROR_AWAY, "it answered with status %ld", got.status);
    else if (!(*answer = json_loadb(got.body ? got.body : "", got.body_length, JSON_REJECT_DUPLICATES, &fault)))
        outcome = target_says(mirror, MIRROR_AWAY, "its answer, of status %ld, is no JSON: %s", got.status, fault.text);
    else if (!json_is_object(*answer))
        outcome = target_says(mirror, MIRROR_AWAY, "its answer is no JSON object");
    if (status)
        *status = got.status;
    if (outcome != MIRROR_DONE) {
        json_decref(*answer);
        *answer = NULL;
    }
    http_answer_free(&got);
    sodium_memzero(&credentials, sizeof(credentials));
    sodium_memzero(header, sizeof(header));
    return outcome;
}

enum mirror_outcome target_post(struct mirror *mirror, const char *path, json_t *body, long *status, json_t **answer)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    enum mirror_outcome outcome = text ? target_post_text(mirror, path, "application/json", text, status, answer) : target_says(mirror, MIRROR_AWAY, "out of memory");

    json_decref(body);
    free(text);
    return outcome;
}
