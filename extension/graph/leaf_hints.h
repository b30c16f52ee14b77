/*
 * leaf_hints.h
 *		Hints where the leaf pages of an index are, kept from walk to walk.
 *
 * A backend remembers, for each index it walks, the lower fence, the block and the
 * last buffer of every leaf, and what the present call has to do with it: 24 bytes a leaf, 1/300 of the index.  A hint
 * may be wrong: pages split, are deleted and used again, buffers change hands.  So a page that
 * was found by a hint is taken only if it proves itself under its lock: it is a
 * leaf with an entry less than the key, whose high key is not less than the
 * key.  As pages are in key order, entries of the key then begin nowhere else.
 *
 * What the hints save is the descent, the lookup in the buffer table, and most of
 * all waiting for memory: pages that are needed next are fetched ahead.
 */
#ifndef REASON_GRAPH_LEAF_HINTS_H
#define REASON_GRAPH_LEAF_HINTS_H

#include "postgres.h"

#include "graph/types.h"

typedef struct GraphLeafHints GraphLeafHints;

typedef struct GraphLeafHint
{
	BlockNumber block;
	Buffer		recent;			/* where the block was last */
	uint32		call;			/* whose note it is */
	uint32		note;			/* 0 at first: see graph/leaf_copies.h */
} GraphLeafHint;

/* To be called when the index was opened. */
extern void graph_leaf_hints_open(GraphIndexKind kind, Relation index);

/* The hints for an index; NULL while there are none. */
extern GraphLeafHints *graph_leaf_hints_of(GraphIndexKind kind, Relation index);

/* Counts a descent that hints would have saved; enough of them make it worth reading the index's upper levels. */
extern void graph_leaf_hints_missed(GraphIndexKind kind, Relation index);

/*
 * The hint for the leaf where entries of the walk's key `next` begin, and the one after it (NULL: there is none),
 * with the note of that call.  Calls have different numbers.  Good until graph_leaf_hints_missed().
 */
extern GraphLeafHint *graph_leaf_hints_at(GraphLeafHints *leaves, const int64 *keys, uint32 next, uint32 call);
extern GraphLeafHint *graph_leaf_hints_after(GraphLeafHints *leaves, GraphLeafHint *leaf, uint32 call);

/* The page where the hint says, pinned. */
extern Buffer graph_leaf_hints_pin(Relation index, GraphLeafHint *leaf);

/*
 * The leaf where entries of the key begin, pinned and share-locked, if the hint is right, or
 * InvalidBuffer.  *low: entries of keys beyond it do not begin further left.
 * *stale: reading the hints again would have helped.
 */
extern Buffer graph_leaf_hints_read(Relation index, GraphLeafHint *leaf, int64 key, int64 *low, bool *stale);

/*
 * Has the processor fetch what graph_leaf_hints_at() and the search within the page will touch
 * for the keys after the next one, of pages that the call has not copied.  The keys are those of one walk, from
 * graph_leaf_hints_of() on.
 */
extern void graph_leaf_hints_fetch_ahead(GraphLeafHints *leaves, uint32 call, const int64 *keys, uint32 next, uint32 count);

#endif							/* REASON_GRAPH_LEAF_HINTS_H */
