/*
 * frontier.c
 *		Finds where a walk stopped for its depth.
 *
 * An edge from the last level to what the trace does not hold leads on, if the
 * filters let the walk follow it.  Who is at its other end is looked up only
 * when they ask.
 */
#include "postgres.h"

#include "trace/frontier.h"

#include "graph/map.h"
#include "graph/memory.h"
#include "graph/quarantine.h"
#include "graph/sealed.h"
#include "graph/sort.h"
#include "graph/walk.h"
#include "record/record.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

/* Edges that lead on, until it is known that their ends would be taken. */
typedef struct LeadingOn
{
	Trace	   *trace;
	GraphMap	inside;			/* no → 1 */
	GraphKey   *level;			/* nodes of the last level, by number */
	bool	   *goes_on;		/* by position in the last level */
	uint32		begin;			/* position of its first node */
	bool		asks_ends;
	GraphKey   *ends;			/* the other end, and the index of its cause in the last level */
	uint32		end_count;
	uint32		end_capacity;
	uint32	   *first;			/* where the ends of a key begin */
} LeadingOn;

static int
keep_leading_on(void *argument, GraphEntry *entries, int count)
{
	LeadingOn  *leading = argument;
	int			kept = 0;

	for (int i = 0; i < count; i++)
	{
		if (!leading->goes_on[leading->level[entries[i].position].index - leading->begin] &&
			graph_map_get(&leading->inside, entries[i].link.other_no) == 0)
			entries[kept++] = entries[i];
	}
	return kept;
}

static bool
accept_edge(void *argument, HeapTuple tuple, TupleDesc desc)
{
	return graph_filter_accepts_edge(&((LeadingOn *) argument)->trace->filter, tuple);
}

static void
note_edges(void *argument, const GraphEntry *entries, int count)
{
	LeadingOn  *leading = argument;
	Graph	   *graph = leading->trace->graph;

	for (int i = 0; i < count; i++)
	{
		uint32		position = leading->level[entries[i].position].index - leading->begin;

		if (quarantine_hides(graph, entries[i].link.edge_no) || quarantine_hides(graph, entries[i].link.other_no) ||
			graph_map_get(&leading->inside, entries[i].link.other_no) != 0)
			continue;
		if (leading->asks_ends)
		{
			graph_reserve(graph, leading->ends, leading->end_count, leading->end_capacity);
			leading->ends[leading->end_count].no = entries[i].link.other_no;
			leading->ends[leading->end_count++].index = position;
		}
		else
			leading->goes_on[position] = true;
	}
}

static bool
accept_node(void *argument, HeapTuple tuple, TupleDesc desc)
{
	return graph_filter_accepts_node(&((LeadingOn *) argument)->trace->filter, tuple, desc);
}

static void
note_ends(void *argument, const GraphEntry *entries, int count)
{
	LeadingOn  *leading = argument;
	const GraphFilter *filter = &leading->trace->filter;

	for (int i = 0; i < count; i++)
	{
		if ((filter->has_as_of && entries[i].record.created_at > filter->as_of) ||
			(filter->sealed && !graph_sealed_shows(filter->sealed, leading->ends[leading->first[entries[i].position]].no)))
			continue;
		for (uint32 k = leading->first[entries[i].position]; k < leading->first[entries[i].position + 1]; k++)
			leading->goes_on[leading->ends[k].index] = true;
	}
}

static void
look_ends_up(LeadingOn *leading)
{
	Graph	   *graph = leading->trace->graph;
	Size		count = Max((Size) leading->end_count, 1);
	int64	   *keys = graph_alloc(graph, count * sizeof(int64));
	uint32		distinct = 0;

	graph_sort_keys(leading->ends, graph_alloc(graph, count * sizeof(GraphKey)), leading->end_count);
	leading->first = graph_alloc(graph, (count + 1) * sizeof(uint32));
	for (uint32 i = 0; i < leading->end_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (i == 0 || leading->ends[i].no != leading->ends[i - 1].no)
		{
			keys[distinct] = leading->ends[i].no;
			leading->first[distinct++] = i;
		}
	}
	leading->first[distinct] = leading->end_count;
	graph_walk(graph, GRAPH_NODES, keys, distinct,
			   graph_filter_needs_node_rows(&leading->trace->filter) ? accept_node : NULL, note_ends, leading);
}

void
trace_frontier_find(TraceFrontier *frontier, Trace *trace)
{
	Graph	   *graph = trace->graph;
	const GraphFilter *filter = &trace->filter;
	LeadingOn	leading = {.trace = trace};
	int64	   *keys;
	uint32		count;

	memset(frontier, 0, sizeof(*frontier));
	frontier->trace = trace;
	if (filter->max_depth < 0 || trace->level_count <= (uint32) filter->max_depth)
		return;
	leading.begin = trace->level[filter->max_depth];
	count = trace->node_count - leading.begin;
	if (count == 0)
		return;
	graph_map_init(&leading.inside, graph);
	for (uint32 i = 0; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		*graph_map_slot(&leading.inside, trace->nodes[i].no) = 1;
	}
	leading.level = graph_alloc(graph, (Size) count * sizeof(GraphKey));
	leading.goes_on = graph_alloc(graph, (Size) count * sizeof(bool));
	memset(leading.goes_on, 0, (Size) count * sizeof(bool));
	keys = graph_alloc(graph, (Size) count * sizeof(int64));
	for (uint32 i = 0; i < count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		leading.level[i].no = trace->nodes[leading.begin + i].no;
		leading.level[i].index = leading.begin + i;
	}
	graph_sort_keys(leading.level, graph_alloc(graph, (Size) count * sizeof(GraphKey)), count);
	for (uint32 i = 0; i < count; i++)
		keys[i] = leading.level[i].no;
	leading.asks_ends = filter->has_as_of || filter->sealed || graph_filter_needs_node_rows(filter);
	graph_walk_prefiltered(graph, trace->direction == GRAPH_ANCESTORS ? GRAPH_LINKS_TO : GRAPH_LINKS_FROM, keys, count,
						   keep_leading_on, graph_filter_needs_edge_rows(filter) ? accept_edge : NULL, note_edges, &leading);
	if (leading.end_count > 0)
		look_ends_up(&leading);

	frontier->positions = graph_alloc(graph, (Size) count * sizeof(uint32));
	for (uint32 i = 0; i < count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (leading.goes_on[i])
			frontier->positions[frontier->count++] = leading.begin + i;
	}
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(*(const pg_uuid_t *const *) a, *(const pg_uuid_t *const *) b, UUID_LEN);
}

void
trace_frontier_write(ByteBuffer *out, const TraceFrontier *frontier, uint32 begin, uint32 end)
{
	const pg_uuid_t **ids = palloc(Max((Size) frontier->count, 1) * sizeof(pg_uuid_t *));
	uint32		count = 0;

	for (uint32 i = 0; i < frontier->count; i++)
	{
		if (frontier->positions[i] >= begin && frontier->positions[i] < end)
			ids[count++] = &frontier->trace->nodes[frontier->positions[i]].id;
	}
	qsort(ids, count, sizeof(pg_uuid_t *), compare_ids);
	buffer_append_char(out, '[');
	for (uint32 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > 0)
			buffer_append_char(out, ',');
		record_write_uuid(out, ids[i]);
	}
	buffer_append_char(out, ']');
	pfree(ids);
}
