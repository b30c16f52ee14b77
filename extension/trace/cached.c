/*
 * cached.c
 *		Breadth-first search in the adjacency cache.
 *
 * Links come in the order of a trace, so that a node's position is known when it is first
 * reached, its first link is its tree edge, and nothing is sorted.
 *
 * What such a search waits for is memory.  Which nodes were reached is therefore kept as one
 * bit each, which stay in the processor's caches; their positions are written down
 * afterwards, and only where edges are asked for, or may close a cycle: what the generation
 * knows of cycles says of most nodes that theirs do not.
 */
#include "postgres.h"

#include "trace/cached.h"

#include "cache/links.h"
#include "cache/nodes.h"
#include "graph/bits.h"
#include "graph/filter.h"
#include "graph/map.h"
#include "trace/count.h"
#include "trace/result.h"

#include "miscadmin.h"

#define MOST_NODES (PG_UINT32_MAX - 2)
/* How far ahead the processor is asked for what is needed next. */
#define FETCH_HEADS 64
#define FETCH_LINKS 32
#define FETCH_RECORDS 32
#define REACH_AT_ONCE 1024
/* What a level of so many nodes leads to stays in the processor's caches until the next level. */
#define EARLY_LEVEL 256

typedef struct TraceSearch
{
	Trace	   *trace;
	GraphCacheView *view;
	GraphBits	reached;
	GraphMap	positions;		/* node → position + 1, once it was made */
	uint32	   *nodes;			/* by position, as the parents in the trace */
	uint32	   *edges;			/* tree edges, by position; NULL before TRACE_TREE */
	uint32		capacity;
	uint32	   *onward;			/* positions of the last level whose nodes lead on */
	uint32		onward_count;
	uint32		onward_capacity;
} TraceSearch;

/* ---------------------------------------------------------------- what was reached */

/* Room for so many. */
static pg_noinline void
grow_reached(TraceSearch *search, Size count)
{
	Trace	   *trace = search->trace;
	Graph	   *graph = trace->graph;
	Size		old_size = (Size) search->capacity * sizeof(uint32);
	Size		size = Max(old_size, 256 * sizeof(uint32));

	while (size < count * sizeof(uint32))
		size *= 2;
	search->nodes = graph_grow(graph, search->nodes, old_size, size);
	if (trace->detail >= TRACE_DEPTHS)
		trace->parents = graph_grow(graph, trace->parents, old_size, size);
	if (trace->detail >= TRACE_TREE)
		search->edges = graph_grow(graph, search->edges, old_size, size);
	search->capacity = size / sizeof(uint32);
}

static inline void
add_reached(TraceSearch *search, uint32 node, uint32 parent, uint32 edge)
{
	Trace	   *trace = search->trace;
	uint32		position = trace->node_count++;

	if (unlikely(position == search->capacity))
		grow_reached(search, (Size) position + 1);
	search->nodes[position] = node;
	if (trace->detail >= TRACE_DEPTHS)
		trace->parents[position] = parent;
	if (trace->detail >= TRACE_TREE)
		search->edges[position] = edge;
}

static void
add_edge(TraceSearch *search, uint32 edge, uint32 source, uint32 target)
{
	Trace	   *trace = search->trace;
	const GraphCacheEdge *record = graph_cache_edge(search->view, edge);
	TraceEdge  *added;

	graph_reserve(trace->graph, trace->edges, trace->edges_kept, trace->edge_capacity);
	added = &trace->edges[trace->edges_kept++];
	added->no = record->no;
	added->source = source;
	added->target = target;
	added->tid = record->tid;
}

/* Notes that the node at a position leads to what the trace does not hold. */
static void
add_onward(TraceSearch *search, uint32 position)
{
	if (search->onward_count > 0 && search->onward[search->onward_count - 1] == position)
		return;
	graph_reserve(search->trace->graph, search->onward, search->onward_count, search->onward_capacity);
	search->onward[search->onward_count++] = position;
}

