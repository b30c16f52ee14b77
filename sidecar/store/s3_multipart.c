/*
 * s3_multipart.c: an object in parts.
 *
 * S3: 1 to 10,000 parts, each of 5 MiB at least but the last. The whole is hashed as its parts are sent, and only if it
 * is what was frozen are the parts made an object.
 */
#include "store/s3.h"

#include "base/log.h"

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
    EVP_MD_CTX *whole, *parts;  /* of the bytes; of the parts' digests, from which S3 makes the checksum of the object */
    int count;
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
    char code[64];

    snprintf(query, sizeof(query), "uploadId=%s", id);
    s3_call(upload->s3, &request, &answer);
    s3_error_code(&answer, code, sizeof(code));
    if (answer.status != 204 && strcmp(code, "NoSuchUpload") != 0)
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
    char plain[S3_UPLOAD_SIZE];
    bool ok;

    made.headers[request.header_count++] = (struct http_header){"x-amz-checksum-algorithm", "SHA256"};
    ok = s3_call(upload->s3, &request, &answer) && answer.status == 200
         && xml_text(answer.body, answer.body_length, "InitiateMultipartUploadResult", "UploadId", plain, sizeof(plain)) && plain[0]
         && sigv4_encode(plain, false, upload->id, sizeof(upload->id));
    if (!ok)
        s3_fault(&answer, "CreateMultipartUpload", stored);
    http_answer_free(&answer);
    return ok;
}

static bool send_part(struct upload *upload, int number, size_t length, struct stored *stored)
{
    unsigned char digest[32];
    char hash[65], checksum[64], query[1200], etag[200], answered[128];
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
    EVP_DigestUpdate(upload->parts, digest, sizeof(digest));
    upload->count = number;
    sodium_bin2hex(hash, sizeof(hash), digest, sizeof(digest));
    s3_base64_of_hex(hash, checksum);
    snprintf(query, sizeof(query), "partNumber=%d&uploadId=%s", number, upload->id);
    /* the tag goes into a document as it is */
    ok = s3_call(upload->s3, &request, &answer) && answer.status == 200 && http_answer_header(&answer, "etag", etag, sizeof(etag)) && etag[0]
         && !strpbrk(etag, "<>&")
         && (!http_answer_header(&answer, "x-amz-checksum-sha256", answered, sizeof(answered)) || !strcmp(answered, checksum));
    if (ok)
        fprintf(upload->list, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag><ChecksumSHA256>%s</ChecksumSHA256></Part>", number, etag, checksum);
    else
        s3_fault(&answer, "UploadPart", stored);
    http_answer_free(&answer);
    return ok;
}

/* Whether the answer is that of a store which made the object of our parts: it has the checksum of their checksums. */
static bool has_checksum(const struct upload *upload, const struct http_answer *answer, const unsigned char digest[32])
{
    char hex[65], base64[64], expected[80], answered[80];

    sodium_bin2hex(hex, sizeof(hex), digest, 32);
    s3_base64_of_hex(hex, base64);
    snprintf(expected, sizeof(expected), "%s-%d", base64, upload->count);
    return xml_text(answer->body, answer->body_length, "CompleteMultipartUploadResult", "ChecksumSHA256", answered, sizeof(answered))
           && !strcmp(answered, expected);
}

static enum store_result complete(struct upload *upload, struct stored *stored, enum presence *presence)
{
    unsigned char digest[32], parts_digest[32];
    char hash[65], query[1100];
    struct http_header headers[] = {{"content-type", "application/xml"}, {"if-none-match", "*"}};
    struct s3_request request = {.method = "POST",
                                 .key = upload->object->key,
                                 .query = query,
                                 .payload_hash = hash,
                                 .headers = headers,
                                 .header_count = upload->s3->if_none_match ? 2 : 1};
    struct http_answer answer;
    enum store_result result = STORE_RETRY;

    fputs("</CompleteMultipartUpload>", upload->list);
    fflush(upload->list);
    EVP_Digest(upload->list_text, upload->list_length, digest, NULL, EVP_sha256(), NULL);
    EVP_DigestFinal_ex(upload->parts, parts_digest, NULL);
    sodium_bin2hex(hash, sizeof(hash), digest, sizeof(digest));
    snprintf(query, sizeof(query), "uploadId=%s", upload->id);
    request.http.body = upload->list_text;
    request.http.body_size = upload->list_length;
    /* S3 may answer 200 and tell of a failure in the body */
    if (!s3_call(upload->s3, &request, &answer) || answer.status != 200
        || !xml_read(answer.body, answer.body_length, "CompleteMultipartUploadResult", NULL, NULL)) {
        s3_fault(&answer, "CompleteMultipartUpload", stored);
        *presence = s3_presence(&answer);
    } else {
        s3_take_version(&answer, stored);
        if (has_checksum(upload, &answer, parts_digest))
            result = STORE_DONE;
        else
            *presence = PRESENCE_TOLD;
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
    upload.parts = EVP_MD_CTX_new();
    upload.list = open_memstream(&upload.list_text, &upload.list_length);
    if (!upload.part || !upload.whole || !upload.parts || !upload.list || EVP_DigestInit_ex(upload.whole, EVP_sha256(), NULL) != 1
        || EVP_DigestInit_ex(upload.parts, EVP_sha256(), NULL) != 1) {
        snprintf(stored->reason, sizeof(stored->reason), "out of memory");
    } else if (object->rewind(object->context)) {
        abandon_earlier(&upload);
        if (begin(&upload, stored)) {
            result = send_parts(&upload, stored, presence);
            if (result != STORE_DONE && *presence != PRESENCE_TOLD)
                abandon(&upload, upload.id);
        }
    }
    if (upload.list)
        fclose(upload.list);
    free(upload.list_text);
    EVP_MD_CTX_free(upload.whole);
    EVP_MD_CTX_free(upload.parts);
    free(upload.part);
    return result;
}
