/*
 * cosignature.h
 *		Cosignatures of checkpoints by witnesses: https://c2sp.org/tlog-cosignature,
 *		the kind by Ed25519.
 *
 * Ed25519 itself is a function that the caller brings.
 */
#ifndef REASON_CORE_COSIGNATURE_H
#define REASON_CORE_COSIGNATURE_H

#include "core/buffer.h"

/* Bare Ed25519 (RFC 8032). */
typedef bool (*Ed25519Verify) (const uint8_t *signature, const uint8_t *message, size_t length,
							   const uint8_t *public_key);

/* Seconds since 1970 in eight bytes, big end first, and Ed25519: a signature line's bytes after the key id. */
#define COSIGNATURE_LENGTH (8 + 64)

/* What a witness signs: "cosignature/v1\ntime <seconds>\n" and the checkpoint's text. */
extern void cosignature_message(ByteBuffer *out, uint64_t timestamp, const char *text, size_t length);

extern void cosignature_write(uint8_t out[COSIGNATURE_LENGTH], uint64_t timestamp, const uint8_t signature[64]);

/* Whether it is the key's over the checkpoint's text; then `timestamp` is when it says that it was made. */
extern bool cosignature_verify(const char *text, size_t length, const uint8_t *cosignature, size_t cosignature_length,
							   const uint8_t public_key[32], Ed25519Verify verify, uint64_t *timestamp);

#endif							/* REASON_CORE_COSIGNATURE_H */
