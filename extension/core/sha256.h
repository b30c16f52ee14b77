/*
 * sha256.h
 *		SHA-256 (FIPS 180-4) with the processor's SHA instructions where it has them.
 *
 * A context is plain memory: nothing to free, nothing that leaks when an error
 * is raised between sha256_init() and sha256_final().  Nothing here can fail.
 */
#ifndef REASON_CORE_SHA256_H
#define REASON_CORE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_LENGTH 32

typedef struct Sha256
{
	uint64_t	state[16];
} Sha256;

typedef struct Sha256Piece
{
	const void *data;
	size_t		length;
} Sha256Piece;

extern void sha256_init(Sha256 *context);
extern void sha256_update(Sha256 *context, const void *data, size_t length);
extern void sha256_final(Sha256 *context, uint8_t digest[SHA256_LENGTH]);

/* The digest of the pieces one after another. */
extern void sha256_pieces(uint8_t digest[SHA256_LENGTH], const Sha256Piece *pieces, size_t count);

static inline void
sha256_of(uint8_t digest[SHA256_LENGTH], const void *data, size_t length)
{
	const Sha256Piece piece = {data, length};

	sha256_pieces(digest, &piece, 1);
}

static inline void
sha256_of_two(uint8_t digest[SHA256_LENGTH], const void *a, size_t a_length, const void *b, size_t b_length)
{
	const Sha256Piece pieces[] = {{a, a_length}, {b, b_length}};

	sha256_pieces(digest, pieces, 2);
}

#endif							/* REASON_CORE_SHA256_H */
