/*
 * parallel_edges.c
 *		Which of several edges between the same two nodes is the tree edge.
 */
#include "postgres.h"

#include "trace/parallel_edges.h"

#include "graph/memory.h"
#include "graph/walk.h"
#include "trace/level.h"

#include "miscadmin.h"

/* Finds the edges by number; `sorted` says which of them a position is. */
typedef struct Search
{
	ParallelEdge *edges;
	const GraphKey *sorted;
	uint32		found;
} Search;

static void
take_records(void *argument, const GraphEntry *entries, int count)
{
	Search	   *search = argument;

	for (int i = 0; i < count; i++)
	{
		ParallelEdge *edge = &search->edges[search->sorted[entries[i].position].index];

		edge->created_at = entries[i].record.created_at;
		edge->id = entries[i].record.id;
	}
	search->found += count;
}

static void
find_records(TraceLevel *level)
{
	Graph	   *graph = level->trace->graph;
	uint32		count = level->parallel_count;
	Size		sort_size = (Size) count * sizeof(GraphKey);
	GraphKey   *sorted = graph_alloc(graph, sort_size);
	GraphKey   *scratch = graph_alloc(graph, sort_size);
	Search		search = {level->parallel, sorted, 0};

	trace_level_reserve(level, count);
	for (uint32 i = 0; i < count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		sorted[i].no = level->parallel[i].edge_no;
		sorted[i].index = i;
	}
	graph_sort_keys(sorted, scratch, count);
	for (uint32 i = 0; i < count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		level->keys[i] = sorted[i].no;
	}
	graph_walk(graph, GRAPH_EDGES, level->keys, count, NULL, take_records, &search);
	if (search.found != count)
		elog(ERROR, "found %u of %u edges", search.found, count);
	graph_grow(graph, scratch, sort_size, 0);
	graph_grow(graph, sorted, sort_size, 0);
}

static inline int
compare_parallel(const ParallelEdge *a, const ParallelEdge *b)
{
	if (a->node != b->node)
		return a->node < b->node ? -1 : 1;
	return graph_compare_records(a->created_at, &a->id, b->created_at, &b->id);
}

#define ST_SORT sort_parallel
#define ST_ELEMENT_TYPE ParallelEdge
#define ST_COMPARE(a, b) compare_parallel(a, b)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

void
trace_level_renumber_parallel(TraceLevel *level, const uint32 *position)
{
	uint32		kept = level->parallel_begin;

	for (uint32 i = level->parallel_begin; i < level->parallel_count; i++)
	{
		ParallelEdge edge = level->parallel[i];

		GRAPH_CHECK_NOW_AND_THEN(i);
		edge.node = position[edge.node - level->end];
		/* An earlier parent may have turned up since. */
		if (edge.node != TRACE_LEFT_OUT && edge.source == level->trace->nodes[edge.node].parent)
			level->parallel[kept++] = edge;
	}
	level->parallel_count = kept;
	level->parallel_begin = kept;
}

void
trace_level_settle(TraceLevel *level)
{
	Trace	   *trace = level->trace;
	Graph	   *graph = trace->graph;
	uint32		kept = level->parallel_count;
	uint32		pairs;

	if (kept == 0)
		return;
	for (uint32 i = 0; i < kept; i++)
	{
		TraceNode  *node = &trace->nodes[level->parallel[i].node];

		GRAPH_CHECK_NOW_AND_THEN(i);
		/* The edge that was found first takes part, once. */
		if (node->edge_no != 0)
		{
			ParallelEdge edge = {.node = level->parallel[i].node, .source = node->parent, .edge_no = node->edge_no,
								 .tid = node->edge_tid};

			graph_reserve(graph, level->parallel, level->parallel_count, level->parallel_capacity);
			level->parallel[level->parallel_count++] = edge;
			node->edge_no = 0;
		}
	}

	find_records(level);
	pairs = level->parallel_count;
	sort_parallel(level->parallel, pairs);
	for (uint32 i = 0; i < pairs; i++)
	{
		ParallelEdge *edge = &level->parallel[i];
		TraceNode  *node = &trace->nodes[edge->node];

		GRAPH_CHECK_NOW_AND_THEN(i);
		if (node->edge_no == 0)
		{
			node->edge_no = edge->edge_no;
			node->edge_tid = edge->tid;
		}
	}
	level->parallel_count = 0;
}
