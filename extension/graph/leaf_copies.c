/*
 * leaf_copies.c
 *		Copies of leaf pages: which, and how many.
 */
#include "postgres.h"

#include "graph/leaf_copies.h"

#include "graph/memory.h"

#include "access/nbtree.h"

/* Visits after which a page is copied: about as long as that takes. */
#define WORTH_A_COPY 10
/* Copies take so small a part of the memory that a trace may take. */
#define PART_OF_LIMIT 8

void
graph_leaf_copies_init(GraphLeafCopies *copies, Graph *graph, bool has_links)
{
	memset(copies, 0, sizeof(*copies));
	copies->graph = graph;
	copies->has_links = has_links;
}

static Size
leaf_size(const GraphLeafCopies *copies, int count)
{
	Size		entry = copies->has_links ? sizeof(GraphCopiedLink) : sizeof(GraphCopiedRecord);

	return MAXALIGN(sizeof(GraphLeafCopy)) + count * (sizeof(int64) + entry);
}

bool
graph_leaf_copies_visit(GraphLeafCopies *copies, uint32 *note)
{
	if (++*note < WORTH_A_COPY)
		return false;
	/* Again after as many, if there is no room now. */
	*note = 0;
	return copies->bytes + leaf_size(copies, MaxIndexTuplesPerPage) <= copies->graph->limit_bytes / PART_OF_LIMIT;
}

GraphLeafCopy *
graph_leaf_copies_add(GraphLeafCopies *copies, uint32 *note, const int64 *keys, const GraphEntry *entries, int count)
{
	char	   *bytes = graph_alloc(copies->graph, leaf_size(copies, count));
	GraphLeafCopy *leaf = (GraphLeafCopy *) bytes;

	leaf->count = count;
	leaf->keys = (int64 *) (bytes + MAXALIGN(sizeof(GraphLeafCopy)));
	memcpy(leaf->keys, keys, count * sizeof(int64));
	leaf->links = copies->has_links ? (GraphCopiedLink *) (leaf->keys + count) : NULL;
	leaf->records = copies->has_links ? NULL : (GraphCopiedRecord *) (leaf->keys + count);
	for (int i = 0; i < count; i++)
	{
		const GraphEntry *entry = &entries[i];

		if (copies->has_links)
			leaf->links[i] = (GraphCopiedLink) {entry->link.other_no, entry->link.edge_no, entry->tid, entry->all_visible};
		else
			leaf->records[i] = (GraphCopiedRecord) {entry->record.id, entry->record.created_at, entry->tid, entry->all_visible};
	}
	graph_reserve(copies->graph, copies->leaves, copies->leaf_count, copies->leaf_capacity);
	*note = GRAPH_LEAF_COPIES_FIRST + copies->leaf_count;
	copies->leaves[copies->leaf_count++] = leaf;
	copies->bytes += leaf_size(copies, count);
	return leaf;
}
