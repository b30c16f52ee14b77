/*
 * s3_protect.c: retention and legal hold of objects that are there (PutObjectRetention, PutObjectLegalHold).
 *
 * Both name the version, for a delete marker may hide the object. S3 asks for a checksum of the body. It answers with
 * nothing, as anybody may: so what holds now is read back.
 */
#include "store/s3.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* A kind of protection of one version: its name in the query, that of its document, and the one that some servers give it. */
struct lock {
    const char *key, *version;  /* version: encoded */
    const char *name, *root, *other_root;
};

static bool put(struct s3_store *s3, const struct lock *lock, const char *body, struct stored *stored)
{
    unsigned char digest[32];
    char hash[65], checksum[64], query[1300];
    const struct http_header headers[] = {{"content-type", "application/xml"}, {"x-amz-checksum-sha256", checksum}};
    struct s3_request request = {.method = "PUT", .key = lock->key, .query = query, .payload_hash = hash, .headers = headers, .header_count = 2,
                                 .http = {.body = body, .body_size = strlen(body)}};
    struct http_answer answer;
    bool ok;

    EVP_Digest(body, strlen(body), digest, NULL, EVP_sha256(), NULL);
    sodium_bin2hex(hash, sizeof(hash), digest, sizeof(digest));
    s3_base64_of_hex(hash, checksum);
    snprintf(query, sizeof(query), "%s=&versionId=%s", lock->name, lock->version);
    ok = s3_call(s3, &request, &answer) && answer.status / 100 == 2;
    if (!ok)
        s3_fault(&answer, lock->name, stored);
    http_answer_free(&answer);
    return ok;
}

/* What holds now: the text of an element, or the code of an error; false: the store does not say. */
static bool ask(struct s3_store *s3, const struct lock *lock, const char *element, char *text, size_t size, struct stored *stored)
{
    char query[1300];
    struct s3_request request = {.method = "GET", .key = lock->key, .query = query};
    struct http_answer answer;
    bool ok;

    snprintf(query, sizeof(query), "%s=&versionId=%s", lock->name, lock->version);
    ok = s3_call(s3, &request, &answer)
         && (answer.status == 200 ? xml_text(answer.body, answer.body_length, lock->root, element, text, size)
             || xml_text(answer.body, answer.body_length, lock->other_root, element, text, size)
                                  : xml_text(answer.body, answer.body_length, "Error", "Code", text, size));
    if (!ok)
        s3_fault(&answer, lock->name, stored);
    http_answer_free(&answer);
    return ok;
}

static bool is_retained(struct s3_store *s3, const struct lock *lock, time_t until, struct stored *stored)
{
    char text[64];
    struct tm utc = {0};

    if (!ask(s3, lock, "RetainUntilDate", text, sizeof(text), stored))
        return false;
    if (strptime(text, "%Y-%m-%dT%H:%M:%S", &utc) && timegm(&utc) >= until)
        return true;
    snprintf(stored->reason, sizeof(stored->reason), "the object store took the retention, and says \"%s\"", text);
    return false;
}

static bool is_held(struct s3_store *s3, const struct lock *lock, bool on, struct stored *stored)
{
    char text[64];

    if (!ask(s3, lock, "Status", text, sizeof(text), stored))
        return false;
    if (!strcmp(text, on ? "ON" : "OFF") || (!on && !strcmp(text, "NoSuchObjectLockConfiguration")))
        return true;
    snprintf(stored->reason, sizeof(stored->reason), "the object store took the legal hold, and says \"%s\"", text);
    return false;
}

/* So much earlier than asked for a lock may end: the upload took its time, and clocks differ. */
#define LOCK_TOLERANCE_S (12 * 3600)

bool s3_is_locked(struct s3_store *s3, const struct object *object, struct stored *stored)
{
    char encoded[1200], mode[64];
    const struct lock retention = {object->key, encoded, "retention", "Retention", "ObjectLockRetention"},
                      hold = {object->key, encoded, "legal-hold", "LegalHold", "ObjectLockLegalHold"};
    time_t now = time(NULL), until = object->retain_until ? object->retain_until : now + (time_t)s3->lock_days * 86400;

    if (!sigv4_encode(stored->version, false, encoded, sizeof(encoded))) {
        snprintf(stored->reason, sizeof(stored->reason), "the version id is too long");
        return false;
    }
    /* what was there before has the lock that it got then */
    if (!is_retained(s3, &retention, stored->existed || until - LOCK_TOLERANCE_S < now ? now : until - LOCK_TOLERANCE_S, stored))
        return false;
    if (!stored->existed) {
        if (!ask(s3, &retention, "Mode", mode, sizeof(mode), stored))
            return false;
        if (strcmp(mode, s3->lock_mode) != 0) {
            snprintf(stored->reason, sizeof(stored->reason), "the object store took the retention, and says that its mode is \"%s\"", mode);
            return false;
        }
    }
    return !object->legal_hold || stored->existed || is_held(s3, &hold, true, stored);
}

enum store_result s3_protect(struct store *store, const char *key, const char *version, const struct protection *protection, struct stored *stored)
{
    struct s3_store *s3 = (struct s3_store *)store;
    char body[512], until[32], encoded[1200];
    const struct lock retention = {key, encoded, "retention", "Retention", "ObjectLockRetention"},
                      hold = {key, encoded, "legal-hold", "LegalHold", "ObjectLockLegalHold"};

    if (!sigv4_encode(version, false, encoded, sizeof(encoded))) {
        snprintf(stored->reason, sizeof(stored->reason), "the version id is too long");
        return STORE_REFUSED;
    }
    if (protection->retain_until) {
        s3_time(protection->retain_until, until);
        snprintf(body, sizeof(body),
                 "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>%s</Mode><RetainUntilDate>%s</RetainUntilDate></Retention>",
                 s3->lock_mode, until);
        if (!put(s3, &retention, body, stored) || !is_retained(s3, &retention, protection->retain_until, stored))
            return STORE_RETRY;
    }
    if (protection->legal_hold != HOLD_AS_IT_IS) {
        bool on = protection->legal_hold == HOLD_ON;

        snprintf(body, sizeof(body), "<LegalHold xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>%s</Status></LegalHold>",
                 on ? "ON" : "OFF");
        if (!put(s3, &hold, body, stored) || !is_held(s3, &hold, on, stored))
            return STORE_RETRY;
    }
    return STORE_DONE;
}
