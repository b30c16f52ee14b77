/*
 * pkcs11.c: a key that never leaves its token.
 *
 * The module is loaded once and stays loaded. Slot numbers change (SoftHSM
 * draws them at random), so the token is found by its label, each time a session is opened. A session that is lost, or
 * a token that was removed and came back, is noticed by the failing call: one new login is tried before it counts.
 */
#include "signer/pkcs11_key.h"
#include "signer/signer.h"

#include "net/http.h"
#include "base/log.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTRIBUTE_MOST 256

struct pkcs11_signer {
    struct signer signer;
    char *token, *label, *pin_file;
    uint8_t id[64];
    size_t id_length;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE private_key;
    bool open;
};

static CK_FUNCTION_LIST *functions;
/* Hash of the PIN that the token refused: tokens lock after a few wrong ones, so it is not tried again. */
static uint8_t refused_pin[crypto_generichash_BYTES];

/*
 * Some modules look at tokens only when they are initialised (SoftHSM does), and so never see one that came back, nor a
 * PIN that was changed. Ours is the module's only session, so nothing else is lost.
 */
static void look_again(void)
{
    CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};

    functions->C_Finalize(NULL);
    functions->C_Initialize(&arguments);
}

static bool load(const char *path)
{
    CK_C_GetFunctionList get;
    CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};
    CK_RV rv;
    void *library;

    if (functions)
        return true;
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        log_error("cannot load PKCS#11 module \"%s\": %s", path, dlerror());
        return false;
    }
    *(void **)&get = dlsym(library, "C_GetFunctionList");
    if (!get || get(&functions) != CKR_OK || !functions) {
        log_error("\"%s\" is no PKCS#11 module", path);
        functions = NULL;
        dlclose(library);
        return false;
    }
    rv = functions->C_Initialize(&arguments);
    if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
        log_error("PKCS#11 module \"%s\" cannot be initialised: 0x%lx", path, rv);
        functions = NULL;
        dlclose(library);
        return false;
    }
    return true;
}

static bool find_slot(const char *token, CK_SLOT_ID *slot)
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
    if (functions->C_GetAttributeValue(pkcs11->session, key, attributes, 2) != CKR_OK
        || !pkcs11_is_ed25519(parameters, attributes[0].ulValueLen) || !pkcs11_public_point(point, attributes[1].ulValueLen, public_key)) {
        log_error("the key in token \"%s\" is no Ed25519 key", pkcs11->token);
        return false;
    }
    return true;
}

static void close_session(struct pkcs11_signer *pkcs11)
{
    if (pkcs11->open)
        functions->C_CloseSession(pkcs11->session);
    pkcs11->open = false;
}

static bool try_session(struct pkcs11_signer *pkcs11)
{
    CK_SLOT_ID slot;
    CK_RV rv;
    char pin[256];
    uint8_t pin_hash[crypto_generichash_BYTES], public_key[PUBLIC_KEY_LENGTH];

    if (!find_slot(pkcs11->token, &slot)) {
        log_error("there is no token \"%s\"", pkcs11->token);
        return false;
    }
    rv = functions->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &pkcs11->session);
    if (rv != CKR_OK) {
        log_error("token \"%s\" gives no session: 0x%lx", pkcs11->token, rv);
        return false;
    }
    pkcs11->open = true;
    if (!http_read_secret(pkcs11->pin_file, pin, sizeof(pin)))
        goto failed;
    crypto_generichash(pin_hash, sizeof(pin_hash), (const uint8_t *)pin, strlen(pin), NULL, 0);
    if (!memcmp(pin_hash, refused_pin, sizeof(pin_hash))) {
        sodium_memzero(pin, sizeof(pin));
        log_error("token \"%s\" refused this PIN: it is not tried again until \"%s\" holds another", pkcs11->token, pkcs11->pin_file);
        goto failed;
    }
    rv = functions->C_Login(pkcs11->session, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin));
    sodium_memzero(pin, sizeof(pin));
    if (rv == CKR_PIN_INCORRECT)
        memcpy(refused_pin, pin_hash, sizeof(pin_hash));
    if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN) {
        log_error("token \"%s\" refuses the login: 0x%lx", pkcs11->token, rv);
        goto failed;
    }
    if (!find_key(pkcs11, CKO_PRIVATE_KEY, &pkcs11->private_key)) {
        log_error("token \"%s\" has no private key of that label and id, or several", pkcs11->token);
        goto failed;
    }
    if (!read_public_key(pkcs11, public_key))
        goto failed;
    memcpy(pkcs11->signer.public_key, public_key, sizeof(public_key));
    return true;

