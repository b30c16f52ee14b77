/*
 * utf8.h
 *		One character of UTF-8 at a time (RFC 3629).
 */
#ifndef REASON_CORE_UTF8_H
#define REASON_CORE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length of the character at p, which is before end; 0 if these bytes are none: overlong forms and surrogates are none. */
static inline size_t
utf8_read(const void *at, const void *end, uint32_t *character)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = at;
	size_t		length;

	if (*p < 0x80)
		length = 1;
	else if (*p >= 0xC2 && *p < 0xE0)
		length = 2;
	else if (*p >= 0xE0 && *p < 0xF0)
		length = 3;
	else if (*p >= 0xF0 && *p <= 0xF4)
		length = 4;
	else
		return 0;
	if ((size_t) ((const unsigned char *) end - p) < length)
		return 0;
	*character = length == 1 ? *p : *p & (0xFFu >> (length + 1));
	for (size_t i = 1; i < length; i++)
	{
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		*character = *character << 6 | (p[i] & 0x3F);
	}
	if (*character < smallest[length] || *character > 0x10FFFF || (*character >= 0xD800 && *character <= 0xDFFF))
		return 0;
	return length;
}

#endif							/* REASON_CORE_UTF8_H */
