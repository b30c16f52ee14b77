/*
 * index.h
 *		A covering index that walks of one call go along.
 */
#ifndef REASON_GRAPH_INDEX_H
#define REASON_GRAPH_INDEX_H

#include "postgres.h"

#include "access/itup.h"

#include "graph/descend.h"
#include "graph/leaf_copies.h"
#include "graph/leaf_hints.h"

/* Entries that are found are handed on once there are so many. */
#define FOUND_ENOUGH 128

struct GraphIndex
{
	GraphIndexKind kind;
	Relation	heap;
	Relation	index;
	Buffer		map_buffer;		/* of the visibility map */

	GraphFences fences;
	/* The leaf where the last walk ended: pinned, not locked. */
	Buffer		leaf;
	int64		leaf_low;

	GraphLeafHints *leaves;		/* hints; NULL: none */
	uint32		call;			/* whose notes in them are ours */
	GraphLeafCopies copies;
	/* A page that is to be copied. */
	BlockNumber page_right;
	int64		page_low;		/* as in GraphLeafCopy */
	int64		page_high;
	int			page_count;
	int64		page_keys[MaxIndexTuplesPerPage];
	GraphEntry	page[MaxIndexTuplesPerPage];

	GraphEntry *pending;
	uint32		pending_count;
	uint32		pending_capacity;

	int			found_count;
	GraphEntry	found[FOUND_ENOUGH + 2 * MaxIndexTuplesPerPage];
};

static inline bool
graph_index_has_links(const GraphIndex *index)
{
	return index->kind != GRAPH_NODES && index->kind != GRAPH_EDGES;
}

/* Opened when first asked for, and closed with the graph. */
extern GraphIndex *graph_index_open(Graph *graph, GraphIndexKind kind);

/* graph/index.c's part of closing. */
extern void graph_index_close(Graph *graph, GraphIndex *index);

#endif							/* REASON_GRAPH_INDEX_H */
