/*
 * descend.h
 *		From the root of an index to the leaf of a key.
 *
 * The page above the leaf is copied, so that the way to the next leaf of a walk is a
 * binary search in private memory.  Following a downlink that was read earlier is what
 * every B-tree search does (nbtree/README, "Lehman and Yao Algorithm and
 * Insertions"; the parent is never locked while its child is read), only the time in
 * between is longer.  A page that was split meanwhile is left to the right, one
 * that was deleted still leads right, and is not recycled while our snapshot is held.
 */
#ifndef REASON_GRAPH_DESCEND_H
#define REASON_GRAPH_DESCEND_H

#include "postgres.h"

#include "access/itup.h"

#include "graph/types.h"

/* A copy of one page of level 1: children and their lower fences.  Good for one snapshot. */
typedef struct GraphFences
{
	int			count;			/* 0: nothing copied */
	int			hint;			/* where the last search ended */
	int64		low;			/* keys beyond this ... */
	int64		high;			/* ... up to this are below that page */
	int64		key[MaxIndexTuplesPerPage];
	BlockNumber child[MaxIndexTuplesPerPage];
} GraphFences;

/*
 * The leaf where entries of the key would begin, pinned and share-locked, and in *low a key that
 * all its entries are beyond (or equal to).  Invalid when the index is empty.
 */
extern Buffer graph_descend(Graph *graph, Relation index, GraphFences *fences, int64 key, int64 *low);

/*
 * From a share-locked page to the first page right of it, or itself, whose keys
 * may reach `key`.  Raises *low to the high key of what was passed.
 */
extern Buffer graph_move_right(Relation index, Buffer buffer, int64 key, int64 *low);

#endif							/* REASON_GRAPH_DESCEND_H */