/*
 * Has the processor fetch what is needed for positions that follow: where links begin, then, with what
 * that has brought, links.  As a function of its own it would have no effect that the compiler knows
 * of, and its calls would be left out.
 */
static pg_attribute_always_inline void
fetch_ahead(const GraphCacheView *view, const uint32 *nodes, uint32 position, uint32 node_count, bool reads_links)
{
	if (position + FETCH_HEADS < node_count)
		__builtin_prefetch(&view->heads[nodes[position + FETCH_HEADS]]);
	if (position + FETCH_LINKS < node_count && nodes[position + FETCH_LINKS] < view->node_count)
	{
		const GraphCacheHead *head = &view->heads[nodes[position + FETCH_LINKS]];

		if (reads_links || head->node[0] == GRAPH_CACHE_MANY)
			__builtin_prefetch(graph_cache_first_link(view->links, head));
	}
}

/* ---------------------------------------------------------------- levels of which all is wanted */

/*
 * Adds what links of the node at a position lead to, from `at` on, and returns where the next belongs.
 * Whether a node was reached before is unpredictable, so no branch depends on it.
 */
static pg_attribute_always_inline uint32
reach(TraceSearch *search, GraphCacheLinks links, uint32 position, uint32 at, TraceDetail detail, bool early)
{
	const GraphCacheView *view = search->view;
	GraphBits	reached = search->reached;
	uint32	   *nodes = search->nodes;

	for (uint32 i = 0; i < links.count; i++)
	{
		nodes[at] = links.nodes[i];
		if (detail >= TRACE_DEPTHS)
			search->trace->parents[at] = position;
		if (detail >= TRACE_TREE)
			search->edges[at] = links.edges[i];
		if (early)
			__builtin_prefetch(&view->heads[links.nodes[i]]);
		at += graph_bits_add(&reached, links.nodes[i]);
	}
	return at;
}

static pg_attribute_always_inline void
reach_level_of(TraceSearch *search, uint32 begin, uint32 end, TraceDetail detail)
{
	Trace	   *trace = search->trace;
	GraphCacheView *view = search->view;
	bool		early = end - begin < EARLY_LEVEL;
	uint32		at = trace->node_count;
	uint64		followed = 0;

	for (uint32 position = begin; position < end; position++)
	{
		uint32		node = search->nodes[position];
		const GraphCacheHead *head = graph_cache_head(view, node);
		GraphCacheLinks links;

		if (position % 1024 == 1023)
			CHECK_FOR_INTERRUPTS();
		fetch_ahead(view, search->nodes, position, at, !view->is_plain || detail >= TRACE_TREE);
		if (likely(head != NULL))
			links = graph_cache_head_links(view, head, node);
		else
			links = graph_cache_links(view, node);
		followed += links.count;
		if (unlikely(at + links.count > search->capacity))
			grow_reached(search, at + links.count);
		for (; unlikely(links.count > REACH_AT_ONCE); links.count -= REACH_AT_ONCE)
		{
			CHECK_FOR_INTERRUPTS();
			at = reach(search, (GraphCacheLinks) {links.nodes, links.edges, REACH_AT_ONCE}, position, at, detail, early);
			links.nodes += REACH_AT_ONCE;
			links.edges += REACH_AT_ONCE;
		}
		at = reach(search, links, position, at, detail, early);
	}
	trace->node_count = at;
	trace->edge_count += followed;
}

/* One version for each detail, so that none has to be asked for at each link. */
static void
reach_level(TraceSearch *search, uint32 begin, uint32 end)
{
	if (search->trace->detail <= TRACE_COUNT)
		reach_level_of(search, begin, end, TRACE_COUNT);
	else if (search->trace->detail == TRACE_DEPTHS)
		reach_level_of(search, begin, end, TRACE_DEPTHS);
	else
		reach_level_of(search, begin, end, TRACE_TREE);
}

