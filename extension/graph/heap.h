/*
 * heap.h
 *		Visits to the rows of the tables, and which of them a trace may see.
 */
#ifndef REASON_GRAPH_HEAP_H
#define REASON_GRAPH_HEAP_H

#include "postgres.h"

#include "access/htup.h"

#include "graph/types.h"

/* Whether the first page saw the row of that number, which the snapshot sees now. */
extern bool graph_horizon_sees(Graph *graph, Relation heap, int64 no, HeapTuple tuple);

/* Called with the visible version of a row: pinned, not locked. */
typedef void (*GraphVisitor) (void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc);

/*
 * Visits the rows of the entries, block by block; sorts the entries by tid.
 * Entries whose row the snapshot does not see are passed over.
 */
extern void graph_visit_rows(Graph *graph, Relation heap, GraphEntry *entries, uint32 count,
							 GraphVisitor visitor, void *argument);

#endif							/* REASON_GRAPH_HEAP_H */
