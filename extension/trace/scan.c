/*
 * scan.c
 *		Executing trace() as a plan node: the trace is run when the first row is asked for, then read off.
 *
 * Tables and indexes are closed as soon as the trace is there.  What stays until the scan ends is memory,
 * and a pin on the generation of the adjacency cache that its ids are in.
 */
#include "postgres.h"

#include "trace/scan.h"

#include "graph/graph.h"
#include "trace/call.h"
#include "trace/result.h"
#include "trace/scan_call.h"
#include "trace/tree.h"

#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#endif
#include "executor/executor.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"

#define NOT_WANTED (-1)
#define ROWS_AT_ONCE 64

typedef struct TraceScan
{
	CustomScanState custom;
	ScanCall	call;
	int			place[TRACE_COLUMNS];	/* in the scan's tuple; NOT_WANTED: nobody looks at it */
	bool		is_plain;		/* rows are given as they are, without conditions or projection */

	MemoryContext context;		/* of one run */
	bool		has_run;
	Trace	   *trace;			/* NULL: the node is NULL */
	const bool *cycle;			/* NULL: nobody looks at it */
	int64		row_count;
	int64		position;		/* of the row given last: -1 before the first, row_count after the last */
	int32		depth;			/* of the level that row is in */
	bool		wants_ids;
	bool		wants_whole_rows;	/* not the ids of nodes alone */
	uint32		rows_begin;
	uint32		rows_read;
	TraceRow	rows[ROWS_AT_ONCE];
} TraceScan;

/* ---------------------------------------------------------------- running */

static inline bool
is_wanted(const TraceScan *scan, TraceColumn column)
{
	return scan->place[column] != NOT_WANTED;
}

static TraceDetail
detail_wanted(const TraceScan *scan)
{
	if (is_wanted(scan, TRACE_CYCLE))
		return TRACE_NODES;
	if (is_wanted(scan, TRACE_EDGE_ID))
		return TRACE_TREE;
	/* Without a column that is looked at, rows are only counted. */
	return scan->wants_ids || is_wanted(scan, TRACE_STEP) || is_wanted(scan, TRACE_DEPTH) ? TRACE_DEPTHS : TRACE_REACHED;
}