/* ---------------------------------------------------------------- other levels */

/* Follows the links of the node at a position, one by one. */
static void
expand(TraceSearch *search, uint32 position, bool grows)
{
	Trace	   *trace = search->trace;
	int64		most = trace->filter.max_nodes < 0 ? MOST_NODES : trace->filter.max_nodes;
	GraphCacheLinks links = graph_cache_links(search->view, search->nodes[position]);

	for (uint32 i = 0; i < links.count; i++)
	{
		uint32		target = links.nodes[i];

		if (i % 4096 == 4095)
			CHECK_FOR_INTERRUPTS();
		if (grows && trace->node_count < most)
		{
			if (graph_bits_add(&search->reached, target))
				add_reached(search, target, position, links.edges[i]);
		}
		else if (!graph_bits_has(&search->reached, target))
		{
			if (!grows && trace->detail == TRACE_EDGES)
				add_onward(search, position);
			continue;
		}
		trace->edge_count++;
		/* For the time being the target is the node's number: see place_edges(). */
		if (trace->detail == TRACE_EDGES)
			add_edge(search, links.edges[i], position, target);
	}
}

/* Where nothing is added any more: how many links lead to what was reached. */
static void
count_inside(TraceSearch *search, uint32 position)
{
	uint32		node = search->nodes[position];
	const GraphCacheHead *head = graph_cache_head(search->view, node);
	GraphBits	reached = search->reached;
	uint32		inside = 0;

	if (unlikely(head == NULL))
	{
		expand(search, position, false);
		return;
	}
	for (uint32 i = 0; i < GRAPH_CACHE_HEAD_LINKS; i++)
		inside += graph_bits_has(&reached, head->node[i]) & (head->node[i] != node);
	search->trace->edge_count += inside;
}

static void
expand_level(TraceSearch *search, uint32 begin, uint32 end, bool grows)
{
	const GraphCacheView *view = search->view;
	bool		counts = !grows && search->trace->detail == TRACE_COUNT;
	bool		reads_links = !counts || !view->is_plain;

	for (uint32 position = begin; position < end; position++)
	{
		if (position % 1024 == 1023)
			CHECK_FOR_INTERRUPTS();
		fetch_ahead(view, search->nodes, position, search->trace->node_count, reads_links);
		if (counts)
			count_inside(search, position);
		else
			expand(search, position, grows);
	}
}

/* ---------------------------------------------------------------- the search */

static void
run_levels(TraceSearch *search)
{
	Trace	   *trace = search->trace;
	const GraphFilter *filter = &trace->filter;
	uint32		until = trace->until_no == 0 ? GRAPH_CACHE_NO_NODE : graph_cache_find(search->view, trace->until_no);
	uint32		begin = 0;
	uint32		depth = 0;

	while (begin < trace->node_count)
	{
		uint32		end = trace->node_count;
		bool		grows = (filter->max_depth < 0 || depth < (uint32) filter->max_depth) &&
			(filter->max_nodes < 0 || (int64) end < filter->max_nodes);

		CHECK_FOR_INTERRUPTS();
		/* The links of the last level are not wanted, or are followed afterwards. */
		if (!grows && trace->detail != TRACE_COUNT && trace->detail != TRACE_EDGES)
			break;
		trace_begin_level(trace, begin);
		if (grows && trace->detail != TRACE_EDGES && filter->max_nodes < 0)
			reach_level(search, begin, end);
		else
			expand_level(search, begin, end, grows);
		begin = end;
		depth++;
		if (until != GRAPH_CACHE_NO_NODE && graph_bits_has(&search->reached, until))
			break;
	}
	trace_end_levels(trace, begin);
}

/* ---------------------------------------------------------------- positions */

