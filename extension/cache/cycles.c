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

#include "graph/memory.h"
#include "graph/types.h"

#include "miscadmin.h"

/* Of a node whose component is known. */
#define DONE PG_UINT32_MAX

typedef struct Knots
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
} Knots;

static void
tie(Knots *knots, uint32 node)
{
	knots->bits[node / 64] |= UINT64CONST(1) << (node % 64);
	knots->any = true;
}

static void
enter(Knots *knots, uint32 node)
{
	knots->order[node] = knots->low[node] = ++knots->found;
	knots->next[node] = 0;
	knots->path[knots->path_length++] = node;
	knots->open[knots->open_count++] = node;
}

/* All links of the node at the end of the path were followed. */
static void
leave(Knots *knots, uint32 node)
{
	bool		is_alone = knots->open[knots->open_count - 1] == node;
	uint32		last;

	knots->path_length--;
	if (knots->path_length > 0)
	{
		uint32		before = knots->path[knots->path_length - 1];

		knots->low[before] = Min(knots->low[before], knots->low[node]);
	}
	if (knots->low[node] != knots->order[node])
		return;
	do
	{
		last = knots->open[--knots->open_count];
		knots->low[last] = DONE;
		if (!is_alone)
			tie(knots, last);
	} while (last != node);
}

static void
visit(Knots *knots, uint32 root)
{
	enter(knots, root);
	for (uint32 steps = 1; knots->path_length > 0; steps++)
	{
		uint32		node = knots->path[knots->path_length - 1];
		const GraphCacheHead *head = &knots->heads[node];
		uint32		target;

		if (steps % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (knots->next[node] == head[1].begin - head->begin)
		{
			leave(knots, node);
			continue;
		}
		target = graph_cache_first_link(knots->links, head)[knots->next[node]++];
		if (target == node)
			tie(knots, node);
		else if (knots->order[target] == 0)
			enter(knots, target);
		else
			knots->low[node] = Min(knots->low[node], knots->low[target]);
	}
}

bool
graph_cache_find_knots(Graph *graph, const GraphCacheGeneration *generation, uint64 *bits)
{
	uint32		count = generation->node_count;
	Size		size = (Size) count * sizeof(uint32);
	uint32	  **arrays[5];
	Knots		knots = {
		.heads = graph_cache_at(generation, GraphCacheHead, generation->heads[GRAPH_ANCESTORS]),
		.links = graph_cache_at(generation, uint32, generation->links[GRAPH_ANCESTORS]),
		.bits = bits
	};

	arrays[0] = &knots.order;
	arrays[1] = &knots.low;
	arrays[2] = &knots.next;
	arrays[3] = &knots.path;
	arrays[4] = &knots.open;
	for (int i = 0; i < (int) lengthof(arrays); i++)
		*arrays[i] = graph_alloc(graph, size);
	memset(knots.order, 0, size);
	for (uint32 node = 0; node < count; node++)
	{
		if (node % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (knots.order[node] == 0)
			visit(&knots, node);
	}
	for (int i = 0; i < (int) lengthof(arrays); i++)
		graph_grow(graph, *arrays[i], size, 0);
	return knots.any;
}
