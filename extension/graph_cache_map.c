/*
 * graph_cache_map.c
 *		Reading visibility maps page by page, for the adjacency cache.
 */
#include "postgres.h"

#include "graph_cache_map.h"

#include "access/visibilitymap.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/rel.h"

XLogRecPtr
graph_cache_read_map(Relation heap, uint32 number, uint8 *bits)
{
	Buffer		buffer = InvalidBuffer;
	Page		page;
	XLogRecPtr	lsn;
	const uint8 *contents;

	/* Finds the page, or that there is none, which is all that is wanted of it. */
	(void) visibilitymap_get_status(heap, number * GRAPH_CACHE_BLOCKS_PER_MAP, &buffer);
	if (!BufferIsValid(buffer))
	{
		memset(bits, 0, GRAPH_CACHE_MAP_BYTES);
		return InvalidXLogRecPtr;
	}
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	lsn = PageGetLSN(page);
	contents = (const uint8 *) PageGetContents(page);
	for (int i = 0; i < GRAPH_CACHE_MAP_BYTES; i += sizeof(uint64))
	{
		uint64		word;

		memcpy(&word, contents + i, sizeof(word));
		word &= GRAPH_CACHE_ALL_VISIBLE_WORD;
		memcpy(bits + i, &word, sizeof(word));
	}
	UnlockReleaseBuffer(buffer);
	return lsn;
}

bool
graph_cache_is_logged(const Graph *graph)
{
	return RelationNeedsWAL(graph->node) && RelationNeedsWAL(graph->edge);
}
