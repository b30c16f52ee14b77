/*
 * links.c
 *		The links of a node of the adjacency cache, with what changed since worked in.
 */
#include "postgres.h"

#include "cache/links.h"

#include "cache/filter.h"
#include "cache/nodes.h"
#include "graph/bits.h"
#include "graph/columns.h"
#include "graph/heap.h"
#include "graph/sort.h"
#include "graph/walk.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

/* ---------------------------------------------------------------- what the first page of a trace saw */

typedef struct RowQuestion
{
	Graph	   *graph;
	int64		no;
	bool		seen;
	TimestampTz created_at;
} RowQuestion;

static void
ask_edge(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	RowQuestion *question = argument;
	bool		isnull;

	question->seen = !question->graph->horizon ||
		graph_horizon_sees(question->graph, question->graph->edge, question->no, tuple);
	question->created_at = DatumGetTimestampTz(heap_getattr(tuple, EDGE_CREATED_AT, desc, &isnull));
}

static RowQuestion
look_up_edge(GraphCacheView *view, const GraphCacheEdge *edge)
{
	RowQuestion question = {view->graph, edge->no, false, 0};
	GraphEntry	entry = {.tid = edge->tid};

	graph_visit_rows(view->graph, view->graph->edge, &entry, 1, ask_edge, &question);
	return question;
}

static void
note_found(void *argument, const GraphEntry *entries, int count)
{
	*(bool *) argument = true;
}

/* Whether the first page of the trace saw the link, edge and node. */
static bool
is_within_horizon(GraphCacheView *view, const GraphCacheLink *link)
{
	const GraphHorizon *horizon = view->graph->horizon;
	const GraphCacheEdge *edge = &view->edges[link->edge];
	int64		node_no = view->nodes[link->node].no;
	bool		found = false;

	if (edge->no > horizon->last_no || node_no > horizon->last_no)
		return false;
	if (edge->no > horizon->decided_no && !look_up_edge(view, edge).seen)
		return false;
	if (node_no <= horizon->decided_no)
		return true;
	graph_walk(view->graph, GRAPH_NODES, &node_no, 1, NULL, note_found, &found);
	return found;
}

/* ---------------------------------------------------------------- merging */

/* The first extra link of the node. */
static uint32
first_extra_link(const GraphCacheView *view, uint32 node)
{
	uint32		low = 0;
	uint32		high = view->extra_link_count;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (view->extra_links[middle].source < node)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether a link of the generation comes before an extra one. */
static bool
comes_first(GraphCacheView *view, const GraphCacheLink *link, const GraphCacheLink *extra)
{
	int			order = graph_cache_compare(view, link->node, extra->node);
	const GraphCacheEdge *edge;
	const GraphCacheExtraEdge *extra_edge;
	TimestampTz created_at;

	if (order != 0)
		return order < 0;
	/* Parallel edges; the generation does not have their times. */
	edge = &view->edges[link->edge];
	extra_edge = &view->extra_edges[extra->edge - view->edge_count];
	created_at = look_up_edge(view, edge).created_at;
	return graph_compare_records(created_at, &edge->id, extra_edge->created_at, &extra_edge->edge.id) < 0;
}

/* Whether a link of the generation is to be followed. */
static bool
is_followed(GraphCacheView *view, const GraphCacheLink *link)
{
	if (view->hidden && bit_is_set(view->hidden, link->edge))
		return false;
	if (view->hidden_nodes && bit_is_set(view->hidden_nodes, link->node))
		return false;
	if (view->filter && !graph_cache_accepts(view, link))
		return false;
	return !view->ask_horizon || is_within_horizon(view, link);
}

static void
make_room(GraphCacheView *view, uint32 count)
{
	Size		old_size = (Size) view->merged_capacity * sizeof(uint32);
	Size		size = Max(old_size, 64 * sizeof(uint32));

	if (likely(count <= view->merged_capacity))
		return;
	while (size < (Size) count * sizeof(uint32))
		size *= 2;
	view->merged_nodes = graph_grow(view->graph, view->merged_nodes, old_size, size);
	view->merged_edges = graph_grow(view->graph, view->merged_edges, old_size, size);
	view->merged_capacity = size / sizeof(uint32);
}

static inline void
add_merged(GraphCacheView *view, GraphCacheLinks *merged, const GraphCacheLink *link)
{
	view->merged_nodes[merged->count] = link->node;
	view->merged_edges[merged->count++] = link->edge;
}

GraphCacheLinks
graph_cache_merged_links(GraphCacheView *view, uint32 node)
{
	GraphCacheLinks held = {NULL, NULL, 0};
	GraphCacheLinks merged;
	uint32		next = 0;
	uint32		last = 0;

	if (node < view->node_count)
		held = graph_cache_held_links(view, node);
	if (view->extra_link_count > 0 && bit_is_set(view->has_extra, node))
	{
		next = first_extra_link(view, node);
		for (last = next; last < view->extra_link_count && view->extra_links[last].source == node;)
			last++;
	}
	else if (!view->hidden && !view->hidden_nodes && !view->filter && !view->ask_horizon)
		return held;
	make_room(view, held.count + last - next);
	merged = (GraphCacheLinks) {view->merged_nodes, view->merged_edges, 0};
	for (uint32 i = 0; i < held.count; i++)
	{
		GraphCacheLink link = {held.nodes[i], held.edges[i]};

		CHECK_FOR_INTERRUPTS();
		if (!is_followed(view, &link))
			continue;
		for (; next < last && !comes_first(view, &link, &view->extra_links[next].link); next++)
			add_merged(view, &merged, &view->extra_links[next].link);
		add_merged(view, &merged, &link);
	}
	for (; next < last; next++)
		add_merged(view, &merged, &view->extra_links[next].link);
	return merged;
}
