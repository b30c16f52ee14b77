/*
 * trace.h
 *		Running a breadth-first trace.
 */
#ifndef REASON_TRACE_TRACE_H
#define REASON_TRACE_TRACE_H

#include "postgres.h"

#include "graph/filter.h"
#include "trace/result.h"

/*
 * Runs a trace by whichever way is faster: along the covering indexes, or in the adjacency
 * cache.  Everything lives in the graph's memory.
 */
extern Trace *trace_run(Graph *graph, const GraphNode *start, GraphDirection direction, const GraphFilter *filter,
						TraceDetail detail, int64 until_no);

/* The same from several nodes, which must be distinct and of one division; starts[] must stay. */
extern Trace *trace_run_from(Graph *graph, const GraphNode *const *starts, uint32 start_count, GraphDirection direction,
							 const GraphFilter *filter, TraceDetail detail);

#endif							/* REASON_TRACE_TRACE_H */
