/* signers.c: keys that are known outside the database. */
#include "tlog/signers.h"

#include "base/log.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 8410: what stands before the 32 bytes of an Ed25519 key. */
static const uint8_t spki[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

bool log_signers_add(struct log_signers *signers, const char *id, const uint8_t public_key[32])
{
    struct log_key *larger;

    for (size_t i = 0; i < signers->count; i++)
        if (!strcmp(signers->list[i].signer, id) && !memcmp(signers->list[i].public_key, public_key, 32))
            return true;
    larger = realloc(signers->list, (signers->count + 1) * sizeof(*larger));
    if (!larger)
        return false;
    signers->list = larger;
    larger += signers->count++;
    larger->from = 0;
    memcpy(larger->public_key, public_key, 32);
    snprintf(larger->signer, sizeof(larger->signer), "%s", id);
    return true;
}

bool log_signers_add_state(struct log_signers *signers, const struct log_state *state)
{
    bool ok = true;

    for (size_t i = 0; i < state->count; i++)
        for (size_t k = 0; ok && k < state->divisions[i]->key_count; k++) {
            const struct log_key *key = &state->divisions[i]->keys[k];

            ok = !key->signer[0] || log_signers_add(signers, key->signer, key->public_key);
        }
    return ok;
}

/* A signer for this purpose; what is another's is passed over. */
static bool add_entry(struct log_signers *signers, json_t *entry, const char *wanted)
{
    const char *id = json_string_value(json_object_get(entry, "signerId")), *key = json_string_value(json_object_get(entry, "publicKey"));
    const char *purpose = json_string_value(json_object_get(entry, "purpose"));
    uint8_t bytes[sizeof(spki) + 32];
    size_t length;

    if (!id || !key || strcmp(purpose ? purpose : "events", wanted) != 0
        || sodium_base642bin(bytes, sizeof(bytes), key, strlen(key), NULL, &length, NULL, sodium_base64_VARIANT_ORIGINAL) != 0
        || length != sizeof(bytes) || memcmp(bytes, spki, sizeof(spki)) != 0)
        return true;
    return log_signers_add(signers, id, bytes + sizeof(spki));
}

bool log_signers_add_file(struct log_signers *signers, const char *path, const char *purpose)
{
    json_error_t error;
    json_t *json, *list;
    bool ok;

    if (!path || !path[0])
        return true;
    json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    list = json_object_get(json, "signers");
    ok = json_is_array(list);
    if (!json)
        log_error("cannot read the registry of signers \"%s\": line %d: %s", path, error.line, error.text);
    else if (!ok)
        log_error("\"%s\" is no registry of signers: it has no array \"signers\"", path);
    for (size_t i = 0; ok && i < json_array_size(list); i++)
        ok = add_entry(signers, json_array_get(list, i), purpose);
    json_decref(json);
    return ok;
}

bool log_signers_know(const struct log_signers *signers, const char *id)
{
    for (size_t i = 0; i < signers->count; i++)
        if (!strcmp(signers->list[i].signer, id))
            return true;
    return false;
}

const struct log_key *log_signers_who(const struct log_signers *signers, const char *id, const uint8_t hash[32],
                                      const uint8_t signature[LOG_SIGNATURE_LENGTH])
{
    for (size_t i = 0; i < signers->count; i++)
        if (!strcmp(signers->list[i].signer, id) && crypto_sign_verify_detached(signature, hash, 32, signers->list[i].public_key) == 0)
            return &signers->list[i];
    return NULL;
}

void log_signers_free(struct log_signers *signers)
{
    free(signers->list);
    *signers = (struct log_signers){0};
}
