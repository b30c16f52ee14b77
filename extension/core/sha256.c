/*
 * sha256.c
 *		SHA-256 by OpenSSL's libcrypto, which uses the SHA instructions of the
 *		processor.
 *
 * The functions of the SHA256_ family are called rather than EVP: their context
 * is a structure that the caller owns, and for records of a few hundred bytes
 * EVP costs more in fetching and dispatching than the hash itself
 * (test/bench/canonical.sh shows both).
 */
/* Asks for the interface as of OpenSSL 1.1.1, in which these functions are not deprecated. */
#define OPENSSL_API_COMPAT 10101

#include "core/sha256.h"

#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(Sha256), "Sha256 must hold OpenSSL's context");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(Sha256), "Sha256 must be aligned for OpenSSL's context");
_Static_assert(SHA256_DIGEST_LENGTH == SHA256_LENGTH, "a digest has 32 bytes");

void
sha256_init(Sha256 *context)
{
	SHA256_Init((SHA256_CTX *) context);
}

void
sha256_update(Sha256 *context, const void *data, size_t length)
{
	SHA256_Update((SHA256_CTX *) context, data, length);
}

void
sha256_final(Sha256 *context, uint8_t digest[SHA256_LENGTH])
{
	SHA256_Final(digest, (SHA256_CTX *) context);
}

void
sha256_pieces(uint8_t digest[SHA256_LENGTH], const Sha256Piece *pieces, size_t count)
{
	SHA256_CTX	context;

	SHA256_Init(&context);
	for (size_t i = 0; i < count; i++)
		SHA256_Update(&context, pieces[i].data, pieces[i].length);
	SHA256_Final(digest, &context);
}
