/*
 * visibility.c
 *		Reading visibility maps page by page, for the adjacency cache.
 */
#include "postgres.h"

#include "cache/visibility.h"

#include "cache/shared.h"

#include "access/visibilitymap.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "storage/lwlock.h"
#include "utils/rel.h"

#define BLOCKS_PER_WORD ((int) sizeof(uint64) * GRAPH_CACHE_BLOCKS_PER_BYTE)

/* The page, locked; not valid: there is none. */
static Buffer
lock_map(Relation heap, uint32 number)
{
	Buffer		buffer = InvalidBuffer;

	/* Finds the page, or that there is none, which is all that is wanted of it. */
	(void) visibilitymap_get_status(heap, number * GRAPH_CACHE_BLOCKS_PER_MAP, &buffer);
	if (BufferIsValid(buffer))
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
	return buffer;
}

bool
graph_cache_map_stands(Relation heap, uint32 number, const GraphCacheMap *known, uint32 blocks)
{
	Buffer		buffer = lock_map(heap, number);
	const uint64 *covered = (const uint64 *) known->covered;
	const uint64 *visible;
	uint32		words = blocks / BLOCKS_PER_WORD;
	uint64		missing = 0;
	bool		result;

	if (!BufferIsValid(buffer))
		return false;
	visible = (const uint64 *) PageGetContents(BufferGetPage(buffer));
	LWLockAcquire(graph_cache_lock(), LW_SHARED);
	for (uint32 i = 0; i < words; i++)
		missing |= ~(covered[i] & visible[i]);
	missing &= GRAPH_CACHE_ALL_VISIBLE_WORD;
	if (blocks % BLOCKS_PER_WORD != 0)
		missing |= graph_cache_first_blocks(blocks % BLOCKS_PER_WORD) & ~(covered[words] & visible[words]);
	result = missing == 0 && known->lsn == PageGetLSN(BufferGetPage(buffer));
	LWLockRelease(graph_cache_lock());
	UnlockReleaseBuffer(buffer);
	return result;
}

XLogRecPtr
graph_cache_read_map(Relation heap, uint32 number, uint8 *bits)
{
	Buffer		buffer = lock_map(heap, number);
	Page		page;
	XLogRecPtr	lsn;
	const uint8 *contents;

	if (!BufferIsValid(buffer))
	{
		memset(bits, 0, GRAPH_CACHE_MAP_BYTES);
		return InvalidXLogRecPtr;
	}
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
