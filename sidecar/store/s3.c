/*
 * s3.c: objects in a bucket, over the S3 API.
 *
 * An object is put with If-None-Match: * and its SHA-256, so that nothing is overwritten and the store checks what it
 * took. 412 means that something is there: it is read back, and equal bytes are success. Under object lock a version
 * can be told apart by its id only, so that is what is recorded, and a store that gives none is refused.
 * Larger objects go in parts (s3_multipart.c): nothing is held in memory but one part.
 */
#include "s3.h"

#include "../log.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static bool split_url(struct s3_store *s3, const char *url, const char *endpoint, bool path_style)
{
    const char *bucket = url + strlen("s3://"), *slash = strchr(bucket, '/');
    const char *scheme_end, *host;
    size_t bucket_length = slash ? (size_t)(slash - bucket) : strlen(bucket);
    char base[512];

    if (bucket_length == 0 || bucket_length > 63)
        return false;
    if (slash && slash[1])
        snprintf(s3->prefix, sizeof(s3->prefix), "%s%s", slash + 1, slash[strlen(slash) - 1] == '/' ? "" : "/");
    if (endpoint[0])
        snprintf(base, sizeof(base), "%s", endpoint);
    else
        snprintf(base, sizeof(base), "https://s3.%s.amazonaws.com", s3->region);
    if (base[strlen(base) - 1] == '/')
        base[strlen(base) - 1] = '\0';
    scheme_end = strstr(base, "://");
    if (!scheme_end)
        return false;
    host = scheme_end + 3;
    snprintf(s3->bucket, sizeof(s3->bucket), "%.*s", (int)bucket_length, bucket);
    if (path_style) {
        snprintf(s3->host, sizeof(s3->host), "%s", host);
        snprintf(s3->path_prefix, sizeof(s3->path_prefix), "/%s", s3->bucket);
    } else {
        snprintf(s3->host, sizeof(s3->host), "%s.%s", s3->bucket, host);
    }
    snprintf(s3->base_url, sizeof(s3->base_url), "%.*s%s", (int)(host - base), base, s3->host);
    return true;
}

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

enum store_result s3_fault(const struct http_answer *answer, const char *what, struct stored *stored)
{
    char code[64] = "";
    const char *begin = answer->body ? strstr(answer->body, "<Code>") : NULL;

    if (begin)
        snprintf(code, sizeof(code), "%.*s", (int)strcspn(begin + 6, "<"), begin + 6);
    if (answer->status)
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

struct hashing {
    EVP_MD_CTX *context;
    long long size;
};

static bool hash_piece(void *context, const void *bytes, size_t length)
{
    struct hashing *hashing = context;

    hashing->size += (long long)length;
    return EVP_DigestUpdate(hashing->context, bytes, length) == 1;
}

/* Reads what is there and compares it; takes its version id. 404: there is nothing. */
static enum store_result compare(struct s3_store *s3, const struct object *object, struct stored *stored, bool *missing)
{
    struct hashing hashing = {.context = EVP_MD_CTX_new()};
    struct http_answer answer = {0};
    enum store_result result;
    unsigned char digest[32];
    char hex[65] = "";

    *missing = false;
    stored->version[0] = '\0';
    if (!hashing.context || EVP_DigestInit_ex(hashing.context, EVP_sha256(), NULL) != 1) {
        snprintf(stored->reason, sizeof(stored->reason), "out of memory");
        result = STORE_RETRY;
    } else if (s3_read_ranges(s3, object->key, stored->version, hash_piece, &hashing, &answer)) {
        EVP_DigestFinal_ex(hashing.context, digest, NULL);
        sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
        stored->existed = !strcmp(hex, object->hash) && hashing.size == object->size;
        result = stored->existed ? STORE_DONE : STORE_REFUSED;
        if (!stored->existed)
            snprintf(stored->reason, sizeof(stored->reason), "object \"%.300s\" exists with other bytes", object->key);
    } else if (answer.status == 404) {
        *missing = true;
        snprintf(stored->reason, sizeof(stored->reason), "the object is hidden by a delete marker or was removed");
        result = STORE_RETRY;
    } else {
        result = s3_fault(&answer, "GET", stored);
    }
    EVP_MD_CTX_free(hashing.context);
    http_answer_free(&answer);
    return result;
}

struct sending {
    const struct object *object;
    const char *bytes;
    size_t left;
};

static long send_piece(void *context, char *buffer, size_t size)
{
    struct sending *sending = context;
    const void *bytes;

    if (sending->left == 0) {
        if (!sending->object->next(sending->object->context, &bytes, &sending->left))
            return -1;
        sending->bytes = bytes;
    }
    if (size > sending->left)
        size = sending->left;
    memcpy(buffer, sending->bytes, size);
    sending->bytes += size;
    sending->left -= size;
    return (long)size;
}

void s3_base64_of_hex(const char *hex, char base64[64])
{
    unsigned char digest[32] = {0};

    sodium_hex2bin(digest, sizeof(digest), hex, strlen(hex), NULL, NULL, NULL);
    sodium_bin2base64(base64, 64, digest, sizeof(digest), sodium_base64_VARIANT_ORIGINAL);
}

enum presence s3_presence(const struct http_answer *answer)
{
    /* who refuses early may end the connection while the bytes are still on their way, and the refusal is lost */
    return answer->status == 412 ? PRESENCE_YES : answer->cut ? PRESENCE_MAYBE : PRESENCE_NO;
}

static enum store_result put_whole(struct s3_store *s3, const struct object *object, struct stored *stored, enum presence *presence)
{
    struct s3_object_headers made;
    struct sending sending = {.object = object};
    char checksum[64], answered[128];
    struct s3_request request = {.method = "PUT",
                                 .key = object->key,
                                 .payload_hash = object->hash,
                                 .headers = made.headers,
                                 .header_count = s3_object_headers(s3, object, &made),
                                 .http = {.read = send_piece, .read_context = &sending, .body_size = (size_t)object->size}};
    struct http_answer answer;
    enum store_result result = STORE_DONE;

