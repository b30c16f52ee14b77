/*
 * canonical.h
 *		Canonical JSON: the JSON Canonicalization Scheme, RFC 8785.
 *
 * Members in the order of the UTF-16 code units of their names (section 3.2.3),
 * numbers as ECMAScript's Number.prototype.toString() gives them (3.2.2.3),
 * strings with the fewest escapes (3.2.2.2), no white space, UTF-8.
 *
 * Everything appends to a ByteBuffer; memory comes only from its hook.
 */
#ifndef REASON_CORE_CANONICAL_H
#define REASON_CORE_CANONICAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buffer.h"
#include "core/json_reader.h"

/* A value that was read, with everything within it.  Does not recurse. */
extern void canonical_write_value(ByteBuffer *out, const JsonDocument *document, const JsonNode *value);

/* Quoted and escaped.  The bytes must be valid UTF-8; NUL is written as \u0000. */
extern void canonical_write_string(ByteBuffer *out, const char *bytes, size_t length);

/* Must be finite (asserted).  Minus zero is written 0. */
extern void canonical_write_number(ByteBuffer *out, double value);

extern void canonical_write_integer(ByteBuffer *out, int64_t value);

static inline void
canonical_write_boolean(ByteBuffer *out, bool value)
{
	if (value)
		buffer_append_literal(out, "true");
	else
		buffer_append_literal(out, "false");
}

/*
 * Order of two names by UTF-16 code units: negative, 0, positive.  Both valid
 * UTF-8.  The order of UTF-8 bytes is the same, except that U+10000 and above
 * (surrogates in UTF-16) come before U+E000 to U+FFFF.
 */
extern int	canonical_compare_names(const char *a, size_t a_length, const char *b, size_t b_length);

/*
 * The longest text that canonical_write_number() and canonical_format_number()
 * write, e.g. "-0.000001234567890123456" or "-1.2345678901234567e-308".
 */
#define CANONICAL_NUMBER_SIZE 32

/* Writes to `text` (CANONICAL_NUMBER_SIZE bytes, not terminated) and returns the length. */
extern size_t canonical_format_number(char *text, double value);

#endif							/* REASON_CORE_CANONICAL_H */
