/*
 * parallel_edges.h
 *		Which of several edges between the same two nodes is the tree edge.
 */
#ifndef REASON_TRACE_PARALLEL_EDGES_H
#define REASON_TRACE_PARALLEL_EDGES_H

#include "postgres.h"

#include "trace/level.h"

/*
 * Called when the new nodes of a level have moved to their final positions: `position` has these by
 * the old ones.  Parallel edges follow their nodes; those of nodes that were dropped, or that have got
 * another parent, are forgotten.
 */
extern void trace_level_renumber_parallel(TraceLevel *level, const uint32 *position);

/*
 * The first by (created_at, id) of the edges between the same two nodes becomes the tree edge.  Their records
 * are looked up for all levels at once.
 */
extern void trace_level_settle(TraceLevel *level);

#endif							/* REASON_TRACE_PARALLEL_EDGES_H */
