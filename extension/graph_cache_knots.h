/*
 * graph_cache_knots.h
 *		Which nodes of a generation of the adjacency cache lie on a cycle.
 */
#ifndef REASON_GRAPH_CACHE_KNOTS_H
#define REASON_GRAPH_CACHE_KNOTS_H

#include "postgres.h"

#include "graph_cache.h"

/* Sets the bits, all clear before, of the nodes that an edge leads back to, itself or by way of others; false: none. */
extern bool graph_cache_find_knots(Graph *graph, const GraphCacheGeneration *generation, uint64 *bits);

#endif							/* REASON_GRAPH_CACHE_KNOTS_H */
