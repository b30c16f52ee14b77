/*
 * links.h
 *		The links of a node, in order.
 */
#ifndef REASON_CACHE_LINKS_H
#define REASON_CACHE_LINKS_H

#include "postgres.h"

#include "cache/view.h"

/* The links of a node in order. */
typedef struct GraphCacheLinks
{
	const uint32 *nodes;		/* the other ends */
	const uint32 *edges;
	uint32		count;
} GraphCacheLinks;

/* As the generation has them. */
static inline GraphCacheLinks
graph_cache_held_links(const GraphCacheView *view, uint32 node)
{
	const GraphCacheHead *head = &view->heads[node];
	const uint32 *nodes = graph_cache_first_link(view->links, head);
	uint32		count = head[1].begin - head->begin;

	return (GraphCacheLinks) {nodes, nodes + count, count};
}

/* As graph_cache_links(), when there are changes to mind. */
extern GraphCacheLinks graph_cache_merged_links(GraphCacheView *view, uint32 node);

/* Valid until the next call. */
static inline GraphCacheLinks
graph_cache_links(GraphCacheView *view, uint32 node)
{
	return likely(view->is_plain) ? graph_cache_held_links(view, node) : graph_cache_merged_links(view, node);
}

/* If the head of a node has all of its links, and nothing changed: the head.  Otherwise NULL. */
static inline const GraphCacheHead *
graph_cache_head(const GraphCacheView *view, uint32 node)
{
	return view->is_plain && view->heads[node].node[0] != GRAPH_CACHE_MANY ? &view->heads[node] : NULL;
}

/* The same links as graph_cache_held_links() has, their other ends as the head has them. */
static inline GraphCacheLinks
graph_cache_head_links(const GraphCacheView *view, const GraphCacheHead *head, uint32 node)
{
	uint32		count = 0;

	for (int i = 0; i < GRAPH_CACHE_HEAD_LINKS; i++)
		count += head->node[i] != node;
	return (GraphCacheLinks) {head->node, graph_cache_first_link(view->links, head) + count, count};
}

#endif							/* REASON_CACHE_LINKS_H */
