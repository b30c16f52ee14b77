/*
 * filter.c
 *		Which links of the adjacency cache a filter lets a trace follow.
 */
#include "postgres.h"

#include "cache/filter.h"

#include "cache/attributes.h"
#include "cache/nodes.h"
#include "cache/shared.h"
#include "graph/heap.h"
#include "graph/walk.h"

/* Beyond one row of so many, looking at rows takes longer than walking the indexes. */
#define ROWS_PER_LOOK 16

/* ---------------------------------------------------------------- beginning */

static void
judge_types(GraphCacheVerdicts *verdicts, const GraphCacheGeneration *generation, GraphCacheTableKind kind,
			int count, const RecordText *names)
{
	const GraphCacheAttributes *attributes = &generation->attributes[kind];
	Size		place = attributes->types;

	for (uint32 i = 0; i < attributes->type_count; i++)
		verdicts->types[i] = graph_filter_accepts_name(graph_cache_next_name(generation, &place), count, names) ?
			GRAPH_CACHE_ACCEPTED : GRAPH_CACHE_REFUSED;
	verdicts->types[GRAPH_CACHE_OTHER] = GRAPH_CACHE_LOOK;
}

static void
judge_numbers(GraphCacheVerdicts *verdicts, const GraphCacheGeneration *generation, GraphCacheTableKind kind, double least)
{
	const GraphCacheAttributes *attributes = &generation->attributes[kind];
	const double *values = graph_cache_at(generation, double, attributes->values);

	for (uint32 i = 0; i < attributes->value_count; i++)
		verdicts->numbers[i] = values[i] >= least ? GRAPH_CACHE_ACCEPTED : GRAPH_CACHE_REFUSED;
	verdicts->numbers[GRAPH_CACHE_NO_NUMBER] = GRAPH_CACHE_REFUSED;
	verdicts->numbers[GRAPH_CACHE_OTHER] = GRAPH_CACHE_LOOK;
}

/* False: too many rows would have to be looked at. */
static bool
judge(GraphCacheVerdicts *verdicts, const GraphCacheGeneration *generation, GraphCacheTableKind kind,
	  int type_count, const RecordText *types, bool has_least, double least)
{
	const GraphCacheAttributes *attributes = &generation->attributes[kind];
	uint32		others = 0;

	if (type_count < 0 && !has_least)
		return true;
	verdicts->attributes = graph_cache_at(generation, GraphCacheAttribute, attributes->attributes);
	memset(verdicts->types, GRAPH_CACHE_ACCEPTED, sizeof(verdicts->types));
	memset(verdicts->numbers, GRAPH_CACHE_ACCEPTED, sizeof(verdicts->numbers));
	if (type_count >= 0)
	{
		judge_types(verdicts, generation, kind, type_count, types);
		others += attributes->other_types;
	}
	if (has_least)
	{
		judge_numbers(verdicts, generation, kind, least);
		others += attributes->other_numbers;
	}
	return others <= (kind == GRAPH_CACHE_NODE ? generation->node_count : generation->edge_count) / ROWS_PER_LOOK;
}

