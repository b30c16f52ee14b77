/*
 * tree.c
 *		What is read off the finished tree of a trace: cycles, and ids of tree edges.
 */
#include "postgres.h"

#include "trace/tree.h"

#include "graph/memory.h"
#include "graph/sort.h"
#include "graph/walk.h"
#include "trace/cached.h"
#include "trace/result.h"

#include "miscadmin.h"

/* ---------------------------------------------------------------- cycles */

bool *
trace_cycles(Trace *trace)
{
	Graph	   *graph = trace->graph;
	uint32		count = trace->node_count;
	bool	   *cycle = graph_alloc(graph, count * sizeof(bool));
	uint32	   *size;
	uint32	   *entered;
	uint32	   *next;
	Size		array_size = (Size) count * sizeof(uint32);

	memset(cycle, 0, count * sizeof(bool));
	if (trace->return_count == 0)
		return cycle;

	/*
	 * The tree is numbered in preorder: u is an ancestor of v, or v itself, if v's number
	 * lies within u's subtree.  Children come after parents, so that two passes do.
	 */
	size = graph_alloc(graph, array_size);
	entered = graph_alloc(graph, array_size);
	next = graph_alloc(graph, array_size);
	for (uint32 i = 0; i < count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		size[i] = 1;
	}
	for (uint32 i = count - 1; i >= trace->start_count; i--)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		size[trace_parent(trace, i)] += size[i];
	}
	/* Trees of several starts come one after the other. */
	for (uint32 i = 0; i < trace->start_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		entered[i] = i == 0 ? 0 : entered[i - 1] + size[i - 1];
		next[i] = entered[i] + 1;
	}
	for (uint32 i = trace->start_count; i < count; i++)
	{
		uint32		parent = trace_parent(trace, i);

		GRAPH_CHECK_NOW_AND_THEN(i);
		entered[i] = next[parent];
		next[parent] += size[i];
		next[i] = entered[i] + 1;
	}
	for (uint32 i = 0; i < trace->return_count; i++)
	{
		uint32		source = trace->returns[i].source;
		uint32		target = trace->returns[i].target;

		GRAPH_CHECK_NOW_AND_THEN(i);
		if (entered[source] - entered[target] < size[target])
			cycle[source] = true;
	}
	graph_grow(graph, next, array_size, 0);
	graph_grow(graph, entered, array_size, 0);
	graph_grow(graph, size, array_size, 0);
	return cycle;
}

/* ---------------------------------------------------------------- rows */

typedef struct EdgeIds
{
	const GraphKey *sorted;
	pg_uuid_t  *ids;
	uint32		found;
} EdgeIds;

static void
store_edge_ids(void *argument, const GraphEntry *entries, int count)
{
	EdgeIds    *edge_ids = argument;

	for (int i = 0; i < count; i++)
		edge_ids->ids[edge_ids->sorted[entries[i].position].index] = entries[i].record.id;
	edge_ids->found += count;
}

/* Ids of the tree edges, by position of the node; those of starts are not set. */
static pg_uuid_t *
find_edge_ids(Trace *trace)
{
	Graph	   *graph = trace->graph;
	uint32		first = trace->start_count;
	uint32		count = trace->node_count - first;
	Size		key_size = Max((Size) count, 1) * sizeof(int64);
	Size		sort_size = Max((Size) count, 1) * sizeof(GraphKey);
	pg_uuid_t  *ids = graph_alloc(graph, (Size) trace->node_count * sizeof(pg_uuid_t));
	int64	   *keys = graph_alloc(graph, key_size);
	GraphKey   *sorted = graph_alloc(graph, sort_size);
	GraphKey   *scratch = graph_alloc(graph, sort_size);
	EdgeIds		edge_ids = {sorted, ids, 0};

	for (uint32 i = 0; i < count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		sorted[i].no = trace->nodes[first + i].edge_no;
		sorted[i].index = first + i;
	}
	graph_sort_keys(sorted, scratch, count);
	for (uint32 i = 0; i < count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		keys[i] = sorted[i].no;
	}
	graph_walk(graph, GRAPH_EDGES, keys, count, NULL, store_edge_ids, &edge_ids);
	if (edge_ids.found != count)
		elog(ERROR, "found %u of %u edges", edge_ids.found, count);
	graph_grow(graph, scratch, sort_size, 0);
	graph_grow(graph, sorted, sort_size, 0);
	graph_grow(graph, keys, key_size, 0);
	return ids;
}

void
trace_rows_begin(Trace *trace)
{
	/* The cache has them at hand. */
	if (!trace->search)
		trace->edge_ids = find_edge_ids(trace);
}

void
trace_rows_read(const Trace *trace, uint32 first, uint32 count, TraceRow *rows, bool whole)
{
	if (trace->search)
	{
		trace_cached_rows(trace, first, count, rows, whole);
		return;
	}
	for (uint32 i = 0; i < count; i++)
	{
		const TraceNode *node = &trace->nodes[first + i];
		bool		is_start = node->parent == TRACE_NO_PARENT;

		rows[i].node_id = &node->id;
		rows[i].edge_id = is_start || !trace->edge_ids ? NULL : &trace->edge_ids[first + i];
		rows[i].parent_id = is_start ? NULL : &trace->nodes[node->parent].id;
	}
}
