/*
 * graph_heap.c
 *		Visits rows of the heap in the order in which they lie there.
 *
 * Each block is locked once, however many of its rows are asked for.
 */
#include "postgres.h"

#include "graph.h"
#include "graph_heap.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
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
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* Whether the first page saw what the transaction wrote, if it has committed by now. */
static bool
was_committed(const GraphHorizon *horizon, TransactionId xid)
{
	if (!TransactionIdIsNormal(xid) || TransactionIdIsCurrentTransactionId(xid))
		return true;
	for (int i = 0; i < horizon->own_count; i++)
	{
		if (TransactionIdEquals(xid, horizon->own_xids[i]))
			return true;
	}
	return !XidInMVCCSnapshot(xid, horizon->snapshot);
}

/*
 * A node whose payload was erased has a new version, whose xmin is the eraser's.
 * The event of its creation has the same number and is never written again.
 */
static bool
was_recorded(Graph *graph, int64 no)
{
	const GraphHorizon *horizon = graph->horizon;
	Relation	heap = table_open(get_relname_relid("audit_event", graph->schema), AccessShareLock);
	Relation	index = index_open(get_relname_relid("audit_event_pkey", graph->schema), AccessShareLock);
	TupleTableSlot *slot = table_slot_create(heap, NULL);
	IndexScanDesc scan;
	ScanKeyData key;
	bool		result = false;

#if PG_VERSION_NUM >= 180000
	scan = index_beginscan(heap, index, graph->snapshot, NULL, 1, 0);
#else
	scan = index_beginscan(heap, index, graph->snapshot, 1, 0);
#endif
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(no));
	index_rescan(scan, &key, 1, NULL, 0);
	while (!result && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Datum		xmin = slot_getsysattr(slot, MinTransactionIdAttributeNumber, &isnull);

		result = was_committed(horizon, DatumGetTransactionId(xmin));
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	table_close(heap, AccessShareLock);
	return result;
}

bool
graph_horizon_sees(Graph *graph, Relation heap, int64 no, HeapTuple tuple)
{
	const GraphHorizon *horizon = graph->horizon;

	if (no > horizon->last_no)
		return false;
	return no <= horizon->decided_no ||
		was_committed(horizon, HeapTupleHeaderGetRawXmin(tuple->t_data)) ||
		(heap == graph->node && was_recorded(graph, no));
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
