/*
 * request.c
 *		Reads what is asked of a trace that is shown in pages.
 */
#include "postgres.h"

#include "trace/request.h"

#include "graph/graph.h"
#include "graph/quarantine.h"
#include "record/text.h"

#define ARGUMENTS(direction_at) { \
	.filter = {.max_depth = 6, .types = -1, .edge_types = -1, .min_weight = -1, \
			   .min_confidence = -1, .as_of = 9, .max_nodes = -1, .as_of_seq = 5}, \
	.direction = (direction_at), .divisions = 1, .redact = 2, .quarantined = 3, .division = 4, .limit = 7, .cursor = 8 \
}

const RequestArguments request_arguments = ARGUMENTS(-1);
const RequestArguments directed_request_arguments = ARGUMENTS(10);

GraphDivisions
trace_divisions_argument(FunctionCallInfo fcinfo, int argument, Graph *graph)
{
	if (PG_ARGISNULL(argument))
		return graph_divisions_of_user(graph);
	return graph_divisions_of_array(PG_GETARG_DATUM(argument));
}

void
trace_request_begin(TraceRequest *request, FunctionCallInfo fcinfo, const RequestArguments *arguments, TraceCursorKind kind)
{
	RecordText	cursor_text = record_text_argument(fcinfo, arguments->cursor);
	GraphDivisions divisions;

	memset(request, 0, sizeof(*request));
	request->lists_edges = true;
	request->direction = arguments->direction < 0 ? GRAPH_ANCESTORS : trace_direction_argument(fcinfo, arguments->direction);
	request->filter = trace_filter_of(fcinfo, &arguments->filter);
	request->is_bounded = !PG_ARGISNULL(arguments->limit);
	request->limit = PG_UINT32_MAX;
	if (request->is_bounded)
	{
		int32		limit = PG_GETARG_INT32(arguments->limit);

		if (limit < 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("limit must be at least 1")));
		request->limit = limit;
	}
	request->redact = PG_ARGISNULL(arguments->redact) || PG_GETARG_BOOL(arguments->redact);
	request->graph = graph_open();
	divisions = trace_divisions_argument(fcinfo, arguments->divisions, request->graph);
	quarantine_argument(fcinfo, arguments->quarantined, request->graph);
	trace_cursor_begin(&request->cursor, request->graph, kind, PG_GETARG_UUID_P(0), request->direction, &request->filter, cursor_text);
	request->start = trace_start(request->graph, PG_GETARG_UUID_P(0), &divisions,
								 record_text_argument(fcinfo, arguments->division), &request->filter);
	if (request->cursor.horizon)
	{
		request->graph->horizon = request->cursor.horizon;
		quarantine_load(request->graph);
	}
}