failed:
    close_session(pkcs11);
    return false;
}

/* As after a start, so that a PIN that is refused is refused by what the token is now. */
static bool open_session(struct pkcs11_signer *pkcs11)
{
    close_session(pkcs11);
    look_again();
    return try_session(pkcs11);
}

static CK_RV sign_once(struct pkcs11_signer *pkcs11, const uint8_t digest[DIGEST_LENGTH], uint8_t signature[SIGNATURE_LENGTH])
{
    /* no parameters: pure Ed25519; many modules refuse CK_EDDSA_PARAMS */
    CK_MECHANISM mechanism = {CKM_EDDSA, NULL, 0};
    CK_ULONG length = SIGNATURE_LENGTH;
    CK_RV rv = functions->C_SignInit(pkcs11->session, &mechanism, pkcs11->private_key);

    if (rv == CKR_OK)
        rv = functions->C_Sign(pkcs11->session, (CK_BYTE *)(uintptr_t)digest, DIGEST_LENGTH, signature, &length);
    return rv == CKR_OK && length != SIGNATURE_LENGTH ? CKR_GENERAL_ERROR : rv;
}

static bool sign(struct signer *signer, const uint8_t digest[DIGEST_LENGTH], uint8_t signature[SIGNATURE_LENGTH])
{
    struct pkcs11_signer *pkcs11 = (struct pkcs11_signer *)signer;
    uint8_t before[PUBLIC_KEY_LENGTH];
    CK_RV rv = CKR_SESSION_HANDLE_INVALID;

    if (pkcs11->open)
        rv = sign_once(pkcs11, digest, signature);
    if (rv == CKR_OK)
        return true;
    if (pkcs11->open)
        log_warning("token \"%s\" could not sign: 0x%lx; logging in again", pkcs11->token, rv);
    memcpy(before, signer->public_key, sizeof(before));
    if (!open_session(pkcs11))
        return false;
    if (memcmp(before, signer->public_key, sizeof(before)) != 0) {
        log_error("token \"%s\" now holds another key", pkcs11->token);
        memcpy(signer->public_key, before, sizeof(before));
        close_session(pkcs11);
        return false;
    }
    rv = sign_once(pkcs11, digest, signature);
    if (rv != CKR_OK)
        log_error("token \"%s\" could not sign: 0x%lx", pkcs11->token, rv);
    return rv == CKR_OK;
}

static void close_signer(struct signer *signer)
{
    struct pkcs11_signer *pkcs11 = (struct pkcs11_signer *)signer;

    close_session(pkcs11);
    free(pkcs11->token);
    free(pkcs11->label);
    free(pkcs11->pin_file);
    free(pkcs11);
}

struct signer *signer_pkcs11_open(const struct config *config)
{
    struct pkcs11_signer *pkcs11 = calloc(1, sizeof(*pkcs11));

    if (!pkcs11)
        return NULL;
    pkcs11->signer.sign = sign;
    pkcs11->signer.close = close_signer;
    pkcs11->token = strdup(config->signer_token);
    pkcs11->label = strdup(config->signer_key_label);
    pkcs11->pin_file = strdup(config->signer_pin_file);
    if (!pkcs11->token || !pkcs11->label || !pkcs11->pin_file)
        goto failed;
    if (sodium_hex2bin(pkcs11->id, sizeof(pkcs11->id), config->signer_key_id, strlen(config->signer_key_id), ":", &pkcs11->id_length, NULL) != 0) {
        log_error("signer.key_id must be hexadecimal for type pkcs11");
        goto failed;
    }
    if (!pkcs11->label[0] && !pkcs11->id_length) {
        log_error("signer.type pkcs11 needs key_label or key_id");
        goto failed;
    }
    if (!load(config->signer_module) || !open_session(pkcs11))
        goto failed;
    return &pkcs11->signer;

failed:
    close_signer(&pkcs11->signer);
    return NULL;
}
