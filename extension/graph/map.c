/*
 * map.c
 *		A map from record numbers to 32-bit values: finding and making pages.
 */
#include "postgres.h"

#include "graph/map.h"

#include "graph/memory.h"

#define FIRST_SLOTS 256
#define FIRST_CHUNK 64
#define LARGEST_CHUNK 4096

void
graph_map_init(GraphMap *map, Graph *graph)
{
	memset(map, 0, sizeof(*map));
	map->graph = graph;
	map->slots = graph_alloc(graph, FIRST_SLOTS * sizeof(GraphMapPage));
	memset(map->slots, 0, FIRST_SLOTS * sizeof(GraphMapPage));
	map->slot_mask = FIRST_SLOTS - 1;
}

static inline uint32
slot_of(const GraphMap *map, int64 number)
{
	uint32		slot = graph_map_hash(map, number);

	while (map->slots[slot].values && map->slots[slot].number != number)
		slot = (slot + 1) & map->slot_mask;
	return slot;
}

static void
double_slots(GraphMap *map)
{
	GraphMapPage *old = map->slots;
	uint32		old_count = map->slot_mask + 1;
	Size		size = (Size) old_count * 2 * sizeof(GraphMapPage);

	map->slots = graph_alloc(map->graph, size);
	memset(map->slots, 0, size);
	map->slot_mask = old_count * 2 - 1;
	for (uint32 i = 0; i < old_count; i++)
	{
		if (old[i].values)
			map->slots[slot_of(map, old[i].number)] = old[i];
	}
	graph_grow(map->graph, old, (Size) old_count * sizeof(GraphMapPage), 0);
}

static uint32 *
new_page(GraphMap *map)
{
	if (map->chunk_used == map->chunk_pages)
	{
		Size		size;

		map->chunk_pages = map->chunk_pages == 0 ? FIRST_CHUNK : Min(map->chunk_pages * 2, LARGEST_CHUNK);
		map->chunk_used = 0;
		size = (Size) map->chunk_pages * GRAPH_MAP_PAGE * sizeof(uint32);
		map->chunk = graph_alloc(map->graph, size);
		memset(map->chunk, 0, size);
	}
	return map->chunk + (Size) map->chunk_used++ * GRAPH_MAP_PAGE;
}

uint32 *
graph_map_page(GraphMap *map, int64 number, bool create)
{
	uint32		slot = slot_of(map, number);

	if (map->slots[slot].values == NULL && create)
	{
		if (map->page_count > map->slot_mask / 2)
		{
			double_slots(map);
			slot = slot_of(map, number);
		}
		map->slots[slot].number = number;
		map->slots[slot].values = new_page(map);
		map->page_count++;
	}
	return map->slots[slot].values;
}
