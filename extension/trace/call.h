/*
 * call.h
 *		A call of trace(), trace_from() or trace_size(): its arguments, and the columns that it gives.
 */
#ifndef REASON_TRACE_CALL_H
#define REASON_TRACE_CALL_H

#include "postgres.h"

#include "fmgr.h"

#include "trace/result.h"

/* The columns of trace() and trace_from(), in order. */
typedef enum TraceColumn
{
	TRACE_STEP,
	TRACE_DEPTH,
	TRACE_NODE_ID,
	TRACE_EDGE_ID,
	TRACE_PARENT_ID,
	TRACE_CYCLE,
	TRACE_COLUMNS
} TraceColumn;

/* Those of trace_size(). */
typedef enum TraceSizeColumn
{
	TRACE_SIZE_NODES,
	TRACE_SIZE_EDGES,
	TRACE_SIZE_COLUMNS
} TraceSizeColumn;

/* What the arguments of trace() or trace_from() ask for; NULL: no node is given, there are no rows. */
extern Trace *trace_call(FunctionCallInfo fcinfo, TraceDetail detail);

/* The same for trace_size(); TRACE_REACHED: the number of edges is not looked at. */
extern Trace *trace_size_call(FunctionCallInfo fcinfo, TraceDetail detail);

#endif							/* REASON_TRACE_CALL_H */
