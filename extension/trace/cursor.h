/*
 * cursor.h
 *		Where a trace goes on: opaque, checked, and bound to what its first page saw.
 *
 * A cursor is base64url of: version, a hash of the trace's parameters, how many
 * steps were given, when it expires, the bounds of the first page's snapshot,
 * and an HMAC-SHA-256 of all that under reason.cursor_secret.  All but the HMAC
 * is enciphered under the same secret, with the HMAC as the nonce: the numbers
 * of records and transactions would tell how much others write.
 *
 * Rows are written once, so a later page sees what the first one saw if it
 * leaves out what its own snapshot sees in addition: records numbered after the
 * first page, and records whose writer had not committed then.  Up to the
 * number that the sealer has declared decided, nobody needs to look.
 */
#ifndef REASON_TRACE_CURSOR_H
#define REASON_TRACE_CURSOR_H

#include "postgres.h"

#include "core/buffer.h"
#include "graph/filter.h"
#include "graph/types.h"
#include "record/record.h"

#define TRACE_PARAMETERS_HASH 16

/* Whose pages a cursor leads through; it is good for no others. */
typedef enum TraceCursorKind
{
	TRACE_CURSOR_TRACE,			/* steps */
	TRACE_CURSOR_REASON,		/* the same in the Kernel's form */
	TRACE_CURSOR_HUMAN,			/* the same for a person */
	TRACE_CURSOR_ORDER,			/* entries of an ordered trace */
	TRACE_CURSOR_NODE,			/* edges at a node */
	TRACE_CURSOR_EXPLANATION,	/* entries of an explanation */
	TRACE_CURSOR_IMPACT,		/* what rests on a node */
	TRACE_CURSOR_EXPORT,		/* steps, in forms of export */
	TRACE_CURSOR_COMPARISON		/* what differs between two */
} TraceCursorKind;

typedef struct TraceCursor
{
	Graph	   *graph;
	uint8		parameters[TRACE_PARAMETERS_HASH];
	uint32		offset;			/* steps, or whatever is counted, on the pages before */
	uint32		edge_offset;	/* edges of the step at offset on the pages before; its step was given then */
	const bytea *secret;		/* NULL until it is needed */
	const GraphHorizon *horizon;	/* NULL on the first page */
} TraceCursor;

/*
 * Reads the text of a cursor, or begins a trace when encoded.data is NULL.  Raises 22023 for a
 * cursor that was tampered with, has expired, or belongs to a trace with other parameters.
 */
extern void trace_cursor_begin(TraceCursor *cursor, Graph *graph, TraceCursorKind kind, const pg_uuid_t *start,
							   GraphDirection direction, const GraphFilter *filter, RecordText encoded);

/* Appends the cursor of the page that begins after so many steps, and so many edges of the next. */
extern void trace_cursor_write(const TraceCursor *cursor, ByteBuffer *out, uint32 offset, uint32 edge_offset);

/* Called by _PG_init(). */
extern void trace_define_parameters(void);

#endif							/* REASON_TRACE_CURSOR_H */
