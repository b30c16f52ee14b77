/*
 * restated.h
 *		Edges whose weight was stated anew: a further edge of the same type leads between the same two nodes.
 */
#ifndef REASON_TRACE_RESTATED_H
#define REASON_TRACE_RESTATED_H

#include "postgres.h"

#include "trace/result.h"

/*
 * By index in trace->edges whether a newer one of the same type, by (created_at, id), leads from the same node to the
 * same one.  The rows of edges beside others are read.  In the graph's memory.
 */
extern bool *restated_edges(Trace *trace);

#endif							/* REASON_TRACE_RESTATED_H */
