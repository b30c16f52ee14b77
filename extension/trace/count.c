/*
 * count.c
 *		How many nodes and edges a trace without a limit of depth has, in the adjacency cache.
 *
 * Nobody asks in which order they are found.  So nodes are expanded in the order of time in
 * which they are stored, from the start into the direction of the trace: memory is read
 * from one end to the other.  Causes come before effects, mostly: what is found
 * against that order is put on a list, and followed when the sweep is over.
 *
 * Nodes are swept in words of 64, each until nothing in it is left to be expanded.  So what is reached
 * in the present word or in one that is still to come needs no note but its bit.
 */
#include "postgres.h"

#include "trace/count.h"

#include "cache/links.h"
#include "graph/bits.h"
#include "trace/result.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"

#define REACH_AT_ONCE 1024
/* Beyond one edge of so many that leads against that order, a search that fetches ahead is faster. */
#define IN_ORDER 8

/* Which nodes are expanded by the sweep, when they are reached. */
typedef enum Sweep
{
	SWEEP_BACK,					/* those of the present word and before: it goes from later nodes to earlier ones */
	SWEEP_FORTH,				/* those of the present word and behind */
	SWEEP_OVER					/* none */
} Sweep;

typedef struct Closure
{
	Trace	   *trace;
	GraphCacheView *view;
	GraphBits	reached;
	uint32	   *missed;			/* reached, and not to be expanded by the sweep */
	uint32		missed_count;
	uint32		missed_capacity;
} Closure;

bool
trace_count_pays(const GraphCacheView *view)
{
	return view->generation->against_time <= view->edge_count / IN_ORDER;
}

static pg_noinline void
add_missed(Closure *closure, uint32 node, bool fresh)
{
	graph_reserve(closure->trace->graph, closure->missed, closure->missed_count, closure->missed_capacity);
	closure->missed[closure->missed_count] = node;
	closure->missed_count += fresh;
}

/*
 * Whether a node was reached before is unpredictable, so nodes that the sweep visits are added without
 * a branch.
 */
static pg_attribute_always_inline void
reach(Closure *closure, const uint32 *targets, uint32 count, Sweep sweep, uint32 word_begin)
{
	GraphBits	reached = closure->reached;

	for (uint32 i = 0; i < count; i++)
	{
		uint32		target = targets[i];
		bool		fresh = graph_bits_add(&reached, target);

		if (sweep == SWEEP_BACK ? unlikely(target >= word_begin + 64) :
			sweep == SWEEP_FORTH ? unlikely(target < word_begin) : true)
			add_missed(closure, target, fresh);
	}
}

static pg_attribute_always_inline void
expand(Closure *closure, uint32 source, Sweep sweep, uint32 word_begin)
{
	const GraphCacheHead *head = graph_cache_head(closure->view, source);
	GraphCacheLinks links;

	closure->trace->node_count++;
	if (likely(head != NULL))
	{
		uint32		count = head[1].begin - head->begin;

		reach(closure, head->node, count, sweep, word_begin);
		closure->trace->edge_count += count;
		return;
	}
	links = graph_cache_links(closure->view, source);
	closure->trace->edge_count += links.count;
	for (; unlikely(links.count > REACH_AT_ONCE); links.nodes += REACH_AT_ONCE, links.count -= REACH_AT_ONCE)
	{
		CHECK_FOR_INTERRUPTS();
		reach(closure, links.nodes, REACH_AT_ONCE, sweep, word_begin);
	}
	reach(closure, links.nodes, links.count, sweep, word_begin);
}

/* They are taken out of the word at once, so that the next need not wait for what the links of the last have changed. */
static pg_attribute_always_inline void
sweep_word(Closure *closure, const uint64 *reached, uint32 begin, Sweep sweep)
{
	uint64		expanded = 0;

	while ((*reached & ~expanded) != 0)
	{
		uint64		taken = *reached & ~expanded;

		expanded |= taken;
		while (taken != 0)
		{
			int			bit = sweep == SWEEP_BACK ? pg_leftmost_one_pos64(taken) : pg_rightmost_one_pos64(taken);

			taken &= ~(UINT64CONST(1) << bit);
			expand(closure, begin + bit, sweep, begin);
		}
	}
}

static void
sweep_back(Closure *closure)
{
	for (uint32 page = closure->reached.page_count; page-- > 0;)
	{
		const uint64 *words = closure->reached.pages[page];

		CHECK_FOR_INTERRUPTS();
		if (!words)
			continue;
		for (int word = GRAPH_BITS_WORDS - 1; word >= 0; word--)
			sweep_word(closure, &words[word], (page << GRAPH_BITS_PAGE_BITS) + word * 64, SWEEP_BACK);
	}
}

static void
sweep_forth(Closure *closure)
{
	for (uint32 page = 0; page < closure->reached.page_count; page++)
	{
		const uint64 *words = closure->reached.pages[page];

		CHECK_FOR_INTERRUPTS();
		if (!words)
			continue;
		for (int word = 0; word < GRAPH_BITS_WORDS; word++)
			sweep_word(closure, &words[word], (page << GRAPH_BITS_PAGE_BITS) + word * 64, SWEEP_FORTH);
	}
}

void
trace_count_reached(Trace *trace, uint32 start, GraphCacheView *view)
{
	Closure		closure = {.trace = trace, .view = view};

	graph_bits_init(&closure.reached, trace->graph, view->node_count + view->extra_node_count + 1);
	graph_bits_add(&closure.reached, start);
	if (view->direction == GRAPH_ANCESTORS)
		sweep_back(&closure);
	else
		sweep_forth(&closure);
	while (closure.missed_count > 0)
	{
		CHECK_FOR_INTERRUPTS();
		expand(&closure, closure.missed[--closure.missed_count], SWEEP_OVER, 0);
	}
}
