/*
 * tree.h
 *		What is read off the finished tree of a trace: cycles, and the ids of its rows.
 */
#ifndef REASON_TRACE_TREE_H
#define REASON_TRACE_TREE_H

#include "postgres.h"

#include "trace/result.h"

/* For each node, in the graph's memory: an edge leads from it to itself or back to an ancestor on its path. */
extern bool *trace_cycles(Trace *trace);

/* To be called before rows are read whose edge_id is looked at. */
extern void trace_rows_begin(Trace *trace);

/* The rows from a position on; their members live as long as the trace. Not whole: of each the node_id alone. */
extern void trace_rows_read(const Trace *trace, uint32 first, uint32 count, TraceRow *rows, bool whole);

static inline TraceRow
trace_row(const Trace *trace, uint32 position)
{
	TraceRow	row;

	trace_rows_read(trace, position, 1, &row, true);
	return row;
}

#endif							/* REASON_TRACE_TREE_H */
