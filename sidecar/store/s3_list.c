/*
 * s3_list.c: what a bucket holds (ListObjectVersions), and what was begun in it (ListMultipartUploads).
 *
 * Versions are listed, not objects: a delete marker hides an object from a listing of objects without removing it.
 * What is no listing, one of something else than was asked for, or a page without an end or a next, is an error, and never an
 * empty bucket.
 */
#include "store/s3.h"

#include "base/clock.h"
#include "base/log.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SIZE 1100
/* A page has up to 1,000 versions. What is listed begins with the day of the last segment that the index knows. */
#define PAGES_MOST 10000

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
    const char *asked;          /* the prefix of the keys; of every one of them */
    const char *bucket_prefix;  /* what of it is the store's own */
    const char *after;          /* NULL: from the first */
    char key_marker[KEY_SIZE], version_marker[S3_VERSION_SIZE];
    char last[KEY_SIZE];        /* the key before */
    char key[KEY_SIZE], version[S3_VERSION_SIZE];       /* of the version being read */
    char next_key[KEY_SIZE], next_version[S3_VERSION_SIZE], truncated[8];
    char prefix[KEY_SIZE];      /* as the answer repeats it */
    bool encoded;
    bool stopped;
    const char *fault;          /* NULL: there is none */
    object_taker *take;
    void *context;
};

static void keep(char *field, size_t size, const char *text, struct page *page)
{
    if (strlen(text) >= size)
        page->fault = "a name is longer than S3 permits";
    else
        strcpy(field, text);
}

/* One pass for what is said of the page as a whole: the encoding stands behind the keys that it is of. */
static void take_frame(void *context, const char *path, const char *text)
{
    struct page *page = context;

    if (!strcmp(path, "EncodingType"))
        page->encoded = !strcmp(text, "url");
    else if (!strcmp(path, "IsTruncated"))
        snprintf(page->truncated, sizeof(page->truncated), "%s", text);
    else if (!strcmp(path, "Prefix"))
        keep(page->prefix, sizeof(page->prefix), text, page);
    else if (!strcmp(path, "NextKeyMarker"))
        keep(page->next_key, sizeof(page->next_key), text, page);
    else if (!strcmp(path, "NextVersionIdMarker"))
        keep(page->next_version, sizeof(page->next_version), text, page);
}

static void take_version(struct page *page)
{
    size_t prefix_length = strlen(page->bucket_prefix);

    if (page->encoded)
        percent_decode(page->key);
    /* of a bucket without versions */
    if (!strcmp(page->version, "null"))
        page->version[0] = '\0';
    if (!page->key[0] || strncmp(page->key, page->asked, strlen(page->asked)) != 0)
        page->fault = "it lists objects that were not asked for";
    else if (strcmp(page->key, page->last) < 0 || (page->after && strcmp(page->key, page->after) <= 0))
        page->fault = "it does not list in the order of the keys";
    if (page->fault)
        return;
    strcpy(page->last, page->key);
    page->stopped = !page->take(page->context, page->key + prefix_length, page->version);
}

static void take_versions(void *context, const char *path, const char *text)
{
    struct page *page = context;

    if (page->stopped || page->fault)
        return;
    if (!strcmp(path, "Version/Key")) {
        keep(page->key, sizeof(page->key), text, page);
    } else if (!strcmp(path, "Version/VersionId")) {
        keep(page->version, sizeof(page->version), text, page);
    } else if (!strcmp(path, "Version")) {
        take_version(page);
        page->key[0] = page->version[0] = '\0';
    }
}

/* Sets where the next page begins; false: this was the last. The next must begin behind this one. */
static bool go_on(struct page *page)
{
    int order;

    if (page->encoded)
        percent_decode(page->next_key);
    if (!strcmp(page->truncated, "false"))
        return false;
    order = strcmp(page->next_key, page->key_marker);
    if (strcmp(page->truncated, "true") != 0)
        page->fault = "it does not say whether there is more";
    else if (order < 0 || (order == 0 && (!page->next_version[0] || !strcmp(page->next_version, page->version_marker))))
        page->fault = "it says that there is more, and not where that begins";
    strcpy(page->key_marker, page->next_key);
    strcpy(page->version_marker, page->next_version);
    return !page->fault;
}

/* Whether it is a listing of what was asked for: a cache may have another one, which holds nothing of it. */
static bool is_of_prefix(struct page *page)
{
    /* some servers encode keys alone */
    if (!strcmp(page->prefix, page->asked))
        return true;
    if (page->encoded)
        percent_decode(page->prefix);
    return !strcmp(page->prefix, page->asked);
}

/* False: the answer is no page of a listing, or one that cannot be. */
static bool take_page(const struct http_answer *answer, struct page *page)
{
    page->next_key[0] = page->next_version[0] = page->truncated[0] = page->prefix[0] = '\0';
    page->key[0] = page->version[0] = '\0';
    page->encoded = false;
    if (!xml_read(answer->body, answer->body_length, "ListVersionsResult", take_frame, page))
        page->fault = "what answers is no object store";
    else if (!is_of_prefix(page))
        page->fault = "it lists something else than was asked for";
    else
        xml_read(answer->body, answer->body_length, "ListVersionsResult", take_versions, page);
    return !page->fault;
}

