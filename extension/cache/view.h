/*
 * view.h
 *		The adjacency cache as one trace sees it: a generation, and what changed since.
 *
 * First graph_cache_view() finds out what changed, which costs next to nothing;
 * whether using it pays, the caller can tell from `blocks_to_read`.  Then
 * graph_cache_read_delta() reads that much.  From then on nodes are numbered: those of the generation
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
typedef struct GraphCacheSuspectPage
{
	GraphCacheTableKind kind;
	uint32		number;
	XLogRecPtr	lsn;			/* as it is now */
	uint8	   *covered;		/* blocks that were covered then and are all-visible now */
} GraphCacheSuspectPage;

/* Where edges may lead back to an ancestor on the path. */
typedef enum GraphCacheCycles
{
	GRAPH_CACHE_NO_CYCLES,
	GRAPH_CACHE_CYCLIC_NODES,	/* between nodes of the generation that lie on a cycle */
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
	uint32		blocks_coverable;	/* how many of these the next generation will have */
	GraphCacheBlocks uncovered; /* of edges: not covered */
	GraphCacheBlocks invalidated[GRAPH_CACHE_TABLES];	/* covered, but changed since */
	GraphCacheSuspectPage *suspect_pages;
	uint32		suspect_page_count;
	uint32		suspect_page_capacity;

	/* Set by graph_cache_read_delta(). */
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
	bool		extra_against_time; /* one of them leads from a cause to an effect that does not come after it */
	GraphCacheCycles cycles;
	const uint64 *cyclic_nodes;
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

/* NULL: there is no cache, or none that can be used; a new one may have been asked for. */
extern GraphCacheView *graph_cache_view(Graph *graph, GraphDirection direction);

#endif							/* REASON_CACHE_VIEW_H */
