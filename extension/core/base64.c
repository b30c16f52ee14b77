/*
 * base64.c
 *		Base 64 as in RFC 4648, section 4: padded, in one line.
 */
#include "core/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_append(ByteBuffer *out, const void *bytes, size_t length)
{
	const uint8_t *from = bytes;

	if (length > SIZE_MAX / 4)
	{
		out->failed = true;
		return;
	}
	if (!buffer_reserve(out, BASE64_LENGTH(length)))
		return;
	for (size_t i = 0; i < length; i += 3)
	{
		size_t		rest = length - i;
		uint32_t	bits = (uint32_t) from[i] << 16 | (rest > 1 ? (uint32_t) from[i + 1] << 8 : 0) | (rest > 2 ? from[i + 2] : 0);
		char	   *to = out->data + out->length;

		to[0] = alphabet[bits >> 18];
		to[1] = alphabet[bits >> 12 & 0x3F];
		to[2] = rest > 1 ? alphabet[bits >> 6 & 0x3F] : '=';
		to[3] = rest > 2 ? alphabet[bits & 0x3F] : '=';
		out->length += 4;
	}
}

/* -1 for what is no digit. */
static int
digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

bool
base64_decoded_length(const char *text, size_t length, size_t *decoded)
{
	if (length % 4 != 0)
		return false;
	*decoded = length / 4 * 3;
	if (length > 0 && text[length - 1] == '=')
		*decoded -= text[length - 2] == '=' ? 2 : 1;
	return true;
}

bool
base64_decode(const char *text, size_t length, uint8_t *out, size_t size)
{
	size_t		decoded;

	if (!base64_decoded_length(text, length, &decoded))
		return false;
	for (size_t i = 0; i < length; i += 4)
	{
		size_t		at = i / 4 * 3;
		size_t		here = decoded - at < 3 ? decoded - at : 3;
		uint32_t	bits = 0;

		for (size_t k = 0; k < 4; k++)
		{
			int			digit = k > here ? 0 : digit_of(text[i + k]);

			if (digit < 0)
				return false;
			bits = bits << 6 | (uint32_t) digit;
		}
		/* Bits that stand for nothing must be zero. */
		if (bits & (here == 1 ? 0xFFFF : here == 2 ? 0xFF : 0))
			return false;
		for (size_t k = 0; k < here && at + k < size; k++)
			out[at + k] = (uint8_t) (bits >> (16 - 8 * k));
	}
	return true;
}

bool
base64_decode_append(ByteBuffer *out, const char *text, size_t length)
{
	size_t		decoded;

	if (!base64_decoded_length(text, length, &decoded))
		return false;
	if (decoded == 0)
		return true;
	if (!buffer_reserve(out, decoded) || !base64_decode(text, length, (uint8_t *) out->data + out->length, decoded))
		return false;
	out->length += decoded;
	return true;
}
