/*
 * nodes.c
 *		Finding, adding and comparing nodes of the adjacency cache.
 */
#include "postgres.h"

#include "cache/nodes.h"

#include "graph/sort.h"
int
graph_cache_compare(const GraphCacheView *view, uint32 a, uint32 b)
{
	const GraphCacheNode *node_a;
	const GraphCacheNode *node_b;

	if (a == b)
		return 0;
	if (a < view->node_count && b < view->node_count)
		return a < b ? -1 : 1;
	node_a = graph_cache_node(view, a);
	node_b = graph_cache_node(view, b);
	return graph_compare_records(node_a->created_at, &node_a->id, node_b->created_at, &node_b->id);
}

uint32
graph_cache_find(GraphCacheView *view, int64 no)
{
	const uint32 *by_no = graph_cache_at(view->generation, uint32, view->generation->by_no);
	uint32		low = 0;
	uint32		high = view->node_count;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (view->nodes[by_no[middle]].no < no)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < view->node_count && view->nodes[by_no[low]].no == no)
		return view->nodes[by_no[low]].division == view->division ? by_no[low] : GRAPH_CACHE_NO_NODE;
	for (uint32 i = 0; i < view->extra_node_count; i++)
	{
		if (view->extra_nodes[i].no == no)
			return view->node_count + i;
	}
	return GRAPH_CACHE_NO_NODE;
}

uint32
graph_cache_add(GraphCacheView *view, const GraphNode *node)
{
	GraphCacheNode *extra;

	if (!view->extra_nodes)
		view->extra_nodes = graph_alloc(view->graph, sizeof(GraphCacheNode));
	extra = &view->extra_nodes[view->extra_node_count];
	extra->no = node->no;
	extra->created_at = node->created_at;
	extra->id = node->id;
	extra->tid = node->tid;
	extra->division = view->division;
	/* It has no links, and no place among those that do. */
	view->is_plain = false;
	return view->node_count + view->extra_node_count++;
}
