/*
 * plan.h
 *		Planning trace() in FROM as a node of its own.
 */
#ifndef REASON_TRACE_PLAN_H
#define REASON_TRACE_PLAN_H

#include "postgres.h"

/* Called by _PG_init(). */
extern void trace_plan_define(void);

#endif							/* REASON_TRACE_PLAN_H */
