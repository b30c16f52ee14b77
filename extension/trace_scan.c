/*
 * trace_scan.c
 *		Executing trace() as a plan node: the trace is run when the first row is asked for, then read off.
 *
 * Tables and indexes are closed as soon as the trace is there.  What stays until the scan ends is memory,
 * and a pin on the generation of the adjacency cache that its ids are in.
 */
#include "postgres.h"

#include "trace_scan.h"

#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#endif
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "pgstat.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/ruleutils.h"

typedef struct TraceScan
{
	CustomScanState custom;
	List	   *arguments;		/* ExprStates */
	FmgrInfo	function;
	FunctionCallInfo call;
	Bitmapset  *parameters;		/* that the arguments depend on */
	bool		any_parameter;	/* may be one of them */
	bool		unwanted[TRACE_COLUMNS];	/* nobody looks at them: shown as NULL */

	bool		wants_path;		/* edge or parent */

	MemoryContext context;		/* of one run */
	bool		has_run;
	Trace	   *trace;			/* NULL: the node is NULL */
	const bool *cycle;			/* NULL: nobody looks at it */
	int64		row_count;
	int64		position;		/* of the row given last: -1 before the first, row_count after the last */
	int32		depth;			/* of the level that row is in */
} TraceScan;

/* ---------------------------------------------------------------- arguments */

static bool
collect_parameters(Node *node, TraceScan *scan)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC)
		scan->parameters = bms_add_member(scan->parameters, ((Param *) node)->paramid);
	/* It may depend on others, within. */
	if (IsA(node, SubPlan))
		scan->any_parameter = true;
	return expression_tree_walker(node, collect_parameters, scan);
}

static void
check_permission(Oid function)
{
#if PG_VERSION_NUM >= 160000
	AclResult	result = object_aclcheck(ProcedureRelationId, function, GetUserId(), ACL_EXECUTE);
#else
	AclResult	result = pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE);
#endif

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(function));
	InvokeFunctionExecuteHook(function);
}

static void
evaluate_arguments(TraceScan *scan)
{
	ExprContext *context = scan->custom.ss.ps.ps_ExprContext;
	int			i = 0;
	ListCell   *cell;

	foreach(cell, scan->arguments)
	{
		NullableDatum *argument = &scan->call->args[i++];

		argument->value = ExecEvalExpr((ExprState *) lfirst(cell), context, &argument->isnull);
	}
}

/* ---------------------------------------------------------------- running */

static TraceDetail
detail_wanted(const TraceScan *scan)
{
	if (!scan->unwanted[TRACE_CYCLE])
		return TRACE_NODES;
	return scan->unwanted[TRACE_EDGE_ID] ? TRACE_DEPTHS : TRACE_TREE;
}

