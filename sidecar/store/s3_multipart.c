/*
 * s3_multipart.c: an object in parts.
 *
 * S3: 1 to 10,000 parts, each of 5 MiB at least but the last. The whole is hashed as its parts are sent, and only if it
 * is what was frozen are the parts made an object.
 */
#include "s3.h"

#include "../log.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART_LEAST (16LL * 1024 * 1024)
#define PARTS_MOST 10000
/* Each was left by a death; more wait for the next attempt. */
#define EARLIER_MOST 16

struct upload {
    struct s3_store *s3;
    const struct object *object;
    char id[1024];              /* encoded */
    char *part;                 /* the bytes of the part in the making */
    size_t part_size;
    const char *piece;          /* what is left of the piece read last */
    size_t piece_left;
    EVP_MD_CTX *whole;
    FILE *list;                 /* the body of CompleteMultipartUpload */
    char *list_text;
    size_t list_length;
};

/* Fills a part; its length, 0 at the end, -1 when the bytes could not be read. */
static long fill(struct upload *upload)
{
    size_t length = 0;

    while (length < upload->part_size) {
        size_t n;

        if (upload->piece_left == 0) {
            const void *bytes;

            if (!upload->object->next(upload->object->context, &bytes, &upload->piece_left))
                return -1;
            upload->piece = bytes;
            if (upload->piece_left == 0)
                break;
        }
        n = upload->part_size - length < upload->piece_left ? upload->part_size - length : upload->piece_left;
        memcpy(upload->part + length, upload->piece, n);
        upload->piece += n;
        upload->piece_left -= n;
        length += n;
    }
    return (long)length;
}

/* id: encoded */
static void abandon(struct upload *upload, const char *id)
{
    char query[1100];
    struct s3_request request = {.method = "DELETE", .key = upload->object->key, .query = query};
    struct http_answer answer;

    snprintf(query, sizeof(query), "uploadId=%s", id);
    if (!s3_call(upload->s3, &request, &answer) || answer.status / 100 != 2)
        log_warning("the parts of \"%s\" could not be removed (status %ld)", upload->object->key, answer.status);
    http_answer_free(&answer);
}

/* Parts that were sent and never made an object, as when the sidecar was killed: the store would keep them for ever. */
static void abandon_earlier(struct upload *upload)
{
    char ids[EARLIER_MOST][S3_UPLOAD_SIZE], encoded[1024];
    size_t count;

    if (!s3_list_uploads(upload->s3, upload->object->key, ids, EARLIER_MOST, &count))
        return;
    for (size_t i = 0; i < count; i++)
        if (sigv4_encode(ids[i], false, encoded, sizeof(encoded)))
            abandon(upload, encoded);
}

static bool begin(struct upload *upload, struct stored *stored)
{
    struct s3_object_headers made;
    struct s3_request request = {.method = "POST",
                                 .key = upload->object->key,
                                 .query = "uploads=",
                                 .headers = made.headers,
                                 .header_count = s3_object_headers(upload->s3, upload->object, &made),
                                 .http = {.body = "", .body_size = 0}};
    struct http_answer answer;
    const char *id;
    bool ok = false;

    made.headers[request.header_count++] = (struct http_header){"x-amz-checksum-algorithm", "SHA256"};
    if (s3_call(upload->s3, &request, &answer) && answer.status == 200 && answer.body && (id = strstr(answer.body, "<UploadId>"))) {
        char plain[S3_UPLOAD_SIZE];

        snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(id + 10, "<"), id + 10);
        ok = sigv4_encode(plain, false, upload->id, sizeof(upload->id));
    }
    if (!ok)
        s3_fault(&answer, "CreateMultipartUpload", stored);
    http_answer_free(&answer);
    return ok;
}

