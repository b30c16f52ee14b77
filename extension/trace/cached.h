/*
 * cached.h
 *		A trace in the adjacency cache.
 */
#ifndef REASON_TRACE_CACHED_H
#define REASON_TRACE_CACHED_H

#include "postgres.h"

#include "cache/view.h"
#include "trace/result.h"

/* Runs a trace in the adjacency cache, after graph_cache_read_delta(). */
extern void trace_cached(Trace *trace, GraphCacheView *view);

/* Whether the cache can run it: it must know all starts but one, which it adds. */
extern bool trace_cached_knows(const Trace *request, GraphCacheView *view);

/* trace_rows_read() of a trace that trace_cached() ran. */
extern void trace_cached_rows(const Trace *trace, uint32 first, uint32 count, TraceRow *rows, bool whole);

#endif							/* REASON_TRACE_CACHED_H */
