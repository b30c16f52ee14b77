/*
 * human_tree.c
 *		Which node stands below which.
 */
#include "postgres.h"

#include "derived/human_tree.h"

#include "miscadmin.h"

/* Edges by one end: those of node i from start[i] to start[i + 1]. */
static void
group(uint32 *start, uint32 *grouped, const uint32 *ends, uint32 nodes, uint32 edges)
{
	memset(start, 0, ((size_t) nodes + 2) * sizeof(uint32));
	/* Counted two further than meant, so that after placing start[i] is where i begins. */
	for (uint32 i = 0; i < edges; i++)
	{
		if (ends[i] != HUMAN_NONE)
			start[ends[i] + 2]++;
	}
	for (uint32 i = 2; i < nodes + 2; i++)
		start[i] += start[i - 1];
	for (uint32 i = 0; i < edges; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (ends[i] != HUMAN_NONE)
			grouped[start[ends[i] + 1]++] = i;
	}
}

static void
find_ends(HumanTree *tree, const HumanGraph *graph)
{
	HumanIndex *index = human_index(graph);

	for (uint32 i = 0; i < graph->edge_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		tree->above[i] = human_find(index, graph->upwards ? &graph->edges[i].to : &graph->edges[i].from);
		tree->below[i] = human_find(index, graph->upwards ? &graph->edges[i].from : &graph->edges[i].to);
	}
}

HumanTree *
human_tree(const HumanGraph *graph, uint32 roots)
{
	HumanTree  *tree = palloc0(sizeof(HumanTree));
	uint32		nodes = graph->node_count;
	uint32		edges = graph->edge_count;
	uint32		queued = 0;

	tree->above = human_room(edges, sizeof(uint32));
	tree->below = human_room(edges, sizeof(uint32));
	tree->above_start = human_room((size_t) nodes + 2, sizeof(uint32));
	tree->at_above = human_room(edges, sizeof(uint32));
	tree->below_start = human_room((size_t) nodes + 2, sizeof(uint32));
	tree->at_below = human_room(edges, sizeof(uint32));
	tree->edge = human_room(nodes, sizeof(uint32));
	tree->order = human_room(nodes, sizeof(uint32));
	tree->placed = human_room(nodes, sizeof(bool));
	find_ends(tree, graph);
	group(tree->above_start, tree->at_above, tree->above, nodes, edges);
	group(tree->below_start, tree->at_below, tree->below, nodes, edges);
	memset(tree->placed, 0, (size_t) nodes * sizeof(bool));
	for (uint32 next = 0, done = 0; done < nodes; done++)
	{
		uint32		node;

		CHECK_FOR_INTERRUPTS();
		/* Roots; and when all that they lead to is placed, whatever comes next. */
		while (next < nodes && (next < roots || queued == done))
		{
			if (!tree->placed[next])
			{
				tree->placed[next] = true;
				tree->edge[next] = HUMAN_NONE;
				tree->order[queued++] = next;
			}
			next++;
		}
		node = tree->order[done];
		for (uint32 k = tree->above_start[node]; k < tree->above_start[node + 1]; k++)
		{
			uint32		edge = tree->at_above[k];
			uint32		other = tree->below[edge];

			if (other == HUMAN_NONE || tree->placed[other])
				continue;
			tree->placed[other] = true;
			tree->edge[other] = edge;
			tree->order[queued++] = other;
		}
	}
	return tree;
}

uint32 *
human_order(const HumanGraph *graph, uint32 roots)
{
	return human_tree(graph, roots)->order;
}
