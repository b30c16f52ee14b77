/*
 * graph_heap.h
 *		Visibility of rows to the pages of a trace after the first.
 */
#ifndef REASON_GRAPH_HEAP_H
#define REASON_GRAPH_HEAP_H

#include "postgres.h"

#include "access/htup_details.h"

#include "graph.h"

/* Whether the row of that number and header, which the snapshot sees, lies within the horizon. */
extern bool graph_horizon_sees(const GraphHorizon *horizon, int64 no, HeapTupleHeader tuple);

#endif							/* REASON_GRAPH_HEAP_H */
