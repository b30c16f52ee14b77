/*
 * circles.c
 *		Strongly connected components (Tarjan 1972), with a stack of our own instead of recursion.
 */
#include "postgres.h"

#include "trace/circles.h"

#include "miscadmin.h"

typedef struct Search
{
	const CircleEdges *edges;
	uint32	   *found;			/* by node: when it was entered, from 1; 0: not yet */
	uint32	   *low;
	uint32	   *at;				/* by node: which edge comes next */
	uint32	   *path;
	uint32	   *open;			/* entered, and of no component yet */
	bool	   *is_open;
	uint32		clock;
	uint32		depth;
	uint32		open_count;
} Search;

Size
circles_room(uint32 node_count)
{
	return Max((Size) node_count, 1) * (5 * sizeof(uint32) + sizeof(bool));
}

static void
enter(Search *search, uint32 node)
{
	search->path[search->depth++] = node;
	search->found[node] = search->low[node] = ++search->clock;
	search->at[node] = search->edges->start[node];
	search->open[search->open_count++] = node;
	search->is_open[node] = true;
}

static bool
leads_to_itself(const CircleEdges *edges, uint32 node)
{
	for (uint32 k = edges->start[node]; k < edges->start[node + 1]; k++)
	{
		CHECK_FOR_INTERRUPTS();
		if (edges->next[k] == node)
			return true;
	}
	return false;
}

/* What was entered since the node, and is open still, is one component; returns whether it is a circle. */
static bool
close_component(Search *search, uint32 node, uint32 *circle, uint32 number)
{
	uint32		end = search->open_count;
	uint32		begin = end;
	bool		is_circle;

	do
		search->is_open[search->open[--begin]] = false;
	while (search->open[begin] != node);
	search->open_count = begin;
	is_circle = end - begin > 1 || leads_to_itself(search->edges, node);
	for (uint32 k = begin; is_circle && k < end; k++)
		circle[search->open[k]] = number;
	return is_circle;
}

uint32
circles_find(const CircleEdges *edges, uint32 *circle, void *room)
{
	uint32		nodes = edges->node_count;
	uint32	   *numbers = room;
	Search		search = {.edges = edges, .found = numbers};
	uint32		count = 0;

	search.low = search.found + nodes;
	search.at = search.low + nodes;
	search.path = search.at + nodes;
	search.open = search.path + nodes;
	search.is_open = (bool *) (search.open + nodes);
	memset(search.found, 0, (Size) nodes * sizeof(uint32));
	memset(search.is_open, 0, (Size) nodes * sizeof(bool));
	for (uint32 i = 0; i < nodes; i++)
		circle[i] = CIRCLE_NONE;
	for (uint32 root = 0; root < nodes; root++)
	{
		CHECK_FOR_INTERRUPTS();
		if ((edges->roots && edges->roots[root] == 0) || search.found[root] != 0)
			continue;
		enter(&search, root);
		while (search.depth > 0)
		{
			uint32		node = search.path[search.depth - 1];

			CHECK_FOR_INTERRUPTS();
			if (search.at[node] < edges->start[node + 1])
			{
				uint32		other = edges->next[search.at[node]++];

				if (search.found[other] == 0)
					enter(&search, other);
				else if (search.is_open[other])
					search.low[node] = Min(search.low[node], search.found[other]);
				continue;
			}
			search.depth--;
			if (search.depth > 0)
				search.low[search.path[search.depth - 1]] = Min(search.low[search.path[search.depth - 1]], search.low[node]);
			if (search.low[node] == search.found[node])
				count += close_component(&search, node, circle, count);
		}
	}
	return count;
}
