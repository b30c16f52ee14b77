/*
 * trace_walk.c
 *		Breadth-first search along the covering indexes, one batched walk a level.
 *
 * A level goes through four steps: walk the edges of its nodes; settle which of
 * several parallel edges is the tree edge; look the new nodes up (id, created_at, filters);
 * put them in order.  Nothing recurses, and memory is what the trace holds.
 */
#include "postgres.h"

#include "trace_engine.h"

#include "graph_sort.h"
#include "quarantine.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

/* In the map: reached, but not part of the trace. */
#define LEFT_OUT PG_UINT32_MAX
#define MAX_NODES (PG_UINT32_MAX - 2)

/* One of several edges between a node and the same parent. */
typedef struct ParallelEdge
{
	uint32		node;
	uint32		source;
	int64		edge_no;
	TimestampTz created_at;
	pg_uuid_t	id;
	ItemPointerData tid;
	bool		found;
} ParallelEdge;

/* Memory for one purpose, used again at every level. */
typedef struct Room
{
	void	   *bytes;
	Size		size;
} Room;

/* What a level needs while it is walked. */
typedef struct Level
{
	Trace	   *trace;
	uint32		begin;			/* positions of the nodes being expanded */
	uint32		end;			/* = where the new ones begin */
	uint32		depth;			/* of the nodes being expanded */
	bool		grows;			/* new nodes are wanted */
	uint32		most_nodes;		/* give up beyond */
	bool		gave_up;
	uint32		edges_begin;	/* edges of this level */
	GraphKey   *frontier;		/* the nodes being expanded, by number */
	ParallelEdge *parallel;
	uint32		parallel_count;
	uint32		parallel_capacity;
	int64	   *keys;			/* scratch: numbers for a walk */
	GraphKey   *sorted;			/* the new nodes, by number */
	GraphKey   *scratch;
	Size		key_capacity;
	GraphEntry *rows;			/* entries whose rows a filter must see */
	uint32		row_count;
	uint32		row_capacity;
	Room		start;			/* of order_nodes() */
	Room		ranks;
	Room		copy;
	Room		position;
} Level;

static void *
ensure_room(Level *level, Room *room, Size size)
{
	if (size > room->size)
	{
		Size		larger = Max(size, room->size * 2);

		/* Nothing in it needs to be kept. */
		graph_grow(level->trace->graph, room->bytes, room->size, 0);
		room->bytes = NULL;
		room->size = 0;
		room->bytes = graph_alloc(level->trace->graph, larger);
		room->size = larger;
	}
	return room->bytes;
}

static void
ensure_keys(Level *level, uint32 count)
{
	Graph	   *graph = level->trace->graph;
	Size		capacity = level->key_capacity;

	if (count <= capacity)
		return;
	while (capacity < count)
		capacity = Max(capacity * 2, 64);
	level->keys = graph_grow(graph, level->keys, level->key_capacity * sizeof(int64), capacity * sizeof(int64));
	level->sorted = graph_grow(graph, level->sorted, level->key_capacity * sizeof(GraphKey), capacity * sizeof(GraphKey));
	level->scratch = graph_grow(graph, level->scratch, level->key_capacity * sizeof(GraphKey), capacity * sizeof(GraphKey));
	level->frontier = graph_grow(graph, level->frontier, level->key_capacity * sizeof(GraphKey), capacity * sizeof(GraphKey));
	level->key_capacity = capacity;
}

/* ---------------------------------------------------------------- walking edges */

static void
add_parallel(Level *level, uint32 node, uint32 source, int64 edge_no, ItemPointerData tid)
{
	ParallelEdge *edge;

	graph_reserve(level->trace->graph, level->parallel, level->parallel_count, level->parallel_capacity);
	edge = &level->parallel[level->parallel_count++];
	edge->node = node;
	edge->source = source;
	edge->edge_no = edge_no;
	edge->tid = tid;
	edge->found = false;
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
add_node(Level *level, uint32 source, const GraphEntry *entry)
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
	node->edge_tid = entry->tid;
	ItemPointerSetInvalid(&node->tid);
}