static inline bool
is_cyclic(const GraphCacheView *view, uint32 node)
{
	if (view->cycles == GRAPH_CACHE_CYCLES)
		return true;
	return node < view->node_count && bit_is_set(view->cyclic_nodes, node);
}

/* Positions of cyclic nodes alone, unless all are asked for. */
static void
make_positions(TraceSearch *search, bool all)
{
	graph_map_init(&search->positions, search->trace->graph);
	for (uint32 i = 0; i < search->trace->node_count; i++)
	{
		if (i % 4096 == 4095)
			CHECK_FOR_INTERRUPTS();
		if (all || is_cyclic(search->view, search->nodes[i]))
			*graph_map_slot(&search->positions, search->nodes[i]) = i + 1;
	}
}

static void
place_edges(TraceSearch *search)
{
	Trace	   *trace = search->trace;

	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		if (i % 4096 == 4095)
			CHECK_FOR_INTERRUPTS();
		trace->edges[i].target = graph_map_get(&search->positions, trace->edges[i].target) - 1;
	}
}

/* Edges that lead from the node at a position to an earlier level, or to the node itself. */
static void
collect_returns_of(TraceSearch *search, uint32 position, uint32 level_begin)
{
	const GraphCacheView *view = search->view;
	GraphCacheLinks links = graph_cache_links(search->view, search->nodes[position]);

	for (uint32 i = 0; i < links.count; i++)
	{
		uint32		target;

		if (i % 4096 == 4095)
			CHECK_FOR_INTERRUPTS();
		if (!is_cyclic(view, links.nodes[i]))
			continue;
		/* The greatest number, if it was not reached. */
		target = graph_map_get(&search->positions, links.nodes[i]) - 1;
		if (target < level_begin || target == position)
			trace_add_return(search->trace, position, target);
	}
}

static void
collect_returns(TraceSearch *search)
{
	Trace	   *trace = search->trace;

	for (uint32 level = 0; level < trace->level_count; level++)
	{
		for (uint32 position = trace->level[level]; position < trace->level[level + 1]; position++)
		{
			if (position % 1024 == 1023)
				CHECK_FOR_INTERRUPTS();
			if (is_cyclic(search->view, search->nodes[position]))
				collect_returns_of(search, position, trace->level[level]);
		}
	}
}

static uint32
position_of(const TraceSearch *search, int64 no)
{
	uint32		node = graph_cache_find(search->view, no);

	/* Where the search stopped because of it, it is in the last level. */
	for (uint32 i = search->trace->node_count; i > 0; i--)
	{
		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (search->nodes[i - 1] == node)
			return i - 1;
	}
	return TRACE_NO_PARENT;
}

/* ---------------------------------------------------------------- the result */

static void
move_nodes(TraceSearch *search)
{
	const GraphCacheView *view = search->view;

	for (uint32 i = 0; i < view->moved_count; i++)
	{
		uint32		position = graph_map_get(&search->positions, view->moved[i].node);

		if (position != 0)
			search->trace->nodes[position - 1].tid = view->moved[i].tid;
	}
}

static void
write_nodes(TraceSearch *search)
{
	Trace	   *trace = search->trace;

	trace->nodes = graph_alloc(trace->graph, (Size) trace->node_count * sizeof(TraceNode));
	trace->node_capacity = trace->node_count;
	for (uint32 i = 0; i < trace->node_count; i++)
	{
		const GraphCacheNode *record = graph_cache_node(search->view, search->nodes[i]);
		TraceNode  *node = &trace->nodes[i];

		if (i % 4096 == 4095)
			CHECK_FOR_INTERRUPTS();
		node->no = record->no;
		node->created_at = record->created_at;
		node->id = record->id;
		node->tid = record->tid;
		node->parent = trace->parents[i];
		node->edge_count = 0;
		node->edge_no = 0;
		node->leads_on = false;
		ItemPointerSetInvalid(&node->edge_tid);
		if (node->parent != TRACE_NO_PARENT)
		{
			const GraphCacheEdge *edge = graph_cache_edge(search->view, search->edges[i]);

			node->edge_no = edge->no;
			node->edge_tid = edge->tid;
		}
	}
	for (uint32 i = 0; i < search->onward_count; i++)
	{
		if (i % 4096 == 4095)
			CHECK_FOR_INTERRUPTS();
		trace->nodes[search->onward[i]].leads_on = true;
	}
	move_nodes(search);
}

