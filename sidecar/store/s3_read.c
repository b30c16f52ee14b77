/*
 * s3_read.c: the bytes of an object (GetObject).
 *
 * They are read in ranges: the time limit of a request then holds for a range, and not for an object of any size.
 */
#include "store/s3.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define RANGE_BYTES (16LL * 1024 * 1024)

/* What is known of the object that is being read. */
struct reading {
    long long begin;            /* of the range */
    long long size;             /* of the whole; -1: not known yet */
    long long taken;            /* of the range */
    piece_taker *take;
    void *context;
};

static bool take_piece(void *context, const void *bytes, size_t length)
{
    struct reading *reading = context;

    reading->taken += (long long)length;
    return reading->take(reading->context, bytes, length);
}

/* Goes behind the range that came. False: it is not the whole of what was asked for, or of another object. */
static bool next_range(const struct http_answer *answer, struct reading *reading)
{
    char text[128];
    long long first, last, size;

    if (!http_answer_header(answer, "content-range", text, sizeof(text)) || sscanf(text, "bytes %lld-%lld/%lld", &first, &last, &size) != 3
        || first != reading->begin || size < 0 || (reading->size >= 0 && size != reading->size) || last - first + 1 != reading->taken
        || last != (size - first < RANGE_BYTES ? size - 1 : first + RANGE_BYTES - 1))
        return false;
    reading->size = size;
    reading->begin = last + 1;
    return true;
}

/* Takes the version of an answer that is the first; false: it is of another version than the first, or than was asked for. */
static bool same_version(const struct http_answer *answer, char version[S3_VERSION_SIZE])
{
    char answered[S3_VERSION_SIZE];

    if (!http_answer_header(answer, "x-amz-version-id", answered, sizeof(answered)))
        return true;
    if (!version[0])
        strcpy(version, answered);
    return !strcmp(version, answered);
}

static bool is_empty(const struct http_answer *answer)
{
    char code[64];

    s3_error_code(answer, code, sizeof(code));
    return answer->status == 416 && !strcmp(code, "InvalidRange");
}

bool s3_read_ranges(struct s3_store *s3, const char *key, char version[S3_VERSION_SIZE], piece_taker *take, void *context, struct http_answer *answer)
{
    struct reading reading = {.size = -1, .take = take, .context = context};

    memset(answer, 0, sizeof(*answer));
    while (reading.size < 0 || reading.begin < reading.size) {
        char encoded[3 * S3_VERSION_SIZE], query[3 * S3_VERSION_SIZE + 20] = "", range[64];
        const struct http_header headers[] = {{"range", range}};
        struct s3_request request = {.method = "GET", .key = key, .query = query, .headers = headers, .header_count = 1,
                                     .http = {.take = take_piece, .take_context = &reading}};

        http_answer_free(answer);
        reading.taken = 0;
        snprintf(range, sizeof(range), "bytes=%lld-%lld", reading.begin, reading.begin + RANGE_BYTES - 1);
        if (version[0] && !sigv4_encode(version, false, encoded, sizeof(encoded)))
            return false;
        if (version[0])
            snprintf(query, sizeof(query), "versionId=%s", encoded);
        if (!s3_call(s3, &request, answer))
            return false;
        /* an object without bytes has no ranges */
        if (reading.begin == 0 && is_empty(answer))
            return true;
        if (answer->status != 206 && !(reading.begin == 0 && answer->status == 200))
            return false;
        if (!same_version(answer, version)) {
            snprintf(answer->error, sizeof(answer->error), "another version");
            return false;
        }
        /* a server that knows no ranges sends the whole */
        if (answer->status == 200)
            return true;
        if (!next_range(answer, &reading)) {
            snprintf(answer->error, sizeof(answer->error), "another range");
            return false;
        }
    }
    return true;
}

bool s3_read(struct store *store, const char *key, const char *version, piece_taker *take, void *context)
{
    struct s3_store *s3 = (struct s3_store *)store;
    struct http_answer answer;
    char read_version[S3_VERSION_SIZE], answered[S3_VERSION_SIZE];
    bool ok;

    snprintf(read_version, sizeof(read_version), "%s", version);
    ok = s3_read_ranges(s3, key, read_version, take, context, &answer);
    /* the whole, without a range, is what any server answers with */
    if (ok && version[0] && answer.status == 200 && !http_answer_header(&answer, "x-amz-version-id", answered, sizeof(answered))) {
        snprintf(answer.error, sizeof(answer.error), "the answer names no version");
        ok = false;
    }
    if (!ok)
        log_error("object \"%s\" of bucket \"%s\" cannot be read: %s (status %ld)", key, s3->bucket, answer.error[0] ? answer.error : "refused", answer.status);
    http_answer_free(&answer);
    return ok;
}
