/*
 * cycles.c
 *		Which nodes of a generation of the adjacency cache lie on a cycle.
 *
 * An edge leads back to an ancestor on the path only within a strongly connected component: a trace
 * that meets none has no cycles to look for.  Causes mostly come before effects; where all do, there
 * is none, and nothing to be done.  Otherwise: Tarjan, Depth-first search and linear graph algorithms
 * (1972), without recursion.
 */
#include "postgres.h"

#include "cache/cycles.h"

#include "graph/bits.h"
#include "graph/memory.h"
#include "graph/types.h"

#include "miscadmin.h"

/* The order of a node whose component is known. */
#define DONE PG_UINT32_MAX

typedef struct CycleSearch
{
	const GraphCacheHead *heads;
	const uint32 *links;
	uint32	   *order;			/* in which nodes were found; 0: not yet */
	uint32	   *low;			/* the first in that order that is known to be in the same component */
	uint32	   *next;			/* how many links were followed */
	uint32	   *path;			/* nodes that are being visited */
	uint32		path_length;
	uint32	   *open;			/* nodes whose component is not known */
	uint32		open_count;
	uint32		found;
	uint64	   *bits;
	bool		any;
} CycleSearch;

static void
mark_cyclic(CycleSearch *search, uint32 node)
{
	(void) bit_set(search->bits, node);
	search->any = true;
}

static void
enter(CycleSearch *search, uint32 node)
{
	search->order[node] = search->low[node] = ++search->found;
	search->next[node] = 0;
	search->path[search->path_length++] = node;
	search->open[search->open_count++] = node;
}

/* All links of the node at the end of the path were followed. */
static void
leave(CycleSearch *search, uint32 node)
{
	bool		is_alone = search->open[search->open_count - 1] == node;
	uint32		last;

	search->path_length--;
	if (search->path_length > 0)
	{
		uint32		before = search->path[search->path_length - 1];

		search->low[before] = Min(search->low[before], search->low[node]);
	}
	if (search->low[node] != search->order[node])
		return;
	do
	{
		last = search->open[--search->open_count];
		search->low[last] = DONE;
		if (!is_alone)
			mark_cyclic(search, last);
	} while (last != node);
}

static void
visit(CycleSearch *search, uint32 root)
{
	enter(search, root);
	for (uint32 steps = 1; search->path_length > 0; steps++)
	{
		uint32		node = search->path[search->path_length - 1];
		const GraphCacheHead *head = &search->heads[node];
		uint32		target;

		if (steps % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (search->next[node] == head[1].begin - head->begin)
		{
			leave(search, node);
			continue;
		}
		target = graph_cache_first_link(search->links, head)[search->next[node]++];
		if (target == node)
			mark_cyclic(search, node);
		else if (search->order[target] == 0)
			enter(search, target);
		else
			search->low[node] = Min(search->low[node], search->low[target]);
	}
}

bool
graph_cache_find_cyclic_nodes(Graph *graph, const GraphCacheGeneration *generation, uint64 *bits)
{
	uint32		count = generation->node_count;
	Size		size = (Size) count * sizeof(uint32);
	uint32	  **arrays[5];
	CycleSearch search = {
		.heads = graph_cache_at(generation, GraphCacheHead, generation->heads[GRAPH_ANCESTORS]),
		.links = graph_cache_at(generation, uint32, generation->links[GRAPH_ANCESTORS]),
		.bits = bits
	};

	arrays[0] = &search.order;
	arrays[1] = &search.low;
	arrays[2] = &search.next;
	arrays[3] = &search.path;
	arrays[4] = &search.open;
	for (int i = 0; i < (int) lengthof(arrays); i++)
		*arrays[i] = graph_alloc(graph, size);
	memset(search.order, 0, size);
	for (uint32 node = 0; node < count; node++)
	{
		if (node % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (search.order[node] == 0)
			visit(&search, node);
	}
	for (int i = 0; i < (int) lengthof(arrays); i++)
		graph_grow(graph, *arrays[i], size, 0);
	return search.any;
}
