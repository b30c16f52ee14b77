/*
 * s3_list.c: what a bucket holds (ListObjectVersions), and what was begun in it (ListMultipartUploads).
 *
 * Versions are listed, not objects: a delete marker hides an object from a listing of objects without removing it.
 */
#include "s3.h"

#include "../log.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SIZE 1100

/* The text of the first element of that name before end; "" when there is none, or it is too long. */
static void element(const char *begin, const char *end, const char *name, char *text, size_t size)
{
    char tag[40];
    const char *found, *stop;

    text[0] = '\0';
    snprintf(tag, sizeof(tag), "<%s>", name);
    found = strstr(begin, tag);
    if (!found || found >= end)
        return;
    found += strlen(tag);
    stop = strchr(found, '<');
    if (stop && (size_t)(stop - found) < size)
        snprintf(text, size, "%.*s", (int)(stop - found), found);
}

static void percent_decode(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        unsigned char byte;
        size_t length;

        if (*from == '%' && sodium_hex2bin(&byte, 1, from + 1, 2, NULL, &length, NULL) == 0 && length == 1) {
            *to++ = (char)byte;
            from += 2;
        } else {
            *to++ = *from == '+' ? ' ' : *from;
        }
    }
    *to = '\0';
}

struct page {
    char key_marker[KEY_SIZE], version_marker[S3_VERSION_SIZE];
    bool more, stopped;
};

static void take_page(const struct s3_store *s3, const char *body, struct page *page, object_taker *take, void *context)
{
    const char *end = body + strlen(body), *next = body;
    size_t prefix_length = strlen(s3->prefix);
    bool encoded = strstr(body, "<EncodingType>url</EncodingType>") != NULL;
    char truncated[8];

    while (!page->stopped && (next = strstr(next, "<Version>"))) {
        const char *stop = strstr(next, "</Version>");
        char key[KEY_SIZE], version[S3_VERSION_SIZE];

        element(next, stop ? stop : end, "Key", key, sizeof(key));
        element(next, stop ? stop : end, "VersionId", version, sizeof(version));
        if (encoded)
            percent_decode(key);
        /* of a bucket without versions */
        if (!strcmp(version, "null"))
            version[0] = '\0';
        if (!strncmp(key, s3->prefix, prefix_length))
            page->stopped = !take(context, key + prefix_length, version);
        next = stop ? stop : end;
    }
    element(body, end, "IsTruncated", truncated, sizeof(truncated));
    page->more = !strcmp(truncated, "true");
    element(body, end, "NextKeyMarker", page->key_marker, sizeof(page->key_marker));
    element(body, end, "NextVersionIdMarker", page->version_marker, sizeof(page->version_marker));
    if (encoded)
        percent_decode(page->key_marker);
    page->more = page->more && page->key_marker[0];
}

bool s3_list(struct store *store, const char *prefix, const char *after, object_taker *take, void *context)
{
    struct s3_store *s3 = (struct s3_store *)store;
    struct page page = {.more = true};
    bool ok = true;

    if (after && after[0])
        snprintf(page.key_marker, sizeof(page.key_marker), "%s%s", s3->prefix, after);
    while (ok && page.more && !page.stopped) {
        char whole[KEY_SIZE], encoded_prefix[3 * KEY_SIZE], encoded_key[3 * KEY_SIZE], encoded_version[3 * S3_VERSION_SIZE], query[10 * KEY_SIZE];
        struct s3_request request = {.method = "GET", .query = query};
        struct http_answer answer;

        snprintf(whole, sizeof(whole), "%s%s", s3->prefix, prefix);
        /* parameters in the order of their names, as the signature has them */
        ok = sigv4_encode(whole, false, encoded_prefix, sizeof(encoded_prefix))
             && sigv4_encode(page.key_marker, false, encoded_key, sizeof(encoded_key))
             && sigv4_encode(page.version_marker, false, encoded_version, sizeof(encoded_version));
        if (!ok)
            break;
        snprintf(query, sizeof(query), "encoding-type=url%s%s&prefix=%s%s%s&versions=", page.key_marker[0] ? "&key-marker=" : "", encoded_key,
                 encoded_prefix, page.version_marker[0] ? "&version-id-marker=" : "", encoded_version);
        ok = s3_call(s3, &request, &answer) && answer.status == 200 && answer.body;
        if (ok)
            take_page(s3, answer.body, &page, take, context);
        else
            log_warning("bucket \"%s\" cannot be listed: %s (status %ld)", s3->bucket, answer.error[0] ? answer.error : "refused", answer.status);
        http_answer_free(&answer);
    }
    return ok;
}

bool s3_list_uploads(struct s3_store *s3, const char *key, char (*ids)[S3_UPLOAD_SIZE], size_t most, size_t *count)
{
    char whole[KEY_SIZE], encoded_prefix[3 * KEY_SIZE], query[4 * KEY_SIZE];
    struct s3_request request = {.method = "GET", .query = query};
    struct http_answer answer;
    bool ok;

    *count = 0;
    snprintf(whole, sizeof(whole), "%s%s", s3->prefix, key);
    if (!sigv4_encode(whole, false, encoded_prefix, sizeof(encoded_prefix)))
        return false;
    snprintf(query, sizeof(query), "encoding-type=url&prefix=%s&uploads=", encoded_prefix);
    ok = s3_call(s3, &request, &answer) && answer.status == 200 && answer.body;
    for (const char *next = ok ? strstr(answer.body, "<Upload>") : NULL; next && *count < most; next = strstr(next + 1, "<Upload>")) {
        const char *stop = strstr(next, "</Upload>");
        char found[KEY_SIZE];

        if (!stop)
            break;
        element(next, stop, "Key", found, sizeof(found));
        element(next, stop, "UploadId", ids[*count], S3_UPLOAD_SIZE);
        percent_decode(found);
        *count += !strcmp(found, whole) && ids[*count][0];
    }
    if (!ok)
        log_warning("unfinished uploads to bucket \"%s\" cannot be listed: %s (status %ld)", s3->bucket, answer.error[0] ? answer.error : "refused", answer.status);
    http_answer_free(&answer);
    return ok;
}
