/*
 * quarantine.h
 *		Records in quarantine, which most callers must not come across.
 *
 * Nodes, edges and annotations share their numbers, so that one sorted array
 * tells of all.  It holds what is in quarantine for the snapshot of the graph
 * (and the horizon of its cursor: what was released after the first page stays
 * hidden on the others).  Where nothing is quarantined it is empty, and asking
 * costs a comparison.
 */
#ifndef REASON_GRAPH_QUARANTINE_H
#define REASON_GRAPH_QUARANTINE_H

#include "postgres.h"

#include "fmgr.h"

#include "graph/types.h"

/* Reads what is in quarantine in graph->division; again after horizon was set. */
extern void quarantine_load(Graph *graph);

/* Whether an argument says that the caller sees quarantined records; NULL leaves it to the current role. */
extern void quarantine_argument(FunctionCallInfo fcinfo, int argument, Graph *graph);

extern bool quarantine_contains(const Graph *graph, int64 no);

/* Whether the record must not be shown, nor walked through. */
static inline bool
quarantine_hides(const Graph *graph, int64 no)
{
	return unlikely(graph->quarantine_count > 0) && graph->hides_quarantined && quarantine_contains(graph, no);
}

#endif							/* REASON_GRAPH_QUARANTINE_H */
