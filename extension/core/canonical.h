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
#include "core/json_document.h"

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

#endif							/* REASON_CORE_CANONICAL_H */
