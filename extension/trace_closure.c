/*
 * trace_closure.c
 *		How many nodes and edges a trace without a limit of depth has, in the adjacency cache.
 *
 * Nobody asks in which order they are found.  So nodes are expanded in the order of time in
 * which they are stored, from the start into the direction of the trace: memory is read
 * from one end to the other.  Causes come before effects, mostly: what is found
 * against that order is put on a list, and followed when the sweep is over.
 */
#include "postgres.h"

#include "trace_engine.h"

#include "graph_bits.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"

typedef struct Closure
{
	Trace	   *trace;
	GraphCacheView *view;
	GraphBits	reached;
	GraphBits	ahead;			/* reached, and to be expanded by the sweep */
	uint32	   *behind;			/* reached, where the sweep has been */
	uint32		behind_count;
	uint32		behind_capacity;
	bool		sweeps;
} Closure;

static void
expand(Closure *closure, uint32 source)
{
	uint32		count;
	const GraphCacheLink *links = graph_cache_links(closure->view, source, &count);
	bool		back = closure->view->direction == GRAPH_ANCESTORS;

	for (uint32 i = 0; i < count; i++)
	{
		uint32		target = links[i].node;

		if (i % 4096 == 4095)
			CHECK_FOR_INTERRUPTS();
		if (!graph_bits_add(&closure->reached, target))
			continue;
		closure->trace->node_count++;
		if (closure->sweeps && (back ? target < source : target > source))
			graph_bits_add(&closure->ahead, target);
		else
		{
			graph_reserve(closure->trace->graph, closure->behind, closure->behind_count, closure->behind_capacity);
			closure->behind[closure->behind_count++] = target;
		}
	}
	closure->trace->edge_count += count;
}

/* Expands what is to be expanded in a word of 64 nodes, until nothing is. */
static void
expand_word(Closure *closure, uint32 page, uint32 word)
{
	uint64	   *ahead = &closure->ahead.pages[page][word];
	uint32		first = (page << GRAPH_BITS_PAGE_BITS) + word * 64;
	bool		back = closure->view->direction == GRAPH_ANCESTORS;

	while (*ahead != 0)
	{
		int			bit = back ? pg_leftmost_one_pos64(*ahead) : pg_rightmost_one_pos64(*ahead);

		*ahead &= ~(UINT64CONST(1) << bit);
		expand(closure, first + bit);
	}
}

static void
sweep(Closure *closure)
{
	uint32		pages = closure->ahead.page_count;
	bool		back = closure->view->direction == GRAPH_ANCESTORS;

	for (uint32 i = 0; i < pages; i++)
	{
		uint32		page = back ? pages - 1 - i : i;

		CHECK_FOR_INTERRUPTS();
		if (!closure->ahead.pages[page])
			continue;
		for (uint32 j = 0; j < GRAPH_BITS_WORDS; j++)
			expand_word(closure, page, back ? GRAPH_BITS_WORDS - 1 - j : j);
	}
}

void
trace_closure(Trace *trace, uint32 start, GraphCacheView *view)
{
	Closure		closure = {.trace = trace, .view = view};
	uint32		count = view->node_count + view->extra_node_count + 1;

	graph_bits_init(&closure.reached, trace->graph, count);
	graph_bits_init(&closure.ahead, trace->graph, count);
	graph_bits_add(&closure.reached, start);
	graph_bits_add(&closure.ahead, start);
	trace->node_count = 1;
	closure.sweeps = true;
	sweep(&closure);
	closure.sweeps = false;
	while (closure.behind_count > 0)
	{
		CHECK_FOR_INTERRUPTS();
		expand(&closure, closure.behind[--closure.behind_count]);
	}
}
