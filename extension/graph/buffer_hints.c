/*
 * buffer_hints.c
 *		Hints where blocks of heaps are in shared buffers.
 */
#include "postgres.h"

#include "graph/buffer_hints.h"

#include "port/prefetch.h"
#include "port/relation_file.h"

#include "access/htup_details.h"
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"

/* 1 GB of heap; blocks beyond share their places. */
#define PLACES 131072

/* 0: none. */
static Buffer recent[PLACES];

static inline Buffer *
place_of(Relation heap, BlockNumber block)
{
	return &recent[(block + RelationGetRelid(heap) * 0x9E3779B1U) % PLACES];
}

Buffer
graph_buffer_hints_read(Relation heap, BlockNumber block)
{
	Buffer	   *place = place_of(heap, block);

	if (!BufferIsValid(*place) || !ReadRecentBuffer(relation_file_of(heap), MAIN_FORKNUM, block, *place))
		*place = ReadBuffer(heap, block);
	return *place;
}

/*
 * Pages are neither pinned nor locked here: what is read may be anything, and serves only to guess addresses
 * within them.
 */
static inline const char *
page_in(Buffer buffer)
{
	return BufferBlocks + (Size) (buffer - 1) * BLCKSZ;
}

static inline const ItemIdData *
item_in(Buffer buffer, const ItemPointerData *tid)
{
	return &((const PageHeaderData *) page_in(buffer))->pd_linp[(ItemPointerGetOffsetNumber(tid) - 1) % MaxHeapTuplesPerPage];
}

void
graph_buffer_hints_fetch_item(Relation heap, const ItemPointerData *tid)
{
	Buffer		buffer = *place_of(heap, ItemPointerGetBlockNumber(tid));

	if (buffer <= 0)
		return;
	prefetch_line(GetBufferDescriptor(buffer - 1));
	prefetch_line(page_in(buffer));
	prefetch_line(item_in(buffer, tid));
}

void
graph_buffer_hints_fetch_row(Relation heap, const ItemPointerData *tid)
{
	Buffer		buffer = *place_of(heap, ItemPointerGetBlockNumber(tid));
	uint32		offset;

	if (buffer <= 0)
		return;
	offset = item_in(buffer, tid)->lp_off;
	if (offset < BLCKSZ)
	{
		prefetch_line(page_in(buffer) + offset);
		prefetch_line(page_in(buffer) + offset + 64);
	}
}
