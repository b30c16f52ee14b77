/*
 * scan.h
 *		trace() in FROM as a plan node of its own.
 *
 * A function in FROM hands its rows over in a tuplestore: PostgreSQL copies each of them in
 * and out again, which takes longer than finding them.  The custom scan gives the same
 * rows one by one, straight from where the trace has them, and leaves out
 * what the query does not look at.
 */
#ifndef REASON_TRACE_SCAN_H
#define REASON_TRACE_SCAN_H

#include "postgres.h"

#include "fmgr.h"
#include "nodes/extensible.h"

#include "trace/trace.h"

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

/* The SQL function, and what its arguments ask for; NULL: the node is NULL, there are no rows. */
extern Datum reason_trace(PG_FUNCTION_ARGS);
extern Trace *trace_call(FunctionCallInfo fcinfo, TraceDetail detail);

/*
 * The plan: custom_exprs holds the call, a FuncExpr; custom_private the numbers of the columns
 * that the query looks at, a list of int; custom_scan_tlist these columns.
 */
extern const CustomScanMethods trace_scan_methods;

/* Called by _PG_init(). */
extern void trace_path_define(void);

#endif							/* REASON_TRACE_SCAN_H */
