/*
 * pkcs11.c: a key that never leaves its token.
 *
 * Slot numbers change (SoftHSM draws them at random), so the token is found by its label, each time a session is opened. A
 * failing call shows that a session was lost, or that a token was removed and came back: one new login is tried before it counts.
 */
#include "signer/pkcs11_key.h"
#include "signer/pkcs11_module.h"
#include "signer/signer.h"

#include "base/log.h"
#include "base/plain_file.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTRIBUTE_MOST 256

struct pkcs11_signer {
    struct signer signer;
    struct pkcs11_module *module;
    unsigned looked;            /* when the session was opened */
    bool key_known;             /* the public key was learned */
    char *token, *label, *pin_file;
    uint8_t id[64];
    size_t id_length;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE private_key;
    bool open;
};

static bool find_slot(const CK_FUNCTION_LIST *functions, const char *token, CK_SLOT_ID *slot)
{
    CK_ULONG count = 0;
    CK_SLOT_ID *slots;
    bool found = false;
    size_t length = strlen(token);

    if (functions->C_GetSlotList(CK_TRUE, NULL, &count) != CKR_OK || count == 0)
        return false;
    slots = calloc(count, sizeof(*slots));
    if (!slots || functions->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK)
        count = 0;
    for (CK_ULONG i = 0; i < count && !found; i++) {
        CK_TOKEN_INFO info;

        /* labels are 32 bytes, padded with spaces */
        if (functions->C_GetTokenInfo(slots[i], &info) != CKR_OK || length > sizeof(info.label) || memcmp(info.label, token, length) != 0)
            continue;
        found = true;
        for (size_t j = length; j < sizeof(info.label); j++)
            found = found && info.label[j] == ' ';
        *slot = slots[i];
    }
    free(slots);
    return found;
}

/* The object of a class with our label or id; false when there is not exactly one. */
static bool find_key(struct pkcs11_signer *pkcs11, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE *key)
{
    const CK_FUNCTION_LIST *functions = pkcs11->module->functions;
    CK_ATTRIBUTE attributes[3] = {{CKA_CLASS, &class, sizeof(class)}};
    CK_OBJECT_HANDLE found[2];
    CK_ULONG count = 1, matches = 0;

    if (pkcs11->label[0])
        attributes[count++] = (CK_ATTRIBUTE){CKA_LABEL, pkcs11->label, strlen(pkcs11->label)};
    if (pkcs11->id_length)
        attributes[count++] = (CK_ATTRIBUTE){CKA_ID, pkcs11->id, pkcs11->id_length};
    if (functions->C_FindObjectsInit(pkcs11->session, attributes, count) != CKR_OK)
        return false;
    if (functions->C_FindObjects(pkcs11->session, found, 2, &matches) != CKR_OK)
        matches = 0;
    functions->C_FindObjectsFinal(pkcs11->session);
    *key = found[0];
    return matches == 1;
}

static bool read_public_key(struct pkcs11_signer *pkcs11, uint8_t public_key[PUBLIC_KEY_LENGTH])
{
    uint8_t parameters[ATTRIBUTE_MOST], point[ATTRIBUTE_MOST];
    CK_ATTRIBUTE attributes[] = {{CKA_EC_PARAMS, parameters, sizeof(parameters)}, {CKA_EC_POINT, point, sizeof(point)}};
    CK_OBJECT_HANDLE key;

    if (!find_key(pkcs11, CKO_PUBLIC_KEY, &key)) {
        log_error("token \"%s\" has no public key of that label and id, or several", pkcs11->token);
        return false;
    }
    if (pkcs11->module->functions->C_GetAttributeValue(pkcs11->session, key, attributes, 2) != CKR_OK
        || !pkcs11_is_ed25519(parameters, attributes[0].ulValueLen) || !pkcs11_public_point(point, attributes[1].ulValueLen, public_key)) {
        log_error("the key in token \"%s\" is no Ed25519 key", pkcs11->token);
        return false;
    }
    return true;
}

/* A session that ended is not closed: its number may be another's by now. */
static void close_session(struct pkcs11_signer *pkcs11)
{
    if (pkcs11->open && pkcs11->looked == pkcs11->module->looked)
        pkcs11->module->functions->C_CloseSession(pkcs11->session);
    pkcs11->open = false;
}

static bool log_in(struct pkcs11_signer *pkcs11)
{
    struct pkcs11_module *module = pkcs11->module;
    char pin[256];
    CK_RV rv = CKR_PIN_INCORRECT;

    if (!plain_file_read_secret(pkcs11->pin_file, pin, sizeof(pin)))
        return false;
    if (pkcs11_module_has_refused(module, pkcs11->token, pin)) {
        log_error("token \"%s\" refused this PIN: it is not tried again until \"%s\" holds another", pkcs11->token, pkcs11->pin_file);
    } else {
        rv = module->functions->C_Login(pkcs11->session, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin));
        if (rv == CKR_PIN_INCORRECT)
            pkcs11_module_refused(module, pkcs11->token, pin);
        if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN)
            log_error("token \"%s\" refuses the login: 0x%lx", pkcs11->token, rv);
    }
    sodium_memzero(pin, sizeof(pin));
    return rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN;
}

/* Finds the key; the public one must be the one that was learned first. */
static bool find_keys(struct pkcs11_signer *pkcs11)
{
    uint8_t public_key[PUBLIC_KEY_LENGTH];

    if (!find_key(pkcs11, CKO_PRIVATE_KEY, &pkcs11->private_key)) {
        log_error("token \"%s\" has no private key of that label and id, or several", pkcs11->token);
        return false;
    }
    if (!read_public_key(pkcs11, public_key))
        return false;
    if (pkcs11->key_known && memcmp(public_key, pkcs11->signer.public_key, sizeof(public_key)) != 0) {
        log_error("token \"%s\" now holds another key", pkcs11->token);
        return false;
    }
    memcpy(pkcs11->signer.public_key, public_key, sizeof(public_key));
    pkcs11->key_known = true;
    return true;
}

