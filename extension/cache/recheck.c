/*
 * recheck.c
 *		Nodes of the adjacency cache whose rows may have changed since.
 */
#include "postgres.h"

#include "cache/recheck.h"

#include "cache/filter.h"
#include "cache/nodes.h"
#include "graph/columns.h"
#include "graph/sort.h"
#include "graph/walk.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

typedef struct Recheck
{
	GraphCacheView *view;
	const GraphKey *keys;
	uint32		same;
} Recheck;

static void
compare_nodes(void *argument, const GraphEntry *entries, int count)
{
	Recheck    *recheck = argument;
	GraphCacheView *view = recheck->view;

	for (int i = 0; i < count; i++)
	{
		uint32		node = recheck->keys[entries[i].position].index;

		if (entries[i].record.created_at != view->nodes[node].created_at ||
			memcmp(&entries[i].record.id, &view->nodes[node].id, UUID_LEN) != 0)
			continue;
		recheck->same++;
		/* Counted by graph_cache_read_delta(), which made room for all. */
		view->moved[view->moved_count].node = node;
		view->moved[view->moved_count].tid = entries[i].tid;
		view->moved_count++;
	}
}

/* What a filter asks of them is not expected to change either. */
static bool
is_as_it_was(void *argument, HeapTuple tuple, TupleDesc desc)
{
	Recheck    *recheck = argument;
	bool		isnull;
	uint32		node = graph_cache_find(recheck->view, DatumGetInt64(heap_getattr(tuple, NODE_NO, desc, &isnull)));

	return node != GRAPH_CACHE_NO_NODE && graph_cache_agrees(recheck->view, node, tuple, desc);
}

/* The first of the nodes by place in the heap that is not before the block. */
static uint32
first_node_of(const GraphCacheView *view, BlockNumber block)
{
	const uint32 *by_tid = graph_cache_at(view->generation, uint32, view->generation->by_tid);
	uint32		low = 0;
	uint32		high = view->node_count;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (ItemPointerGetBlockNumber(&view->nodes[by_tid[middle]].tid) < block)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

#define ST_SORT sort_moved
#define ST_ELEMENT_TYPE GraphCacheMoved
#define ST_COMPARE(a, b) ((a)->node < (b)->node ? -1 : (a)->node > (b)->node)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

bool
graph_cache_recheck_nodes(GraphCacheView *view)
{
	const GraphCacheBlocks *invalidated = &view->invalidated[GRAPH_CACHE_NODE];
	const uint32 *by_tid = graph_cache_at(view->generation, uint32, view->generation->by_tid);
	GraphKey   *keys = NULL;
	GraphKey   *scratch;
	int64	   *numbers;
	uint32		count = 0;
	uint32		capacity = 0;
	Recheck		recheck = {view};

	for (uint32 i = 0; i < invalidated->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 j = first_node_of(view, invalidated->blocks[i]); j < view->node_count; j++)
		{
			const GraphCacheNode *node = &view->nodes[by_tid[j]];

			if (ItemPointerGetBlockNumber(&node->tid) != invalidated->blocks[i])
				break;
			if (node->division != view->division)
				continue;
			graph_reserve(view->graph, keys, count, capacity);
			keys[count].no = node->no;
			keys[count++].index = by_tid[j];
		}
	}
	if (count == 0)
		return true;
	scratch = graph_alloc(view->graph, count * sizeof(GraphKey));
	graph_sort_keys(keys, scratch, count);
	numbers = graph_alloc(view->graph, count * sizeof(int64));
	for (uint32 i = 0; i < count; i++)
		numbers[i] = keys[i].no;
	recheck.keys = keys;
	view->moved = graph_alloc(view->graph, count * sizeof(GraphCacheMoved));
	graph_walk(view->graph, GRAPH_NODES, numbers, count, graph_cache_filters_nodes(view) ? is_as_it_was : NULL,
			   compare_nodes, &recheck);
	if (recheck.same != count)
		return false;
	sort_moved(view->moved, view->moved_count);
	return true;
}
