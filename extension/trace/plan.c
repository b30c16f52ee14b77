/*
 * plan.c
 *		Planning trace(), trace_from() and trace_size(): how many rows to expect, and the custom scan instead of a
 *		function scan.
 *
 * Planning a query that calls one of them loads the library, through the support function,
 * before paths are looked for.  So the hook is in place whether or not the library is preloaded.
 */
#include "postgres.h"

#include "trace/plan.h"

#include "trace/call.h"
#include "trace/scan.h"
#include "trace/size_scan.h"
#include "trace/sql.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_language.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(reason_trace_support);

/* Places of arguments of trace(). */
#define ARGUMENT_MAX_DEPTH 2
#define ARGUMENT_MAX_NODES 8

static bool enable_tracescan = true;
static set_rel_pathlist_hook_type next_pathlist_hook = NULL;

/* ---------------------------------------------------------------- rows */

static double
declared_rows(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	double		rows;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	rows = ((Form_pg_proc) GETSTRUCT(tuple))->prorows;
	ReleaseSysCache(tuple);
	return rows;
}

/* As ANALYZE and VACUUM left it; negative: nobody knows. */
static double
rows_of_table(const char *name)
{
	Oid			schema = get_namespace_oid("reason", true);
	Oid			table = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
	HeapTuple	tuple = OidIsValid(table) ? SearchSysCache1(RELOID, ObjectIdGetDatum(table)) : NULL;
	double		rows = -1;

	if (HeapTupleIsValid(tuple))
	{
		rows = ((Form_pg_class) GETSTRUCT(tuple))->reltuples;
		ReleaseSysCache(tuple);
	}
	return rows;
}

/* False: it is not known before the query runs. */
static bool
number_of(PlannerInfo *root, List *arguments, int place, double *number)
{
	Node	   *value = estimate_expression_value(root, list_nth(arguments, place));

	if (!IsA(value, Const) || ((Const *) value)->constisnull)
		return false;
	*number = DatumGetInt32(((Const *) value)->constvalue);
	return true;
}

/* So many nodes lie within a depth of a node when each has as many edges as the average. */
static double
rows_within(double depth, double nodes, double edges)
{
	double		branching = edges / nodes;
	double		level = 1;
	double		rows = 1;

	for (double i = 0; i < depth && rows < nodes && level >= 1e-3; i++)
	{
		level *= branching;
		rows += level;
	}
	return Min(rows, nodes);
}

/*
 * Without a limit, trace() may reach one node or all of them: what the function declares (ALTER
 * FUNCTION … ROWS) stands.
 */
static double
estimate_rows(PlannerInfo *root, Oid function, List *arguments)
{
	double		rows = declared_rows(function);
	double		nodes = rows_of_table("node");
	double		edges = rows_of_table("edge");
	double		limit;

	if (nodes > 0 && edges >= 0 && number_of(root, arguments, ARGUMENT_MAX_DEPTH, &limit))
		rows = rows_within(limit, nodes, edges);
	else if (nodes > 0)
		rows = Min(rows, nodes);
	if (number_of(root, arguments, ARGUMENT_MAX_NODES, &limit))
		rows = Min(rows, limit);
	return clamp_row_est(rows);
}

Datum
reason_trace_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	SupportRequestRows *rows = (SupportRequestRows *) request;

	if (!IsA(request, SupportRequestRows) || !rows->root || !IsA(rows->node, FuncExpr))
		PG_RETURN_POINTER(NULL);
	rows->rows = estimate_rows(rows->root, rows->funcid, ((FuncExpr *) rows->node)->args);
	PG_RETURN_POINTER(rows);
}

/* ---------------------------------------------------------------- whether a custom scan can do it */

static const Oid trace_columns[TRACE_COLUMNS] = {INT4OID, INT4OID, UUIDOID, UUIDOID, UUIDOID, BOOLOID};
static const Oid size_columns[TRACE_SIZE_COLUMNS] = {INT8OID, INT8OID};

typedef struct PlannedFunction
{
	const char *source;
	PGFunction	function;
	int			column_count;
	const Oid  *column_types;
	const CustomScanMethods *methods;
	bool		comes_by_step;
} PlannedFunction;