static bool ask_page(struct s3_store *s3, const struct page *page, struct http_answer *answer)
{
    char encoded_prefix[3 * KEY_SIZE], encoded_key[3 * KEY_SIZE], encoded_version[3 * S3_VERSION_SIZE], query[10 * KEY_SIZE];
    struct s3_request request = {.method = "GET", .query = query};

    memset(answer, 0, sizeof(*answer));
    /* parameters in the order of their names, as the signature has them */
    if (!sigv4_encode(page->asked, false, encoded_prefix, sizeof(encoded_prefix))
        || !sigv4_encode(page->key_marker, false, encoded_key, sizeof(encoded_key))
        || !sigv4_encode(page->version_marker, false, encoded_version, sizeof(encoded_version)))
        return false;
    snprintf(query, sizeof(query), "encoding-type=url%s%s&prefix=%s%s%s&versions=", page->key_marker[0] ? "&key-marker=" : "", encoded_key,
             encoded_prefix, page->version_marker[0] ? "&version-id-marker=" : "", encoded_version);
    return s3_call(s3, &request, answer) && answer->status == 200;
}

bool s3_list(struct store *store, const char *prefix, const char *after, object_taker *take, void *context)
{
    struct s3_store *s3 = (struct s3_store *)store;
    char asked[KEY_SIZE], begin[KEY_SIZE];
    struct page page = {.asked = asked, .bucket_prefix = s3->prefix, .take = take, .context = context};
    bool ok = true, more = true;

    snprintf(asked, sizeof(asked), "%s%s", s3->prefix, prefix);
    if (after && after[0]) {
        snprintf(begin, sizeof(begin), "%s%s", s3->prefix, after);
        strcpy(page.key_marker, begin);
        page.after = begin;
    }
    for (int pages = 0; ok && more && !page.stopped; pages++) {
        struct http_answer answer = {0};

        if (pages == PAGES_MOST)
            page.fault = "it has more pages than can be";
        else if (store->is_given_up && store->is_given_up())
            page.fault = "it is not waited for any more";
        else if (store->until_ms && clock_ms() > store->until_ms)
            page.fault = "it does not come to its end in time";
        else if (ask_page(s3, &page, &answer))
            more = take_page(&answer, &page) && !page.stopped && go_on(&page);
        else
            page.fault = answer.error[0] ? answer.error : "refused";
        ok = !page.fault;
        if (!ok)
            log_warning("bucket \"%s\" cannot be listed: %s (status %ld)", s3->bucket, page.fault, answer.status);
        http_answer_free(&answer);
    }
    return ok;
}

struct uploads {
    const char *key;            /* of the object */
    char (*ids)[S3_UPLOAD_SIZE];
    size_t most, count;
    char found_key[KEY_SIZE];   /* of the upload being read */
    char id[S3_UPLOAD_SIZE];
};

static void take_upload(void *context, const char *path, const char *text)
{
    struct uploads *uploads = context;

    if (!strcmp(path, "Upload/Key")) {
        snprintf(uploads->found_key, sizeof(uploads->found_key), "%s", text);
        percent_decode(uploads->found_key);
    } else if (!strcmp(path, "Upload/UploadId") && strlen(text) < sizeof(uploads->id)) {
        strcpy(uploads->id, text);
    } else if (!strcmp(path, "Upload")) {
        if (!strcmp(uploads->found_key, uploads->key) && uploads->id[0] && uploads->count < uploads->most)
            strcpy(uploads->ids[uploads->count++], uploads->id);
        uploads->found_key[0] = uploads->id[0] = '\0';
    }
}

bool s3_list_uploads(struct s3_store *s3, const char *key, char (*ids)[S3_UPLOAD_SIZE], size_t most, size_t *count)
{
    char whole[KEY_SIZE], encoded_prefix[3 * KEY_SIZE], query[4 * KEY_SIZE];
    struct s3_request request = {.method = "GET", .query = query};
    struct uploads uploads = {.key = whole, .ids = ids, .most = most};
    struct http_answer answer;
    bool answered, ok;

    *count = 0;
    snprintf(whole, sizeof(whole), "%s%s", s3->prefix, key);
    if (!sigv4_encode(whole, false, encoded_prefix, sizeof(encoded_prefix)))
        return false;
    snprintf(query, sizeof(query), "encoding-type=url&prefix=%s&uploads=", encoded_prefix);
    answered = s3_call(s3, &request, &answer) && answer.status == 200;
    ok = answered && xml_read(answer.body, answer.body_length, "ListMultipartUploadsResult", take_upload, &uploads);
    if (ok)
        *count = uploads.count;
    else
        log_warning("unfinished uploads to bucket \"%s\" cannot be listed: %s (status %ld)", s3->bucket,
                    answer.error[0] ? answer.error : answered ? "what answers is no object store" : "refused", answer.status);
    http_answer_free(&answer);
    return ok;
}
