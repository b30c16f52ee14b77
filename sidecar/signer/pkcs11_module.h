/*
 * pkcs11_module.h: the libraries that PKCS#11 tokens are reached through.
 *
 * A module is loaded once and stays loaded, however many signers use it. All that is done with it is done under its lock:
 * looking again at its tokens ends every session there is, other signers' too.
 */
#ifndef SIDECAR_PKCS11_MODULE_H
#define SIDECAR_PKCS11_MODULE_H

#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdbool.h>

struct pkcs11_module {
    CK_FUNCTION_LIST *functions;
    pthread_mutex_t lock;
    unsigned looked;            /* how often it looked again: a session of before has ended */
    struct refused_pin *refused;
    struct pkcs11_module *next;
};

/* NULL after logging why not. */
struct pkcs11_module *pkcs11_module_load(const char *path);

/*
 * Some modules look at tokens only when they are initialised (SoftHSM does), and so never see one that came back, nor a
 * PIN that was changed. Under the lock.
 */
void pkcs11_module_look_again(struct pkcs11_module *module);

/* Whether the token refused this PIN before: tokens lock after a few wrong ones. Under the lock. */
bool pkcs11_module_has_refused(const struct pkcs11_module *module, const char *token, const char *pin);
void pkcs11_module_refused(struct pkcs11_module *module, const char *token, const char *pin);

#endif
