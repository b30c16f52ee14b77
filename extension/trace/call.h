/*
 * call.h
 *		A call of trace(): its arguments, and the columns that it gives.
 */
#ifndef REASON_TRACE_CALL_H
#define REASON_TRACE_CALL_H

#include "postgres.h"

#include "fmgr.h"

#include "trace/result.h"

/* The columns of trace(), in order. */
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

/* What the arguments of trace() ask for; NULL: the node is NULL, there are no rows. */
extern Trace *trace_call(FunctionCallInfo fcinfo, TraceDetail detail);

#endif							/* REASON_TRACE_CALL_H */
