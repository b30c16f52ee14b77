/*
 * walk.h
 *		Walks along the covering indexes.
 */
#ifndef REASON_GRAPH_WALK_H
#define REASON_GRAPH_WALK_H

#include "postgres.h"

#include "access/htup.h"

#include "graph/types.h"

/* Receives visible entries in pieces, in no particular order. */
typedef void (*GraphSink) (void *argument, const GraphEntry *entries, int count);

/*
 * Refuses rows that the snapshot sees; NULL accepts all.  The tuple is pinned,
 * not locked.
 */
typedef bool (*GraphRowCheck) (void *argument, HeapTuple tuple, TupleDesc desc);

/*
 * Moves the entries that may make a difference to the sink to the front, and says how many they are.  It is called
 * before rows are looked up, so some of the entries will turn out to be invisible or refused.  An entry that makes no
 * difference now must not make one after the sink has got more.
 */
typedef int (*GraphPrefilter) (void *argument, GraphEntry *entries, int count);

/*
 * Finds the entries of all keys, which must be sorted and distinct.  Index-only
 * where the visibility map allows and there is no row check.
 */
extern void graph_walk(Graph *graph, GraphIndexKind kind, const int64 *keys, uint32 count,
					   GraphRowCheck row_check, GraphSink sink, void *argument);

/*
 * As graph_walk(), but entries that the prefilter keeps back are not looked up and do not reach the sink.  This is
 * right in serializable transactions too: a row that makes no difference is no dependency.
 */
extern void graph_walk_prefiltered(Graph *graph, GraphIndexKind kind, const int64 *keys, uint32 count,
								   GraphPrefilter prefilter, GraphRowCheck row_check, GraphSink sink, void *argument);

#endif							/* REASON_GRAPH_WALK_H */
