/*
 * trace.c
 *		Which way a trace runs: along the indexes, or in the adjacency cache.
 */
#include "postgres.h"

#include "trace/trace.h"

#include "cache/delta.h"
#include "cache/filter.h"
#include "cache/shared.h"
#include "cache/worker.h"
#include "graph/memory.h"
#include "trace/cached.h"
#include "trace/result.h"
#include "trace/statistics.h"
#include "trace/walk.h"

/* A trace of so many nodes is worth a cache: asked for once it was walked without. */
#define WORTH_A_CACHE 1000
/* Walking the indexes from so many nodes takes as long as reading the rows of a block. */
#define NODES_PER_BLOCK 12
/* So many blocks to be read at each trace are worth a new generation, if it would have them. */
#define WORTH_A_GENERATION 64

/* For another attempt at the same request. */
static Trace *
new_attempt(const Trace *request)
{
	Trace	   *trace = graph_alloc(request->graph, sizeof(Trace));

	*trace = *request;
	return trace;
}

/* Along the indexes; NULL: it has more nodes than that. */
static Trace *
walk(const Trace *request, uint32 most_nodes)
{
	Trace	   *trace = new_attempt(request);
	TraceOutcome outcome = trace_walk(trace, most_nodes, true);

	if (outcome == TRACE_NODE_MISSING)
	{
		trace = new_attempt(request);
		outcome = trace_walk(trace, most_nodes, false);
	}
	return outcome == TRACE_DONE ? trace : NULL;
}

/* In the cache; NULL: what changed is irregular, or more than one start is not known there. */
static Trace *
run_in_cache(const Trace *request, GraphCacheView *view)
{
	Trace	   *trace;

	if (!graph_cache_read_delta(view) || !trace_cached_knows(request, view))
		return NULL;
	trace = new_attempt(request);
	trace_cached(trace, view);
	ereport(DEBUG1,
			(errmsg_internal("trace of %u nodes ran in the adjacency cache, %u blocks read first",
							 trace->node_count, view->blocks_to_read)));
	return trace;
}

static Trace *
run(const Trace *request)
{
	GraphCacheView *view = graph_cache_exists() ? graph_cache_view(request->graph, request->direction) : NULL;
	bool		lacks_cache = view == NULL;
	TraceEngine engine = TRACE_ALONG_INDEXES;
	instr_time	began;
	Trace	   *trace = NULL;

	INSTR_TIME_SET_CURRENT(began);
	/* A filter of the cache knows of one node that is in the trace whatever it is. */
	if (view && ((request->start_count > 1 && graph_filter_needs_node_rows(&request->filter)) ||
				 !graph_cache_filter_begin(view, &request->filter, request->starts[0]->no)))
		view = NULL;
	if (view && view->blocks_coverable >= WORTH_A_GENERATION)
		graph_cache_request();
	/* The changes would have to be read first; a small trace is faster without them. */
	if (view && view->blocks_to_read > 0 && reason_adjacency_cache != GRAPH_CACHE_ALWAYS)
		trace = walk(request, view->blocks_to_read * NODES_PER_BLOCK);
	if (!trace && view)
	{
		trace = run_in_cache(request, view);
		engine = TRACE_IN_CACHE;
	}
	if (!trace)
	{
		engine = TRACE_ALONG_INDEXES;
		trace = walk(request, PG_UINT32_MAX);
		if (lacks_cache && trace->node_count >= WORTH_A_CACHE)
			graph_cache_request();
	}
	trace_statistics_count(engine, trace->node_count, began);
	return trace;
}

Trace *
trace_run(Graph *graph, const GraphNode *start, GraphDirection direction, const GraphFilter *filter,
		  TraceDetail detail, int64 until_no)
{
	const GraphNode **starts = graph_alloc(graph, sizeof(*starts));
	Trace		request = {
		.graph = graph, .direction = direction, .detail = detail, .filter = *filter, .until_no = until_no,
		.until_position = TRACE_NO_PARENT, .starts = starts, .start_count = 1
	};

	starts[0] = start;
	return run(&request);
}

Trace *
trace_run_from(Graph *graph, const GraphNode *const *starts, uint32 start_count, GraphDirection direction,
			   const GraphFilter *filter, TraceDetail detail)
{
	Trace		request = {
		.graph = graph, .direction = direction, .detail = detail, .filter = *filter, .until_position = TRACE_NO_PARENT,
		.starts = starts, .start_count = start_count
	};

	return run(&request);
}
