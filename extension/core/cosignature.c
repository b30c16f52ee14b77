/*
 * cosignature.c
 *		Cosignatures of checkpoints by witnesses.
 */
#include "core/cosignature.h"

#include "core/decimal.h"

void
cosignature_message(ByteBuffer *out, uint64_t timestamp, const char *text, size_t length)
{
	buffer_append_literal(out, "cosignature/v1\ntime ");
	decimal_append(out, timestamp);
	buffer_append_char(out, '\n');
	buffer_append(out, text, length);
}

void
cosignature_write(uint8_t out[COSIGNATURE_LENGTH], uint64_t timestamp, const uint8_t signature[64])
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t) (timestamp >> (56 - 8 * i));
	memcpy(out + 8, signature, 64);
}

bool
cosignature_verify(const char *text, size_t length, const uint8_t *cosignature, size_t cosignature_length,
				   const uint8_t public_key[32], Ed25519Verify verify, uint64_t *timestamp)
{
	ByteBuffer	message;
	uint64_t	stated = 0;
	bool		good;

	if (cosignature_length != COSIGNATURE_LENGTH)
		return false;
	for (int i = 0; i < 8; i++)
		stated = stated << 8 | cosignature[i];
	if (stated > INT64_MAX)
		return false;
	buffer_init(&message, NULL, NULL);
	cosignature_message(&message, stated, text, length);
	good = !message.failed && verify(cosignature + 8, (const uint8_t *) message.data, message.length, public_key);
	buffer_free(&message);
	if (good)
		*timestamp = stated;
	return good;
}
