/*
 * bits.h
 *		A set of small numbers, as bits, in pages that exist once a number of theirs is in it.
 */
#ifndef REASON_GRAPH_BITS_H
#define REASON_GRAPH_BITS_H

#include "postgres.h"

#include "graph/types.h"

#define GRAPH_BITS_PAGE_BITS 15
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

	return page && ((page[number / 64 % GRAPH_BITS_WORDS] >> (number % 64)) & 1) != 0;
}

/* Adds a number; false: it was there. */
static inline bool
graph_bits_add(GraphBits *bits, uint32 number)
{
	uint64	   *page = bits->pages[number >> GRAPH_BITS_PAGE_BITS];
	uint64		bit = UINT64CONST(1) << (number % 64);
	uint64	   *word;
	bool		was_there;

	if (unlikely(page == NULL))
		page = graph_bits_page(bits, number >> GRAPH_BITS_PAGE_BITS);
	word = &page[number / 64 % GRAPH_BITS_WORDS];
	was_there = (*word & bit) != 0;
	*word |= bit;
	return !was_there;
}

static inline void
graph_bits_remove(GraphBits *bits, uint32 number)
{
	uint64	   *page = bits->pages[number >> GRAPH_BITS_PAGE_BITS];

	if (page)
		page[number / 64 % GRAPH_BITS_WORDS] &= ~(UINT64CONST(1) << (number % 64));
}

#endif							/* REASON_GRAPH_BITS_H */
