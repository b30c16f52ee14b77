/*
 * engine.h
 *		The two ways to run a trace, which give the same.
 */
#ifndef REASON_TRACE_ENGINE_H
#define REASON_TRACE_ENGINE_H

#include "postgres.h"

#include "cache/view.h"
#include "trace/trace.h"

/* How a walk ended.  If it is not done, the trace is of no use. */
typedef enum TraceOutcome
{
	TRACE_DONE,
	TRACE_TOO_LARGE,			/* it has more than most_nodes nodes */
	TRACE_NODE_MISSING			/* an edge leads to a node that is not there, and the walk was optimistic */
} TraceOutcome;

/* Along the covering indexes.  Optimistic: faster, while every edge leads to a node. */
extern TraceOutcome trace_walk(Trace *trace, const GraphNode *start, uint32 most_nodes, bool optimistic);

/* In the adjacency cache, after graph_cache_overlay(). */
extern void trace_cached(Trace *trace, const GraphNode *start, GraphCacheView *view);

/* Its part for TRACE_COUNT without limits, where causes mostly come before effects. */
extern bool trace_closure_pays(const GraphCacheView *view);
extern void trace_closure(Trace *trace, uint32 start, GraphCacheView *view);

/* trace_rows_read() of a trace that trace_cached() ran. */
extern void trace_cached_rows(const Trace *trace, uint32 first, uint32 count, TraceRow *rows, bool whole);

/* Notes where a level begins. */
extern void trace_begin_level(Trace *trace, uint32 position);

/* After the last level that was expanded; nodes from `position` on, if any, are a level more. */
extern void trace_end_levels(Trace *trace, uint32 position);

/* Notes an edge that may lead back to an ancestor on the path. */
extern void trace_add_return(Trace *trace, uint32 source, uint32 target);

#endif							/* REASON_TRACE_ENGINE_H */
