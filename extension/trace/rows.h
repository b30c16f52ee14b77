/*
 * rows.h
 *		The rows of trace().
 */
#ifndef REASON_TRACE_ROWS_H
#define REASON_TRACE_ROWS_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "trace/result.h"

/* Puts (step, depth, node_id, edge_id, parent_id, cycle) for each node into the result. */
extern void trace_put_rows(ReturnSetInfo *result, Trace *trace);

#endif							/* REASON_TRACE_ROWS_H */
