/*
 * bits.h
 *		Sets of numbers as bits: in one array, or in pages that exist once a number of theirs is in them.
 */
#ifndef REASON_GRAPH_BITS_H
#define REASON_GRAPH_BITS_H

#include "postgres.h"

#include "graph/types.h"

/* ---------------------------------------------------------------- one array */

#define BIT_WORDS(count) (((Size) (count) + 63) / 64)

static inline bool
bit_is_set(const uint64 *words, uint32 number)
{
	return ((words[number / 64] >> (number % 64)) & 1) != 0;
}

/* False: it was set. */
static inline bool
bit_set(uint64 *words, uint32 number)
{
	uint64	   *word = &words[number / 64];
	uint64		bit = UINT64CONST(1) << (number % 64);
	bool		was_set = (*word & bit) != 0;

	*word |= bit;
	return !was_set;
}

static inline void
bit_clear(uint64 *words, uint32 number)
{
	words[number / 64] &= ~(UINT64CONST(1) << (number % 64));
}

/* ---------------------------------------------------------------- pages */

#define GRAPH_BITS_PAGE_BITS 15
#define GRAPH_BITS_PAGE_MASK ((1 << GRAPH_BITS_PAGE_BITS) - 1)
#define GRAPH_BITS_WORDS ((1 << GRAPH_BITS_PAGE_BITS) / 64)

typedef struct GraphBits
{
	Graph	   *graph;
	uint32		page_count;
	uint64	  **pages;			/* NULL: none of its numbers */
} GraphBits;

/* Numbers are less than `count`. */
extern void graph_bits_init(GraphBits *bits, Graph *graph, uint32 count);
extern uint64 *graph_bits_page(GraphBits *bits, uint32 page);

static inline bool
graph_bits_has(const GraphBits *bits, uint32 number)
{
	const uint64 *page = bits->pages[number >> GRAPH_BITS_PAGE_BITS];

	return page && bit_is_set(page, number & GRAPH_BITS_PAGE_MASK);
}

/* Adds a number; false: it was there. */
static inline bool
graph_bits_add(GraphBits *bits, uint32 number)
{
	uint64	   *page = bits->pages[number >> GRAPH_BITS_PAGE_BITS];

	if (unlikely(page == NULL))
		page = graph_bits_page(bits, number >> GRAPH_BITS_PAGE_BITS);
	return bit_set(page, number & GRAPH_BITS_PAGE_MASK);
}

static inline void
graph_bits_remove(GraphBits *bits, uint32 number)
{
	uint64	   *page = bits->pages[number >> GRAPH_BITS_PAGE_BITS];

	if (page)
		bit_clear(page, number & GRAPH_BITS_PAGE_MASK);
}

#endif							/* REASON_GRAPH_BITS_H */
