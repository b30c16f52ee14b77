/*
 * walk.c
 *		Breadth-first search along the covering indexes, one batched walk a level.
 */
#include "postgres.h"

#include "trace/walk.h"

#include "graph/memory.h"
#include "graph/quarantine.h"
#include "graph/walk.h"
#include "record/turn.h"
#include "trace/level.h"
#include "trace/level_order.h"
#include "trace/parallel_edges.h"

#include "miscadmin.h"

#define MAX_NODES (PG_UINT32_MAX - 2)

/* ---------------------------------------------------------------- walking edges */

static void
add_parallel(TraceLevel *level, uint32 node, uint32 source, int64 edge_no, ItemPointerData tid)
{
	ParallelEdge *edge;

	graph_reserve(level->trace->graph, level->parallel, level->parallel_count, level->parallel_capacity);
	edge = &level->parallel[level->parallel_count++];
	edge->node = node;
	edge->source = source;
	edge->edge_no = edge_no;
	edge->tid = tid;
}

static inline void
add_edge(Trace *trace, uint32 source, uint32 target, const GraphEntry *entry)
{
	TraceEdge  *edge;

	graph_reserve(trace->graph, trace->edges, trace->edges_kept, trace->edge_capacity);
	edge = &trace->edges[trace->edges_kept++];
	edge->no = entry->link.edge_no;
	edge->source = source;
	edge->target = target;
	edge->tid = entry->tid;
}

static void
add_node(TraceLevel *level, uint32 source, const GraphEntry *entry)
{
	Trace	   *trace = level->trace;
	TraceNode  *node;

	if (trace->node_count >= MAX_NODES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("trace has more than %u nodes", MAX_NODES)));
	graph_reserve(trace->graph, trace->nodes, trace->node_count, trace->node_capacity);
	node = &trace->nodes[trace->node_count++];
	node->no = entry->link.other_no;
	node->edge_no = entry->link.edge_no;
	node->parent = source;
	node->edge_count = 1;
	node->leads_on = false;
	node->edge_tid = entry->tid;
	ItemPointerSetInvalid(&node->tid);
}

/* Notes an edge of the last level that leads to what the trace does not hold. */
static void
add_onward(TraceLevel *level, uint32 source, const GraphEntry *entry)
{
	Trace	   *trace = level->trace;
	GraphKey   *end;

	if (!level->asks_ends)
	{
		trace->nodes[source].leads_on = true;
		return;
	}
	graph_reserve(trace->graph, trace->onward, trace->onward_count, trace->onward_capacity);
	end = &trace->onward[trace->onward_count++];
	end->no = entry->link.other_no;
	end->index = source;
}

/* Whether the edge from a node of the level to one that was reached before it was expanded may close a cycle. */
static inline bool
may_return(const TraceLevel *level, const GraphEntry *entry, uint32 source, uint32 target)
{
	const Trace *trace = level->trace;

	return trace->detail >= TRACE_NODES && (target < level->begin || target == source) &&
		(trace->nodes[source].is_behind_back_edge ||
		 trace_is_back_edge(trace, level->frontier[entry->position].no, entry->link.other_no));
}

/*
 * Whether follow_edge() would do more than count the edge.  Which of several edges leads to a node first is not known
 * before all of the level were followed; what leads to a node of an earlier level is of interest only if it
 * closes a cycle.
 */
static inline bool
makes_a_difference(const TraceLevel *level, const GraphEntry *entry)
{
	uint32		reached = graph_map_get(&level->trace->map, entry->link.other_no);
	uint32		target = reached - 1;

	if (reached == 0)
		return level->grows;
	if (target < level->end)
		return may_return(level, entry, level->frontier[entry->position].index, target);
	return reached != TRACE_LEFT_OUT;
}

