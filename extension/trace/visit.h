/*
 * visit.h
 *		Visits to the rows of a trace.
 */
#ifndef REASON_TRACE_VISIT_H
#define REASON_TRACE_VISIT_H

#include "postgres.h"

#include "graph/heap.h"
#include "trace/result.h"

/* All of its nodes, or of the edges that it keeps; the entry's position is that in the trace. */
extern void trace_visit_nodes(Trace *trace, GraphVisitor visitor, void *argument);
extern void trace_visit_edges(Trace *trace, GraphVisitor visitor, void *argument);

#endif							/* REASON_TRACE_VISIT_H */
