/*
 * arguments.h
 *		Arguments that the SQL functions of traces share.
 */
#ifndef REASON_TRACE_ARGUMENTS_H
#define REASON_TRACE_ARGUMENTS_H

#include "postgres.h"

#include "fmgr.h"
#include "nodes/execnodes.h"

#include "graph/filter.h"
#include "graph/start.h"

/* Positions of the filters among a function's arguments; -1: it has none such. */
typedef struct TraceArguments
{
	int			max_depth;
	int			max_nodes;
	int			types;
	int			edge_types;
	int			min_weight;
	int			min_confidence;
	int			as_of;
	int			as_of_seq;
} TraceArguments;

/* NULL stands for no limit. Raises 22023 for what makes no sense. */
extern GraphFilter trace_filter_of(FunctionCallInfo fcinfo, const TraceArguments *arguments);

/* NULL stands for ancestors. */
extern GraphDirection trace_direction_argument(FunctionCallInfo fcinfo, int argument);

/*
 * Finds the start among the divisions; raises P0002 when it is not there, hidden by quarantine, or not yet there
 * at filter->as_of or filter->as_of_seq, which it opens. Loads what is in quarantine in its division.
 */
extern GraphNode *trace_start(Graph *graph, const pg_uuid_t *id, const GraphDivisions *divisions,
							  RecordText division, GraphFilter *filter);

/*
 * The result rows, on top of InitMaterializedSRF(): kept in memory as far as the trace may take
 * memory, or work_mem if that is more.
 */
extern ReturnSetInfo *trace_begin_rows(FunctionCallInfo fcinfo, const Graph *graph);

#endif							/* REASON_TRACE_ARGUMENTS_H */