static inline void
follow_edge(TraceLevel *level, const GraphEntry *entry)
{
	Trace	   *trace = level->trace;
	uint32		source = level->frontier[entry->position].index;
	uint32		reached;
	uint32		target;

	if (quarantine_hides(trace->graph, entry->link.edge_no) || quarantine_hides(trace->graph, entry->link.other_no))
		return;
	if (level->grows)
	{
		uint32	   *slot = graph_map_slot(&trace->map, entry->link.other_no);

		reached = *slot;
		if (reached == 0)
		{
			if (unlikely(trace->node_count >= level->most_nodes))
			{
				level->gave_up = true;
				return;
			}
			add_node(level, source, entry);
			*slot = trace->node_count;
			if (trace->detail == TRACE_EDGES)
				add_edge(trace, source, trace->node_count - 1, entry);
			return;
		}
	}
	else
		reached = graph_map_get(&trace->map, entry->link.other_no);
	if (reached == 0 && trace->detail == TRACE_EDGES)
		add_onward(level, source, entry);
	if (reached == 0 || reached == TRACE_LEFT_OUT)
		return;

	target = reached - 1;
	if (target >= level->end)
	{
		TraceNode  *node = &trace->nodes[target];

		node->edge_count++;
		if (source < node->parent)
		{
			node->parent = source;
			node->edge_no = entry->link.edge_no;
			node->edge_tid = entry->tid;
		}
		else if (source == node->parent && trace->detail >= TRACE_TREE)
			add_parallel(level, target, source, entry->link.edge_no, entry->tid);
	}
	else
	{
		trace->edge_count++;
		if (may_return(level, entry, source, target))
			trace_add_return(trace, source, target);
	}
	if (trace->detail == TRACE_EDGES)
		add_edge(trace, source, target, entry);
}

/* The map is larger than the caches: what comes after entry `i` is asked for, in the two steps it takes. */
static inline void
fetch_map_ahead(const GraphMap *map, const GraphEntry *entries, int i, int count)
{
	if (i == 0)
	{
		for (int first = 0; first < Min(count, 16); first++)
			graph_map_fetch_slot(map, entries[first].link.other_no);
	}
	if (i + 16 < count)
		graph_map_fetch_slot(map, entries[i + 16].link.other_no);
	if (i + 8 < count)
		graph_map_fetch_value(map, entries[i + 8].link.other_no);
}

static void
follow_edges(void *argument, const GraphEntry *entries, int count)
{
	TraceLevel *level = argument;

	for (int i = 0; i < count; i++)
	{
		fetch_map_ahead(&level->trace->map, entries, i, count);
		follow_edge(level, &entries[i]);
	}
}

static int
prefilter_edges(void *argument, GraphEntry *entries, int count)
{
	TraceLevel *level = argument;
	int			kept = 0;

	for (int i = 0; i < count; i++)
	{
		fetch_map_ahead(&level->trace->map, entries, i, count);
		if (makes_a_difference(level, &entries[i]))
			entries[kept++] = entries[i];
	}
	return kept;
}

static bool
filter_edge(void *argument, HeapTuple tuple, TupleDesc desc)
{
	TraceLevel *level = argument;

	return graph_filter_accepts_edge(&level->trace->filter, tuple);
}

static void
walk_edges(TraceLevel *level, GraphIndexKind kind, uint32 count)
{
	Trace	   *trace = level->trace;
	bool		counts_edges = trace->detail == TRACE_COUNT || trace->detail == TRACE_EDGES;

	for (uint32 i = 0; i < count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		level->keys[i] = level->frontier[i].no;
	}
	graph_walk_prefiltered(trace->graph, kind, level->keys, count, counts_edges ? NULL : prefilter_edges,
						   graph_filter_needs_edge_rows(&trace->filter) ? filter_edge : NULL, follow_edges, level);
}

static void
walk_level(TraceLevel *level)
{
	walk_edges(level, level->trace->direction == GRAPH_ANCESTORS ? GRAPH_LINKS_TO : GRAPH_LINKS_FROM,
			   level->end - level->begin);
}

/*
 * The last level is asked for nothing but nodes that lead back to an ancestor.  A node does so along a back
 * edge, unless there is one on its path already: all its other edges lead to nodes with smaller numbers
 * (among ancestors; larger ones among descendants), and its ancestors have larger ones (smaller ones).
 */
