/*
 * frontier.h
 *		Where a walk stopped for its depth: nodes of the last level from which it would have gone on.
 */
#ifndef REASON_TRACE_FRONTIER_H
#define REASON_TRACE_FRONTIER_H

#include "postgres.h"

#include "core/buffer.h"
#include "trace/result.h"

typedef struct TraceFrontier
{
	const Trace *trace;
	uint32	   *positions;		/* ascending; in the graph's memory */
	uint32		count;
} TraceFrontier;

/* The trace, with TRACE_EDGES, has read the edges of its last level; their ends are looked up if filters have to see them. */
extern void trace_frontier_find(TraceFrontier *frontier, Trace *trace);

/* Appends the ids of those among the positions as a JSON array, in the order of the ids. */
extern void trace_frontier_write(ByteBuffer *out, const TraceFrontier *frontier, uint32 begin, uint32 end);

#endif							/* REASON_TRACE_FRONTIER_H */