static bool send_part(struct upload *upload, int number, size_t length, struct stored *stored)
{
    unsigned char digest[32];
    char hash[65], checksum[64], query[1200], etag[200] = "";
    struct http_header headers[] = {{"x-amz-checksum-sha256", checksum}};
    struct s3_request request = {.method = "PUT",
                                 .key = upload->object->key,
                                 .query = query,
                                 .payload_hash = hash,
                                 .headers = headers,
                                 .header_count = 1,
                                 .http = {.body = upload->part, .body_size = length}};
    struct http_answer answer;
    bool ok;

    EVP_Digest(upload->part, length, digest, NULL, EVP_sha256(), NULL);
    EVP_DigestUpdate(upload->whole, upload->part, length);
    sodium_bin2hex(hash, sizeof(hash), digest, sizeof(digest));
    s3_base64_of_hex(hash, checksum);
    snprintf(query, sizeof(query), "partNumber=%d&uploadId=%s", number, upload->id);
    ok = s3_call(upload->s3, &request, &answer) && answer.status == 200 && http_answer_header(&answer, "etag", etag, sizeof(etag));
    if (ok)
        fprintf(upload->list, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag><ChecksumSHA256>%s</ChecksumSHA256></Part>", number, etag, checksum);
    else
        s3_fault(&answer, "UploadPart", stored);
    http_answer_free(&answer);
    return ok;
}

static enum store_result complete(struct upload *upload, struct stored *stored, enum presence *presence)
{
    unsigned char digest[32];
    char hash[65], query[1100];
    struct http_header headers[] = {{"content-type", "application/xml"}, {"if-none-match", "*"}};
    struct s3_request request = {.method = "POST",
                                 .key = upload->object->key,
                                 .query = query,
                                 .payload_hash = hash,
                                 .headers = headers,
                                 .header_count = upload->s3->if_none_match ? 2 : 1};
    struct http_answer answer;
    enum store_result result = STORE_DONE;

    fputs("</CompleteMultipartUpload>", upload->list);
    fflush(upload->list);
    EVP_Digest(upload->list_text, upload->list_length, digest, NULL, EVP_sha256(), NULL);
    sodium_bin2hex(hash, sizeof(hash), digest, sizeof(digest));
    snprintf(query, sizeof(query), "uploadId=%s", upload->id);
    request.http.body = upload->list_text;
    request.http.body_size = upload->list_length;
    /* S3 may answer 200 and tell of a failure in the body */
    if (!s3_call(upload->s3, &request, &answer) || answer.status != 200 || (answer.body && strstr(answer.body, "<Error>"))) {
        result = s3_fault(&answer, "CompleteMultipartUpload", stored);
        *presence = s3_presence(&answer);
    } else if (!http_answer_header(&answer, "x-amz-version-id", stored->version, sizeof(stored->version))) {
        stored->version[0] = '\0';
    }
    http_answer_free(&answer);
    return result;
}

static enum store_result send_parts(struct upload *upload, struct stored *stored, enum presence *presence)
{
    unsigned char digest[32];
    char hash[65];
    long length;

    fputs("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">", upload->list);
    for (int number = 1; (length = fill(upload)) != 0; number++) {
        if (length < 0) {
            snprintf(stored->reason, sizeof(stored->reason), "the bytes could not be read from the database");
            return STORE_RETRY;
        }
        if (!send_part(upload, number, (size_t)length, stored))
            return STORE_RETRY;
    }
    EVP_DigestFinal_ex(upload->whole, digest, NULL);
    sodium_bin2hex(hash, sizeof(hash), digest, sizeof(digest));
    if (strcmp(hash, upload->object->hash) != 0) {
        snprintf(stored->reason, sizeof(stored->reason), "the bytes of \"%.300s\" are not what was frozen", upload->object->key);
        return STORE_REFUSED;
    }
    return complete(upload, stored, presence);
}

enum store_result s3_put_parts(struct s3_store *s3, const struct object *object, struct stored *stored, enum presence *presence)
{
    struct upload upload = {.s3 = s3, .object = object, .part_size = PART_LEAST};
    enum store_result result = STORE_RETRY;

    if (object->size / PARTS_MOST >= PART_LEAST)
        upload.part_size = (size_t)(object->size / PARTS_MOST + 1);
    upload.part = malloc(upload.part_size);
    upload.whole = EVP_MD_CTX_new();
    upload.list = open_memstream(&upload.list_text, &upload.list_length);
    if (!upload.part || !upload.whole || !upload.list || EVP_DigestInit_ex(upload.whole, EVP_sha256(), NULL) != 1) {
        snprintf(stored->reason, sizeof(stored->reason), "out of memory");
    } else if (object->rewind(object->context)) {
        abandon_earlier(&upload);
        if (begin(&upload, stored)) {
            result = send_parts(&upload, stored, presence);
            if (result != STORE_DONE)
                abandon(&upload, upload.id);
        }
    }
    if (upload.list)
        fclose(upload.list);
    free(upload.list_text);
    EVP_MD_CTX_free(upload.whole);
    free(upload.part);
    return result;
}
