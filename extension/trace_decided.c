/*
 * trace_decided.c
 *		Which record numbers need no second look on the later pages of a trace.
 */
#include "postgres.h"

#include "trace_decided.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "commands/sequence.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/xid8.h"

/* Numbers up to `no` had been drawn when `next` was the xid to be given out next. */
typedef struct Moment
{
	Oid			sequence;		/* invalid: none */
	int64		no;
	FullTransactionId next;
} Moment;

/* Of this backend: one that snapshots have come up to, and one that they are to come up to. */
static Moment passed;
static Moment awaited;

/* Its place in time, as of an xid that is not older than the snapshot. */
static FullTransactionId
full_xmin(Snapshot snapshot, FullTransactionId next)
{
	uint32		epoch = EpochFromFullTransactionId(next);

	if (snapshot->xmin > XidFromFullTransactionId(next))
		epoch--;
	return FullTransactionIdFromEpochAndXid(epoch, snapshot->xmin);
}

static inline bool
is_decided(FullTransactionId xmin, FullTransactionId next)
{
	return FullTransactionIdFollowsOrEquals(xmin, next);
}

/* What the sealer has noted, as the snapshot sees it. */
static int64
decided_by_sealer(Graph *graph, FullTransactionId xmin)
{
	Relation	table = table_open(get_relname_relid("sealer_state", graph->schema), AccessShareLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	TableScanDesc scan = table_beginscan(table, graph->snapshot, 0, NULL);
	int64		result = 0;

	if (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Datum		candidate_xmax = slot_getattr(slot, 4, &isnull);

		result = DatumGetInt64(slot->tts_values[1]);
		if (!isnull && is_decided(xmin, DatumGetFullTransactionId(candidate_xmax)))
			result = Max(result, DatumGetInt64(slot->tts_values[2]));
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, AccessShareLock);
	return result;
}

/* What this backend knows, the present moment included. */
static int64
decided_by_moments(FullTransactionId xmin, Moment now)
{
	/* A standby learns of numbers before they are drawn; and the sequence may be another, or set back. */
	if (RecoveryInProgress())
		return 0;
	if (passed.sequence != now.sequence || passed.no > now.no)
		passed.sequence = InvalidOid;
	if (awaited.sequence != now.sequence || awaited.no > now.no)
		awaited = now;
	if (is_decided(xmin, now.next))
		passed = now;
	else if (is_decided(xmin, awaited.next))
	{
		passed = awaited;
		awaited = now;
	}
	return OidIsValid(passed.sequence) && is_decided(xmin, passed.next) ? passed.no : 0;
}

static int64
last_value(Relation sequence)
{
	Buffer		buffer = ReadBuffer(sequence, 0);
	Page		page;
	HeapTupleHeader tuple;
	Form_pg_sequence_data data;
	int64		result;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	tuple = (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, FirstOffsetNumber));
	data = (Form_pg_sequence_data) ((char *) tuple + tuple->t_hoff);
	result = data->is_called ? data->last_value : data->last_value - 1;
	UnlockReleaseBuffer(buffer);
	return result;
}

int64
trace_last_no(Graph *graph, int64 *decided_no)
{
	Relation	sequence = relation_open(get_relname_relid("record_no", graph->schema), AccessShareLock);
	Moment		now = {.sequence = RelationGetRelid(sequence)};
	FullTransactionId xmin;

	/* In this order: whoever drew a number up to this one had an xid by then. */
	now.no = last_value(sequence);
	now.next = ReadNextFullTransactionId();
	relation_close(sequence, AccessShareLock);
	xmin = full_xmin(graph->snapshot, now.next);
	*decided_no = Max(decided_by_sealer(graph, xmin), decided_by_moments(xmin, now));
	return now.no;
}
