/*
 * sql.c
 *		trace(), trace_from(), trace_size() and causal_path().
 */
#include "postgres.h"

#include "trace/sql.h"

#include "graph/graph.h"
#include "record/text.h"
#include "trace/arguments.h"
#include "trace/call.h"
#include "trace/rows.h"
#include "trace/trace.h"
#include "trace/tree.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(reason_trace);
PG_FUNCTION_INFO_V1(reason_trace_from);
PG_FUNCTION_INFO_V1(reason_trace_size);
PG_FUNCTION_INFO_V1(reason_causal_path);

/* Where a plan node of its own cannot do it: see trace/plan.c. */
Datum
reason_trace(PG_FUNCTION_ARGS)
{
	Trace	   *trace;

	InitMaterializedSRF(fcinfo, 0);
	trace = trace_call(fcinfo, TRACE_NODES);
	if (trace)
	{
		trace_put_rows(trace_begin_rows(fcinfo, trace->graph), trace);
		graph_close(trace->graph);
	}
	return (Datum) 0;
}

Datum
reason_trace_from(PG_FUNCTION_ARGS)
{
	return reason_trace(fcinfo);
}

Datum
reason_trace_size(PG_FUNCTION_ARGS)
{
	Trace	   *trace = trace_size_call(fcinfo, TRACE_COUNT);
	TupleDesc	desc;
	Datum		values[TRACE_SIZE_COLUMNS];
	bool		nulls[TRACE_SIZE_COLUMNS] = {false, false};

	if (trace == NULL)
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[TRACE_SIZE_NODES] = Int64GetDatum(trace->node_count);
	values[TRACE_SIZE_EDGES] = Int64GetDatum((int64) trace->edge_count);
	graph_close(trace->graph);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/*
 * causal_path(from_node, to_node, edge_types, min_weight, as_of, division, as_of_seq): the chain is found
 * backwards, from the effect, as causes are mostly fewer than consequences.
 */
static const TraceArguments path_arguments = {
	.max_depth = -1, .types = -1, .edge_types = 2, .min_weight = 3, .min_confidence = -1, .as_of = 4, .max_nodes = -1, .as_of_seq = 6
};

static void
put_path(ReturnSetInfo *result, Trace *trace, uint32 cause)
{
	int32		step = 0;
	uint32		previous = TRACE_NO_PARENT;

	trace_rows_begin(trace);
	/* From the cause along the parents to the start of the search, the effect. */
	for (uint32 i = cause; i != TRACE_NO_PARENT; previous = i, i = trace_parent(trace, i))
	{
		Datum		values[3];
		bool		nulls[3] = {false, false, previous == TRACE_NO_PARENT};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int32GetDatum(step++);
		values[1] = UUIDPGetDatum(trace_row(trace, i).node_id);
		values[2] = previous == TRACE_NO_PARENT ? (Datum) 0 : UUIDPGetDatum(trace_row(trace, previous).edge_id);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

Datum
reason_causal_path(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	GraphFilter filter = trace_filter_of(fcinfo, &path_arguments);
	RecordText	division = record_text_argument(fcinfo, 5);
	Graph	   *graph;
	GraphDivisions divisions;
	GraphNode  *effect;
	GraphNode  *cause;
	Trace	   *trace;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	graph = graph_open();
	divisions = graph_divisions_of_user(graph);
	cause = trace_start(graph, PG_GETARG_UUID_P(0), &divisions, division, &filter);
	/* The effect may lie in another division. */
	graph_sealed_close(graph);
	effect = trace_start(graph, PG_GETARG_UUID_P(1), &divisions, division, &filter);
	if (cause->division.length == effect->division.length &&
		memcmp(cause->division.data, effect->division.data, cause->division.length) == 0)
	{
		trace = trace_run(graph, effect, GRAPH_ANCESTORS, &filter, TRACE_TREE, cause->no);
		if (trace->until_position != TRACE_NO_PARENT)
			put_path(result, trace, trace->until_position);
	}
	graph_close(graph);
	return (Datum) 0;
}
