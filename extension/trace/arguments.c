/*
 * arguments.c
 *		Arguments that the SQL functions of traces share.
 */
#include "postgres.h"

#include "trace/arguments.h"

#include "graph/quarantine.h"
#include "record/placement.h"
#include "record/types.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

GraphDirection
trace_direction_argument(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		return GRAPH_ANCESTORS;
	return graph_direction_of(text_to_cstring(PG_GETARG_TEXT_PP(argument)));
}

static bool
is_given(FunctionCallInfo fcinfo, int argument)
{
	return argument >= 0 && !PG_ARGISNULL(argument);
}

static int
types_of(FunctionCallInfo fcinfo, int argument, RecordKind kind, RecordText **types)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	int			given = 0;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(argument), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	*types = palloc(Max(count, 1) * sizeof(RecordText));
	for (int i = 0; i < count; i++)
	{
		text	   *name;

		if (nulls[i])
			continue;
		name = DatumGetTextPP(elements[i]);
		(*types)[given++] = record_type_asked(kind, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	}
	return given;
}

static double
number_argument(FunctionCallInfo fcinfo, int argument, const char *name)
{
	double		value = PG_GETARG_FLOAT8(argument);

	if (isnan(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be NaN", name)));
	return value;
}

GraphFilter
trace_filter_of(FunctionCallInfo fcinfo, const TraceArguments *arguments)
{
	GraphFilter filter;

	graph_filter_init(&filter);
	if (is_given(fcinfo, arguments->max_depth))
	{
		filter.max_depth = PG_GETARG_INT32(arguments->max_depth);
		if (filter.max_depth < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the depth of a trace must not be negative")));
	}
	if (is_given(fcinfo, arguments->max_nodes))
	{
		filter.max_nodes = PG_GETARG_INT32(arguments->max_nodes);
		if (filter.max_nodes < 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("max_nodes must be at least 1")));
	}
	if (is_given(fcinfo, arguments->types))
		filter.type_count = types_of(fcinfo, arguments->types, RECORD_NODE, &filter.types);
	if (is_given(fcinfo, arguments->edge_types))
		filter.edge_type_count = types_of(fcinfo, arguments->edge_types, RECORD_EDGE, &filter.edge_types);
	if (is_given(fcinfo, arguments->min_weight))
	{
		filter.has_min_weight = true;
		filter.min_weight = number_argument(fcinfo, arguments->min_weight, "min_weight");
	}
	if (is_given(fcinfo, arguments->min_confidence))
	{
		filter.has_min_confidence = true;
		filter.min_confidence = number_argument(fcinfo, arguments->min_confidence, "min_confidence");
		/* nothing else can be recorded: of 95 per cent nothing would be found, silently */
		if (filter.min_confidence < 0 || filter.min_confidence > 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("min_confidence must be a number from 0 to 1")));
	}
	if (is_given(fcinfo, arguments->as_of))
	{
		filter.has_as_of = true;
		filter.as_of = PG_GETARG_TIMESTAMPTZ(arguments->as_of);
	}
	if (is_given(fcinfo, arguments->as_of_seq))
	{
		filter.has_as_of_seq = true;
		filter.as_of_seq = PG_GETARG_INT64(arguments->as_of_seq);
	}
	return filter;
}

GraphNode *
trace_start(Graph *graph, const pg_uuid_t *id, const GraphDivisions *divisions,
			RecordText division, GraphFilter *filter)
{
	GraphNode  *start = graph_find_node(graph, id, divisions, division);

	if (start == NULL)
		graph_report_no_node(id);
	quarantine_load(graph);
	/* cppcheck-suppress nullPointerRedundantCheck ; graph_report_no_node() does not return */
	if (quarantine_hides(graph, start->no))
		graph_report_no_node(id);
	placement_require_here(start->division);
	if (filter->has_as_of && start->created_at > filter->as_of)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("node \"%s\" did not exist at %s",
						DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id))),
						timestamptz_to_str(filter->as_of))));
	if (filter->has_as_of_seq)
	{
		filter->sealed = graph_sealed_open(graph, start->division, filter->as_of_seq);
		if (!graph_sealed_shows(filter->sealed, start->no))
			ereport(ERROR,
					(errcode(ERRCODE_NO_DATA_FOUND),
					 errmsg("node \"%s\" was not sealed yet at event " INT64_FORMAT,
							DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id))), filter->as_of_seq)));
	}
	return start;
}

ReturnSetInfo *
trace_begin_rows(FunctionCallInfo fcinfo, const Graph *graph)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext caller = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	Size		left_kb = (graph->limit_bytes - graph->used_bytes) / 1024;

	/* Going through a file costs as much as the trace itself. */
	tuplestore_end(result->setResult);
	result->setResult = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0, false,
											  Max(work_mem, (int) Min(left_kb, MAX_KILOBYTES)));
	MemoryContextSwitchTo(caller);
	return result;
}