static inline void
follow_edge(Level *level, const GraphEntry *entry)
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
	if (reached == 0 || reached == LEFT_OUT)
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
		else if (source == node->parent && trace->detail != TRACE_COUNT)
			add_parallel(level, target, source, entry->link.edge_no, entry->tid);
	}
	else
	{
		trace->edge_count++;
		if (trace->detail != TRACE_COUNT && (target < level->begin || target == source))
			trace_add_return(trace, source, target);
	}
	if (trace->detail == TRACE_EDGES)
		add_edge(trace, source, target, entry);
}

static void
follow_edges(void *argument, const GraphEntry *entries, int count)
{
	GraphMap   *map = &((Level *) argument)->trace->map;

	/* The map is larger than the caches: ask for what comes next, in the two steps it takes. */
	for (int i = 0; i < Min(count, 16); i++)
		graph_map_fetch_slot(map, entries[i].link.other_no);
	for (int i = 0; i < count; i++)
	{
		if (i + 16 < count)
			graph_map_fetch_slot(map, entries[i + 16].link.other_no);
		if (i + 8 < count)
			graph_map_fetch_value(map, entries[i + 8].link.other_no);
		follow_edge(argument, &entries[i]);
	}
}

static bool
filter_edge(void *argument, HeapTuple tuple, TupleDesc desc)
{
	Level	   *level = argument;

	return trace_accepts_edge(&level->trace->filter, tuple, desc);
}

static void
walk_edges(Level *level)
{
	Trace	   *trace = level->trace;
	uint32		count = level->end - level->begin;

	for (uint32 i = 0; i < count; i++)
		level->keys[i] = level->frontier[i].no;
	graph_walk(trace->graph, trace->direction == GRAPH_ANCESTORS ? GRAPH_LINKS_TO : GRAPH_LINKS_FROM,
			   level->keys, count,
			   trace_filter_needs_edge_rows(&trace->filter) ? filter_edge : NULL, follow_edges, level);
}

/* ---------------------------------------------------------------- parallel edges */

static void
read_parallel(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	Level	   *level = argument;
	ParallelEdge *edge = &level->parallel[entry->position];
	bool		isnull;

	edge->created_at = DatumGetTimestampTz(heap_getattr(tuple, EDGE_CREATED_AT, desc, &isnull));
	edge->id = *DatumGetUUIDP(heap_getattr(tuple, EDGE_ID, desc, &isnull));
	edge->found = true;
}

static inline int
compare_time_and_id(TimestampTz a_time, const pg_uuid_t *a_id, TimestampTz b_time, const pg_uuid_t *b_id)
{
	if (a_time != b_time)
		return a_time < b_time ? -1 : 1;
	return memcmp(a_id, b_id, UUID_LEN);
}

static inline int
compare_parallel(const ParallelEdge *a, const ParallelEdge *b)
{
	if (a->node != b->node)
		return a->node < b->node ? -1 : 1;
	return compare_time_and_id(a->created_at, &a->id, b->created_at, &b->id);
}

#define ST_SORT sort_parallel
#define ST_ELEMENT_TYPE ParallelEdge
#define ST_COMPARE(a, b) compare_parallel(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* Of edges between the same two nodes the first by (created_at, id) becomes the tree edge. */
static void
settle_parallel(Level *level)
{
	Trace	   *trace = level->trace;
	Graph	   *graph = trace->graph;
	GraphEntry *entries;
	uint32		kept = 0;
	uint32		pairs;

	/* An earlier parent may have turned up since. */
	for (uint32 i = 0; i < level->parallel_count; i++)
	{
		if (level->parallel[i].source == trace->nodes[level->parallel[i].node].parent)
			level->parallel[kept++] = level->parallel[i];
	}
	level->parallel_count = kept;
	if (kept == 0)
		return;
	for (uint32 i = 0; i < kept; i++)
	{
		TraceNode  *node = &trace->nodes[level->parallel[i].node];

		/* The edge that was found first takes part, once. */
		if (node->edge_no != 0)
		{
			add_parallel(level, level->parallel[i].node, node->parent, node->edge_no, node->edge_tid);
			node->edge_no = 0;
		}
	}

	pairs = level->parallel_count;
	entries = graph_alloc(graph, pairs * sizeof(GraphEntry));
	for (uint32 i = 0; i < pairs; i++)
	{
		entries[i].position = i;
		entries[i].tid = level->parallel[i].tid;
	}
	graph_visit_rows(graph, graph->edge, entries, pairs, read_parallel, level);
	graph_grow(graph, entries, pairs * sizeof(GraphEntry), 0);

	sort_parallel(level->parallel, pairs);
	for (uint32 i = 0; i < pairs; i++)
	{
		ParallelEdge *edge = &level->parallel[i];
		TraceNode  *node = &trace->nodes[edge->node];

		if (!edge->found)
			elog(ERROR, "row of edge " INT64_FORMAT " vanished", edge->edge_no);
		if (node->edge_no == 0)
		{
			node->edge_no = edge->edge_no;
			node->edge_tid = edge->tid;
		}
	}
	level->parallel_count = 0;
}

