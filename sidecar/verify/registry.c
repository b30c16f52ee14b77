/*
 * The signer registry: whose keys count, and when they did.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "verify.h"

/* SubjectPublicKeyInfo of an Ed25519 key is this, then the 32 bytes (RFC 8410, section 4). */
static const uint8_t spki_prefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

bool ed25519_verify(const uint8_t *signature, const uint8_t *message, size_t size, const uint8_t *public_key)
{
    return crypto_sign_verify_detached(signature, message, size, public_key) == 0;
}

static bool is_text(Bytes text, const char *expected)
{
    return text.data && text.length == strlen(expected) && memcmp(text.data, expected, text.length) == 0;
}

static bool read_public_key(Bytes text, uint8_t key[PUBLIC_KEY_LENGTH])
{
    uint8_t spki[sizeof(spki_prefix) + PUBLIC_KEY_LENGTH];

    if (!decode_base64(text, spki, sizeof(spki)) || memcmp(spki, spki_prefix, sizeof(spki_prefix)) != 0)
        return false;
    memcpy(key, spki + sizeof(spki_prefix), PUBLIC_KEY_LENGTH);
    return true;
}

/* A member that is a time; `open` if it is null or not there. */
static bool read_time(const JsonDocument *document, const JsonNode *object, const char *name, int64_t open, int64_t *time)
{
    const JsonNode *value = json_member(document, object, name, strlen(name));

    *time = open;
    if (!value || value->kind == JSON_NULL)
        return true;
    return parse_time(member_text(document, object, name), time);
}

static const char *known_status(Bytes status)
{
    static const char *const known[] = {"active", "retired", "revoked"};

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (is_text(status, known[i]))
            return known[i];
    }
    return NULL;
}

/* A registry from before there were purposes has keys for events. */
static const char *known_purpose(Bytes purpose)
{
    static const char *const known[] = {"events", "checkpoints", "witness"};

    if (!purpose.data)
        return known[0];
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (is_text(purpose, known[i]))
            return known[i];
    }
    return "unknown";
}

static bool fail(ByteBuffer *error, const char *what)
{
    buffer_append(error, what, strlen(what));
    return false;
}

static bool read_signer(Signer *signer, const JsonDocument *document, const JsonNode *object, ByteBuffer *error)
{
    Bytes id = member_text(document, object, "signerId");
    KeyTimes *times = &signer->times;

    if (!id.length)
        return fail(error, "a signer has no signerId");
    if (!signer_id_is_valid(id.data, id.length))
        return fail(error, "a signerId is not made of " SIGNER_ID_RULE);
    if (!is_text(member_text(document, object, "algorithm"), "ed25519"))
        return fail(error, "a signer's algorithm is not ed25519");
    if (!read_public_key(member_text(document, object, "publicKey"), signer->public_key))
        return fail(error, "a signer's publicKey is not the base64 of an Ed25519 SubjectPublicKeyInfo");
    signer->status = known_status(member_text(document, object, "status"));
    if (!signer->status)
        return fail(error, "a signer's status is none of active, retired, revoked");
    times->revoked = strcmp(signer->status, "revoked") == 0;
    if (json_member_literal(document, object, "purpose") && !member_text(document, object, "purpose").data)
        return fail(error, "a signer's purpose is no text");
    signer->purpose = known_purpose(member_text(document, object, "purpose"));
    if (!read_time(document, object, "validFrom", KEY_TIME_BEGIN, &times->valid_from)
        || !read_time(document, object, "validTo", KEY_TIME_END, &times->valid_to)
        || !read_time(document, object, "revokedAt", KEY_TIME_END, &times->revoked_at))
        return fail(error, "a signer's validFrom, validTo or revokedAt is not a time");
    if (times->revoked_at != KEY_TIME_END && !times->revoked)
        return fail(error, "a signer has a time of revocation, and is not revoked");
    /* A key may be revoked as of before it became valid: then nothing that it signed counts. */
    if (times->valid_to < times->valid_from && !times->revoked)
        return fail(error, "a signer's validTo lies before its validFrom");
    /* In a registry, validTo of a revoked key is when its signatures ceased to count. */
    if (times->revoked && times->valid_to < times->revoked_at)
        times->revoked_at = times->valid_to;
    if (times->revoked_at == KEY_TIME_END)
        times->revoked_at = KEY_TIME_BEGIN;
    signer->id = strndup(id.data, id.length);
    return signer->id != NULL || fail(error, "out of memory");
}

/*
 * An id stands for one key, and a key under one id: else a key that ceased to count under one id would still
 * count under the other, and of two entries with one id it would be unclear which one counts.
 */
static bool agrees_with_others(const Registry *registry, const Signer *signer, ByteBuffer *error)
{
    for (size_t i = 0; i < registry->count; i++) {
        const Signer *other = &registry->signers[i];

        if (strcmp(other->id, signer->id) != 0 && memcmp(other->public_key, signer->public_key, PUBLIC_KEY_LENGTH) != 0)
            continue;
        buffer_append_literal(error, "there are two entries of ");
        if (strcmp(other->id, signer->id) != 0) {
            buffer_append_literal(error, "one key: ");
            buffer_append(error, other->id, strlen(other->id));
            buffer_append_literal(error, " and ");
        }
        buffer_append(error, signer->id, strlen(signer->id));
        return false;
    }
    return true;
}