static void
walk_last_level(TraceLevel *level)
{
	Trace	   *trace = level->trace;
	uint32		count = level->end - level->begin;
	uint32		straight = 0;
	uint32		others = 0;

	for (uint32 i = 0; i < count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (trace->nodes[level->frontier[i].index].is_behind_back_edge)
			level->scratch[others++] = level->frontier[i];
		else
			level->frontier[straight++] = level->frontier[i];
	}
	walk_edges(level, trace->direction == GRAPH_ANCESTORS ? GRAPH_BACK_LINKS_TO : GRAPH_BACK_LINKS_FROM, straight);
	memcpy(level->frontier, level->scratch, others * sizeof(GraphKey));
	walk_edges(level, trace->direction == GRAPH_ANCESTORS ? GRAPH_LINKS_TO : GRAPH_LINKS_FROM, others);
}

/* ---------------------------------------------------------------- all levels */

static void
add_start(TraceLevel *level, const GraphNode *start)
{
	Trace	   *trace = level->trace;
	TraceNode  *first;

	graph_reserve(trace->graph, trace->nodes, trace->node_count, trace->node_capacity);
	first = &trace->nodes[trace->node_count];
	memset(first, 0, sizeof(*first));
	first->no = start->no;
	first->id = start->id;
	first->created_at = start->created_at;
	first->tid = start->tid;
	first->parent = TRACE_NO_PARENT;
	level->frontier[trace->node_count].no = start->no;
	level->frontier[trace->node_count].index = trace->node_count;
	*graph_map_slot(&trace->map, start->no) = ++trace->node_count;
}

static void
add_starts(TraceLevel *level)
{
	Trace	   *trace = level->trace;

	graph_map_init(&trace->map, trace->graph);
	trace_level_reserve(level, trace->start_count);
	for (uint32 i = 0; i < trace->start_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		add_start(level, trace->starts[i]);
	}
	graph_sort_keys(level->frontier, level->scratch, trace->start_count);
}

/* Whether the node was reached where the trace is to stop. */
static bool
has_arrived(Trace *trace)
{
	uint32		reached;

	if (trace->until_no == 0 || (reached = graph_map_get(&trace->map, trace->until_no)) == 0)
		return false;
	trace->until_position = reached == TRACE_LEFT_OUT ? TRACE_NO_PARENT : reached - 1;
	return true;
}

TraceOutcome
trace_walk(Trace *trace, uint32 most_nodes, bool optimistic)
{
	const GraphFilter *filter = &trace->filter;
	TraceLevel	level = {.trace = trace, .most_nodes = most_nodes};

	level.asks_ends = filter->has_as_of || filter->sealed || graph_filter_needs_node_rows(filter);
	level.optimistic = optimistic && !level.asks_ends;
	add_starts(&level);
	while (level.begin < trace->node_count)
	{
		CHECK_FOR_INTERRUPTS();
		turn_if_long();
		level.end = trace->node_count;
		level.edges_begin = trace->edges_kept;
		level.grows = (filter->max_depth < 0 || level.depth < (uint32) filter->max_depth) &&
			(filter->max_nodes < 0 || (int64) trace->node_count < filter->max_nodes);
		/* Nothing else about the edges of the last level is wanted. */
		if (!level.grows && (trace->detail == TRACE_REACHED || trace->detail == TRACE_DEPTHS || trace->detail == TRACE_TREE))
			break;
		trace_begin_level(trace, level.begin);
		if (level.grows || trace->detail != TRACE_NODES)
			walk_level(&level);
		else
			walk_last_level(&level);
		if (level.gave_up)
			return TRACE_TOO_LARGE;
		if (trace->node_count > level.end && !trace_level_place(&level))
			return TRACE_NODE_MISSING;
		level.begin = level.end;
		level.depth++;
		if (has_arrived(trace))
			break;
	}
	trace_end_levels(trace, level.begin);
	trace_level_settle(&level);
	return !level.optimistic || trace_level_look_up_rest(&level) ? TRACE_DONE : TRACE_NODE_MISSING;
}
