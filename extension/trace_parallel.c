/*
 * trace_parallel.c
 *		Which of several edges between the same two nodes is the tree edge.
 */
#include "postgres.h"

#include "trace_level.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

static void
read_parallel(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	TraceLevel *level = argument;
	ParallelEdge *edge = &level->parallel[entry->position];
	bool		isnull;

	edge->created_at = DatumGetTimestampTz(heap_getattr(tuple, EDGE_CREATED_AT, desc, &isnull));
	edge->id = *DatumGetUUIDP(heap_getattr(tuple, EDGE_ID, desc, &isnull));
	edge->found = true;
}

static inline int
compare_parallel(const ParallelEdge *a, const ParallelEdge *b)
{
	if (a->node != b->node)
		return a->node < b->node ? -1 : 1;
	return trace_compare(a->created_at, &a->id, b->created_at, &b->id);
}

#define ST_SORT sort_parallel
#define ST_ELEMENT_TYPE ParallelEdge
#define ST_COMPARE(a, b) compare_parallel(a, b)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

void
trace_level_settle(TraceLevel *level)
{
	Trace	   *trace = level->trace;
	Graph	   *graph = trace->graph;
	GraphEntry *entries;
	uint32		kept = 0;
	uint32		pairs;

	/* An earlier parent may have turned up since. */
	for (uint32 i = 0; i < level->parallel_count; i++)
	{
		if (level->parallel[i].source == trace->nodes[level->parallel[i].node].parent)
			level->parallel[kept++] = level->parallel[i];
	}
	level->parallel_count = kept;
	if (kept == 0)
		return;
	for (uint32 i = 0; i < kept; i++)
	{
		TraceNode  *node = &trace->nodes[level->parallel[i].node];

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

	pairs = level->parallel_count;
	entries = graph_alloc(graph, pairs * sizeof(GraphEntry));
	for (uint32 i = 0; i < pairs; i++)
	{
		entries[i].position = i;
		entries[i].tid = level->parallel[i].tid;
	}
	graph_visit_rows(graph, graph->edge, entries, pairs, read_parallel, level);
	graph_grow(graph, entries, pairs * sizeof(GraphEntry), 0);

	sort_parallel(level->parallel, pairs);
	for (uint32 i = 0; i < pairs; i++)
	{
		ParallelEdge *edge = &level->parallel[i];
		TraceNode  *node = &trace->nodes[edge->node];

		if (!edge->found)
			elog(ERROR, "row of edge " INT64_FORMAT " vanished", edge->edge_no);
		if (node->edge_no == 0)
		{
			node->edge_no = edge->edge_no;
			node->edge_tid = edge->tid;
		}
	}
	level->parallel_count = 0;
}
