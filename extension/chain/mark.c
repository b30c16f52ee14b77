/*
 * mark.c
 *		The sealer's mark: what it need not look at again.
 *
 * Numbers up to decided_no need no second look, ever: whoever drew one has
 * ended.  One transaction that stays open, in any database of the cluster, holds
 * that back, so there is more to it: the mark says as well which transactions
 * ran when the sealer last looked.  What a later snapshot sees beyond what that
 * look saw was left by one of these that has ended since, or by a younger one.
 * The oldest of them has drawn no number up to the newest watermark that is not
 * younger than it (record/watermark.h).  So everything that the later snapshot
 * sees up to there is sealed, and a pass costs what is new; when a transaction
 * ends that was open for long, the numbers since it began are looked at once more.
 */
#include "postgres.h"

#include "chain/mark.h"

#include "record/schema.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(reason_sealed_no);

enum
{
	MARK_DECIDED_NO = 1,
	MARK_SEEN_NO,
	MARK_SEEN_XMAX,
	MARK_OLDEST_ENDED,
	MARK_XMIN,
	MARK_XMAX,
	MARK_RUNNING
};

/*
 * One that rolled back has left nothing.  pg_xact_status() knows no future
 * transactions, so that only those that have ended are asked for.
 */
static const char *const read_query =
	"SELECT m.decided_no, m.seen_no, m.seen_xmax,"
	" least(m.seen_xmax, (SELECT r.xid FROM pg_catalog.unnest(m.seen_running) r (xid)"
	"  WHERE CASE WHEN pg_catalog.pg_visible_in_snapshot(r.xid, s.now)"
	"   THEN pg_catalog.pg_xact_status(r.xid) IS DISTINCT FROM 'aborted' ELSE false END ORDER BY r.xid LIMIT 1)),"
	" pg_catalog.pg_snapshot_xmin(s.now), pg_catalog.pg_snapshot_xmax(s.now), ARRAY(SELECT pg_catalog.pg_snapshot_xip(s.now))"
	" FROM (SELECT pg_catalog.pg_current_snapshot() AS now) s LEFT JOIN reason.sealer_state m ON true";

static FullTransactionId
xid_value(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(tuple, desc, column, &isnull);

	return isnull ? InvalidFullTransactionId : DatumGetFullTransactionId(value);
}

static int64
number_value(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(tuple, desc, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

void
sealer_mark_read(SealerMark *mark, Relation sequence, Snapshot snapshot)
{
	Watermark	now = watermark_now(sequence);
	SPIPlanPtr	plan = SPI_prepare(read_query, 0, NULL);
	FullTransactionId seen_xmax;
	HeapTuple	tuple;
	TupleDesc	desc;
	bool		isnull;

	if (plan == NULL || SPI_execute_snapshot(plan, NULL, NULL, snapshot, InvalidSnapshot, true, false, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not read the mark of the sealer");
	tuple = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	mark->xmin = xid_value(tuple, desc, MARK_XMIN);
	mark->xmax = xid_value(tuple, desc, MARK_XMAX);
	mark->running = SPI_getbinval(tuple, desc, MARK_RUNNING, &isnull);

	/* Numbers that were never drawn, and transactions that never were, come from elsewhere and say nothing here. */
	mark->decided_no = number_value(tuple, desc, MARK_DECIDED_NO);
	if (mark->decided_no > now.no)
		mark->decided_no = 0;
	mark->sealed_no = mark->decided_no;
	seen_xmax = xid_value(tuple, desc, MARK_SEEN_XMAX);
	if (FullTransactionIdIsValid(seen_xmax) && FullTransactionIdPrecedesOrEquals(seen_xmax, now.next))
		mark->sealed_no = Max(mark->decided_no,
							  Min(number_value(tuple, desc, MARK_SEEN_NO),
								  watermarks_decided(sequence, xid_value(tuple, desc, MARK_OLDEST_ENDED))));
}

void
sealer_mark_move(const SealerMark *mark, Relation sequence, Watermark began, int64 done_no)
{
	int64		decided_no = Max(mark->decided_no, Min(watermarks_decided(sequence, mark->xmin), done_no));
	int64		seen_no = Min(done_no, began.no);
	FullTransactionId seen_xmax = mark->xmax;
	Oid			types[] = {INT8OID, INT8OID, XID8OID, XID8ARRAYOID};
	Datum		values[4];

	/* Nothing was drawn since the last look, and nothing has been decided. */
	if (decided_no == mark->decided_no && mark->sealed_no == seen_no)
		return;
	/* The sealer's own transaction draws what comes after began.no, if anything. */
	if (FullTransactionIdEquals(seen_xmax, GetTopFullTransactionId()))
		FullTransactionIdAdvance(&seen_xmax);
	values[0] = Int64GetDatum(decided_no);
	values[1] = Int64GetDatum(seen_no);
	values[2] = FullTransactionIdGetDatum(seen_xmax);
	values[3] = mark->running;
	if (SPI_execute_with_args("UPDATE reason.sealer_state SET decided_no = $1, seen_no = $2, seen_xmax = $3, seen_running = $4",
							  lengthof(types), types, values, NULL, false, 0) != SPI_OK_UPDATE)
		elog(ERROR, "could not write the mark of the sealer");
}

/* sealed_no() → bigint */
Datum
reason_sealed_no(PG_FUNCTION_ARGS)
{
	Relation	sequence = schema_open_sequence("record_no", AccessShareLock);
	SealerMark	mark;

	SPI_connect();
	sealer_mark_read(&mark, sequence, GetActiveSnapshot());
	SPI_finish();
	relation_close(sequence, AccessShareLock);
	PG_RETURN_INT64(mark.sealed_no);
}
