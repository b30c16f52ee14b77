/*
 * level_order.c
 *		The new nodes of a level: who they are, and in which order they come.
 *
 * A look into the index of nodes costs as much as following an edge, and less the more nodes are
 * looked up at once.  The order of a level needs only those that have siblings; the others, most of
 * them in many graphs, wait until the trace is done and are looked up in one walk.  That takes
 * for granted that every edge leads to a node, which only a superuser's hand can break; if it turns
 * out not to be so, or if filters have a say in it, each level looks up all of its nodes.
 */
#include "postgres.h"

#include "trace/level_order.h"

#include "graph/heap.h"
#include "graph/memory.h"
#include "graph/walk.h"
#include "trace/level.h"
#include "trace/parallel_edges.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

/* ---------------------------------------------------------------- looking nodes up */

typedef struct LookUp
{
	TraceLevel *level;
	const GraphKey *nodes;		/* that are looked up, by number */
	uint32		found;
} LookUp;

static void
accept_nodes(void *argument, const GraphEntry *entries, int count)
{
	LookUp	   *look_up = argument;
	TraceLevel *level = look_up->level;
	Trace	   *trace = level->trace;
	const GraphFilter *filter = &trace->filter;
	bool		needs_row = graph_filter_needs_node_rows(filter);

	look_up->found += count;
	for (int i = 0; i < count; i++)
	{
		TraceNode  *node = &trace->nodes[look_up->nodes[entries[i].position].index];

		if (filter->has_as_of && entries[i].record.created_at > filter->as_of)
			continue;
		if (filter->sealed && !graph_sealed_shows(filter->sealed, look_up->nodes[entries[i].position].no))
			continue;
		node->id = entries[i].record.id;
		node->created_at = entries[i].record.created_at;
		if (needs_row)
		{
			graph_reserve(trace->graph, level->rows, level->row_count, level->row_capacity);
			level->rows[level->row_count++] = entries[i];
		}
		else
			node->tid = entries[i].tid;
	}
}

static void
filter_node(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	LookUp	   *look_up = argument;
	Trace	   *trace = look_up->level->trace;

	if (graph_filter_accepts_node(&trace->filter, tuple, desc))
		trace->nodes[look_up->nodes[entry->position].index].tid = entry->tid;
}

/*
 * Finds the ids of nodes, sorted by number; the tid of those that are not accepted stays
 * invalid.  Uses level->keys.  False: one of them is not there.
 */
static bool
look_up_nodes(TraceLevel *level, const GraphKey *nodes, uint32 count)
{
	Graph	   *graph = level->trace->graph;
	LookUp		look_up = {level, nodes, 0};

	for (uint32 i = 0; i < count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		level->keys[i] = nodes[i].no;
	}
	level->row_count = 0;
	graph_walk(graph, GRAPH_NODES, level->keys, count, NULL, accept_nodes, &look_up);
	if (level->row_count > 0)
		graph_visit_rows(graph, graph->node, level->rows, level->row_count, filter_node, &look_up);
	return look_up.found == count;
}

bool
trace_level_look_up_rest(TraceLevel *level)
{
	Trace	   *trace = level->trace;
	Graph	   *graph = trace->graph;
	Size		size;
	GraphKey   *nodes;
	GraphKey   *scratch;
	uint32		count = 0;
	bool		found;

	for (uint32 i = 0; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		count += !ItemPointerIsValid(&trace->nodes[i].tid);
	}
	if (count == 0)
		return true;
	size = (Size) count * sizeof(GraphKey);
	nodes = graph_alloc(graph, size);
	scratch = graph_alloc(graph, size);
	for (uint32 i = 0, n = 0; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (ItemPointerIsValid(&trace->nodes[i].tid))
			continue;
		nodes[n].no = trace->nodes[i].no;
		nodes[n++].index = i;
	}
	graph_sort_keys(nodes, scratch, count);
	graph_grow(graph, scratch, size, 0);
	trace_level_reserve(level, count);
	found = look_up_nodes(level, nodes, count);
	graph_grow(graph, nodes, size, 0);
	return found;
}

/* ---------------------------------------------------------------- order */

static inline bool
is_accepted(const TraceLevel *level, const TraceNode *node)
{
	return level->optimistic || ItemPointerIsValid(&node->tid);
}

static void
sort_new_nodes(TraceLevel *level)
{
	Trace	   *trace = level->trace;
	uint32		count = trace->node_count - level->end;

	trace_level_reserve(level, count);
	for (uint32 i = 0; i < count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		level->sorted[i].no = trace->nodes[level->end + i].no;
		level->sorted[i].index = level->end + i;
	}
	graph_sort_keys(level->sorted, level->scratch, count);
}

/* Children of each parent that are accepted; one further than meant, so that they can be summed up in place. */
static uint32 *
count_children(TraceLevel *level)
{
	Trace	   *trace = level->trace;
	Size		size = (Size) (level->end - level->begin + 1) * sizeof(uint32);
	uint32	   *children = memset(trace_level_scratch(level, &level->children, size), 0, size);

	for (uint32 i = level->end; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (is_accepted(level, &trace->nodes[i]))
			children[trace->nodes[i].parent - level->begin + 1]++;
	}
	return children;
}

/* The new nodes that share their parent with others, by number, in level->scratch. */
static uint32
find_siblings(TraceLevel *level, const uint32 *children)
{
	Trace	   *trace = level->trace;
	uint32		count = trace->node_count - level->end;
	uint32		found = 0;

	if (trace->detail <= TRACE_COUNT)
		return 0;
	for (uint32 i = 0; i < count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (children[trace->nodes[level->sorted[i].index].parent - level->begin + 1] > 1)
			level->scratch[found++] = level->sorted[i];
	}
	return found;
}