    s3_base64_of_hex(object->hash, checksum);
    made.headers[request.header_count++] = (struct http_header){"x-amz-checksum-sha256", checksum};
    if (s3->if_none_match)
        made.headers[request.header_count++] = (struct http_header){"if-none-match", "*"};
    if (!s3_call(s3, &request, &answer) || answer.status != 200) {
        result = s3_fault(&answer, "PUT", stored);
        *presence = s3_presence(&answer);
    } else if (http_answer_header(&answer, "x-amz-checksum-sha256", answered, sizeof(answered)) && strcmp(answered, checksum) != 0) {
        snprintf(stored->reason, sizeof(stored->reason), "the object store has another checksum");
        result = STORE_RETRY;
    } else if (!http_answer_header(&answer, "x-amz-version-id", stored->version, sizeof(stored->version))) {
        stored->version[0] = '\0';
    }
    http_answer_free(&answer);
    return result;
}

static enum store_result put(struct store *store, const struct object *object, struct stored *stored)
{
    struct s3_store *s3 = (struct s3_store *)store;
    enum presence presence = PRESENCE_NO;
    bool missing = false;
    enum store_result result = STORE_RETRY;

    if (!s3->if_none_match) {
        /* the server would overwrite: look first */
        result = compare(s3, object, stored, &missing);
        presence = missing ? PRESENCE_NO : PRESENCE_YES;
    }
    if (presence == PRESENCE_NO) {
        struct stored there = {0};
        enum store_result compared;

        result = object->size > s3->multipart_bytes ? s3_put_parts(s3, object, stored, &presence) : put_whole(s3, object, stored, &presence);
        if (result != STORE_DONE && presence != PRESENCE_NO) {
            compared = compare(s3, object, &there, &missing);
            if (presence == PRESENCE_YES || compared != STORE_RETRY) {
                result = compared;
                *stored = there;
            }
        }
    }
    if (result == STORE_DONE && s3->lock_mode[0] && (!stored->version[0] || !strcmp(stored->version, "null"))) {
        snprintf(stored->reason, sizeof(stored->reason), "bucket \"%s\" gives no version ids: it is not versioned, so object lock protects nothing",
                 s3->bucket);
        return STORE_RETRY;
    }
    if (result == STORE_DONE)
        snprintf(stored->uri, sizeof(stored->uri), "s3://%s/%s%s", s3->bucket, s3->prefix, object->key);
    return result;
}

static bool check(struct store *store)
{
    struct s3_store *s3 = (struct s3_store *)store;
    struct s3_request request = {.method = "HEAD"};
    struct http_answer answer;
    bool ok = s3_call(s3, &request, &answer) && answer.status == 200;

    if (!ok)
        log_error("bucket \"%s\" at %s: %s (status %ld)", s3->bucket, s3->base_url, answer.error[0] ? answer.error : "not available", answer.status);
    http_answer_free(&answer);
    return ok;
}

static void close_store(struct store *store)
{
    struct s3_store *s3 = (struct s3_store *)store;

    http_free(s3->http);
    free(s3->credentials_file);
    free(s3);
}

struct store *store_s3_open(const struct config *config, const struct store_options *options)
{
    struct s3_store *s3 = calloc(1, sizeof(*s3));
    struct http_tls tls = {.ca_file = config->store_ca_file};

    if (!s3)
        return NULL;
    s3->store.put = put;
    s3->store.protect = s3_protect;
    s3->store.list = s3_list;
    s3->store.read = s3_read;
    s3->store.check = check;
    s3->store.close = close_store;
    s3->if_none_match = config->store_if_none_match;
    s3->timeout_ms = config->store_timeout_ms;
    s3->multipart_bytes = (long long)config->store_multipart_mb * 1024 * 1024;
    s3->credentials_file = strdup(config->store_credentials_file);
    s3->http = http_new(&tls);
    snprintf(s3->region, sizeof(s3->region), "%s", config->store_region);
    if (strcmp(options->lock_mode, "none") != 0) {
        snprintf(s3->lock_mode, sizeof(s3->lock_mode), "%s", !strcmp(options->lock_mode, "compliance") ? "COMPLIANCE" : "GOVERNANCE");
        s3->lock_days = options->lock_days;
        s3->store.locks = true;
    }
    if (!s3->http || !s3->credentials_file || !split_url(s3, options->url, config->store_endpoint, config->store_path_style)) {
        log_error("store \"%s\": the URL or the endpoint is not acceptable", options->url);
        close_store(&s3->store);
        return NULL;
    }
    return &s3->store;
}
