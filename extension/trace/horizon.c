/*
 * horizon.c
 *		Which record numbers need no second look on the later pages of a trace.
 */
#include "postgres.h"

#include "trace/horizon.h"

#include "record/schema.h"
#include "record/watermark.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "executor/tuptable.h"
#include "utils/rel.h"

/* Its place in time, as of an xid that is not older than the snapshot. */
static FullTransactionId
full_xmin(Snapshot snapshot, FullTransactionId next)
{
	uint32		epoch = EpochFromFullTransactionId(next);

	if (snapshot->xmin > XidFromFullTransactionId(next))
		epoch--;
	return FullTransactionIdFromEpochAndXid(epoch, snapshot->xmin);
}

/* What the sealer has noted, as the snapshot sees it: outlives a restart, and reaches standbys. */
static int64
decided_by_sealer(Graph *graph)
{
	Relation	table = schema_open_table("sealer_state", AccessShareLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	TableScanDesc scan = table_beginscan(table, graph->snapshot, 0, NULL);
	int64		result = 0;

	if (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;

		result = DatumGetInt64(slot_getattr(slot, 2, &isnull));
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, AccessShareLock);
	return result;
}

int64
trace_last_no(Graph *graph, int64 *decided_no)
{
	/*
	 * Asked before the sequence is read: a standby learns of numbers before they are drawn, and may
	 * be promoted at any time.
	 */
	bool		recovers = RecoveryInProgress();
	Relation	sequence = schema_open_sequence("record_no", AccessShareLock);
	Watermark	now = recovers ? watermark_now(sequence) : watermarks_note(sequence);

	*decided_no = decided_by_sealer(graph);
	if (!recovers)
		*decided_no = Max(*decided_no, watermarks_decided(sequence, full_xmin(graph->snapshot, now.next)));
	relation_close(sequence, AccessShareLock);
	return now.no;
}
