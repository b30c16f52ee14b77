/*
 * sealed.h
 *		Which records had their place in the chain of their division at an event: what "as of" that event means.
 *
 * The event of a node or edge has its number.  A seal is never changed, nor given to an event before
 * another's: asked of the same event, the answer is the same for ever, whatever commits in between.
 */
#ifndef REASON_GRAPH_SEALED_H
#define REASON_GRAPH_SEALED_H

#include "postgres.h"

#include "graph/types.h"
#include "record/row_scan.h"

struct GraphSealed
{
	RowScan		seals;			/* by number */
	AttrNumber	seq_column;
	text	   *division;
	int64		seq;
};

/* Raises P0002 unless the chain of the division has that event.  Closed with the graph. */
extern const GraphSealed *graph_sealed_open(Graph *graph, RecordText division, int64 seq);
extern void graph_sealed_close(Graph *graph);

/* Fastest when asked in the order of numbers. */
extern bool graph_sealed_shows(const GraphSealed *sealed, int64 no);

#endif							/* REASON_GRAPH_SEALED_H */
