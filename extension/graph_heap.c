/*
 * graph_heap.c
 *		Visits rows of the heap in the order in which they lie there.
 *
 * Each block is locked once, however many of its rows are asked for.
 */
#include "postgres.h"

#include "graph.h"
#include "graph_heap.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

static inline uint64
tid_order(const ItemPointerData *tid)
{
	return ((uint64) ItemPointerGetBlockNumberNoCheck(tid) << 16) | ItemPointerGetOffsetNumberNoCheck(tid);
}

#define ST_SORT sort_by_tid
#define ST_ELEMENT_TYPE GraphEntry
#define ST_COMPARE(a, b) (tid_order(&(a)->tid) < tid_order(&(b)->tid) ? -1 : tid_order(&(a)->tid) > tid_order(&(b)->tid))
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * Whether the first page of the trace saw the row.  Rows are inserted once, so
 * whoever wrote this version wrote the row, with one exception: erasing a
 * payload writes a new version of a node.
 */
bool
graph_horizon_sees(const GraphHorizon *horizon, int64 no, HeapTupleHeader tuple)
{
	TransactionId xmin = HeapTupleHeaderGetRawXmin(tuple);

	if (no > horizon->last_no)
		return false;
	if (no <= horizon->decided_no || !TransactionIdIsNormal(xmin) || TransactionIdIsCurrentTransactionId(xmin))
		return true;
	return !XidInMVCCSnapshot(xmin, horizon->snapshot);
}

void
graph_visit_rows(Graph *graph, Relation heap, GraphEntry *entries, uint32 count,
				 GraphVisitor visitor, void *argument)
{
	TupleDesc	desc = RelationGetDescr(heap);
	Buffer		buffer = InvalidBuffer;
	HeapTupleData tuples[MaxHeapTuplesPerPage];
	uint32		of_tuple[MaxHeapTuplesPerPage];
	uint32		next = 0;

	sort_by_tid(entries, count);
	while (next < count)
	{
		BlockNumber block = ItemPointerGetBlockNumber(&entries[next].tid);
		int			visible = 0;

		CHECK_FOR_INTERRUPTS();
		buffer = ReleaseAndReadBuffer(buffer, heap, block);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		for (; next < count && visible < MaxHeapTuplesPerPage; next++)
		{
			ItemPointerData tid = entries[next].tid;

			if (ItemPointerGetBlockNumber(&tid) != block)
				break;
			if (heap_hot_search_buffer(&tid, heap, buffer, graph->snapshot, &tuples[visible], NULL, true))
				of_tuple[visible++] = next;
		}
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		/* The pin keeps the tuples where they are. */
		for (int i = 0; i < visible; i++)
			visitor(argument, &entries[of_tuple[i]], &tuples[i], desc);
	}
	if (BufferIsValid(buffer))
		ReleaseBuffer(buffer);
}