/* The first node that was recorded after that. */
static uint32
nodes_until(const GraphCacheView *view, TimestampTz as_of)
{
	uint32		low = 0;
	uint32		high = view->node_count;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (view->nodes[middle].created_at <= as_of)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* How many of the times, which do not decrease, are at or before it. */
static BlockNumber
blocks_until(const TimestampTz *times, BlockNumber blocks, TimestampTz as_of)
{
	BlockNumber low = 0;
	BlockNumber high = blocks;

	while (low < high)
	{
		BlockNumber middle = low + (high - low) / 2;

		if (times[middle] <= as_of)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* False: too many rows would have to be looked at. */
static bool
judge_time(GraphCacheView *view, GraphCacheFilter *filter, TimestampTz as_of)
{
	const GraphCacheGeneration *generation = view->generation;
	BlockNumber blocks = generation->table[GRAPH_CACHE_EDGE].blocks;
	const uint32 *first_edge = graph_cache_at(generation, uint32, generation->first_edge);

	filter->nodes_too_late = nodes_until(view, as_of);
	filter->edges_in_time = first_edge[blocks_until(graph_cache_at(generation, TimestampTz, generation->latest), blocks, as_of)];
	filter->edges_too_late = first_edge[blocks_until(graph_cache_at(generation, TimestampTz, generation->earliest), blocks, as_of)];
	return filter->edges_too_late - filter->edges_in_time <= view->edge_count / ROWS_PER_LOOK;
}

bool
graph_cache_filter_begin(GraphCacheView *view, const GraphFilter *asked, int64 start_no)
{
	GraphCacheFilter *filter;
	bool		pays;

	if (!graph_filter_needs_edge_rows(asked) && !graph_filter_needs_node_rows(asked))
		return true;
	filter = graph_alloc(view->graph, sizeof(GraphCacheFilter));
	filter->asked = asked;
	filter->start_no = start_no;
	filter->start = graph_cache_find(view, start_no);
	filter->nodes.attributes = filter->edges.attributes = NULL;
	filter->nodes_too_late = view->node_count;
	filter->edges_in_time = filter->edges_too_late = view->edge_count;
	pays = judge(&filter->nodes, view->generation, GRAPH_CACHE_NODE, asked->type_count, asked->types,
				 asked->has_min_confidence, asked->min_confidence);
	pays &= judge(&filter->edges, view->generation, GRAPH_CACHE_EDGE, asked->edge_type_count, asked->edge_types,
				  asked->has_min_weight, asked->min_weight);
	if (asked->has_as_of)
		pays &= judge_time(view, filter, asked->as_of);
	view->filter = filter;
	return pays || reason_adjacency_cache == GRAPH_CACHE_ALWAYS;
}

/* ---------------------------------------------------------------- asking rows */

typedef struct RowVerdict
{
	const GraphFilter *asked;
	bool		accepted;
} RowVerdict;

static void
ask_edge(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	RowVerdict *verdict = argument;

	verdict->accepted = graph_filter_accepts_edge(verdict->asked, tuple);
}

static bool
look_at_edge(GraphCacheView *view, uint32 edge)
{
	RowVerdict	verdict = {view->filter->asked, false};
	GraphEntry	entry = {.tid = view->edges[edge].tid};

	graph_visit_rows(view->graph, view->graph->edge, &entry, 1, ask_edge, &verdict);
	return verdict.accepted;
}

static bool
ask_node(void *argument, HeapTuple tuple, TupleDesc desc)
{
	RowVerdict *verdict = argument;

	verdict->accepted = graph_filter_accepts_node(verdict->asked, tuple, desc);
	return false;
}

/* By its number, as the row may have moved. */
static bool
look_at_node(GraphCacheView *view, uint32 node)
{
	RowVerdict	verdict = {view->filter->asked, false};

	graph_walk(view->graph, GRAPH_NODES, &view->nodes[node].no, 1, ask_node, NULL, &verdict);
	return verdict.accepted;
}

/* ---------------------------------------------------------------- verdicts */

static inline uint8
verdict_of(const GraphCacheVerdicts *verdicts, uint32 place)
{
	GraphCacheAttribute attribute;

	if (!verdicts->attributes)
		return GRAPH_CACHE_ACCEPTED;
	attribute = verdicts->attributes[place];
	return verdicts->types[attribute.type] & verdicts->numbers[attribute.number];
}

static inline uint8
verdict_of_edge(const GraphCacheFilter *filter, uint32 edge)
{
	if (unlikely(edge >= filter->edges_in_time))
		return edge >= filter->edges_too_late ? GRAPH_CACHE_REFUSED : GRAPH_CACHE_LOOK & verdict_of(&filter->edges, edge);
	return verdict_of(&filter->edges, edge);
}

static inline uint8
verdict_of_node(const GraphCacheFilter *filter, uint32 node)
{
	if (unlikely(node == filter->start))
		return GRAPH_CACHE_ACCEPTED;
	return node >= filter->nodes_too_late ? GRAPH_CACHE_REFUSED : verdict_of(&filter->nodes, node);
}

/* Both, by their numbers: the cache does not say when its records were sealed. */
static bool
is_sealed(GraphCacheView *view, const GraphCacheLink *link)
{
	const GraphSealed *sealed = view->filter->asked->sealed;

	return graph_sealed_shows(sealed, view->edges[link->edge].no) && graph_sealed_shows(sealed, view->nodes[link->node].no);
}

bool
graph_cache_accepts_node(GraphCacheView *view, uint32 node)
{
	uint8		verdict = verdict_of_node(view->filter, node);

	if (unlikely(view->filter->asked->sealed) && !graph_sealed_shows(view->filter->asked->sealed, view->nodes[node].no))
		return false;
	return verdict == GRAPH_CACHE_LOOK ? look_at_node(view, node) : verdict == GRAPH_CACHE_ACCEPTED;
}

bool
graph_cache_accepts(GraphCacheView *view, const GraphCacheLink *link)
{
	uint8		verdict = verdict_of_edge(view->filter, link->edge) & verdict_of_node(view->filter, link->node);

	if (unlikely(view->filter->asked->sealed) && !is_sealed(view, link))
		return false;
	if (likely(verdict != GRAPH_CACHE_LOOK))
		return verdict == GRAPH_CACHE_ACCEPTED;
	return (verdict_of_edge(view->filter, link->edge) != GRAPH_CACHE_LOOK || look_at_edge(view, link->edge)) &&
		graph_cache_accepts_node(view, link->node);
}

bool
graph_cache_agrees(GraphCacheView *view, uint32 node, HeapTuple tuple, TupleDesc desc)
{
	uint8		verdict = verdict_of(&view->filter->nodes, node);

	return verdict == GRAPH_CACHE_LOOK ||
		graph_filter_accepts_node(view->filter->asked, tuple, desc) == (verdict == GRAPH_CACHE_ACCEPTED);
}
