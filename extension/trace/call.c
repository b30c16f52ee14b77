/*
 * call.c
 *		A call of trace(), trace_from() or trace_size(), from SQL or from a plan node.
 */
#include "postgres.h"

#include "trace/call.h"

#include "graph/graph.h"
#include "graph/memory.h"
#include "graph/start.h"
#include "record/text.h"
#include "trace/arguments.h"
#include "trace/trace.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/uuid.h"

/* trace(node, direction, max_depth, types, edge_types, min_weight, min_confidence, as_of, max_nodes, division, as_of_seq) */
static const TraceArguments trace_arguments = {
	.max_depth = 2, .types = 3, .edge_types = 4, .min_weight = 5, .min_confidence = 6, .as_of = 7, .max_nodes = 8, .as_of_seq = 10
};

/* trace_size(node, direction, max_depth, types, edge_types, min_weight, min_confidence, as_of, division, as_of_seq) */
static const TraceArguments size_arguments = {
	.max_depth = 2, .types = 3, .edge_types = 4, .min_weight = 5, .min_confidence = 6, .as_of = 7, .max_nodes = -1, .as_of_seq = 9
};

static void
read_ids(FunctionCallInfo fcinfo, Datum **ids, int *count)
{
	bool	   *nulls;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, ids, &nulls, count);
	for (int i = 0; i < *count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("the nodes of a trace must not be NULL")));
	}
}

/* The nodes, each once; as many as the filter allows. */
static const GraphNode **
find_starts(Graph *graph, const Datum *ids, int count, RecordText division, GraphFilter *filter, uint32 *found)
{
	GraphDivisions divisions = graph_divisions_of_user(graph);
	const GraphNode **starts = graph_alloc(graph, (Size) count * sizeof(*starts));
	GraphMap	known;

	graph_map_init(&known, graph);
	*found = 0;
	for (int i = 0; i < count; i++)
	{
		const GraphNode *start;

		CHECK_FOR_INTERRUPTS();
		graph_sealed_close(graph);
		start = trace_start(graph, DatumGetUUIDP(ids[i]), &divisions, division, filter);
		if (*found > 0 && (start->division.length != starts[0]->division.length ||
						   memcmp(start->division.data, starts[0]->division.data, start->division.length) != 0))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the nodes of a trace must lie in one division"),
					 errhint("Trace those of each division by themselves, or name the division.")));
		if (*graph_map_slot(&known, start->no) > 0 || (filter->max_nodes >= 0 && *found >= filter->max_nodes))
			continue;
		*graph_map_slot(&known, start->no) = 1;
		starts[(*found)++] = start;
	}
	return starts;
}

static Trace *
call_from(FunctionCallInfo fcinfo, const TraceArguments *arguments, int division, bool has_array, TraceDetail detail)
{
	GraphDirection direction = trace_direction_argument(fcinfo, 1);
	GraphFilter filter = trace_filter_of(fcinfo, arguments);
	Datum	   *ids = &fcinfo->args[0].value;
	int			count = 1;
	Graph	   *graph;
	const GraphNode **starts;
	uint32		found;

	if (PG_ARGISNULL(0))
		return NULL;
	if (has_array)
		read_ids(fcinfo, &ids, &count);
	if (count == 0)
		return NULL;
	graph = graph_open();
	starts = find_starts(graph, ids, count, record_text_argument(fcinfo, division), &filter, &found);
	return trace_run_from(graph, starts, found, direction, &filter, detail);
}

Trace *
trace_call(FunctionCallInfo fcinfo, TraceDetail detail)
{
	return call_from(fcinfo, &trace_arguments, 9, get_fn_expr_argtype(fcinfo->flinfo, 0) == UUIDARRAYOID, detail);
}

Trace *
trace_size_call(FunctionCallInfo fcinfo, TraceDetail detail)
{
	return call_from(fcinfo, &size_arguments, 8, false, detail);
}
