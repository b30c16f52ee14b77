/*
 * s3_read.c: the bytes of an object (GetObject).
 *
 * They are read in ranges: the time limit of a request then holds for a range, and not for an object of any size.
 */
#include "s3.h"

#include "../log.h"

#include <stdio.h>
#include <string.h>

#define RANGE_BYTES (16LL * 1024 * 1024)

/* Where the range that came ends, and how large the object is. False: it is not what was asked for. */
static bool parse_range(const struct http_answer *answer, long long begin, long long *end, long long *size)
{
    char text[128];
    long long first, last;

    if (!http_answer_header(answer, "content-range", text, sizeof(text)) || sscanf(text, "bytes %lld-%lld/%lld", &first, &last, size) != 3
        || first != begin || last < first || last >= *size)
        return false;
    *end = last + 1;
    return true;
}

bool s3_read_ranges(struct s3_store *s3, const char *key, char version[S3_VERSION_SIZE], piece_taker *take, void *context, struct http_answer *answer)
{
    long long begin = 0, size = 1;

    memset(answer, 0, sizeof(*answer));
    while (begin < size) {
        char encoded[3 * S3_VERSION_SIZE], query[3 * S3_VERSION_SIZE + 20] = "", range[64];
        const struct http_header headers[] = {{"range", range}};
        struct s3_request request = {.method = "GET", .key = key, .query = query, .headers = headers, .header_count = 1,
                                     .http = {.take = take, .take_context = context}};

        http_answer_free(answer);
        snprintf(range, sizeof(range), "bytes=%lld-%lld", begin, begin + RANGE_BYTES - 1);
        if (version[0] && !sigv4_encode(version, false, encoded, sizeof(encoded)))
            return false;
        if (version[0])
            snprintf(query, sizeof(query), "versionId=%s", encoded);
        if (!s3_call(s3, &request, answer))
            return false;
        /* an object without bytes has no ranges; a server that knows none sends the whole */
        if (begin == 0 && answer->status == 416)
            return true;
        if (answer->status != (begin == 0 && answer->status == 200 ? 200 : 206))
            return false;
        if (!version[0] && !http_answer_header(answer, "x-amz-version-id", version, S3_VERSION_SIZE))
            version[0] = '\0';
        if (answer->status == 200)
            return true;
        if (!parse_range(answer, begin, &begin, &size)) {
            snprintf(answer->error, sizeof(answer->error), "the object store answered with another range");
            return false;
        }
    }
    return true;
}

bool s3_read(struct store *store, const char *key, const char *version, piece_taker *take, void *context)
{
    struct s3_store *s3 = (struct s3_store *)store;
    struct http_answer answer;
    char read_version[S3_VERSION_SIZE];
    bool ok;

    snprintf(read_version, sizeof(read_version), "%s", version);
    ok = s3_read_ranges(s3, key, read_version, take, context, &answer);
    if (!ok)
        log_error("object \"%s\" of bucket \"%s\" cannot be read: %s (status %ld)", key, s3->bucket, answer.error[0] ? answer.error : "refused", answer.status);
    http_answer_free(&answer);
    return ok;
}
