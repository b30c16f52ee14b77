/*
 * level.c
 *		The memory of a level.
 */
#include "postgres.h"

#include "trace/level.h"

#include "graph/memory.h"

void *
trace_level_scratch(TraceLevel *level, TraceScratch *memory, Size size)
{
	if (size > memory->size)
	{
		Size		larger = Max(size, memory->size * 2);

		/* Nothing in it needs to be kept. */
		graph_grow(level->trace->graph, memory->bytes, memory->size, 0);
		memory->bytes = NULL;
		memory->size = 0;
		memory->bytes = graph_alloc(level->trace->graph, larger);
		memory->size = larger;
	}
	return memory->bytes;
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
