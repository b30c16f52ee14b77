/*
 * support.c
 *		Looks for support that does not come by way of the start of a trace.
 *
 * The search goes from the nodes of the trace to their causes, level by level.
 * As soon as a node turns out to be evidence, all that is known to rest on it
 * has support, and nobody asks for its other causes: the search ends when
 * every node of the trace has support or nothing is left to be looked at.
 */
#include "postgres.h"

#include "derived/support.h"

#include "graph/map.h"
#include "graph/memory.h"
#include "graph/quarantine.h"
#include "graph/sealed.h"
#include "graph/sort.h"
#include "graph/walk.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#define SUPPORT_TYPE(name) {(name), sizeof(name) - 1}

static RecordText carrying_types[] = {
	SUPPORT_TYPE("causal"), SUPPORT_TYPE("supports"), SUPPORT_TYPE("derivedFrom"), SUPPORT_TYPE("influencedBy")
};

void
support_filter(GraphFilter *filter)
{
	filter->edge_type_count = lengthof(carrying_types);
	filter->edge_types = carrying_types;
}

/* A cause that was looked at, or will be. */
typedef struct SupportNode
{
	int64		no;
	uint32		effects;		/* index + 1 of the first of its effects; 0: none is known */
	bool		is_expanded;	/* its causes are known */
	bool		is_queued;		/* for the next level */
	bool		has_cause;
	bool		has_support;
} SupportNode;

typedef struct SupportEffect
{
	uint32		node;
	uint32		next;			/* index + 1; 0: the last */
} SupportEffect;

typedef struct SupportSearch
{
	Graph	   *graph;
	GraphFilter filter;
	int64		without;		/* number of what is taken away */
	GraphMap	map;			/* no → index in nodes + 1 */
	SupportNode *nodes;			/* those that are asked about come first */
	uint32		node_count;
	uint32		node_capacity;
	SupportEffect *effects;
	uint32		effect_count;
	uint32		effect_capacity;
	uint32		asked;
	uint32		open;			/* of those that are asked about: without support so far */
	GraphKey   *level;			/* nodes to be expanded now, by number */
	uint32		level_count;
	uint32		level_capacity;
	GraphKey   *found;			/* causes of the level: number, and index of the effect */
	uint32		found_count;
	uint32		found_capacity;
	bool	   *is_seen;		/* by distinct cause of `found`: it is visible */
	int64	   *causes;			/* numbers of the distinct ones */
	Size		cause_capacity;
	uint32	   *stack;
	uint32		stack_capacity;
} SupportSearch;

static uint32
add_node(SupportSearch *search, int64 no)
{
	SupportNode *node;

	graph_reserve(search->graph, search->nodes, search->node_count, search->node_capacity);
	node = &search->nodes[search->node_count];
	memset(node, 0, sizeof(*node));
	node->no = no;
	*graph_map_slot(&search->map, no) = ++search->node_count;
	return search->node_count - 1;
}

/* The node has support, and so has all that is known to rest on it. */
static void
give_support(SupportSearch *search, uint32 first)
{
	uint32		count = 0;

	if (search->nodes[first].has_support)
		return;
	search->nodes[first].has_support = true;
	search->open -= first < search->asked;
	graph_reserve(search->graph, search->stack, count, search->stack_capacity);
	search->stack[count++] = first;
	while (count > 0)
	{
		uint32		node = search->stack[--count];

		CHECK_FOR_INTERRUPTS();
		for (uint32 k = search->nodes[node].effects; k != 0; k = search->effects[k - 1].next)
		{
			uint32		effect = search->effects[k - 1].node;

			GRAPH_CHECK_NOW_AND_THEN(k);
			if (search->nodes[effect].has_support)
				continue;
			search->nodes[effect].has_support = true;
			search->open -= effect < search->asked;
			graph_reserve(search->graph, search->stack, count, search->stack_capacity);
			search->stack[count++] = effect;
		}
	}
}

/* ---------------------------------------------------------------- causes of a level */

static bool
accept_edge(void *argument, HeapTuple tuple, TupleDesc desc)
{
	return graph_filter_accepts_edge(&((SupportSearch *) argument)->filter, tuple);
}

static void
take_causes(void *argument, const GraphEntry *entries, int count)
{
	SupportSearch *search = argument;

	for (int i = 0; i < count; i++)
	{
		if (quarantine_hides(search->graph, entries[i].link.edge_no) || quarantine_hides(search->graph, entries[i].link.other_no))
			continue;
		graph_reserve(search->graph, search->found, search->found_count, search->found_capacity);
		search->found[search->found_count].no = entries[i].link.other_no;
		search->found[search->found_count++].index = search->level[entries[i].position].index;
	}
}

static void
note_seen(void *argument, const GraphEntry *entries, int count)
{
	SupportSearch *search = argument;
	const GraphFilter *filter = &search->filter;

	for (int i = 0; i < count; i++)
		search->is_seen[entries[i].position] =
			(!filter->has_as_of || entries[i].record.created_at <= filter->as_of) &&
			(!filter->sealed || graph_sealed_shows(filter->sealed, search->causes[entries[i].position]));
}

