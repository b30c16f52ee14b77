/*
 * impact.c
 *		What rests on a node.
 */
#include "postgres.h"

#include "derived/impact.h"

#include "graph/memory.h"
#include "derived/strength.h"
#include "derived/support.h"
#include "trace/trace.h"

#include "miscadmin.h"

static void
note_depths(Impact *impact)
{
	Trace	   *trace = impact->trace;
	uint32		level = 0;

	impact->depth = graph_alloc(trace->graph, (Size) trace->node_count * sizeof(uint32));
	for (uint32 i = 0; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		while (i >= trace->level[level + 1])
			level++;
		impact->depth[i] = level;
	}
}

static void
note_frontier(Impact *impact)
{
	Trace	   *trace = impact->trace;
	TraceFrontier frontier;

	trace_frontier_find(&frontier, trace);
	impact->leads_on = graph_alloc(trace->graph, (Size) trace->node_count * sizeof(bool));
	memset(impact->leads_on, 0, (Size) trace->node_count * sizeof(bool));
	for (uint32 i = 0; i < frontier.count; i++)
		impact->leads_on[frontier.positions[i]] = true;
	impact->frontier_count = frontier.count;
}

static bool
is_decision(const Impact *impact, uint32 position)
{
	RecordText	type = impact->type[position];

	return type.length == strlen("decision") && memcmp(type.data, "decision", type.length) == 0;
}

static void
put_in_order(Impact *impact)
{
	Trace	   *trace = impact->trace;

	impact->order = graph_alloc(trace->graph, (Size) trace->node_count * sizeof(uint32));
	for (int pass = 0; pass < 2; pass++)
	{
		for (uint32 i = 1; i < trace->node_count; i++)
		{
			GRAPH_CHECK_NOW_AND_THEN(i);
			if (is_decision(impact, i) == (pass == 0))
				impact->order[impact->count++] = i;
		}
		if (pass == 0)
			impact->decisions = impact->count;
	}
	for (uint32 i = 1; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		impact->standing += impact_stands(impact, i);
		impact->corrected += corrections_count(&impact->corrections, i) > 0;
	}
}

Impact *
impact_of(Graph *graph, const GraphNode *start, const GraphFilter *given)
{
	Impact	   *impact = graph_alloc(graph, sizeof(Impact));
	GraphFilter filter = *given;
	TraceStrengths strengths;

	if (filter.max_depth == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the depth of what rests on a node must be at least 1")));
	memset(impact, 0, sizeof(*impact));
	support_filter(&filter);
	impact->trace = trace_run(graph, start, GRAPH_DESCENDANTS, &filter, TRACE_EDGES, 0);
	strengths_read(&strengths, impact->trace);
	impact->type = strengths.types;
	impact->strength = strengths_widest(&strengths, impact->trace);
	impact->has_other_support = support_without_start(impact->trace);
	corrections_find(&impact->corrections, impact->trace);
	note_depths(impact);
	note_frontier(impact);
	put_in_order(impact);
	return impact;
}
