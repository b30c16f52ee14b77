/*
 * count.h
 *		Counting what a trace reaches, in the adjacency cache, without an order.
 */
#ifndef REASON_TRACE_COUNT_H
#define REASON_TRACE_COUNT_H

#include "postgres.h"

#include "cache/view.h"
#include "trace/result.h"

/* What trace_cached() does for TRACE_COUNT without limits, where causes mostly come before effects. */
extern bool trace_count_pays(const GraphCacheView *view);
extern void trace_count_reached(Trace *trace, uint32 start, GraphCacheView *view);

#endif							/* REASON_TRACE_COUNT_H */
