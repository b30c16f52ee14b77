/*
 * cycles.h
 *		Which nodes of a generation of the adjacency cache lie on a cycle.
 */
#ifndef REASON_CACHE_CYCLES_H
#define REASON_CACHE_CYCLES_H

#include "postgres.h"

#include "cache/layout.h"
#include "graph/types.h"

/* Sets the bits, all clear before, of the nodes that an edge leads back to, itself or by way of others; false: none. */
extern bool graph_cache_find_cyclic_nodes(Graph *graph, const GraphCacheGeneration *generation, uint64 *bits);

#endif							/* REASON_CACHE_CYCLES_H */
