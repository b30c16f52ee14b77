/*
 * graph.h
 *		Opening and closing the graph for one call.
 */
#ifndef REASON_GRAPH_GRAPH_H
#define REASON_GRAPH_GRAPH_H

#include "postgres.h"

#include "graph/types.h"

extern Graph *graph_open(void);
extern void graph_close(Graph *graph);
/*
 * The first half of graph_close(): nothing can be read any more, but what was read stays until
 * graph->context goes.
 */
extern void graph_close_tables(Graph *graph);

/* Opens a table of ours, locked for reading.  Raises an error unless walks can read it and it has that many columns. */
extern Relation graph_open_table(const char *name, int columns);

#endif							/* REASON_GRAPH_GRAPH_H */
