/*
 * frontier.c
 *		Finds where a walk stopped for its depth.
 *
 * An edge from the last level to what the trace does not hold leads on, if the
 * filters let the walk follow it.  The trace has read these edges.  Who is at
 * their other ends is looked up only when the filters ask and the trace could
 * not tell, which the cache can.
 */
#include "postgres.h"

#include "trace/frontier.h"

#include "graph/memory.h"
#include "graph/sealed.h"
#include "graph/sort.h"
#include "graph/walk.h"
#include "record/record.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

/* Ends of edges that lead on, by number. */
typedef struct OnwardEnds
{
	Trace	   *trace;
	uint32	   *first;			/* where those with a key begin in trace->onward */
} OnwardEnds;

static bool
accept_node(void *argument, HeapTuple tuple, TupleDesc desc)
{
	return graph_filter_accepts_node(&((OnwardEnds *) argument)->trace->filter, tuple, desc);
}

static void
note_ends(void *argument, const GraphEntry *entries, int count)
{
	OnwardEnds *ends = argument;
	Trace	   *trace = ends->trace;
	const GraphFilter *filter = &trace->filter;

	for (int i = 0; i < count; i++)
	{
		uint32		first = ends->first[entries[i].position];

		if ((filter->has_as_of && entries[i].record.created_at > filter->as_of) ||
			(filter->sealed && !graph_sealed_shows(filter->sealed, trace->onward[first].no)))
			continue;
		for (uint32 k = first; k < ends->first[entries[i].position + 1]; k++)
			trace->nodes[trace->onward[k].index].leads_on = true;
	}
}

static void
look_ends_up(Trace *trace)
{
	Graph	   *graph = trace->graph;
	OnwardEnds	ends = {.trace = trace};
	Size		count = trace->onward_count;
	int64	   *keys = graph_alloc(graph, count * sizeof(int64));
	uint32		distinct = 0;

	graph_sort_keys(trace->onward, graph_alloc(graph, count * sizeof(GraphKey)), trace->onward_count);
	ends.first = graph_alloc(graph, (count + 1) * sizeof(uint32));
	for (uint32 i = 0; i < trace->onward_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (i == 0 || trace->onward[i].no != trace->onward[i - 1].no)
		{
			keys[distinct] = trace->onward[i].no;
			ends.first[distinct++] = i;
		}
	}
	ends.first[distinct] = trace->onward_count;
	graph_walk(graph, GRAPH_NODES, keys, distinct,
			   graph_filter_needs_node_rows(&trace->filter) ? accept_node : NULL, note_ends, &ends);
}

void
trace_frontier_find(TraceFrontier *frontier, Trace *trace)
{
	uint32		begin;

	memset(frontier, 0, sizeof(*frontier));
	frontier->trace = trace;
	if (trace->filter.max_depth < 0 || trace->level_count <= (uint32) trace->filter.max_depth)
		return;
	if (trace->onward_count > 0)
		look_ends_up(trace);
	begin = trace->level[trace->filter.max_depth];
	frontier->positions = graph_alloc(trace->graph, Max((Size) trace->node_count - begin, 1) * sizeof(uint32));
	for (uint32 i = begin; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (trace->nodes[i].leads_on)
			frontier->positions[frontier->count++] = i;
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
