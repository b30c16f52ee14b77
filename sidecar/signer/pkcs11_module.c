/* pkcs11_module.c: the libraries that PKCS#11 tokens are reached through. */
#include "signer/pkcs11_module.h"

#include "base/log.h"

#include <dlfcn.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Hash of a token's label and a PIN that it refused. */
struct refused_pin {
    uint8_t hash[crypto_generichash_BYTES];
    struct refused_pin *next;
};

static struct pkcs11_module *modules;
static pthread_mutex_t modules_lock = PTHREAD_MUTEX_INITIALIZER;

static CK_FUNCTION_LIST *functions_of(void *library)
{
    CK_FUNCTION_LIST *functions = NULL;
    CK_C_GetFunctionList get;

    *(void **)&get = dlsym(library, "C_GetFunctionList");
    return get && get(&functions) == CKR_OK ? functions : NULL;
}

static struct pkcs11_module *initialise(CK_FUNCTION_LIST *functions, const char *path)
{
    CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};
    CK_RV rv = functions->C_Initialize(&arguments);
    struct pkcs11_module *module = NULL;

    if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED)
        log_error("PKCS#11 module \"%s\" cannot be initialised: 0x%lx", path, rv);
    else
        module = calloc(1, sizeof(*module));
    if (module) {
        module->functions = functions;
        pthread_mutex_init(&module->lock, NULL);
    }
    return module;
}

struct pkcs11_module *pkcs11_module_load(const char *path)
{
    struct pkcs11_module *module = NULL;
    CK_FUNCTION_LIST *functions;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!library) {
        log_error("cannot load PKCS#11 module \"%s\": %s", path, dlerror());
        return NULL;
    }
    pthread_mutex_lock(&modules_lock);
    functions = functions_of(library);
    if (!functions)
        log_error("\"%s\" is no PKCS#11 module", path);
    else
        for (module = modules; module && module->functions != functions; module = module->next)
            ;
    if (functions && !module && (module = initialise(functions, path)) != NULL) {
        module->next = modules;
        modules = module;
    } else {
        /* the library is here once already, or is of no use */
        dlclose(library);
    }
    pthread_mutex_unlock(&modules_lock);
    return module;
}

void pkcs11_module_look_again(struct pkcs11_module *module)
{
    CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};

    module->functions->C_Finalize(NULL);
    module->functions->C_Initialize(&arguments);
    module->looked++;
}

static void hash_pin(uint8_t hash[crypto_generichash_BYTES], const char *token, const char *pin)
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, crypto_generichash_BYTES);
    crypto_generichash_update(&state, (const uint8_t *)token, strlen(token) + 1);
    crypto_generichash_update(&state, (const uint8_t *)pin, strlen(pin));
    crypto_generichash_final(&state, hash, crypto_generichash_BYTES);
    sodium_memzero(&state, sizeof(state));
}

bool pkcs11_module_has_refused(const struct pkcs11_module *module, const char *token, const char *pin)
{
    uint8_t hash[crypto_generichash_BYTES];

    hash_pin(hash, token, pin);
    for (const struct refused_pin *refused = module->refused; refused; refused = refused->next)
        if (!memcmp(refused->hash, hash, sizeof(hash)))
            return true;
    return false;
}

void pkcs11_module_refused(struct pkcs11_module *module, const char *token, const char *pin)
{
    struct refused_pin *refused = calloc(1, sizeof(*refused));

    if (!refused)
        return;
    hash_pin(refused->hash, token, pin);
    refused->next = module->refused;
    module->refused = refused;
}