static void
run_trace(TraceScan *scan)
{
	PgStat_FunctionCallUsage usage;
	MemoryContext caller;

	scan->context = AllocSetContextCreate(scan->custom.ss.ps.state->es_query_cxt, "trace scan", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(scan->context);
	scan_call_evaluate(&scan->call, &scan->custom);
	pgstat_init_function_usage(scan->call.call, &usage);
	scan->trace = trace_call(scan->call.call, detail_wanted(scan));
	if (scan->trace)
	{
		if (is_wanted(scan, TRACE_CYCLE))
			scan->cycle = trace_cycles(scan->trace);
		if (is_wanted(scan, TRACE_EDGE_ID))
			trace_rows_begin(scan->trace);
		graph_close_tables(scan->trace->graph);
		scan->row_count = scan->trace->node_count;
	}
	pgstat_end_function_usage(&usage, true);
	MemoryContextSwitchTo(caller);
	scan->has_run = true;
}

static void
forget_trace(TraceScan *scan)
{
	if (scan->context)
		MemoryContextDelete(scan->context);
	scan->context = NULL;
	scan->has_run = false;
	scan->trace = NULL;
	scan->cycle = NULL;
	scan->row_count = 0;
	scan->rows_read = 0;
}

/* ---------------------------------------------------------------- rows */

static inline void
put_value(const TraceScan *scan, TupleTableSlot *slot, TraceColumn column, Datum value)
{
	slot->tts_values[scan->place[column]] = value;
}

static inline const TraceRow *
row_at(TraceScan *scan, uint32 position)
{
	if (unlikely(position - scan->rows_begin >= scan->rows_read))
	{
		scan->rows_begin = position / ROWS_AT_ONCE * ROWS_AT_ONCE;
		scan->rows_read = Min(ROWS_AT_ONCE, scan->trace->node_count - scan->rows_begin);
		trace_rows_read(scan->trace, scan->rows_begin, scan->rows_read, scan->rows, scan->wants_whole_rows);
	}
	return &scan->rows[position - scan->rows_begin];
}

static inline void
put_ids(TraceScan *scan, TupleTableSlot *slot, uint32 position)
{
	const TraceRow *row = row_at(scan, position);

	if (is_wanted(scan, TRACE_NODE_ID))
		put_value(scan, slot, TRACE_NODE_ID, UUIDPGetDatum(row->node_id));
	if (is_wanted(scan, TRACE_EDGE_ID))
	{
		put_value(scan, slot, TRACE_EDGE_ID, UUIDPGetDatum(row->edge_id));
		slot->tts_isnull[scan->place[TRACE_EDGE_ID]] = position < scan->trace->start_count;
	}
	if (is_wanted(scan, TRACE_PARENT_ID))
	{
		put_value(scan, slot, TRACE_PARENT_ID, UUIDPGetDatum(row->parent_id));
		slot->tts_isnull[scan->place[TRACE_PARENT_ID]] = position < scan->trace->start_count;
	}
}

/* ExecStoreVirtualTuple(), without what it does for slots of other kinds. */
static TupleTableSlot *
put_row(TraceScan *scan, TupleTableSlot *slot)
{
	uint32		position = (uint32) scan->position;
	Trace	   *trace = scan->trace;

	if (is_wanted(scan, TRACE_STEP))
		put_value(scan, slot, TRACE_STEP, Int32GetDatum((int32) position));
	if (is_wanted(scan, TRACE_DEPTH))
	{
		while (position >= trace->level[scan->depth + 1])
			scan->depth++;
		while (position < trace->level[scan->depth])
			scan->depth--;
		put_value(scan, slot, TRACE_DEPTH, Int32GetDatum(scan->depth));
	}
	if (is_wanted(scan, TRACE_CYCLE))
		put_value(scan, slot, TRACE_CYCLE, BoolGetDatum(scan->cycle[position]));
	if (scan->wants_ids)
		put_ids(scan, slot, position);
	slot->tts_flags &= ~TTS_FLAG_EMPTY;
	slot->tts_nvalid = slot->tts_tupleDescriptor->natts;
	return slot;
}

static TupleTableSlot *
next_row(ScanState *state)
{
	TraceScan  *scan = (TraceScan *) state;
	TupleTableSlot *slot = state->ss_ScanTupleSlot;

	if (unlikely(!scan->has_run))
		run_trace(scan);
	if (likely(ScanDirectionIsForward(state->ps.state->es_direction)))
	{
		if (scan->position < scan->row_count)
			scan->position++;
	}
	else if (scan->position >= 0)
		scan->position--;
	if (unlikely(scan->position < 0 || scan->position >= scan->row_count))
		return ExecClearTuple(slot);
	/* The slot was materialised: it holds a copy of the last row. */
	if (unlikely(TTS_SHOULDFREE(slot)))
		ExecClearTuple(slot);
	return put_row(scan, slot);
}

static bool
recheck_row(ScanState *state, TupleTableSlot *slot)
{
	return true;
}

/* ---------------------------------------------------------------- the node */

static void
begin_scan(CustomScanState *custom, EState *estate, int flags)
{
	TraceScan  *scan = (TraceScan *) custom;
	CustomScan *plan = (CustomScan *) custom->ss.ps.plan;
	int			place = 0;
	ListCell   *cell;

	scan_call_begin(&scan->call, custom);
	for (int column = 0; column < TRACE_COLUMNS; column++)
		scan->place[column] = NOT_WANTED;
	foreach(cell, plan->custom_private)
		scan->place[lfirst_int(cell)] = place++;
	scan->wants_whole_rows = is_wanted(scan, TRACE_EDGE_ID) || is_wanted(scan, TRACE_PARENT_ID);
	scan->wants_ids = scan->wants_whole_rows || is_wanted(scan, TRACE_NODE_ID);
	scan->is_plain = !custom->ss.ps.qual && !custom->ss.ps.ps_ProjInfo && !estate->es_epq_active;
	scan->position = -1;
}

static TupleTableSlot *
exec_scan(CustomScanState *custom)
{
	TraceScan  *scan = (TraceScan *) custom;

	/* What is left of ExecScan() then takes as long as the rest of a row. */
	return likely(scan->is_plain) ? next_row(&custom->ss) : ExecScan(&custom->ss, next_row, recheck_row);
}

static void
end_scan(CustomScanState *custom)
{
	forget_trace((TraceScan *) custom);
}

static void
rescan(CustomScanState *custom)
{
	TraceScan  *scan = (TraceScan *) custom;
	bool		depends = scan_call_depends(&scan->call, custom->ss.ps.chgParam);

	ExecScanReScan(&custom->ss);
	if (depends)
		forget_trace(scan);
	scan->position = -1;
	scan->depth = 0;
}

static void
explain_scan(CustomScanState *custom, List *ancestors, ExplainState *es)
{
	TraceScan  *scan = (TraceScan *) custom;

	scan_call_explain(custom, ancestors, es);
	if (!es->analyze || !scan->trace)
		return;
	ExplainPropertyText("Engine", scan->trace->search ? "adjacency cache" : "covering indexes", es);
	ExplainPropertyInteger("Levels", NULL, scan->trace->level_count, es);
	ExplainPropertyUInteger("Memory", "kB", (scan->trace->graph->used_bytes + 1023) / 1024, es);
}

static const CustomExecMethods exec_methods = {
	.CustomName = "TraceScan",
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = exec_scan,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = rescan,
	.ExplainCustomScan = explain_scan
};

static Node *
create_scan_state(CustomScan *plan)
{
	TraceScan  *scan = (TraceScan *) newNode(sizeof(TraceScan), T_CustomScanState);

	scan->custom.methods = &exec_methods;
	return (Node *) scan;
}

const CustomScanMethods trace_scan_methods = {
	.CustomName = "TraceScan",
	.CreateCustomScanState = create_scan_state
};