bool registry_read(Registry *registry, const char *text, size_t length, ByteBuffer *error)
{
    const JsonLimits limits = {.max_depth = 16};
    JsonDocument document;
    JsonError json_error;
    const JsonNode *signers;
    bool good = true;

    memset(registry, 0, sizeof(*registry));
    json_document_init(&document, NULL, NULL);
    if (!json_read(&document, text, length, &limits, &json_error)) {
        char place[300];

        snprintf(place, sizeof(place), "%s (JSON Pointer \"%.60s\", byte offset %zu)", json_error.message,
                 json_error.pointer, json_error.offset);
        fail(error, place);
        json_document_free(&document);
        return false;
    }
    signers = json_member_literal(&document, json_root(&document), "signers");
    if (!signers || signers->kind != JSON_ARRAY)
        good = fail(error, "there is no array \"signers\"");
    else {
        registry->signers = calloc(signers->length + 1, sizeof(Signer));
        if (!registry->signers)
            good = fail(error, "out of memory");
    }
    if (good) {
        for (const JsonNode *s = json_first(&document, signers); s && good; s = json_next(&document, signers, s)) {
            Signer *signer = &registry->signers[registry->count];

            good = read_signer(signer, &document, s, error) && agrees_with_others(registry, signer, error);
            registry->count += signer->id != NULL;
        }
    }
    json_document_free(&document);
    return good;
}

void registry_free(Registry *registry)
{
    for (size_t i = 0; i < registry->count; i++)
        free(registry->signers[i].id);
    free(registry->signers);
}

const Signer *registry_find(const Registry *registry, Bytes signer_id)
{
    for (size_t i = 0; signer_id.data && i < registry->count; i++) {
        if (is_text(signer_id, registry->signers[i].id))
            return &registry->signers[i];
    }
    return NULL;
}

static const char *refusal_of(const Registry *registry, const Signer *signer, KeyValidity validity)
{
    switch (validity) {
    case KEY_OTHER_PURPOSE:
        return "the signer's key is registered for another purpose";
    case KEY_REVOKED:
        return signer->times.revoked_at == KEY_TIME_BEGIN || registry->refuse_revoked ? "the signer's key is revoked"
                                                                                     : "the signer's key was revoked before it signed";
    case KEY_NO_LONGER_VALID:
        return "the signer's key was no longer valid";
    case KEY_NOT_VALID_YET:
        return "the signer's key was not valid yet";
    case KEY_COUNTS:
    case KEY_COUNTED_THEN:
        break;
    }
    return NULL;
}

/* What is wrong with when the signature was made, or NULL; see core/key_validity.h. */
static const char *validity_refusal(const Registry *registry, const Signer *signer, int64_t earliest, int64_t latest)
{
    bool vouched = !registry->refuse_revoked;
    KeyTimes times = signer->times;

    times.other_purpose = strcmp(signer->purpose, "events") != 0;
    return refusal_of(registry, signer, key_validity(&times, earliest, vouched || !times.revoked ? latest : KEY_TIME_END, vouched));
}

/* Nobody vouches for when a checkpoint was signed but the witnesses, who say that it was there by then. */
const char *registry_checkpoint_refusal(const Registry *registry, const Signer *signer, int64_t earliest, int64_t latest)
{
    KeyTimes times = signer->times;

    times.other_purpose = strcmp(signer->purpose, "checkpoints") != 0;
    return refusal_of(registry, signer, key_validity(&times, earliest, times.revoked && registry->refuse_revoked ? KEY_TIME_END : latest, false));
}

const char *registry_refusal(const Registry *registry, Bytes signer_id, const uint8_t *signature,
                             const uint8_t *message, size_t size, int64_t earliest, int64_t latest)
{
    const Signer *signer = registry_find(registry, signer_id);

    if (!signer)
        return "the signer is not in the registry";
    if (!ed25519_verify(signature, message, size, signer->public_key))
        return "the signature is not the signer's over these bytes";
    return validity_refusal(registry, signer, earliest, latest);
}

bool registry_check(const Registry *registry, Report *report, Bytes signer_id, const uint8_t *signature,
                    const uint8_t *message, size_t size, int64_t earliest, int64_t latest)
{
    const Signer *signer = registry_find(registry, signer_id);
    const char *refusal;

    if (signer_id.data)
        report->signer_id = strndup(signer_id.data, signer_id.length);
    if (!signer) {
        report_add(report, FINDING_BAD, "signer", "\"%.*s\" is not in the registry", (int)signer_id.length,
                   signer_id.data ? signer_id.data : "");
        return false;
    }
    report->signer_status = signer->status;
    if (!ed25519_verify(signature, message, size, signer->public_key)) {
        report_add(report, FINDING_BAD, "signature", "is not the one of %s over this hash", signer->id);
        return false;
    }
    report_add(report, FINDING_OK, "signature", "Ed25519 by %s over the hash", signer->id);
    refusal = validity_refusal(registry, signer, earliest, latest);
    if (refusal) {
        report_add(report, FINDING_BAD, "signer", "%s (%s)", refusal, signer->id);
        return false;
    }
    if (signer->times.revoked)
        report_add(report, FINDING_NOTE, "signer", "%s was valid at the time stated, and has been revoked since", signer->id);
    else
        report_add(report, FINDING_OK, "signer", "%s is %s in the registry, and was valid", signer->id, signer->status);
    return true;
}