static const PlannedFunction planned_functions[] = {
	{"reason_trace", reason_trace, TRACE_COLUMNS, trace_columns, &trace_scan_methods, true},
	{"reason_trace_from", reason_trace_from, TRACE_COLUMNS, trace_columns, &trace_scan_methods, true},
	{"reason_trace_size", reason_trace_size, TRACE_SIZE_COLUMNS, size_columns, &trace_size_scan_methods, false}
};

/* Which of ours calling it runs, and nothing else; NULL: none. */
static const PlannedFunction *
planned_function(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	const PlannedFunction *result = NULL;
	Form_pg_proc form;
	Datum		source;
	bool		isnull;
	FmgrInfo	info;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	if (form->prolang == ClanguageId && !form->prosecdef && heap_attisnull(tuple, Anum_pg_proc_proconfig, NULL) && !isnull)
	{
		char	   *name = TextDatumGetCString(source);

		for (int i = 0; i < lengthof(planned_functions) && !result; i++)
		{
			if (strcmp(name, planned_functions[i].source) == 0)
				result = &planned_functions[i];
		}
	}
	ReleaseSysCache(tuple);
	if (!result || FmgrHookIsNeeded(function))
		return NULL;
	fmgr_info(function, &info);
	return info.fn_addr == result->function ? result : NULL;
}

static bool
has_columns(Node *call, const PlannedFunction *function)
{
	TupleDesc	desc = get_expr_result_tupdesc(call, true);

	if (!desc || desc->natts != function->column_count)
		return false;
	for (int i = 0; i < desc->natts; i++)
	{
		if (TupleDescAttr(desc, i)->atttypid != function->column_types[i])
			return false;
	}
	return true;
}

static FuncExpr *
planned_call_of(const RangeTblEntry *rte, const PlannedFunction **function)
{
	Node	   *call;

	if (rte->rtekind != RTE_FUNCTION || rte->funcordinality || list_length(rte->functions) != 1)
		return NULL;
	call = ((RangeTblFunction *) linitial(rte->functions))->funcexpr;
	if (!IsA(call, FuncExpr) || (*function = planned_function(((FuncExpr *) call)->funcid)) == NULL ||
		!has_columns(call, *function))
		return NULL;
	return (FuncExpr *) call;
}

/* The attributes of the relation that its output and its conditions look at. */
static Bitmapset *
attributes_used(const RelOptInfo *rel, List *clauses)
{
	Bitmapset  *attributes = NULL;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &attributes);
	pull_varattnos((Node *) clauses, rel->relid, &attributes);
	return attributes;
}

static bool
uses_whole_row(const RelOptInfo *rel, const ParamPathInfo *param_info)
{
	List	   *clauses = extract_actual_clauses(rel->baserestrictinfo, false);
	Bitmapset  *attributes;

	if (param_info)
		clauses = list_concat(clauses, extract_actual_clauses(param_info->ppi_clauses, false));
	attributes = attributes_used(rel, clauses);
	return bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber, attributes);
}

/* ---------------------------------------------------------------- the plan */

/*
 * Adds the columns that the output is made of, in its order, unless there is more to it: then rows
 * need no projection.
 */
static List *
columns_of_output(const RelOptInfo *rel, List *tlist)
{
	List	   *columns = NIL;
	ListCell   *cell;

	foreach(cell, tlist)
	{
		Var		   *column = (Var *) ((TargetEntry *) lfirst(cell))->expr;

		if (!IsA(column, Var) || column->varno != rel->relid || column->varlevelsup != 0 ||
			column->varattno <= 0 || list_member_int(columns, column->varattno - 1))
			return NIL;
		columns = lappend_int(columns, column->varattno - 1);
	}
	return columns;
}