void
trace_cached_rows(const Trace *trace, uint32 first, uint32 count, TraceRow *rows, bool whole)
{
	const TraceSearch *search = trace->search;
	const GraphCacheView *view = search->view;
	const uint32 *edges = whole ? search->edges : NULL;

	for (uint32 i = 0; i < count; i++)
	{
		uint32		position = first + i;
		uint32		ahead = position + FETCH_RECORDS;
		bool		fetches = ahead < trace->node_count;
		uint32		parent;

		if (likely(fetches))
			__builtin_prefetch(&graph_cache_node(view, search->nodes[ahead])->id);
		rows[i].node_id = &graph_cache_node(view, search->nodes[position])->id;
		if (!whole)
			continue;
		if (edges && likely(fetches))
			__builtin_prefetch(&graph_cache_edge(view, edges[ahead])->id);
		rows[i].edge_id = rows[i].parent_id = NULL;
		parent = trace->parents[position];
		if (unlikely(parent == TRACE_NO_PARENT))
			continue;
		/* It came as a node before. */
		rows[i].parent_id = &graph_cache_node(view, search->nodes[parent])->id;
		if (edges)
			rows[i].edge_id = &graph_cache_edge(view, edges[position])->id;
	}
}

bool
trace_cached_knows(const Trace *request, GraphCacheView *view)
{
	uint32		unknown = 0;

	for (uint32 i = 0; i < request->start_count && request->start_count > 1; i++)
	{
		CHECK_FOR_INTERRUPTS();
		unknown += graph_cache_find(view, request->starts[i]->no) == GRAPH_CACHE_NO_NODE;
	}
	return unknown <= 1;
}

static uint32
find_start(const GraphNode *start, GraphCacheView *view)
{
	uint32		node = graph_cache_find(view, start->no);

	return node == GRAPH_CACHE_NO_NODE ? graph_cache_add(view, start) : node;
}

void
trace_cached(Trace *trace, GraphCacheView *view)
{
	TraceSearch *search = graph_alloc(trace->graph, sizeof(TraceSearch));
	bool		returns;

	memset(search, 0, sizeof(TraceSearch));
	search->trace = trace;
	search->view = view;
	trace->search = search;
	if (trace->detail <= TRACE_COUNT && trace->filter.max_depth < 0 && trace->filter.max_nodes < 0 &&
		trace->start_count == 1 && trace_count_pays(view))
	{
		trace_count_reached(trace, find_start(trace->starts[0], view), view);
		return;
	}
	/* One more: a start, if it has no links. */
	graph_bits_init(&search->reached, trace->graph, view->node_count + view->extra_node_count + 1);
	for (uint32 i = 0; i < trace->start_count; i++)
	{
		uint32		start = find_start(trace->starts[i], view);

		CHECK_FOR_INTERRUPTS();
		add_reached(search, start, TRACE_NO_PARENT, 0);
		graph_bits_add(&search->reached, start);
	}
	run_levels(search);
	returns = trace->detail >= TRACE_NODES && view->cycles != GRAPH_CACHE_NO_CYCLES;
	if (trace->detail == TRACE_EDGES || returns)
		make_positions(search, trace->detail == TRACE_EDGES);
	if (returns)
		collect_returns(search);
	if (trace->detail == TRACE_EDGES)
	{
		place_edges(search);
		write_nodes(search);
	}
	if (trace->until_no != 0)
		trace->until_position = position_of(search, trace->until_no);
}
