/*
 * level.c
 *		The memory of a level.
 */
#include "postgres.h"

#include "trace/level.h"

#include "graph/memory.h"

void *
trace_level_room(TraceLevel *level, TraceRoom *room, Size size)
{
	if (size > room->size)
	{
		Size		larger = Max(size, room->size * 2);

		/* Nothing in it needs to be kept. */
		graph_grow(level->trace->graph, room->bytes, room->size, 0);
		room->bytes = NULL;
		room->size = 0;
		room->bytes = graph_alloc(level->trace->graph, larger);
		room->size = larger;
	}
	return room->bytes;
}

void
trace_level_reserve(TraceLevel *level, uint32 keys)
{
	Graph	   *graph = level->trace->graph;
	Size		capacity = level->key_capacity;

	if (keys <= capacity)
		return;
	while (capacity < keys)
		capacity = Max(capacity * 2, 64);
	level->keys = graph_grow(graph, level->keys, level->key_capacity * sizeof(int64), capacity * sizeof(int64));
	level->sorted = graph_grow(graph, level->sorted, level->key_capacity * sizeof(GraphKey), capacity * sizeof(GraphKey));
	level->scratch = graph_grow(graph, level->scratch, level->key_capacity * sizeof(GraphKey), capacity * sizeof(GraphKey));
	level->frontier = graph_grow(graph, level->frontier, level->key_capacity * sizeof(GraphKey), capacity * sizeof(GraphKey));
	level->key_capacity = capacity;
}