static Plan *
plan_trace(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *custom_plans)
{
	FuncExpr   *call = linitial(path->custom_private);
	const PlannedFunction *function = planned_function(call->funcid);
	CustomScan *scan = makeNode(CustomScan);
	List	   *quals = extract_actual_clauses(clauses, false);
	Bitmapset  *attributes = attributes_used(rel, quals);
	List	   *columns = columns_of_output(rel, tlist);
	ListCell   *cell;

	if (function == NULL)
		elog(ERROR, "the function has changed while it was planned");
	for (int column = 0; column < function->column_count; column++)
	{
		if (bms_is_member(column + 1 - FirstLowInvalidHeapAttributeNumber, attributes))
			columns = list_append_unique_int(columns, column);
	}
	foreach(cell, columns)
	{
		Var		   *column = makeVar(rel->relid, lfirst_int(cell) + 1, function->column_types[lfirst_int(cell)], -1, InvalidOid, 0);

		scan->custom_scan_tlist = lappend(scan->custom_scan_tlist,
										  makeTargetEntry((Expr *) column, list_length(scan->custom_scan_tlist) + 1, NULL, false));
	}
	scan->custom_private = columns;
	scan->scan.plan.targetlist = tlist;
	scan->scan.plan.qual = quals;
	scan->scan.scanrelid = 0;
	scan->flags = path->flags;
	scan->custom_exprs = list_make1(copyObject(call));
	scan->methods = function->methods;
	return &scan->scan.plan;
}

static const CustomPathMethods path_methods = {
	.CustomName = "TraceScan",
	.PlanCustomPath = plan_trace
};

/* Rows come by step; of interest only if somebody asks for that order. */
static List *
order_by_step(PlannerInfo *root, RelOptInfo *rel)
{
	Var		   *step = makeVar(rel->relid, TRACE_STEP + 1, INT4OID, -1, InvalidOid, 0);

#if PG_VERSION_NUM >= 160000
	return build_expression_pathkey(root, (Expr *) step, Int4LessOperator, rel->relids, false);
#else
	return build_expression_pathkey(root, (Expr *) step, NULL, Int4LessOperator, rel->relids, false);
#endif
}

/* As cost_functionscan() has it, without what it takes to put each row into a tuplestore. */
static void
cost_trace(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, FuncExpr *call)
{
	ParamPathInfo *param_info = path->path.param_info;
	QualCost	call_cost;
	QualCost	filter_cost = rel->baserestrictcost;
	Cost		per_row;

	path->path.rows = param_info ? param_info->ppi_rows : rel->rows;
	cost_qual_eval_node(&call_cost, (Node *) call, root);
	if (param_info)
	{
		QualCost	more;

		cost_qual_eval(&more, param_info->ppi_clauses, root);
		filter_cost.startup += more.startup;
		filter_cost.per_tuple += more.per_tuple;
	}
	per_row = cpu_tuple_cost / 2 + filter_cost.per_tuple;
	path->path.startup_cost = call_cost.startup + call_cost.per_tuple + filter_cost.startup +
		path->path.pathtarget->cost.startup;
	path->path.total_cost = path->path.startup_cost + per_row * rel->tuples +
		path->path.pathtarget->cost.per_tuple * path->path.rows;
}

static void
add_trace_path(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	const PlannedFunction *function;
	FuncExpr   *call;
	ParamPathInfo *param_info;
	CustomPath *path;

	if (next_pathlist_hook)
		next_pathlist_hook(root, rel, rti, rte);
	if (!enable_tracescan || IS_DUMMY_REL(rel) || (call = planned_call_of(rte, &function)) == NULL)
		return;
	param_info = get_baserel_parampathinfo(root, rel, rel->lateral_relids);
	if (uses_whole_row(rel, param_info))
		return;
	path = makeNode(CustomPath);
	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = rel->reltarget;
	path->path.param_info = param_info;
	path->path.parallel_safe = rel->consider_parallel;
	path->path.pathkeys = function->comes_by_step ? order_by_step(root, rel) : NIL;
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION | (function->comes_by_step ? CUSTOMPATH_SUPPORT_BACKWARD_SCAN : 0);
	path->custom_private = list_make1(call);
	path->methods = &path_methods;
	cost_trace(root, rel, path, call);
	add_path(rel, &path->path);
}

void
trace_plan_define(void)
{
	DefineCustomBoolVariable("reason.enable_tracescan",
							 "Enables the planner's use of plan nodes of their own for trace(), trace_from() and trace_size().",
							 "Off, their rows go through a function scan. The rows are the same.",
							 &enable_tracescan, true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	RegisterCustomScanMethods(&trace_scan_methods);
	RegisterCustomScanMethods(&trace_size_scan_methods);
	next_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = add_trace_path;
}
