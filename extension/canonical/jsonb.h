/*
 * jsonb.h
 *		The canonical form of a jsonb.
 */
#ifndef REASON_CANONICAL_JSONB_H
#define REASON_CANONICAL_JSONB_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "core/buffer.h"

/*
 * Appends the canonical form, the same bytes as for the text the jsonb came
 * from.  Raises an error with SQLSTATE 22003 for a number beyond a double's
 * range, and 54000 for too much depth.
 */
extern void canonical_write_jsonb(ByteBuffer *out, Jsonb *jsonb);

/* Takes the bytes that have come together, and sets the buffer's length to 0. */
typedef void (*CanonicalFlush) (void *context, ByteBuffer *out);

/*
 * The same, calling flush() whenever the buffer has at least flush_at bytes after
 * a value; what is left at the end stays in the buffer.
 */
extern void canonical_stream_jsonb(ByteBuffer *out, Jsonb *jsonb, size_t flush_at,
								   CanonicalFlush flush, void *context);

#endif							/* REASON_CANONICAL_JSONB_H */
