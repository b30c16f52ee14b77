/*
 * scan.h
 *		trace() in FROM as a plan node of its own.
 *
 * A function in FROM hands its rows over in a tuplestore: PostgreSQL copies each of them in
 * and out again, which takes longer than finding them.  The custom scan gives the same
 * rows one by one, straight from where the trace has them, and leaves out
 * what the query does not look at.
 */
#ifndef REASON_TRACE_SCAN_H
#define REASON_TRACE_SCAN_H

#include "postgres.h"

#include "fmgr.h"
#include "nodes/extensible.h"

/*
 * The plan: custom_exprs holds the call, a FuncExpr; custom_private the numbers of the columns
 * that the query looks at, a list of int; custom_scan_tlist these columns.
 */
extern const CustomScanMethods trace_scan_methods;

#endif							/* REASON_TRACE_SCAN_H */
