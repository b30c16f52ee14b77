/*
 * numeric.h
 *		A numeric as canonical JSON writes a number.
 */
#ifndef REASON_CANONICAL_NUMERIC_H
#define REASON_CANONICAL_NUMERIC_H

#include "postgres.h"

#include "core/buffer.h"

/*
 * Appends the shortest digits that give the nearest double back.  `datum` lies
 * where it lies in a jsonb.  Raises an error with SQLSTATE 22003 for NaN,
 * infinity, and a number beyond a double's range.
 */
extern void canonical_write_numeric(ByteBuffer *out, const char *datum);

#endif							/* REASON_CANONICAL_NUMERIC_H */
