/*
 * heap_block.c
 *		All rows of one block of a heap.
 */
#include "postgres.h"

#include "graph/heap_block.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "storage/bufpage.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

void
graph_heap_block_begin(GraphHeapBlockReader *reader, Relation heap, BufferAccessStrategy strategy,
					   GraphHeapBlockVisitor visitor, void *argument)
{
	int			columns = RelationGetNumberOfAttributes(heap);

	reader->heap = heap;
	reader->strategy = strategy;
	reader->visitor = visitor;
	reader->argument = argument;
	reader->values = palloc(columns * sizeof(Datum));
	reader->nulls = palloc(columns * sizeof(bool));
	reader->buffer = InvalidBuffer;
}

void
graph_heap_block_end(GraphHeapBlockReader *reader)
{
	if (BufferIsValid(reader->buffer))
		ReleaseBuffer(reader->buffer);
	pfree(reader->values);
	pfree(reader->nulls);
}

static Page
lock_block(GraphHeapBlockReader *reader, BlockNumber block)
{
	if (BufferIsValid(reader->buffer))
		ReleaseBuffer(reader->buffer);
	reader->buffer = ReadBufferExtended(reader->heap, MAIN_FORKNUM, block, RBM_NORMAL, reader->strategy);
	LockBuffer(reader->buffer, BUFFER_LOCK_SHARE);
	return BufferGetPage(reader->buffer);
}

/* The rows of the locked page that the snapshot, or with NULL everybody, sees. */
static int
gather(GraphHeapBlockReader *reader, Page page, Snapshot snapshot, HeapTupleData *tuples)
{
	BlockNumber block = BufferGetBlockNumber(reader->buffer);
	OffsetNumber last = PageGetMaxOffsetNumber(page);
	bool		has_heap_only = false;
	int			count = 0;

	for (OffsetNumber offset = FirstOffsetNumber; offset <= last; offset++)
	{
		ItemId		item = PageGetItemId(page, offset);
		HeapTuple	tuple = &tuples[count];

		if (!ItemIdIsNormal(item))
			continue;
		tuple->t_data = (HeapTupleHeader) PageGetItem(page, item);
		tuple->t_len = ItemIdGetLength(item);
		tuple->t_tableOid = RelationGetRelid(reader->heap);
		ItemPointerSet(&tuple->t_self, block, offset);
		if (snapshot && !HeapTupleSatisfiesVisibility(tuple, snapshot, reader->buffer))
			continue;
		has_heap_only |= HeapTupleHeaderIsHeapOnly(tuple->t_data);
		count++;
	}
	if (has_heap_only)
	{
		OffsetNumber roots[MaxHeapTuplesPerPage];

		heap_get_root_tuples(page, roots);
		for (int i = 0; i < count; i++)
		{
			OffsetNumber root = roots[ItemPointerGetOffsetNumber(&tuples[i].t_self) - 1];

			if (OffsetNumberIsValid(root))
				ItemPointerSetOffsetNumber(&tuples[i].t_self, root);
		}
	}
	return count;
}

/* The pin keeps the tuples where they are. */
static void
visit(GraphHeapBlockReader *reader, HeapTupleData *tuples, int count)
{
	TupleDesc	desc = RelationGetDescr(reader->heap);

	for (int i = 0; i < count; i++)
	{
		heap_deform_tuple(&tuples[i], desc, reader->values, reader->nulls);
		reader->visitor(reader->argument, &tuples[i], reader->values);
	}
}

void
graph_heap_block_visit(GraphHeapBlockReader *reader, BlockNumber block, Snapshot snapshot)
{
	HeapTupleData tuples[MaxHeapTuplesPerPage];
	int			count = gather(reader, lock_block(reader, block), snapshot, tuples);

	LockBuffer(reader->buffer, BUFFER_LOCK_UNLOCK);
	visit(reader, tuples, count);
}

bool
graph_heap_block_visit_all_visible(GraphHeapBlockReader *reader, BlockNumber block, XLogRecPtr *lsn)
{
	HeapTupleData tuples[MaxHeapTuplesPerPage];
	Page		page = lock_block(reader, block);
	bool		all_visible = !PageIsNew(page) && PageIsAllVisible(page);
	int			count = 0;

	if (all_visible)
	{
		*lsn = PageGetLSN(page);
		count = gather(reader, page, NULL, tuples);
	}
	LockBuffer(reader->buffer, BUFFER_LOCK_UNLOCK);
	visit(reader, tuples, count);
	return all_visible;
}
