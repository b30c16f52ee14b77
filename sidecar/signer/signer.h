/*
 * signer.h: whoever holds the private key.
 *
 * A signer signs 32 bytes, a hash, with Ed25519 (RFC 8032, pure): the same bytes give the same
 * signature, so signing again after a crash does no harm. What it returns is verified by the
 * database against the registered public key before it counts.
 */
#ifndef SIDECAR_SIGNER_H
#define SIDECAR_SIGNER_H

#include <stdbool.h>
#include <stdint.h>

#define DIGEST_LENGTH 32
#define SIGNATURE_LENGTH 64
#define PUBLIC_KEY_LENGTH 32

struct signer {
    /* False: could not sign now; logged. */
    bool (*sign)(struct signer *signer, const uint8_t digest[DIGEST_LENGTH], uint8_t signature[SIGNATURE_LENGTH]);
    void (*close)(struct signer *signer);
    uint8_t public_key[PUBLIC_KEY_LENGTH];
};

/* A key in a file (PKCS#8 PEM), for development: the file's mode must be 0600 or 0400. NULL after logging why not. */
struct signer *signer_local_open(const char *path);

#endif
