/*
 * sql.h
 *		The SQL functions of traces that C files name.
 */
#ifndef REASON_TRACE_SQL_H
#define REASON_TRACE_SQL_H

#include "postgres.h"

#include "fmgr.h"

/* trace(), trace_from() and trace_size(), which a plan node can take the place of: see trace/plan.c. */
extern Datum reason_trace(PG_FUNCTION_ARGS);
extern Datum reason_trace_from(PG_FUNCTION_ARGS);
extern Datum reason_trace_size(PG_FUNCTION_ARGS);

#endif							/* REASON_TRACE_SQL_H */