typedef struct Rank
{
	TimestampTz created_at;
	uint32		index;
} Rank;

static inline int
compare_ranks(const Rank *a, const Rank *b, const TraceNode *nodes)
{
	return graph_compare_records(a->created_at, &nodes[a->index].id, b->created_at, &nodes[b->index].id);
}

#define ST_SORT sort_ranks
#define ST_ELEMENT_TYPE Rank
#define ST_COMPARE(a, b, nodes) compare_ranks(a, b, nodes)
#define ST_COMPARE_ARG_TYPE const TraceNode
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * The accepted ones among the new nodes in the order of the trace: by parent, which is counted, and
 * sorted among the children of one.  `children` is used up.
 */
static const Rank *
rank_nodes(TraceLevel *level, uint32 *children, uint32 *accepted)
{
	Trace	   *trace = level->trace;
	uint32		count = trace->node_count - level->end;
	uint32		parents = level->end - level->begin;
	const TraceNode *fresh = trace->nodes + level->end;
	Rank	   *ranks = trace_level_scratch(level, &level->ranks, (Size) count * sizeof(Rank));

	for (uint32 i = 0; i < parents; i++)
		children[i + 1] += children[i];
	*accepted = children[parents];
	for (uint32 i = 0; i < count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (is_accepted(level, &fresh[i]))
		{
			Rank	   *rank = &ranks[children[fresh[i].parent - level->begin]++];

			rank->created_at = fresh[i].created_at;
			rank->index = i;
		}
	}
	if (trace->detail <= TRACE_COUNT)
		return ranks;
	/* children[p] is now where those of p end. */
	for (uint32 i = 0, begin = 0; i < parents; begin = children[i], i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (children[i] - begin > 1)
			sort_ranks(ranks + begin, children[i] - begin, fresh);
	}
	return ranks;
}

/* Puts the first `accepted` of the ranks into their places, and drops all others; where each of the new nodes went. */
static const uint32 *
move_nodes(TraceLevel *level, const Rank *ranks, uint32 accepted)
{
	Trace	   *trace = level->trace;
	uint32		count = trace->node_count - level->end;
	TraceNode  *fresh = trace->nodes + level->end;
	TraceNode  *copy = trace_level_scratch(level, &level->copy, (Size) accepted * sizeof(TraceNode));
	uint32	   *position = trace_level_scratch(level, &level->position, (Size) count * sizeof(uint32));

	memset(position, 0xFF, (Size) count * sizeof(uint32));
	StaticAssertStmt(TRACE_LEFT_OUT == PG_UINT32_MAX, "all bits are set in it");
	for (uint32 i = 0; i < accepted; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		copy[i] = fresh[ranks[i].index];
		position[ranks[i].index] = level->end + i;
		trace->edge_count += copy[i].edge_count;
	}
	for (uint32 i = 0; i < accepted; i++)
	{
		const TraceNode *parent = &trace->nodes[copy[i].parent];

		GRAPH_CHECK_NOW_AND_THEN(i);
		fresh[i] = copy[i];
		fresh[i].is_behind_back_edge = parent->is_behind_back_edge || trace_is_back_edge(trace, parent->no, copy[i].no);
	}
	trace->node_count = level->end + accepted;
	return position;
}

/* Says in the map where the new nodes went, and makes those that stay the next frontier. */
static void
set_frontier(TraceLevel *level, const uint32 *position, uint32 count)
{
	uint32		next = 0;

	for (uint32 i = 0; i < count; i++)
	{
		int64		no = level->sorted[i].no;
		uint32		where = position[level->sorted[i].index - level->end];

		GRAPH_CHECK_NOW_AND_THEN(i);
		*graph_map_slot(&level->trace->map, no) = where == TRACE_LEFT_OUT ? TRACE_LEFT_OUT : where + 1;
		if (where == TRACE_LEFT_OUT)
			continue;
		level->frontier[next].no = no;
		level->frontier[next].index = where;
		next++;
	}
}

/* The edges of the level lead to where its new nodes went, or are gone. */
static void
renumber_edges(TraceLevel *level, const uint32 *position)
{
	Trace	   *trace = level->trace;
	uint32		kept = level->edges_begin;

	for (uint32 i = level->edges_begin; i < trace->edges_kept; i++)
	{
		TraceEdge	edge = trace->edges[i];

		GRAPH_CHECK_NOW_AND_THEN(i);
		if (edge.target >= level->end)
		{
			edge.target = position[edge.target - level->end];
			if (edge.target == TRACE_LEFT_OUT)
				continue;
		}
		trace->edges[kept++] = edge;
	}
	trace->edges_kept = kept;
}

bool
trace_level_place(TraceLevel *level)
{
	Trace	   *trace = level->trace;
	uint32		count = trace->node_count - level->end;
	uint32		accepted;
	uint32	   *children;
	const Rank *ranks;
	const uint32 *position;

	sort_new_nodes(level);
	if (!level->optimistic)
		look_up_nodes(level, level->sorted, count);
	children = count_children(level);
	if (level->optimistic && !look_up_nodes(level, level->scratch, find_siblings(level, children)))
		return false;
	ranks = rank_nodes(level, children, &accepted);
	if (trace->filter.max_nodes >= 0 && (int64) level->end + accepted > trace->filter.max_nodes)
		accepted = trace->filter.max_nodes - level->end;
	position = move_nodes(level, ranks, accepted);
	set_frontier(level, position, count);
	renumber_edges(level, position);
	trace_level_renumber_parallel(level, position);
	return true;
}
