/*
 * scan_call.c
 *		The function call that a plan node of ours stands for.
 */
#include "postgres.h"

#include "trace/scan_call.h"

#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#endif
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"

static bool
collect_parameters(Node *node, ScanCall *call)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC)
		call->parameters = bms_add_member(call->parameters, ((Param *) node)->paramid);
	/* It may depend on others, within. */
	if (IsA(node, SubPlan))
		call->any_parameter = true;
	return expression_tree_walker(node, collect_parameters, call);
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

static FuncExpr *
expression_of(const CustomScanState *custom)
{
	return linitial_node(FuncExpr, ((CustomScan *) custom->ss.ps.plan)->custom_exprs);
}

void
scan_call_begin(ScanCall *call, CustomScanState *custom)
{
	FuncExpr   *expression = expression_of(custom);
	int			count = list_length(expression->args);

	check_permission(expression->funcid);
	fmgr_info(expression->funcid, &call->function);
	fmgr_info_set_expr((Node *) expression, &call->function);
	call->call = palloc0(SizeForFunctionCallInfo(count));
	InitFunctionCallInfoData(*call->call, &call->function, count, expression->inputcollid, NULL, NULL);
	call->arguments = ExecInitExprList(expression->args, &custom->ss.ps);
	collect_parameters((Node *) expression, call);
}

void
scan_call_evaluate(ScanCall *call, CustomScanState *custom)
{
	ExprContext *context = custom->ss.ps.ps_ExprContext;
	int			i = 0;
	ListCell   *cell;

	foreach(cell, call->arguments)
	{
		NullableDatum *argument = &call->call->args[i++];

		argument->value = ExecEvalExpr((ExprState *) lfirst(cell), context, &argument->isnull);
	}
}

bool
scan_call_depends(const ScanCall *call, const Bitmapset *changed)
{
	return changed != NULL && (call->any_parameter || bms_overlap(changed, call->parameters));
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

void
scan_call_explain(CustomScanState *custom, List *ancestors, ExplainState *es)
{
	List	   *context = set_deparse_context_plan(es->deparse_cxt, custom->ss.ps.plan, ancestors);
	bool		use_prefix = list_length(es->rtable) > 1 || es->verbose;

	ExplainPropertyText("Function Call", deparse_expression(short_call(expression_of(custom)), context, use_prefix, false), es);
}
