/*
 * walk.h
 *		A trace along the covering indexes.
 */
#ifndef REASON_TRACE_WALK_H
#define REASON_TRACE_WALK_H

#include "postgres.h"

#include "trace/result.h"

/* How a walk ended.  If it is not done, the trace is of no use. */
typedef enum TraceOutcome
{
	TRACE_DONE,
	TRACE_TOO_LARGE,			/* it has more than most_nodes nodes */
	TRACE_NODE_MISSING			/* an edge leads to a node that is not there, and the walk was optimistic */
} TraceOutcome;

/* Along the covering indexes.  Optimistic: faster, while every edge leads to a node. */
extern TraceOutcome trace_walk(Trace *trace, uint32 most_nodes, bool optimistic);

#endif							/* REASON_TRACE_WALK_H */