/* Which of the distinct causes, sorted, there are; an edge may lead to a node that is not there yet. */
static void
see_causes(SupportSearch *search)
{
	Graph	   *graph = search->graph;
	uint32		distinct = 0;

	search->cause_capacity = Max((Size) search->found_count, 1);
	search->causes = graph_alloc(graph, search->cause_capacity * sizeof(int64));
	search->is_seen = graph_alloc(graph, search->cause_capacity * sizeof(bool));
	for (uint32 i = 0; i < search->found_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (i == 0 || search->found[i].no != search->found[i - 1].no)
			search->causes[distinct++] = search->found[i].no;
	}
	memset(search->is_seen, 0, search->cause_capacity * sizeof(bool));
	graph_walk(graph, GRAPH_NODES, search->causes, distinct, NULL, note_seen, search);
}

static void
forget_causes(SupportSearch *search)
{
	graph_grow(search->graph, search->causes, search->cause_capacity * sizeof(int64), 0);
	graph_grow(search->graph, search->is_seen, search->cause_capacity * sizeof(bool), 0);
}

static void
find_causes(SupportSearch *search)
{
	Graph	   *graph = search->graph;
	Size		size = Max((Size) search->level_count, 1);
	int64	   *keys = graph_alloc(graph, size * sizeof(int64));
	GraphKey   *scratch = graph_alloc(graph, size * sizeof(GraphKey));

	graph_sort_keys(search->level, scratch, search->level_count);
	for (uint32 i = 0; i < search->level_count; i++)
		keys[i] = search->level[i].no;
	search->found_count = 0;
	graph_walk(graph, GRAPH_LINKS_TO, keys, search->level_count, accept_edge, take_causes, search);
	graph_grow(graph, scratch, size * sizeof(GraphKey), 0);
	graph_grow(graph, keys, size * sizeof(int64), 0);

	size = Max((Size) search->found_count, 1);
	scratch = graph_alloc(graph, size * sizeof(GraphKey));
	graph_sort_keys(search->found, scratch, search->found_count);
	graph_grow(graph, scratch, size * sizeof(GraphKey), 0);
}

/* ---------------------------------------------------------------- levels */

/* Notes what rests on what; the index of the cause takes the place of its number. */
static void
link_causes(SupportSearch *search)
{
	uint32		kept = 0;
	uint32		distinct = 0;

	for (uint32 i = 0; i < search->found_count; i++)
	{
		GraphKey	found = search->found[i];
		uint32		cause;

		GRAPH_CHECK_NOW_AND_THEN(i);
		distinct += i > 0 && found.no != search->causes[distinct];
		if (!search->is_seen[distinct])
			continue;
		search->nodes[found.index].has_cause = true;
		if (found.no == search->without)
			continue;
		cause = graph_map_get(&search->map, found.no);
		cause = cause > 0 ? cause - 1 : add_node(search, found.no);
		graph_reserve(search->graph, search->effects, search->effect_count, search->effect_capacity);
		search->effects[search->effect_count].node = found.index;
		search->effects[search->effect_count].next = search->nodes[cause].effects;
		search->nodes[cause].effects = ++search->effect_count;
		search->found[kept].no = cause;
		search->found[kept++].index = found.index;
	}
	search->found_count = kept;
	for (uint32 i = 0; i < kept; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (search->nodes[search->found[i].no].has_support)
			give_support(search, search->found[i].index);
	}
}

/* Causes of what has no support yet. */
static void
queue_causes(SupportSearch *search)
{
	search->level_count = 0;
	for (uint32 i = 0; i < search->found_count; i++)
	{
		uint32		cause = (uint32) search->found[i].no;
		SupportNode *node = &search->nodes[cause];

		GRAPH_CHECK_NOW_AND_THEN(i);
		if (node->is_expanded || node->is_queued || node->has_support || search->nodes[search->found[i].index].has_support)
			continue;
		node->is_queued = true;
		graph_reserve(search->graph, search->level, search->level_count, search->level_capacity);
		search->level[search->level_count].no = node->no;
		search->level[search->level_count++].index = cause;
	}
}

static void
expand_level(SupportSearch *search)
{
	find_causes(search);
	see_causes(search);
	link_causes(search);
	forget_causes(search);
	for (uint32 i = 0; i < search->level_count; i++)
	{
		uint32		node = search->level[i].index;

		GRAPH_CHECK_NOW_AND_THEN(i);
		search->nodes[node].is_expanded = true;
		if (!search->nodes[node].has_cause)
			give_support(search, node);
	}
}

bool *
support_without_start(const Trace *trace)
{
	Graph	   *graph = trace->graph;
	SupportSearch search = {.graph = graph, .filter = trace->filter, .without = trace->nodes[0].no};
	bool	   *remains = graph_alloc(graph, (Size) trace->node_count * sizeof(bool));

	support_filter(&search.filter);
	graph_map_init(&search.map, graph);
	for (uint32 i = 1; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		graph_reserve(graph, search.level, search.level_count, search.level_capacity);
		search.level[search.level_count].no = trace->nodes[i].no;
		search.level[search.level_count++].index = add_node(&search, trace->nodes[i].no);
		search.nodes[i - 1].is_queued = true;
	}
	search.asked = search.open = search.node_count;
	while (search.open > 0 && search.level_count > 0)
	{
		CHECK_FOR_INTERRUPTS();
		expand_level(&search);
		queue_causes(&search);
	}
	remains[0] = false;
	for (uint32 i = 1; i < trace->node_count; i++)
		remains[i] = search.nodes[i - 1].has_support;
	return remains;
}
