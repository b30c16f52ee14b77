/*
 * pkcs11_key.h: the forms in which tokens tell of an Ed25519 key.
 *
 * PKCS#11 3.0, section 2.3.10: EC_PARAMS is an OID (1.3.101.112, RFC 8410; or 1.3.6.1.4.1.11591.15.1 of older ones) or
 * a PrintableString "edwards25519"; EC_POINT is the 32 bytes raw, or in a DER OCTET STRING (or, seen too, BIT STRING).
 */
#ifndef SIDECAR_PKCS11_KEY_H
#define SIDECAR_PKCS11_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool pkcs11_is_ed25519(const uint8_t *parameters, size_t length);
bool pkcs11_public_point(const uint8_t *point, size_t length, uint8_t key[32]);

#endif
