/*
 * map.h
 *		A map from record numbers to 32-bit values, for the nodes of one trace.
 *
 * Numbers come from one sequence, and what belongs together was mostly written
 * together: values of neighbouring numbers share a page of 64, and only the
 * pages are hashed.  That keeps a large trace in the processor's caches where a
 * plain hash table would miss them at every edge.
 */
#ifndef REASON_GRAPH_MAP_H
#define REASON_GRAPH_MAP_H

#include "postgres.h"

#include "graph/types.h"
#include "port/prefetch.h"

#define GRAPH_MAP_PAGE_BITS 6
#define GRAPH_MAP_PAGE (1 << GRAPH_MAP_PAGE_BITS)

typedef struct GraphMapPage
{
	int64		number;			/* first record number >> GRAPH_MAP_PAGE_BITS */
	uint32	   *values;			/* NULL: free slot */
} GraphMapPage;

typedef struct GraphMap
{
	Graph	   *graph;
	GraphMapPage *slots;
	uint32		slot_mask;
	uint32		page_count;
	GraphMapPage last;			/* the page that was used last */
	uint32	   *chunk;			/* where new pages come from */
	uint32		chunk_pages;
	uint32		chunk_used;
} GraphMap;

extern void graph_map_init(GraphMap *map, Graph *graph);
extern uint32 *graph_map_page(GraphMap *map, int64 number, bool create);

/* Multiplicative hashing (Knuth, volume 3, 6.4): the upper bits of the product are well mixed. */
static inline uint32
graph_map_hash(const GraphMap *map, int64 number)
{
	return (uint32) (((uint64) number * UINT64CONST(0x9E3779B97F4A7C15)) >> 32) & map->slot_mask;
}

/* Have the processor fetch what a lookup will touch, first the slot, then the value. */
static inline void
graph_map_fetch_slot(const GraphMap *map, int64 no)
{
	prefetch_line(&map->slots[graph_map_hash(map, no >> GRAPH_MAP_PAGE_BITS)]);
}

static inline void
graph_map_fetch_value(const GraphMap *map, int64 no)
{
	const GraphMapPage *slot = &map->slots[graph_map_hash(map, no >> GRAPH_MAP_PAGE_BITS)];

	if (slot->values)
		prefetch_line(&slot->values[no & (GRAPH_MAP_PAGE - 1)]);
}

/* The value of a number, 0 unless it was set; valid until the map is gone. */
static inline uint32 *
graph_map_slot(GraphMap *map, int64 no)
{
	int64		number = no >> GRAPH_MAP_PAGE_BITS;

	if (unlikely(map->last.values == NULL || map->last.number != number))
	{
		map->last.values = graph_map_page(map, number, true);
		map->last.number = number;
	}
	return &map->last.values[no & (GRAPH_MAP_PAGE - 1)];
}

/* The value of a number, 0 unless it was set; takes no memory. */
static inline uint32
graph_map_get(GraphMap *map, int64 no)
{
	int64		number = no >> GRAPH_MAP_PAGE_BITS;

	if (unlikely(map->last.values == NULL || map->last.number != number))
	{
		uint32	   *values = graph_map_page(map, number, false);

		if (values == NULL)
			return 0;
		map->last.values = values;
		map->last.number = number;
	}
	return map->last.values[no & (GRAPH_MAP_PAGE - 1)];
}

#endif							/* REASON_GRAPH_MAP_H */
