/* ed25519.h: verifying for core/, which has no Ed25519 of its own. */
#ifndef SIDECAR_WITNESS_ED25519_H
#define SIDECAR_WITNESS_ED25519_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool ed25519_verify(const uint8_t *signature, const uint8_t *message, size_t length, const uint8_t *public_key)
{
    return crypto_sign_verify_detached(signature, message, length, public_key) == 0;
}

#endif