static void
run_trace(TraceScan *scan)
{
	PgStat_FunctionCallUsage usage;
	MemoryContext caller;

	scan->context = AllocSetContextCreate(scan->custom.ss.ps.state->es_query_cxt, "trace scan", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(scan->context);
	evaluate_arguments(scan);
	pgstat_init_function_usage(scan->call, &usage);
	scan->trace = trace_call(scan->call, detail_wanted(scan));
	if (scan->trace)
	{
		if (!scan->unwanted[TRACE_CYCLE])
			scan->cycle = trace_cycles(scan->trace);
		if (!scan->unwanted[TRACE_EDGE_ID])
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
}

/* ---------------------------------------------------------------- rows */

static TupleTableSlot *
put_row(TraceScan *scan, TupleTableSlot *slot)
{
	uint32		position = (uint32) scan->position;
	const Trace *trace = scan->trace;

	while (position >= trace->level[scan->depth + 1])
		scan->depth++;
	while (position < trace->level[scan->depth])
		scan->depth--;
	slot->tts_values[TRACE_STEP] = Int32GetDatum((int32) position);
	slot->tts_values[TRACE_DEPTH] = Int32GetDatum(scan->depth);
	if (scan->wants_path)
	{
		TraceRow	row = trace_row(scan->trace, position);

		slot->tts_values[TRACE_NODE_ID] = UUIDPGetDatum(row.node_id);
		slot->tts_values[TRACE_EDGE_ID] = UUIDPGetDatum(row.edge_id);
		slot->tts_values[TRACE_PARENT_ID] = UUIDPGetDatum(row.parent_id);
	}
	else if (!scan->unwanted[TRACE_NODE_ID])
		slot->tts_values[TRACE_NODE_ID] = UUIDPGetDatum(trace_node_id(trace, position));
	if (scan->cycle)
		slot->tts_values[TRACE_CYCLE] = BoolGetDatum(scan->cycle[position]);
	memcpy(slot->tts_isnull, scan->unwanted, sizeof(scan->unwanted));
	if (position == 0)
		slot->tts_isnull[TRACE_EDGE_ID] = slot->tts_isnull[TRACE_PARENT_ID] = true;
	return ExecStoreVirtualTuple(slot);
}

static TupleTableSlot *
next_row(ScanState *state)
{
	TraceScan  *scan = (TraceScan *) state;
	TupleTableSlot *slot = state->ss_ScanTupleSlot;

	if (unlikely(!scan->has_run))
		run_trace(scan);
	ExecClearTuple(slot);
	if (likely(ScanDirectionIsForward(state->ps.state->es_direction)))
	{
		if (scan->position < scan->row_count)
			scan->position++;
	}
	else if (scan->position >= 0)
		scan->position--;
	if (scan->position < 0 || scan->position >= scan->row_count)
		return slot;
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
	FuncExpr   *call = linitial_node(FuncExpr, plan->custom_exprs);
	ListCell   *cell;

	check_permission(call->funcid);
	fmgr_info(call->funcid, &scan->function);
	fmgr_info_set_expr((Node *) call, &scan->function);
	scan->call = palloc0(SizeForFunctionCallInfo(list_length(call->args)));
	InitFunctionCallInfoData(*scan->call, &scan->function, list_length(call->args), call->inputcollid, NULL, NULL);
	scan->arguments = ExecInitExprList(call->args, &custom->ss.ps);
	collect_parameters((Node *) call, scan);
	memset(scan->unwanted, true, sizeof(scan->unwanted));
	foreach(cell, plan->custom_private)
		scan->unwanted[lfirst_int(cell)] = false;
	scan->wants_path = !(scan->unwanted[TRACE_EDGE_ID] && scan->unwanted[TRACE_PARENT_ID]);
	scan->position = -1;
}

static TupleTableSlot *
exec_scan(CustomScanState *custom)
{
	return ExecScan(&custom->ss, next_row, recheck_row);
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
	Bitmapset  *changed = custom->ss.ps.chgParam;

	ExecScanReScan(&custom->ss);
	if (changed && (scan->any_parameter || bms_overlap(changed, scan->parameters)))
		forget_trace(scan);
	scan->position = -1;
	scan->depth = 0;
}

/* The call without the arguments at its end that are NULL. */
static Node *
short_call(FuncExpr *call)
{
	FuncExpr   *result = copyObject(call);

	while (result->args != NIL && IsA(llast(result->args), Const) && ((Const *) llast(result->args))->constisnull)
		result->args = list_delete_last(result->args);
	return (Node *) result;
}

static void
explain_scan(CustomScanState *custom, List *ancestors, ExplainState *es)
{
	TraceScan  *scan = (TraceScan *) custom;
	CustomScan *plan = (CustomScan *) custom->ss.ps.plan;
	List	   *context = set_deparse_context_plan(es->deparse_cxt, &plan->scan.plan, ancestors);
	bool		use_prefix = list_length(es->rtable) > 1 || es->verbose;

	ExplainPropertyText("Function Call",
						deparse_expression(short_call(linitial_node(FuncExpr, plan->custom_exprs)), context, use_prefix, false), es);
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
