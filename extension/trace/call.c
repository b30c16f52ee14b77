/*
 * call.c
 *		A call of trace(), from SQL or from a plan node.
 */
#include "postgres.h"

#include "trace/call.h"

#include "graph/graph.h"
#include "graph/start.h"
#include "record/text.h"
#include "trace/arguments.h"
#include "trace/trace.h"

/* trace(node, direction, max_depth, types, edge_types, min_weight, min_confidence, as_of, max_nodes, division, as_of_seq) */
static const TraceArguments trace_arguments = {
	.max_depth = 2, .types = 3, .edge_types = 4, .min_weight = 5, .min_confidence = 6, .as_of = 7, .max_nodes = 8, .as_of_seq = 10
};

Trace *
trace_call(FunctionCallInfo fcinfo, TraceDetail detail)
{
	GraphDirection direction = trace_direction_argument(fcinfo, 1);
	GraphFilter filter = trace_filter_of(fcinfo, &trace_arguments);
	Graph	   *graph;
	GraphDivisions divisions;
	GraphNode  *start;

	if (PG_ARGISNULL(0))
		return NULL;
	graph = graph_open();
	divisions = graph_divisions_of_user(graph);
	start = trace_start(graph, PG_GETARG_UUID_P(0), &divisions, record_text_argument(fcinfo, 9), &filter);
	return trace_run(graph, start, direction, &filter, detail, 0);
}
