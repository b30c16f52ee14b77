/*
 * levels.c
 *		A depth-first forest, and longest paths without what leads back in it.
 */
#include "postgres.h"

#include "export/levels.h"

#include "miscadmin.h"

/* Edges by the node at one end, and the nodes at their other end. */
typedef struct Side
{
	const uint32 *start;
	const uint32 *edges;
	const uint32 *other;
} Side;

typedef struct Leveling
{
	uint32		node_count;
	Side		away;			/* from what the part is about */
	Side		causes;
	Side		effects;
	bool	   *leads_back;		/* by edge */
	uint32	   *finished;		/* nodes, each after what edges lead to from it, away, that do not lead back */
} Leveling;

/* Whether an edge counts: its other end is on the part, and it does not lead back. */
static inline bool
counts(const Leveling *leveling, const Side *side, uint32 edge)
{
	return side->other[edge] != HUMAN_NONE && !leveling->leads_back[edge];
}

typedef enum State
{
	NEW, ON_PATH, FINISHED
} State;

/* The path is kept on a stack of its own: a chain of reasons may be longer than ours. */
static void
grow_forest(Leveling *leveling)
{
	const Side *away = &leveling->away;
	uint8	   *state = human_room(leveling->node_count, sizeof(uint8));
	uint32	   *path = human_room(leveling->node_count, sizeof(uint32));
	uint32	   *next = human_room(leveling->node_count, sizeof(uint32));
	uint32		finished = 0;

	memset(state, NEW, leveling->node_count);
	for (uint32 root = 0; root < leveling->node_count; root++)
	{
		uint32		length = 0;

		if (state[root] == NEW)
		{
			state[root] = ON_PATH;
			next[root] = away->start[root];
			path[length++] = root;
		}
		while (length > 0)
		{
			uint32		node = path[length - 1];
			uint32		edge;
			uint32		other;

			CHECK_FOR_INTERRUPTS();
			if (next[node] == away->start[node + 1])
			{
				state[node] = FINISHED;
				leveling->finished[finished++] = node;
				length--;
				continue;
			}
			edge = away->edges[next[node]++];
			other = away->other[edge];
			if (other == HUMAN_NONE)
				continue;
			leveling->leads_back[edge] = state[other] == ON_PATH;
			if (state[other] == NEW)
			{
				state[other] = ON_PATH;
				next[other] = away->start[other];
				path[length++] = other;
			}
		}
	}
	pfree(state);
	pfree(path);
	pfree(next);
}

/* How far above nodes without effects each stands at least. */
static void
lift(const Leveling *leveling, uint32 node, uint32 *height)
{
	const Side *effects = &leveling->effects;

	height[node] = 0;
	for (uint32 k = effects->start[node]; k < effects->start[node + 1]; k++)
	{
		uint32		edge = effects->edges[k];

		CHECK_FOR_INTERRUPTS();
		if (counts(leveling, effects, edge))
			height[node] = Max(height[node], height[effects->other[edge]] + 1);
	}
}

/* To below the lowest of its causes. */
static void
lift_to_causes(const Leveling *leveling, uint32 node, uint32 *height)
{
	const Side *causes = &leveling->causes;
	uint32		lowest = HUMAN_NONE;

	for (uint32 k = causes->start[node]; k < causes->start[node + 1]; k++)
	{
		uint32		edge = causes->edges[k];

		CHECK_FOR_INTERRUPTS();
		if (counts(leveling, causes, edge))
			lowest = Min(lowest, height[causes->other[edge]]);
	}
	if (lowest != HUMAN_NONE)
		height[node] = lowest - 1;
}

uint32 *
layout_levels(const ExportPart *part, uint32 *level_count)
{
	const HumanTree *tree = part->tree;
	bool		upwards = part->graph->upwards;
	uint32		count = part->graph->node_count;
	uint32	   *level = human_room(count, sizeof(uint32));
	Side		away = {tree->above_start, tree->at_above, tree->below};
	Side		towards = {tree->below_start, tree->at_below, tree->above};
	Leveling	leveling = {.node_count = count, .away = away, .causes = upwards ? away : towards, .effects = upwards ? towards : away};
	uint32		highest = 0;

	leveling.leads_back = human_room(part->graph->edge_count, sizeof(bool));
	memset(leveling.leads_back, 0, part->graph->edge_count * sizeof(bool));
	leveling.finished = human_room(count, sizeof(uint32));
	grow_forest(&leveling);
	/* Where causes are away, they are finished first. */
	for (uint32 i = 0; i < count; i++)
		lift(&leveling, leveling.finished[upwards ? count - 1 - i : i], level);
	for (uint32 i = 0; i < count; i++)
	{
		uint32		node = leveling.finished[upwards ? i : count - 1 - i];

		lift_to_causes(&leveling, node, level);
		highest = Max(highest, level[node]);
	}
	for (uint32 i = 0; i < count && !upwards; i++)
		level[i] = highest - level[i];
	*level_count = highest + 1;
	pfree(leveling.leads_back);
	pfree(leveling.finished);
	return level;
}
