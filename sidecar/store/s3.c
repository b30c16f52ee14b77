/*
 * s3.c: objects in a bucket, over the S3 API.
 *
 * An object is put with If-None-Match: * and its SHA-256, so that nothing is overwritten and the store checks what it
 * took. A store that took it answers with that SHA-256 and an entity tag; one that does not (there are some that ignore the
 * SHA-256) is read back.
 * 412 means that something is there: it is read back too, and equal bytes are success. Under object lock a version
 * can be told apart by its id only, so that is what is recorded, and a store that gives none is refused, and so is one
 * that does not say afterwards that the version is locked.
 * Larger objects go in parts (s3_multipart.c): nothing is held in memory but one part.
 */
#include "store/s3.h"

#include "base/clock.h"
#include "base/log.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCK_SEEN_MS (3600 * 1000)

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

struct finding {
    const char *key;
    bool found;
};

static bool find(void *context, const char *key, const char *version)
{
    struct finding *finding = context;

    (void)version;
    finding->found = finding->found || !strcmp(key, finding->key);
    return !finding->found;
}

/* Whether a listing too has an object of that name: bytes alone may be whatever a proxy answers with. */
static bool is_listed(struct s3_store *s3, const char *key)
{
    struct finding finding = {.key = key};

    return s3_list(&s3->store, key, NULL, find, &finding) && finding.found;
}

/* Reads what is there (stored->version, or the newest) and compares it; takes its version id. *missing: S3 says that there is nothing. */
static enum store_result compare(struct s3_store *s3, const struct object *object, struct stored *stored, bool *missing)
{
    struct hashing hashing = {.context = EVP_MD_CTX_new()};
    struct http_answer answer = {0};
    enum store_result result = STORE_RETRY;
    unsigned char digest[32];
    char hex[65] = "", code[64];

