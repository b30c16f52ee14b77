/*
 * size_scan.h
 *		trace_size() in FROM as a plan node of its own.
 *
 * A function does not know which of its columns a query looks at.  To count edges, a trace with a limit
 * of depth must look at all links of its last level.  Where a query does not want the number, the custom
 * scan leaves that out.
 */
#ifndef REASON_TRACE_SIZE_SCAN_H
#define REASON_TRACE_SIZE_SCAN_H

#include "postgres.h"

#include "nodes/extensible.h"

/* The plan: as in trace/scan.h. */
extern const CustomScanMethods trace_size_scan_methods;

#endif							/* REASON_TRACE_SIZE_SCAN_H */
