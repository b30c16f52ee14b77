/*
 * sort.h
 *		Sorting the edges of a generation of the adjacency cache into links, when it is built.
 */
#ifndef REASON_CACHE_SORT_H
#define REASON_CACHE_SORT_H

#include "postgres.h"

#include "cache/layout.h"
#include "graph/types.h"

/* What is known of an edge besides what the generation keeps. */
typedef struct GraphCacheEnds
{
	uint32		from;
	uint32		to;
	TimestampTz created_at;
} GraphCacheEnds;

/*
 * Writes heads and links of both directions to where the generation has room for them, and how many edges
 * lead against time.  Needs 20 bytes an edge and 8 a node meanwhile.
 */
extern void graph_cache_sort_links(Graph *graph, GraphCacheGeneration *generation, const GraphCacheEnds *ends);

#endif							/* REASON_CACHE_SORT_H */
