/* s3_request.c: one request to the S3 API, signed; what its answer says when it failed; what requests are made of. */
#include "store/s3_request.h"

#include "base/log.h"
#include "net/credentials.h"
#include "store/xml.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

bool s3_call(struct s3_store *s3, struct s3_request *request, struct http_answer *answer)
{
    struct http_header headers[SIGV4_HEADERS_MOST];
    size_t count = 0;
    struct sigv4_credentials credentials;
    char date[17], authorization[2048], path[2048], key[1100], url[4096];
    struct sigv4_request to_sign = {.method = request->method,
                                    .path = path,
                                    .query = request->query ? request->query : "",
                                    .headers = headers,
                                    .payload_hash = request->payload_hash ? request->payload_hash : EMPTY_HASH,
                                    .region = s3->region,
                                    .service = "s3",
                                    .at = time(NULL)};
    struct http_request call = request->http;
    bool ok;

    memset(answer, 0, sizeof(*answer));
    if (snprintf(key, sizeof(key), "/%s%s", s3->prefix, request->key ? request->key : "") >= (int)sizeof(key)
        || request->header_count + 6 > SIGV4_HEADERS_MOST || !sigv4_load_credentials(s3->credentials_file, &credentials)) {
        snprintf(answer->error, sizeof(answer->error), "there are no credentials");
        return false;
    }
    snprintf(path, sizeof(path), "%s", s3->path_prefix);
    if (!request->key)
        snprintf(path, sizeof(path), "%s/", s3->path_prefix);
    else if (!sigv4_encode(key, true, path + strlen(path), sizeof(path) - strlen(path)))
        return false;
    sigv4_date(to_sign.at, date);
    headers[count++] = (struct http_header){"host", s3->host};
    headers[count++] = (struct http_header){"x-amz-content-sha256", to_sign.payload_hash};
    headers[count++] = (struct http_header){"x-amz-date", date};
    if (credentials.session_token[0])
        headers[count++] = (struct http_header){"x-amz-security-token", credentials.session_token};
    for (size_t i = 0; i < request->header_count; i++)
        headers[count++] = request->headers[i];
    to_sign.header_count = count;
    ok = sigv4_authorization(&to_sign, &credentials, authorization, sizeof(authorization));
    headers[count++] = (struct http_header){"authorization", authorization};
    if (ok && snprintf(url, sizeof(url), "%s%s%s%s", s3->base_url, path, to_sign.query[0] ? "?" : "", to_sign.query) < (int)sizeof(url)) {
        call.method = request->method;
        call.url = url;
        call.headers = headers;
        call.header_count = count;
        call.timeout_ms = s3->timeout_ms;
        ok = http_call(s3->http, &call, answer);
    } else {
        snprintf(answer->error, sizeof(answer->error), "the request could not be signed");
        ok = false;
    }
    sodium_memzero(&credentials, sizeof(credentials));
    return ok;
}

void s3_error_code(const struct http_answer *answer, char *code, size_t size)
{
    xml_text(answer->body, answer->body_length, "Error", "Code", code, size);
    /* it goes to the log and to whoever asked for the snapshot */
    if (code[strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.")])
        code[0] = '\0';
}

enum store_result s3_fault(const struct http_answer *answer, const char *what, struct stored *stored)
{
    char code[64];

    s3_error_code(answer, code, sizeof(code));
    if (answer->status / 100 == 2 && !code[0])
        snprintf(stored->reason, sizeof(stored->reason), "the object store answered %s with status %ld and %s", what, answer->status,
                 answer->error[0] ? answer->error : "something else than S3 says");
    else if (answer->status)
        snprintf(stored->reason, sizeof(stored->reason), "the object store answered %s with status %ld %s", what, answer->status, code);
    else
        snprintf(stored->reason, sizeof(stored->reason), "the object store did not answer %s: %s", what, answer->error);
    return STORE_RETRY;
}

void s3_time(time_t time, char text[32])
{
    struct tm utc;

    gmtime_r(&time, &utc);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

size_t s3_object_headers(const struct s3_store *s3, const struct object *object, struct s3_object_headers *made)
{
    time_t until = object->retain_until;
    size_t count = 0;

    if (!until && s3->lock_days)
        until = time(NULL) + (time_t)s3->lock_days * 86400;
    made->headers[count++] = (struct http_header){"content-type", object->content_type};
    if (object->cache_control)
        made->headers[count++] = (struct http_header){"cache-control", object->cache_control};
    for (size_t i = 0; i < object->metadata_count && i < S3_METADATA_MOST; i++) {
        snprintf(made->names[i], sizeof(made->names[i]), "x-amz-meta-%s", object->metadata[i].name);
        made->headers[count++] = (struct http_header){made->names[i], object->metadata[i].value};
    }
    if (s3->lock_mode[0]) {
        s3_time(until, made->until);
        made->headers[count++] = (struct http_header){"x-amz-object-lock-mode", s3->lock_mode};
        made->headers[count++] = (struct http_header){"x-amz-object-lock-retain-until-date", made->until};
    }
    if (object->legal_hold)
        made->headers[count++] = (struct http_header){"x-amz-object-lock-legal-hold", "ON"};
    return count;
}

void s3_base64_of_hex(const char *hex, char base64[64])
{
    unsigned char digest[32] = {0};

    sodium_hex2bin(digest, sizeof(digest), hex, strlen(hex), NULL, NULL, NULL);
    sodium_bin2base64(base64, 64, digest, sizeof(digest), sodium_base64_VARIANT_ORIGINAL);
}
