/*
 * s3_protect.c: retention and legal hold of objects that are there (PutObjectRetention, PutObjectLegalHold).
 *
 * Both name the version, for a delete marker may hide the object. S3 asks for a checksum of the body.
 */
#include "s3.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static enum store_result put(struct s3_store *s3, const char *key, const char *version, const char *what, const char *body, struct stored *stored)
{
    unsigned char digest[32];
    char hash[65], checksum[64], query[1300], encoded[1200];
    const struct http_header headers[] = {{"content-type", "application/xml"}, {"x-amz-checksum-sha256", checksum}};
    struct s3_request request = {.method = "PUT", .key = key, .query = query, .payload_hash = hash, .headers = headers, .header_count = 2,
                                 .http = {.body = body, .body_size = strlen(body)}};
    struct http_answer answer;
    enum store_result result = STORE_DONE;

    if (!sigv4_encode(version, false, encoded, sizeof(encoded))) {
        snprintf(stored->reason, sizeof(stored->reason), "the version id is too long");
        return STORE_REFUSED;
    }
    EVP_Digest(body, strlen(body), digest, NULL, EVP_sha256(), NULL);
    sodium_bin2hex(hash, sizeof(hash), digest, sizeof(digest));
    s3_base64_of_hex(hash, checksum);
    snprintf(query, sizeof(query), "%s=&versionId=%s", what, encoded);
    if (!s3_call(s3, &request, &answer) || answer.status / 100 != 2)
        result = s3_fault(&answer, what, stored);
    http_answer_free(&answer);
    return result;
}

enum store_result s3_protect(struct store *store, const char *key, const char *version, const struct protection *protection, struct stored *stored)
{
    struct s3_store *s3 = (struct s3_store *)store;
    enum store_result result = STORE_DONE;
    char body[512], until[32];

    if (protection->retain_until) {
        s3_time(protection->retain_until, until);
        snprintf(body, sizeof(body),
                 "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>%s</Mode><RetainUntilDate>%s</RetainUntilDate></Retention>",
                 s3->lock_mode, until);
        result = put(s3, key, version, "retention", body, stored);
    }
    if (result == STORE_DONE && protection->legal_hold != HOLD_AS_IT_IS) {
        snprintf(body, sizeof(body), "<LegalHold xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>%s</Status></LegalHold>",
                 protection->legal_hold == HOLD_ON ? "ON" : "OFF");
        result = put(s3, key, version, "legal-hold", body, stored);
    }
    return result;
}
