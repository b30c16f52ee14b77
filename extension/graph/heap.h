/*
 * heap.h
 *		Visibility of rows to the pages of a trace after the first.
 */
#ifndef REASON_GRAPH_HEAP_H
#define REASON_GRAPH_HEAP_H

#include "postgres.h"

#include "access/htup.h"

#include "graph/graph.h"

/* Whether the first page saw the row of that number, which the snapshot sees now. */
extern bool graph_horizon_sees(Graph *graph, Relation heap, int64 no, HeapTuple tuple);

#endif							/* REASON_GRAPH_HEAP_H */
