/*
 * base64.h
 *		Base 64 as in RFC 4648, section 4: padded, in one line.
 */
#ifndef REASON_CORE_BASE64_H
#define REASON_CORE_BASE64_H

#include "core/buffer.h"

/* Characters for so many bytes. */
#define BASE64_LENGTH(bytes) (((bytes) + 2) / 3 * 4)

extern void base64_append(ByteBuffer *out, const void *bytes, size_t length);

/*
 * Bytes that a text stands for, by its length and padding alone; false if no
 * text of this length can be Base 64.
 */
extern bool base64_decoded_length(const char *text, size_t length, size_t *decoded);

/*
 * Decodes the first `size` bytes at most into `out`, and checks the whole
 * text.  False for anything but the one text that base64_append() writes, so
 * that the same bytes cannot be written in two ways.
 */
extern bool base64_decode(const char *text, size_t length, uint8_t *out, size_t size);

/* The same into a buffer; false also when there is no memory. */
extern bool base64_decode_append(ByteBuffer *out, const char *text, size_t length);

#endif							/* REASON_CORE_BASE64_H */
