/*
 * leaf_copies.h
 *		Copies of the leaf pages that one call comes back to again and again.
 *
 * A deep trace wants few entries of a page, but of the same pages at level after level, and pinning,
 * locking and searching a page takes longer than reading them.  So a leaf that was visited often
 * enough is copied, entries and what the visibility map says of their blocks, and
 * the copy serves the rest of the call.  All of a call reads with one snapshot: entries that come
 * later are not visible to it, and those that go were not either.
 */
#ifndef REASON_GRAPH_LEAF_COPIES_H
#define REASON_GRAPH_LEAF_COPIES_H

#include "postgres.h"

#include "graph/types.h"

/* The members of a GraphEntry that are copied, as narrow as can be: the copies should stay in the processor's caches. */
typedef struct GraphCopiedLink
{
	int64		other_no;
	int64		edge_no;
	ItemPointerData tid;
	bool		all_visible;
} GraphCopiedLink;

typedef struct GraphCopiedRecord
{
	pg_uuid_t	id;
	TimestampTz created_at;
	ItemPointerData tid;
	bool		all_visible;
} GraphCopiedRecord;

typedef struct GraphLeafCopy
{
	BlockNumber block;
	BlockNumber right;			/* where entries of `high` go on */
	int64		low;			/* entries of keys beyond this ... */
	int64		high;			/* ... and less than this are all here */
	bool		is_last;		/* so are those of all others */
	int			count;
	int64	   *keys;			/* ascending */
	GraphCopiedLink *links;		/* of an index of links ... */
	GraphCopiedRecord *records; /* ... or of records */
} GraphLeafCopy;

typedef struct GraphLeafCopies
{
	Graph	   *graph;
	bool		has_links;
	GraphLeafCopy **leaves;
	uint32		leaf_count;
	uint32		leaf_capacity;
	Size		bytes;
} GraphLeafCopies;

/*
 * What is noted of a place (graph/leaf_hints.h) is how often it was visited, or from GRAPH_LEAF_COPIES_FIRST on which
 * copy it has.  A copy says itself which keys it serves, so a note that is wrong costs time and no more.
 */
#define GRAPH_LEAF_COPIES_FIRST 64

extern void graph_leaf_copies_init(GraphLeafCopies *copies, Graph *graph, bool has_links);

/* Counts a visit of a page that is not copied; true: it is worth a copy, and there is room for one. */
extern bool graph_leaf_copies_visit(GraphLeafCopies *copies, uint32 *note);

/* A copy for these entries, ascending by key; what else it says is left to the caller. */
extern GraphLeafCopy *graph_leaf_copies_add(GraphLeafCopies *copies, uint32 *note, const int64 *keys, const GraphEntry *entries, int count);

/* Item `i` of a copy, but for `position`. */
static inline void
graph_leaf_copies_read(const GraphLeafCopy *leaf, int i, GraphEntry *entry)
{
	if (leaf->links)
	{
		const GraphCopiedLink *link = &leaf->links[i];

		entry->tid = link->tid;
		entry->all_visible = link->all_visible;
		entry->link.other_no = link->other_no;
		entry->link.edge_no = link->edge_no;
	}
	else
	{
		const GraphCopiedRecord *record = &leaf->records[i];

		entry->tid = record->tid;
		entry->all_visible = record->all_visible;
		entry->record.id = record->id;
		entry->record.created_at = record->created_at;
	}
}

/* NULL: not copied. */
static inline const GraphLeafCopy *
graph_leaf_copies_find(const GraphLeafCopies *copies, uint32 note)
{
	if (note < GRAPH_LEAF_COPIES_FIRST || note - GRAPH_LEAF_COPIES_FIRST >= copies->leaf_count)
		return NULL;
	return copies->leaves[note - GRAPH_LEAF_COPIES_FIRST];
}

#endif							/* REASON_GRAPH_LEAF_COPIES_H */
