/*
 * view.h
 *		The adjacency cache as one trace sees it: a generation, and what changed since.
 *
 * First graph_cache_view() finds out what changed, which costs next to nothing;
 * whether using it pays, the caller can tell from `blocks_to_read`.  Then
 * graph_cache_overlay() reads that much.  From then on nodes are numbered: those of the generation
 * from 0, others from node_count on; edges likewise.
 */
#ifndef REASON_CACHE_VIEW_H
#define REASON_CACHE_VIEW_H

#include "postgres.h"

#include "cache/layout.h"
#include "graph/memory.h"
#include "graph/types.h"

#define GRAPH_CACHE_NO_NODE PG_UINT32_MAX

/* An edge that the generation does not have. */
typedef struct GraphCacheExtraEdge
{
	GraphCacheEdge edge;
	TimestampTz created_at;
	int64		from_no;
	int64		to_no;
	uint32		from;			/* GRAPH_CACHE_NO_NODE: not a node that this trace may enter */
	uint32		to;
	bool		is_foreign;		/* of another division */
} GraphCacheExtraEdge;

typedef struct GraphCacheExtraLink
{
	uint32		source;
	GraphCacheLink link;
} GraphCacheExtraLink;

/* A node whose row has moved. */
typedef struct GraphCacheMoved
{
	uint32		node;
	ItemPointerData tid;
} GraphCacheMoved;

/* A page of a map on which bits were set since: what is covered may have changed in between. */
typedef struct GraphCacheDoubt
{
	GraphCacheTableKind kind;
	uint32		number;
	XLogRecPtr	lsn;			/* as it is now */
	uint8	   *covered;		/* blocks that were covered then and are all-visible now */
} GraphCacheDoubt;

/* Where edges may lead back to an ancestor on the path. */
typedef enum GraphCacheCycles
{
	GRAPH_CACHE_NO_CYCLES,
	GRAPH_CACHE_KNOTS,			/* between nodes of the generation that lie on a cycle */
	GRAPH_CACHE_CYCLES			/* anywhere */
} GraphCacheCycles;

typedef struct GraphCacheBlocks
{
	BlockNumber *blocks;
	uint32		count;
	uint32		capacity;
} GraphCacheBlocks;

typedef struct GraphCacheFilter GraphCacheFilter;	/* cache/filter.h */

typedef struct GraphCacheView
{
	Graph	   *graph;
	GraphDirection direction;
	GraphCacheGeneration *generation;
	const GraphCacheNode *nodes;
	const GraphCacheEdge *edges;
	const GraphCacheHead *heads;	/* of the direction */
	const uint32 *links;
	uint32		node_count;
	uint32		edge_count;
	uint16		division;
	const GraphCacheFilter *filter; /* NULL: all of it */

	uint32		blocks_to_read;
	uint32		blocks_coverable;	/* of these, such as the next generation will have */
	GraphCacheBlocks fresh;		/* of edges: not covered */
	GraphCacheBlocks lost[GRAPH_CACHE_TABLES];	/* covered, but changed since */
	GraphCacheDoubt *doubts;
	uint32		doubt_count;
	uint32		doubt_capacity;

	/* Set by graph_cache_overlay(). */
	bool		is_plain;		/* links can be taken as they are */
	bool		ask_horizon;
	uint64	   *hidden;			/* bits of edges that are not to be used; NULL: none */
	uint64	   *hidden_nodes;	/* bits of nodes that are not to be entered; NULL: none */
	GraphCacheNode *extra_nodes;
	uint32		extra_node_count;
	GraphCacheExtraEdge *extra_edges;
	uint32		extra_edge_count;
	uint32		extra_edge_capacity;
	GraphCacheExtraLink *extra_links;	/* by source and, for each, in the order of links */
	uint32		extra_link_count;
	uint64	   *has_extra;		/* bits of nodes with extra links */
	bool		extra_against_time;	/* one of them leads from a cause to an effect that does not come after it */
	GraphCacheCycles cycles;
	const uint64 *knots;
	GraphCacheMoved *moved;		/* by node */
	uint32		moved_count;

	uint32	   *merged_nodes;	/* of the node whose links were asked for last */
	uint32	   *merged_edges;
	uint32		merged_capacity;
} GraphCacheView;

static inline void
graph_cache_add_block(GraphCacheView *view, GraphCacheBlocks *blocks, BlockNumber block)
{
	graph_reserve(view->graph, blocks->blocks, blocks->count, blocks->capacity);
	blocks->blocks[blocks->count++] = block;
}

/* NULL: there is no cache, or none that serves; one may have been asked for. */
extern GraphCacheView *graph_cache_view(Graph *graph, GraphDirection direction);

/* Reads what changed.  False: something is irregular, walk the indexes. */
extern bool graph_cache_overlay(GraphCacheView *view);

/* The place of a node by its number; GRAPH_CACHE_NO_NODE if neither generation nor overlay has it. */
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

#endif							/* REASON_CACHE_VIEW_H */
