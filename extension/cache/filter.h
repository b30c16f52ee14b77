/*
 * filter.h
 *		Which links of the adjacency cache a filter lets a trace follow.
 *
 * Types, weights and confidences are told by attributes (cache/attributes.h).  Nodes are numbered in the
 * order of time, so that as_of is a bound among them; edges lie in the heap in that order, almost, so
 * that only those of a few blocks have to be looked at.  Whatever the cache cannot tell, the row does.
 */
#ifndef REASON_CACHE_FILTER_H
#define REASON_CACHE_FILTER_H

#include "postgres.h"

#include "cache/view.h"
#include "graph/filter.h"

/* Verdicts, as bits: the verdict of several conditions has the bits that all of theirs have. */
#define GRAPH_CACHE_REFUSED 0
#define GRAPH_CACHE_LOOK 1		/* the row has to be asked */
#define GRAPH_CACHE_ACCEPTED 3

typedef struct GraphCacheVerdicts
{
	const GraphCacheAttribute *attributes;	/* NULL: nothing is asked of them */
	uint8		types[256];		/* by attribute */
	uint8		numbers[256];
} GraphCacheVerdicts;

struct GraphCacheFilter
{
	const GraphFilter *asked;
	int64		start_no;		/* the node that the trace starts from, which no filter excludes */
	uint32		start;			/* GRAPH_CACHE_NO_NODE: not one of the generation */
	GraphCacheVerdicts nodes;
	GraphCacheVerdicts edges;
	uint32		nodes_too_late; /* nodes from here on were recorded after as_of */
	uint32		edges_in_time;	/* no edge before this one was recorded after as_of */
	uint32		edges_too_late; /* all edges from here on were recorded after as_of */
};

/*
 * Sets view->filter, unless nothing is asked.  False: so many rows would have to be looked at that
 * walking the indexes is faster.
 */
extern bool graph_cache_filter_begin(GraphCacheView *view, const GraphFilter *asked, int64 start_no);

/* Whether a link of the generation may be followed, as far as the filter goes. */
extern bool graph_cache_accepts(GraphCacheView *view, const GraphCacheLink *link);

/* Whether a node of the generation may be entered. */
extern bool graph_cache_accepts_node(GraphCacheView *view, uint32 node);

/* Whether the filter asks what is in the rows of nodes. */
static inline bool
graph_cache_filters_nodes(const GraphCacheView *view)
{
	return view->filter && graph_filter_needs_node_rows(view->filter->asked);
}

/* Whether a row of a node says what the generation says of it. */
extern bool graph_cache_agrees(GraphCacheView *view, uint32 node, HeapTuple tuple, TupleDesc desc);

#endif							/* REASON_CACHE_FILTER_H */
