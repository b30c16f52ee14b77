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
/* Of the memory that a trace may take. */
#define PART_OF_LIMIT 8

void
graph_kept_init(GraphKept *kept, Graph *graph, bool has_links)
{
	memset(kept, 0, sizeof(*kept));
	kept->graph = graph;
	kept->has_links = has_links;
}

static Size
leaf_size(const GraphKept *kept, int count)
{
	Size		entry = kept->has_links ? sizeof(GraphKeptLink) : sizeof(GraphKeptRecord);

	return MAXALIGN(sizeof(GraphKeptLeaf)) + count * (sizeof(int64) + entry);
}

bool
graph_kept_visit(GraphKept *kept, uint32 *note)
{
	if (++*note < WORTH_A_COPY)
		return false;
	/* Again after as many, if there is no room now. */
	*note = 0;
	return kept->bytes + leaf_size(kept, MaxIndexTuplesPerPage) <= kept->graph->limit_bytes / PART_OF_LIMIT;
}

GraphKeptLeaf *
graph_kept_add(GraphKept *kept, uint32 *note, const int64 *keys, const GraphEntry *entries, int count)
{
	char	   *bytes = graph_alloc(kept->graph, leaf_size(kept, count));
	GraphKeptLeaf *leaf = (GraphKeptLeaf *) bytes;

	leaf->count = count;
	leaf->keys = (int64 *) (bytes + MAXALIGN(sizeof(GraphKeptLeaf)));
	memcpy(leaf->keys, keys, count * sizeof(int64));
	leaf->links = kept->has_links ? (GraphKeptLink *) (leaf->keys + count) : NULL;
	leaf->records = kept->has_links ? NULL : (GraphKeptRecord *) (leaf->keys + count);
	for (int i = 0; i < count; i++)
	{
		const GraphEntry *entry = &entries[i];

		if (kept->has_links)
			leaf->links[i] = (GraphKeptLink) {entry->link.other_no, entry->link.edge_no, entry->tid, entry->all_visible};
		else
			leaf->records[i] = (GraphKeptRecord) {entry->record.id, entry->record.created_at, entry->tid, entry->all_visible};
	}
	graph_reserve(kept->graph, kept->leaves, kept->leaf_count, kept->leaf_capacity);
	*note = GRAPH_KEPT_FIRST + kept->leaf_count;
	kept->leaves[kept->leaf_count++] = leaf;
	kept->bytes += leaf_size(kept, count);
	return leaf;
}
