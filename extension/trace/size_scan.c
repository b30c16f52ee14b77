/*
 * size_scan.c
 *		Executing trace_size() as a plan node: one row.
 */
#include "postgres.h"

#include "trace/size_scan.h"

#include "graph/graph.h"
#include "trace/call.h"
#include "trace/scan_call.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"

#define NOT_WANTED (-1)

typedef struct TraceSizeScan
{
	CustomScanState custom;
	ScanCall	call;
	int			place[TRACE_SIZE_COLUMNS];	/* in the scan's tuple; NOT_WANTED: nobody looks at it */
	bool		has_run;
	bool		is_null;		/* the node is NULL */
	Datum		values[TRACE_SIZE_COLUMNS];
	bool		is_given;		/* the row was */
} TraceSizeScan;

static void
run_trace(TraceSizeScan *scan)
{
	MemoryContext context = AllocSetContextCreate(scan->custom.ss.ps.state->es_query_cxt, "trace size scan", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	PgStat_FunctionCallUsage usage;
	Trace	   *trace;

	scan_call_evaluate(&scan->call, &scan->custom);
	pgstat_init_function_usage(scan->call.call, &usage);
	trace = trace_size_call(scan->call.call, scan->place[TRACE_SIZE_EDGES] == NOT_WANTED ? TRACE_REACHED : TRACE_COUNT);
	scan->is_null = trace == NULL;
	if (trace)
	{
		scan->values[TRACE_SIZE_NODES] = Int64GetDatum(trace->node_count);
		scan->values[TRACE_SIZE_EDGES] = Int64GetDatum((int64) trace->edge_count);
		graph_close(trace->graph);
	}
	pgstat_end_function_usage(&usage, true);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	scan->has_run = true;
}

static TupleTableSlot *
next_row(ScanState *state)
{
	TraceSizeScan *scan = (TraceSizeScan *) state;
	TupleTableSlot *slot = state->ss_ScanTupleSlot;

	ExecClearTuple(slot);
	if (scan->is_given)
		return slot;
	if (!scan->has_run)
		run_trace(scan);
	for (int column = 0; column < TRACE_SIZE_COLUMNS; column++)
	{
		if (scan->place[column] == NOT_WANTED)
			continue;
		slot->tts_values[scan->place[column]] = scan->values[column];
		slot->tts_isnull[scan->place[column]] = scan->is_null;
	}
	scan->is_given = true;
	return ExecStoreVirtualTuple(slot);
}

static bool
recheck_row(ScanState *state, TupleTableSlot *slot)
{
	return true;
}

static void
begin_scan(CustomScanState *custom, EState *estate, int flags)
{
	TraceSizeScan *scan = (TraceSizeScan *) custom;
	CustomScan *plan = (CustomScan *) custom->ss.ps.plan;
	int			place = 0;
	ListCell   *cell;

	scan_call_begin(&scan->call, custom);
	for (int column = 0; column < TRACE_SIZE_COLUMNS; column++)
		scan->place[column] = NOT_WANTED;
	foreach(cell, plan->custom_private)
		scan->place[lfirst_int(cell)] = place++;
}

static TupleTableSlot *
exec_scan(CustomScanState *custom)
{
	return ExecScan(&custom->ss, next_row, recheck_row);
}

static void
end_scan(CustomScanState *custom)
{
}

static void
rescan(CustomScanState *custom)
{
	TraceSizeScan *scan = (TraceSizeScan *) custom;
	bool		depends = scan_call_depends(&scan->call, custom->ss.ps.chgParam);

	ExecScanReScan(&custom->ss);
	scan->has_run = scan->has_run && !depends;
	scan->is_given = false;
}

static const CustomExecMethods exec_methods = {
	.CustomName = "TraceSizeScan",
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = exec_scan,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = rescan,
	.ExplainCustomScan = scan_call_explain
};

static Node *
create_scan_state(CustomScan *plan)
{
	TraceSizeScan *scan = (TraceSizeScan *) newNode(sizeof(TraceSizeScan), T_CustomScanState);

	scan->custom.methods = &exec_methods;
	return (Node *) scan;
}

const CustomScanMethods trace_size_scan_methods = {
	.CustomName = "TraceSizeScan",
	.CreateCustomScanState = create_scan_state
};