static bool open_session(struct pkcs11_signer *pkcs11)
{
    const CK_FUNCTION_LIST *functions = pkcs11->module->functions;
    CK_SLOT_ID slot;
    CK_RV rv;

    close_session(pkcs11);
    pkcs11->looked = pkcs11->module->looked;
    if (!find_slot(functions, pkcs11->token, &slot)) {
        log_error("there is no token \"%s\"", pkcs11->token);
        return false;
    }
    rv = functions->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &pkcs11->session);
    if (rv != CKR_OK) {
        log_error("token \"%s\" gives no session: 0x%lx", pkcs11->token, rv);
        return false;
    }
    pkcs11->open = true;
    if (!log_in(pkcs11) || !find_keys(pkcs11))
        close_session(pkcs11);
    return pkcs11->open;
}

/* As after a start, so that a PIN that is refused is refused by what the token is now. */
static bool look_and_open(struct pkcs11_signer *pkcs11)
{
    close_session(pkcs11);
    pkcs11_module_look_again(pkcs11->module);
    return open_session(pkcs11);
}

static CK_RV sign_once(struct pkcs11_signer *pkcs11, const uint8_t *message, size_t size, uint8_t signature[SIGNATURE_LENGTH])
{
    const CK_FUNCTION_LIST *functions = pkcs11->module->functions;
    /* no parameters: pure Ed25519; many modules refuse CK_EDDSA_PARAMS */
    CK_MECHANISM mechanism = {CKM_EDDSA, NULL, 0};
    CK_ULONG length = SIGNATURE_LENGTH;
    CK_RV rv = functions->C_SignInit(pkcs11->session, &mechanism, pkcs11->private_key);

    if (rv == CKR_OK)
        rv = functions->C_Sign(pkcs11->session, (CK_BYTE *)(uintptr_t)message, size, signature, &length);
    return rv == CKR_OK && length != SIGNATURE_LENGTH ? CKR_GENERAL_ERROR : rv;
}

static bool sign_locked(struct pkcs11_signer *pkcs11, const uint8_t *message, size_t length, uint8_t signature[SIGNATURE_LENGTH])
{
    CK_RV rv = CKR_SESSION_HANDLE_INVALID;

    /* another signer had the module look again, and so ended the session */
    if (pkcs11->open && pkcs11->looked != pkcs11->module->looked)
        open_session(pkcs11);
    if (pkcs11->open)
        rv = sign_once(pkcs11, message, length, signature);
    if (rv == CKR_OK)
        return true;
    if (pkcs11->open)
        log_warning("token \"%s\" could not sign: 0x%lx; logging in again", pkcs11->token, rv);
    if (!look_and_open(pkcs11))
        return false;
    rv = sign_once(pkcs11, message, length, signature);
    if (rv != CKR_OK)
        log_error("token \"%s\" could not sign: 0x%lx", pkcs11->token, rv);
    return rv == CKR_OK;
}

static bool sign_message(struct signer *signer, const uint8_t *message, size_t length, uint8_t signature[SIGNATURE_LENGTH])
{
    struct pkcs11_signer *pkcs11 = (struct pkcs11_signer *)signer;
    bool ok;

    pthread_mutex_lock(&pkcs11->module->lock);
    ok = sign_locked(pkcs11, message, length, signature);
    pthread_mutex_unlock(&pkcs11->module->lock);
    return ok;
}

static bool sign(struct signer *signer, const uint8_t digest[DIGEST_LENGTH], uint8_t signature[SIGNATURE_LENGTH])
{
    return sign_message(signer, digest, DIGEST_LENGTH, signature);
}

static void close_signer(struct signer *signer)
{
    struct pkcs11_signer *pkcs11 = (struct pkcs11_signer *)signer;

    if (pkcs11->module) {
        pthread_mutex_lock(&pkcs11->module->lock);
        close_session(pkcs11);
        pthread_mutex_unlock(&pkcs11->module->lock);
    }
    free(pkcs11->token);
    free(pkcs11->label);
    free(pkcs11->pin_file);
    free(pkcs11);
}

struct signer *signer_pkcs11_open(const struct signer_config *config)
{
    struct pkcs11_signer *pkcs11 = calloc(1, sizeof(*pkcs11));
    bool opened;

    if (!pkcs11)
        return NULL;
    pkcs11->signer.sign = sign;
    pkcs11->signer.sign_message = sign_message;
    pkcs11->signer.close = close_signer;
    pkcs11->token = strdup(config->token);
    pkcs11->label = strdup(config->key_label);
    pkcs11->pin_file = strdup(config->pin_file);
    if (!pkcs11->token || !pkcs11->label || !pkcs11->pin_file)
        goto failed;
    if (sodium_hex2bin(pkcs11->id, sizeof(pkcs11->id), config->key_id, strlen(config->key_id), ":", &pkcs11->id_length, NULL) != 0) {
        log_error("signer.key_id must be hexadecimal for type pkcs11");
        goto failed;
    }
    if (!pkcs11->label[0] && !pkcs11->id_length) {
        log_error("signer.type pkcs11 needs key_label or key_id");
        goto failed;
    }
    pkcs11->module = pkcs11_module_load(config->module);
    if (!pkcs11->module)
        goto failed;
    pthread_mutex_lock(&pkcs11->module->lock);
    opened = look_and_open(pkcs11);
    pthread_mutex_unlock(&pkcs11->module->lock);
    if (opened)
        return &pkcs11->signer;

failed:
    close_signer(&pkcs11->signer);
    return NULL;
}
