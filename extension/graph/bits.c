/*
 * bits.c
 *		A set of small numbers, as bits: making pages.
 */
#include "postgres.h"

#include "graph/bits.h"

#include "graph/memory.h"

void
graph_bits_init(GraphBits *bits, Graph *graph, uint32 count)
{
	Size		size;

	bits->graph = graph;
	bits->page_count = (count >> GRAPH_BITS_PAGE_BITS) + 1;
	size = (Size) bits->page_count * sizeof(uint64 *);
	bits->pages = memset(graph_alloc(graph, size), 0, size);
}

uint64 *
graph_bits_page(GraphBits *bits, uint32 page)
{
	Size		size = GRAPH_BITS_WORDS * sizeof(uint64);

	if (!bits->pages[page])
		bits->pages[page] = memset(graph_alloc(bits->graph, size), 0, size);
	return bits->pages[page];
}
