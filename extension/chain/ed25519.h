/*
 * ed25519.h
 *		Ed25519 (RFC 8032): checking signatures and reading public keys.
 *
 * Nothing here signs: a database backend never holds a private key.
 */
#ifndef REASON_CHAIN_ED25519_H
#define REASON_CHAIN_ED25519_H

#include "postgres.h"

#define ED25519_KEY_LENGTH 32
#define ED25519_SIGNATURE_LENGTH 64

/*
 * Whether it is the key's signature over the message.  Strict, as libsodium is:
 * non-canonical encodings and keys of small order are refused.
 */
extern bool ed25519_verify(const uint8 *public_key, const void *message, size_t length,
						   const uint8 *signature);

#endif							/* REASON_CHAIN_ED25519_H */
