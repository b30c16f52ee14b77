/*
 * visibility.h
 *		Reading visibility maps page by page, for the adjacency cache.
 */
#ifndef REASON_CACHE_VISIBILITY_H
#define REASON_CACHE_VISIBILITY_H

#include "postgres.h"

#include "cache/layout.h"
#include "graph/types.h"

/* Copies the all-visible bits of a page of the map into bits[], and gives its LSN; no bits where there is no such page. */
extern XLogRecPtr graph_cache_read_map(Relation heap, uint32 number, uint8 *bits);

/*
 * Whether the first so many blocks of a page of the map, all of those that are there, are covered and
 * as they were: what most traces find, in a fraction of the time that finding out more takes.
 */
extern bool graph_cache_map_stands(Relation heap, uint32 number, const GraphCacheMap *known, uint32 blocks);

/* The all-visible bits of the first blocks of a word, which has 32. */
static inline uint64
graph_cache_first_blocks(BlockNumber count)
{
	return count >= 32 ? GRAPH_CACHE_ALL_VISIBLE_WORD : GRAPH_CACHE_ALL_VISIBLE_WORD & ((UINT64CONST(1) << (count * 2)) - 1);
}

/* The bit of a block, counted from the map's first. */
static inline bool
graph_cache_bit(const uint8 *bits, uint32 block)
{
	return (bits[block / GRAPH_CACHE_BLOCKS_PER_BYTE] >> (block % GRAPH_CACHE_BLOCKS_PER_BYTE * 2)) & 1;
}

static inline void
graph_cache_clear_bit(uint8 *bits, uint32 block)
{
	bits[block / GRAPH_CACHE_BLOCKS_PER_BYTE] &= ~(1 << (block % GRAPH_CACHE_BLOCKS_PER_BYTE * 2));
}

/* Whether changes of both tables are logged, so that LSNs tell of them. */
extern bool graph_cache_is_logged(const Graph *graph);

#endif							/* REASON_CACHE_VISIBILITY_H */