    *missing = false;
    if (!hashing.context || EVP_DigestInit_ex(hashing.context, EVP_sha256(), NULL) != 1) {
        snprintf(stored->reason, sizeof(stored->reason), "out of memory");
    } else if (s3_read_ranges(s3, object->key, stored->version, hash_piece, &hashing, &answer)) {
        EVP_DigestFinal_ex(hashing.context, digest, NULL);
        sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
        if (!strcmp(hex, object->hash) && hashing.size == object->size) {
            result = STORE_DONE;
        } else if (is_listed(s3, object->key)) {
            snprintf(stored->reason, sizeof(stored->reason), "object \"%.300s\" exists with other bytes", object->key);
            result = STORE_REFUSED;
        } else {
            snprintf(stored->reason, sizeof(stored->reason), "the object store answered GET with other bytes, and does not list \"%.300s\"", object->key);
        }
    } else {
        s3_error_code(&answer, code, sizeof(code));
        *missing = answer.status == 404 && (!strcmp(code, "NoSuchKey") || !strcmp(code, "NoSuchVersion"));
        s3_fault(&answer, "GET", stored);
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

enum presence s3_presence(const struct http_answer *answer)
{
    /* who refuses early may end the connection while the bytes are still on their way, and the refusal is lost */
    return answer->status == 412 ? PRESENCE_YES : answer->cut || answer->status / 100 == 2 ? PRESENCE_MAYBE : PRESENCE_NO;
}

void s3_take_version(const struct http_answer *answer, struct stored *stored)
{
    if (!http_answer_header(answer, "x-amz-version-id", stored->version, sizeof(stored->version)))
        stored->version[0] = '\0';
}

static enum store_result put_whole(struct s3_store *s3, const struct object *object, struct stored *stored, enum presence *presence)
{
    struct s3_object_headers made;
    struct sending sending = {.object = object};
    char checksum[64], answered[128], etag[200];
    struct s3_request request = {.method = "PUT",
                                 .key = object->key,
                                 .payload_hash = object->hash,
                                 .headers = made.headers,
                                 .header_count = s3_object_headers(s3, object, &made),
                                 .http = {.read = send_piece, .read_context = &sending, .body_size = (size_t)object->size}};
    struct http_answer answer;
    enum store_result result = STORE_RETRY;

    s3_base64_of_hex(object->hash, checksum);
    made.headers[request.header_count++] = (struct http_header){"x-amz-checksum-sha256", checksum};
    if (s3->if_none_match && !object->replaces)
        made.headers[request.header_count++] = (struct http_header){"if-none-match", "*"};
    if (!s3_call(s3, &request, &answer) || answer.status != 200) {
        s3_fault(&answer, "PUT", stored);
        *presence = s3_presence(&answer);
    } else if (!http_answer_header(&answer, "x-amz-checksum-sha256", answered, sizeof(answered))
               || !http_answer_header(&answer, "etag", etag, sizeof(etag))) {
        s3_take_version(&answer, stored);
        *presence = PRESENCE_TOLD;
    } else if (strcmp(answered, checksum) != 0) {
        snprintf(stored->reason, sizeof(stored->reason), "the object store has another checksum");
    } else {
        s3_take_version(&answer, stored);
        result = STORE_DONE;
    }
    http_answer_free(&answer);
    return result;
}

/* Puts an object that may be there already. */
static enum store_result make(struct s3_store *s3, const struct object *object, struct stored *stored)
{
    enum presence presence = PRESENCE_NO;
    struct stored there = {0};
    bool missing;
    enum store_result compared,
                      result = object->size > s3->multipart_bytes ? s3_put_parts(s3, object, stored, &presence) : put_whole(s3, object, stored, &presence);

    if (result == STORE_DONE || presence == PRESENCE_NO)
        return result;
    if (presence == PRESENCE_TOLD)
        snprintf(there.version, sizeof(there.version), "%s", stored->version);
    /* without a version it may be another's, made before ours */
    there.existed = !there.version[0];
    compared = compare(s3, object, &there, &missing);
    if (presence == PRESENCE_MAYBE && compared == STORE_RETRY)
        return result;
    if (missing)
        snprintf(there.reason, sizeof(there.reason), presence == PRESENCE_TOLD ? "the object store answered with status 200, and has not got the object"
                                                                               : "the object is hidden by a delete marker or was removed");
    *stored = there;
    /* another one was there before, or has come since */
    return compared == STORE_REFUSED && object->replaces ? STORE_RETRY : compared;
}

/*
 * A server without object lock ignores the headers that ask for it, and reports success. So the lock is read back: now and
 * then, as all objects go to the same server, and each time when a lock was asked for in particular.
 */
static bool shows_locks(struct s3_store *s3, const struct object *object, struct stored *stored)
{
    if (s3->lock_seen_ms && clock_ms() - s3->lock_seen_ms < LOCK_SEEN_MS && !object->retain_until && !object->legal_hold)
        return true;
    if (!s3_is_locked(s3, object, stored)) {
        s3->lock_seen_ms = 0;
        return false;
    }
    s3->lock_seen_ms = clock_ms();
    return true;
}

static enum store_result put(struct store *store, const struct object *object, struct stored *stored)
{
    struct s3_store *s3 = (struct s3_store *)store;
    bool missing = true;
    enum store_result result = STORE_RETRY;

    if (!store_metadata_are_plain(object)) {
        snprintf(stored->reason, sizeof(stored->reason), "the object's metadata are not acceptable");
        return STORE_REFUSED;
    }
    if (!s3->if_none_match && !object->replaces) {
        /* the server would overwrite: look first */
        stored->existed = true;
        result = compare(s3, object, stored, &missing);
    }
    if (missing) {
        *stored = (struct stored){0};
        result = make(s3, object, stored);
    }
    if (result == STORE_DONE && s3->lock_mode[0] && (!stored->version[0] || !strcmp(stored->version, "null"))) {
        snprintf(stored->reason, sizeof(stored->reason), "bucket \"%s\" gives no version ids: it is not versioned, so object lock protects nothing",
                 s3->bucket);
        return STORE_RETRY;
    }
    if (result == STORE_DONE && s3->lock_mode[0] && !shows_locks(s3, object, stored))
        return STORE_RETRY;
    if (result == STORE_DONE)
        snprintf(stored->uri, sizeof(stored->uri), "s3://%s/%s%s", s3->bucket, s3->prefix, object->key);
    return result;
}

/* A listing, and not HEAD, which any server answers with 200: it needs the same permission, and shows that S3 is there. */
static bool check(struct store *store)
{
    struct s3_store *s3 = (struct s3_store *)store;
    struct s3_request request = {.method = "GET", .query = "list-type=2&max-keys=1"};
    struct http_answer answer;
    bool answered = s3_call(s3, &request, &answer) && answer.status == 200;
    bool ok = answered && xml_read(answer.body, answer.body_length, "ListBucketResult", NULL, NULL);

    if (!ok)
        log_error("bucket \"%s\" at %s: %s (status %ld)", s3->bucket, s3->base_url,
                  answer.error[0] ? answer.error : answered ? "what answers is no object store" : "not available", answer.status);
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
