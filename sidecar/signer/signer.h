/*
 * signer.h: whoever holds the private key.
 *
 * A signer signs 32 bytes, a hash, or a longer message, with Ed25519 (RFC 8032, pure): the same bytes give the same
 * signature, so signing again after a crash does no harm. What comes over a network is verified under the signer's public
 * key here; everything is verified by the database against the registered one before it counts. A signer is used by one
 * thread at a time, several signers by several threads.
 */
#ifndef SIDECAR_SIGNER_H
#define SIDECAR_SIGNER_H

#include "base/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_LENGTH 32
/* AWS KMS takes no more unhashed: "Message … up to 4096 bytes", API_Sign. A checkpoint is at most a third as long. */
#define SIGNER_MESSAGE_MOST 4096
#define SIGNATURE_LENGTH 64
#define PUBLIC_KEY_LENGTH 32

struct signer {
    /* False: could not sign now; logged. */
    bool (*sign)(struct signer *signer, const uint8_t digest[DIGEST_LENGTH], uint8_t signature[SIGNATURE_LENGTH]);
    /* The same for a message, whose length signer_sign_message() has looked at: call that. */
    bool (*sign_message)(struct signer *signer, const uint8_t *message, size_t length, uint8_t signature[SIGNATURE_LENGTH]);
    void (*close)(struct signer *signer);
    uint8_t public_key[PUBLIC_KEY_LENGTH];
};

/*
 * Signs a message of more than 32 and at most SIGNER_MESSAGE_MOST bytes, so that no message can pass for a digest. False:
 * it has another length, or could not be signed now; logged.
 */
bool signer_sign_message(struct signer *signer, const uint8_t *message, size_t length, uint8_t signature[SIGNATURE_LENGTH]);

/* Opens the signer that is configured and learns its public key. NULL after logging why not. */
struct signer *signer_open(const struct signer_config *config);

/* A key in a file (PKCS#8 PEM, or the 32 raw bytes), for development: the file's mode must be 0600 or 0400. */
struct signer *signer_local_open(const struct signer_config *config);
/* A key in a hardware security module or its like, through PKCS#11 (CKM_EDDSA). */
struct signer *signer_pkcs11_open(const struct signer_config *config);
/* A signing proxy: POST /sign, GET /publicKeys/{signerId}. */
struct signer *signer_proxy_open(const struct signer_config *config);
/* HashiCorp Vault's or OpenBao's transit engine, a key of type ed25519. */
struct signer *signer_vault_open(const struct signer_config *config);
/* AWS KMS, a key of spec ECC_NIST_EDWARDS25519: ED25519_SHA_512 over the message itself (RAW). */
struct signer *signer_aws_kms_open(const struct signer_config *config);

/* The raw key in a SubjectPublicKeyInfo (RFC 8410), in base64, PEM, or 32 bytes raw in base64. False: it is none of these. */
bool signer_parse_public_key(const char *text, uint8_t key[PUBLIC_KEY_LENGTH]);

#endif
