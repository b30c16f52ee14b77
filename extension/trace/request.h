/*
 * request.h
 *		What is asked of a trace that is shown in pages: start, filter, page, and what the caller may see.
 */
#ifndef REASON_TRACE_REQUEST_H
#define REASON_TRACE_REQUEST_H

#include "postgres.h"

#include "fmgr.h"

#include "trace/arguments.h"
#include "trace/cursor.h"

/* Positions among a function's arguments, after the node; -1: it has none such. */
typedef struct RequestArguments
{
	TraceArguments filter;
	int			direction;
	int			limit;
	int			cursor;
	int			redact;
	int			divisions;
	int			quarantined;
	int			division;
} RequestArguments;

typedef struct TraceRequest
{
	Graph	   *graph;
	GraphNode  *start;
	GraphDirection direction;
	GraphFilter filter;
	TraceCursor cursor;
	uint32		limit;			/* PG_UINT32_MAX: none */
	bool		is_bounded;		/* a limit was given: edges and bytes are bounded too */
	bool		redact;
	bool		lists_edges;	/* pages have edges */
} TraceRequest;

/*
 * The arguments of functions that take (node, divisions, redact, quarantined, division, as_of_seq, depth, limit, cursor, as_of).
 */
extern const RequestArguments request_arguments;

/* The same with a direction after these. */
extern const RequestArguments directed_request_arguments;

/*
 * Opens the graph and finds the start; a later page sees what the first one saw.  The caller closes request->graph.
 * Raises as trace_start() and trace_cursor_begin() do, and 22023 for a limit below 1.
 */
extern void trace_request_begin(TraceRequest *request, FunctionCallInfo fcinfo, const RequestArguments *arguments,
								TraceCursorKind kind);

/* The divisions that argument names; NULL: those of the current user. */
extern GraphDivisions trace_divisions_argument(FunctionCallInfo fcinfo, int argument, Graph *graph);

#endif							/* REASON_TRACE_REQUEST_H */
