/*
 * scan_call.h
 *		The function call that a plan node of ours stands for: permission, arguments, EXPLAIN.
 */
#ifndef REASON_TRACE_SCAN_CALL_H
#define REASON_TRACE_SCAN_CALL_H

#include "postgres.h"

#include "commands/explain.h"
#include "fmgr.h"
#include "nodes/extensible.h"

typedef struct ScanCall
{
	List	   *arguments;		/* ExprStates */
	FmgrInfo	function;
	FunctionCallInfo call;
	Bitmapset  *parameters;		/* that the arguments depend on */
	bool		any_parameter;	/* may be one of them */
} ScanCall;

/* custom_exprs of the plan holds the call, a FuncExpr.  Raises 42501 where the caller may not execute the function. */
extern void scan_call_begin(ScanCall *call, CustomScanState *custom);

/* Evaluates the arguments into call->call, in the current memory context. */
extern void scan_call_evaluate(ScanCall *call, CustomScanState *custom);

/* Whether the arguments may say something else now that these parameters have changed. */
extern bool scan_call_depends(const ScanCall *call, const Bitmapset *changed);

extern void scan_call_explain(CustomScanState *custom, List *ancestors, ExplainState *es);

#endif							/* REASON_TRACE_SCAN_CALL_H */