/* ---------------------------------------------------------------- looking nodes up */

static void
accept_nodes(void *argument, const GraphEntry *entries, int count)
{
	Level	   *level = argument;
	Trace	   *trace = level->trace;
	const TraceFilter *filter = &trace->filter;
	bool		needs_row = trace_filter_needs_node_rows(filter);

	for (int i = 0; i < count; i++)
	{
		TraceNode  *node = &trace->nodes[level->sorted[entries[i].position].index];

		if (filter->has_as_of && entries[i].record.created_at > filter->as_of)
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
	Level	   *level = argument;
	Trace	   *trace = level->trace;

	if (trace_accepts_node(&trace->filter, tuple, desc))
		trace->nodes[level->sorted[entry->position].index].tid = entry->tid;
}

/* Sorts the new nodes by number, and finds their ids; the tid of those that are not accepted stays invalid. */
static void
look_up_nodes(Level *level)
{
	Trace	   *trace = level->trace;
	Graph	   *graph = trace->graph;
	uint32		count = trace->node_count - level->end;

	ensure_keys(level, count);
	for (uint32 i = 0; i < count; i++)
	{
		level->sorted[i].no = trace->nodes[level->end + i].no;
		level->sorted[i].index = level->end + i;
	}
	graph_sort_keys(level->sorted, level->scratch, count);
	for (uint32 i = 0; i < count; i++)
		level->keys[i] = level->sorted[i].no;
	level->row_count = 0;
	graph_walk(graph, GRAPH_NODES, level->keys, count, NULL, accept_nodes, level);
	if (level->row_count > 0)
		graph_visit_rows(graph, graph->node, level->rows, level->row_count, filter_node, level);
}

/* ---------------------------------------------------------------- order */

typedef struct Rank
{
	TimestampTz created_at;
	uint32		index;
} Rank;

static inline int
compare_ranks(const Rank *a, const Rank *b, const TraceNode *nodes)
{
	return compare_time_and_id(a->created_at, &nodes[a->index].id, b->created_at, &nodes[b->index].id);
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
 * Puts the accepted new nodes into the order of the trace: counted by parent,
 * sorted among the children of one.  Sets level->frontier for the next level.
 */
static void
order_nodes(Level *level)
{
	Trace	   *trace = level->trace;
	uint32		count = trace->node_count - level->end;
	uint32		parents = level->end - level->begin;
	TraceNode  *fresh = trace->nodes + level->end;
	Size		start_size = (Size) (parents + 1) * sizeof(uint32);
	Size		copy_size = (Size) count * sizeof(TraceNode);
	uint32	   *start = ensure_room(level, &level->start, start_size);
	Rank	   *ranks = ensure_room(level, &level->ranks, (Size) count * sizeof(Rank));
	TraceNode  *copy = ensure_room(level, &level->copy, copy_size);
	uint32	   *position = ensure_room(level, &level->position, (Size) count * sizeof(uint32));
	uint32		accepted = 0;
	uint32		next = 0;

	memset(start, 0, start_size);
	for (uint32 i = 0; i < count; i++)
	{
		position[i] = LEFT_OUT;
		if (ItemPointerIsValid(&fresh[i].tid))
		{
			start[fresh[i].parent - level->begin + 1]++;
			accepted++;
		}
	}
	for (uint32 i = 0; i < parents; i++)
		start[i + 1] += start[i];
	for (uint32 i = 0; i < count; i++)
	{
		if (ItemPointerIsValid(&fresh[i].tid))
		{
			Rank	   *rank = &ranks[start[fresh[i].parent - level->begin]++];

			rank->created_at = fresh[i].created_at;
			rank->index = i;
		}
	}
	/* start[p] is now where the children of p end. */
	if (trace->detail != TRACE_COUNT)
	{
		for (uint32 i = 0, begin = 0; i < parents; begin = start[i], i++)
		{
			if (start[i] - begin > 1)
				sort_ranks(ranks + begin, start[i] - begin, fresh);
		}
	}
	if (trace->filter.max_nodes >= 0 && (int64) level->end + accepted > trace->filter.max_nodes)
		accepted = trace->filter.max_nodes - level->end;

	memcpy(copy, fresh, copy_size);
	for (uint32 i = 0; i < accepted; i++)
	{
		fresh[i] = copy[ranks[i].index];
		position[ranks[i].index] = level->end + i;
		trace->edge_count += fresh[i].edge_count;
	}
	trace->node_count = level->end + accepted;

	for (uint32 i = 0; i < count; i++)
	{
		uint32		where = position[level->sorted[i].index - level->end];

		*graph_map_slot(&trace->map, level->sorted[i].no) = where == LEFT_OUT ? LEFT_OUT : where + 1;
		if (where == LEFT_OUT)
			continue;
		level->frontier[next].no = level->sorted[i].no;
		level->frontier[next].index = where;
		next++;
	}

	if (trace->detail == TRACE_EDGES)
	{
		uint32		kept = level->edges_begin;

		for (uint32 i = level->edges_begin; i < trace->edges_kept; i++)
		{
			TraceEdge	edge = trace->edges[i];

			if (edge.target >= level->end)
			{
				edge.target = position[edge.target - level->end];
				if (edge.target == LEFT_OUT)
					continue;
			}
			trace->edges[kept++] = edge;
		}
		trace->edges_kept = kept;
	}
}

/* ---------------------------------------------------------------- all levels */

bool
trace_walk(Trace *trace, const GraphNode *start, uint32 most_nodes)
{
	Graph	   *graph = trace->graph;
	const TraceFilter *filter = &trace->filter;
	Level		level = {.trace = trace, .most_nodes = most_nodes};
	TraceNode  *first;

	graph_map_init(&trace->map, graph);
	graph_reserve(graph, trace->nodes, trace->node_count, trace->node_capacity);
	first = &trace->nodes[trace->node_count++];
	memset(first, 0, sizeof(*first));
	first->no = start->no;
	first->id = start->id;
	first->created_at = start->created_at;
	first->tid = start->tid;
	first->parent = TRACE_NO_PARENT;
	*graph_map_slot(&trace->map, start->no) = 1;

	ensure_keys(&level, 1);
	level.frontier[0].no = start->no;
	level.frontier[0].index = 0;
	while (level.begin < trace->node_count)
	{
		uint32		reached;

		CHECK_FOR_INTERRUPTS();
		level.end = trace->node_count;
		level.edges_begin = trace->edges_kept;
		level.grows = (filter->max_depth < 0 || level.depth < (uint32) filter->max_depth) &&
			(filter->max_nodes < 0 || (int64) trace->node_count < filter->max_nodes);
		trace_begin_level(trace, level.begin);
		walk_edges(&level);
		if (level.gave_up)
			return false;
		if (trace->node_count > level.end)
		{
			settle_parallel(&level);
			look_up_nodes(&level);
			order_nodes(&level);
		}
		level.begin = level.end;
		level.depth++;
		if (trace->until_no == 0)
			continue;
		reached = graph_map_get(&trace->map, trace->until_no);
		if (reached != 0)
		{
			trace->until_position = reached == LEFT_OUT ? TRACE_NO_PARENT : reached - 1;
			break;
		}
	}
	trace_end_levels(trace, level.begin);
	return true;
}
