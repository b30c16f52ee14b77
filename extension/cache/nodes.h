/*
 * nodes.h
 *		Nodes of the adjacency cache: by number, and in order.
 */
#ifndef REASON_CACHE_NODES_H
#define REASON_CACHE_NODES_H

#include "postgres.h"

#include "cache/view.h"

/* The place of a node by its number; GRAPH_CACHE_NO_NODE if neither generation nor delta has it. */
extern uint32 graph_cache_find(GraphCacheView *view, int64 no);

/* Adds a node that graph_cache_find() does not find. */
extern uint32 graph_cache_add(GraphCacheView *view, const GraphNode *node);

static inline const GraphCacheNode *
graph_cache_node(const GraphCacheView *view, uint32 node)
{
	return likely(node < view->node_count) ? &view->nodes[node] : &view->extra_nodes[node - view->node_count];
}

static inline const GraphCacheEdge *
graph_cache_edge(const GraphCacheView *view, uint32 edge)
{
	return likely(edge < view->edge_count) ? &view->edges[edge] : &view->extra_edges[edge - view->edge_count].edge;
}

/* Whether a comes before b by (created_at, id): less than, equal to or greater than 0. */
extern int	graph_cache_compare(const GraphCacheView *view, uint32 a, uint32 b);

#endif							/* REASON_CACHE_NODES_H */
