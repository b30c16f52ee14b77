/*
 * heap.c
 *		Visits rows of the heap in the order in which they lie there.
 *
 * Each block is locked once, however many of its rows are asked for.
 */
#include "postgres.h"

#include "graph/heap.h"

#include "graph/buffer_hints.h"
#include "record/row_scan.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Rows after the one that is visited which are fetched ahead. */
#define ITEMS_AHEAD 16
#define ROWS_AHEAD 8

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
	RowScan		scan;
	bool		result = false;

	row_scan_open(&scan, "audit_event", "audit_event_pkey", 1, graph->snapshot);
	row_scan_int8(&scan, 0, BTEqualStrategyNumber, no);
	row_scan_start(&scan);
	while (!result && row_scan_next(&scan))
	{
		bool		isnull;
		Datum		xmin = slot_getsysattr(scan.slot, MinTransactionIdAttributeNumber, &isnull);

		result = was_committed(horizon, DatumGetTransactionId(xmin));
	}
	row_scan_close(&scan);
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

/*
 * The version of the row that the snapshot sees.  On a page that all see as it is nothing needs to be asked of it: the
 * snapshot was there before the tid was read, so that no other row can have taken the place since and be visible to all.
 */
static inline bool
find_version(Graph *graph, Relation heap, Buffer buffer, bool all_visible, ItemPointerData tid, HeapTuple tuple)
{
	Page		page = BufferGetPage(buffer);
	OffsetNumber offset = ItemPointerGetOffsetNumber(&tid);
	ItemId		item = PageGetItemId(page, offset);

	/* The place of one that was never committed may be free by now; that of one with a new version leads there. */
	if (!all_visible || offset > PageGetMaxOffsetNumber(page) || !ItemIdIsNormal(item))
		return heap_hot_search_buffer(&tid, heap, buffer, graph->snapshot, tuple, NULL, true);
	tuple->t_data = (HeapTupleHeader) PageGetItem(page, item);
	tuple->t_len = ItemIdGetLength(item);
	tuple->t_tableOid = RelationGetRelid(heap);
	tuple->t_self = tid;
	return true;
}

/* As a sequential scan has it: a standby's snapshot may be older than what the page says.  Predicate locks are for rows. */
static inline bool
is_all_visible(const Graph *graph, Buffer buffer)
{
	return PageIsAllVisible(BufferGetPage(buffer)) && !graph->snapshot->takenDuringRecovery && !graph->serializable;
}

/* Before entry `next` is visited: has the processor fetch what comes after it, in the two steps it takes. */
static inline void
fetch_rows_ahead(Relation heap, const GraphEntry *entries, uint32 next, uint32 count)
{
	if (next == 0)
	{
		for (uint32 i = 0; i < Min(count, ITEMS_AHEAD); i++)
			graph_buffer_hints_fetch_item(heap, &entries[i].tid);
		for (uint32 i = 0; i < Min(count, ROWS_AHEAD); i++)
			graph_buffer_hints_fetch_row(heap, &entries[i].tid);
	}
	if (next + ITEMS_AHEAD < count)
		graph_buffer_hints_fetch_item(heap, &entries[next + ITEMS_AHEAD].tid);
	if (next + ROWS_AHEAD < count)
		graph_buffer_hints_fetch_row(heap, &entries[next + ROWS_AHEAD].tid);
}

void
graph_visit_rows(Graph *graph, Relation heap, GraphEntry *entries, uint32 count,
				 GraphVisitor visitor, void *argument)
{
	TupleDesc	desc = RelationGetDescr(heap);
	HeapTupleData tuples[MaxHeapTuplesPerPage];
	uint32		of_tuple[MaxHeapTuplesPerPage];
	uint32		next = 0;

	sort_by_tid(entries, count);
	while (next < count)
	{
		BlockNumber block = ItemPointerGetBlockNumber(&entries[next].tid);
		Buffer		buffer;
		bool		all_visible;
		int			visible = 0;

		CHECK_FOR_INTERRUPTS();
		buffer = graph_buffer_hints_read(heap, block);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		all_visible = is_all_visible(graph, buffer);
		for (; next < count && visible < MaxHeapTuplesPerPage; next++)
		{
			if (ItemPointerGetBlockNumber(&entries[next].tid) != block)
				break;
			fetch_rows_ahead(heap, entries, next, count);
			if (find_version(graph, heap, buffer, all_visible, entries[next].tid, &tuples[visible]))
				of_tuple[visible++] = next;
		}
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		/* The pin keeps the tuples where they are. */
		for (int i = 0; i < visible; i++)
			visitor(argument, &entries[of_tuple[i]], &tuples[i], desc);
		ReleaseBuffer(buffer);
	}
}
