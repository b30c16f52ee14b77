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

#define REACH_AT_ONCE 1024
/* Beyond one edge of so many that leads against that order, a search that fetches ahead is faster. */
#define IN_ORDER 8

typedef struct Closure
{
	Trace	   *trace;
	GraphCacheView *view;
	GraphBits	reached;
	GraphBits	ahead;			/* reached, and to be expanded by the sweep; has the pages that `reached` has */
	uint32	   *behind;			/* reached, where the sweep has been */
	uint32		behind_count;
	uint32		behind_capacity;
	bool		back;			/* the sweep goes from later nodes to earlier ones */
	bool		sweeps;
} Closure;

bool
trace_closure_pays(const GraphCacheView *view)
{
	return view->generation->against_time <= view->edge_count / IN_ORDER;
}

static pg_noinline void
grow_behind(Closure *closure, uint32 more)
{
	uint32		capacity = Max(closure->behind_capacity * 2, closure->behind_count + more);

	closure->behind = graph_grow(closure->trace->graph, closure->behind, (Size) closure->behind_capacity * sizeof(uint32),
								 (Size) capacity * sizeof(uint32));
	closure->behind_capacity = capacity;
}

/*
 * Adds where links of the node lead.  Whether a node was reached before, and where, can hardly be
 * foretold, so nothing depends on it.
 */
static pg_attribute_always_inline void
reach(Closure *closure, uint32 source, const uint32 *targets, uint32 count)
{
	GraphBits	reached = closure->reached;
	GraphBits	ahead = closure->ahead;
	bool		sweeps = closure->sweeps;
	bool		back = closure->back;
	uint32		fresh_count = 0;
	uint32		behind_count = closure->behind_count;
	uint32	   *behind;

	if (unlikely(behind_count + count > closure->behind_capacity))
		grow_behind(closure, count);
	behind = closure->behind;
	for (uint32 i = 0; i < count; i++)
	{
		uint32		target = targets[i];
		uint32		page = target >> GRAPH_BITS_PAGE_BITS;
		uint32		word = target / 64 % GRAPH_BITS_WORDS;
		bool		fresh = graph_bits_add(&reached, target);
		bool		is_ahead = sweeps & (back ? target < source : target > source);

		if (unlikely(ahead.pages[page] == NULL))
			graph_bits_page(&ahead, page);
		ahead.pages[page][word] |= (uint64) (fresh & is_ahead) << (target % 64);
		behind[behind_count] = target;
		behind_count += fresh & !is_ahead;
		fresh_count += fresh;
	}
	closure->behind_count = behind_count;
	closure->trace->node_count += fresh_count;
	closure->trace->edge_count += count;
}

static void
expand(Closure *closure, uint32 source)
{
	const GraphCacheHead *head = graph_cache_head(closure->view, source);
	GraphCacheLinks links;

	if (likely(head != NULL))
	{
		reach(closure, source, head->node, head[1].begin - head->begin);
		return;
	}
	links = graph_cache_links(closure->view, source);
	for (; unlikely(links.count > REACH_AT_ONCE); links.nodes += REACH_AT_ONCE, links.count -= REACH_AT_ONCE)
	{
		CHECK_FOR_INTERRUPTS();
		reach(closure, source, links.nodes, REACH_AT_ONCE);
	}
	reach(closure, source, links.nodes, links.count);
}

/*
 * Expands what is to be expanded in a word of 64 nodes, until nothing is. They are taken out at once, so
 * that the next need not wait for what the links of the last have changed.
 */
static inline void
expand_word(Closure *closure, uint32 page, uint32 word)
{
	uint64	   *ahead = &closure->ahead.pages[page][word];
	uint32		first = (page << GRAPH_BITS_PAGE_BITS) + word * 64;

	while (*ahead != 0)
	{
		uint64		taken = *ahead;

		*ahead = 0;
		while (taken != 0)
		{
			int			bit = closure->back ? pg_leftmost_one_pos64(taken) : pg_rightmost_one_pos64(taken);

			taken &= ~(UINT64CONST(1) << bit);
			expand(closure, first + bit);
		}
	}
}

static void
sweep(Closure *closure)
{
	uint32		pages = closure->ahead.page_count;

	for (uint32 i = 0; i < pages; i++)
	{
		uint32		page = closure->back ? pages - 1 - i : i;

		CHECK_FOR_INTERRUPTS();
		if (!closure->ahead.pages[page])
			continue;
		for (uint32 j = 0; j < GRAPH_BITS_WORDS; j++)
			expand_word(closure, page, closure->back ? GRAPH_BITS_WORDS - 1 - j : j);
	}
}

void
trace_closure(Trace *trace, uint32 start, GraphCacheView *view)
{
	Closure		closure = {.trace = trace, .view = view, .back = view->direction == GRAPH_ANCESTORS};
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
