/*
 * placement.c
 *		Where a division lives.  Kept for the session, until the table is announced to have changed.
 */
#include "postgres.h"

#include "record/placement.h"

#include "record/row_scan.h"
#include "record/schema.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(reason_refuse_frozen);
PG_FUNCTION_INFO_V1(reason_refuse_moved);
PG_FUNCTION_INFO_V1(reason_announce_placement);

typedef struct Placement
{
	RecordText	division;
	char	   *cell;			/* where it has moved; NULL: its writes rest */
	int64		head_seq;
	char	   *head_hash;
} Placement;

static Oid	placement_table = InvalidOid;
static bool is_known = false;
static uint64 announcements = 0;
static Placement *placements;
static int	placement_count;
static MemoryContext placement_context = NULL;

static void
forget(Datum argument, Oid relation)
{
	if (relation == InvalidOid || relation == placement_table)
	{
		is_known = false;
		announcements++;
	}
}

static char *
copy_of(RecordText value)
{
	return value.data ? pnstrdup(value.data, value.length) : NULL;
}

static void
keep(Relation table, TupleTableSlot *slot, int *capacity)
{
	Placement  *placement;
	RecordText	division = row_scan_text_value(slot, row_scan_column(table, "division"));
	bool		isnull;
	Datum		seq = slot_getattr(slot, row_scan_column(table, "head_seq"), &isnull);

	if (placement_count == *capacity)
	{
		*capacity = Max(8, 2 * *capacity);
		placements = placements ? repalloc(placements, *capacity * sizeof(Placement)) : palloc(*capacity * sizeof(Placement));
	}
	placement = &placements[placement_count++];
	placement->division = (RecordText) {copy_of(division), division.length};
	placement->cell = copy_of(row_scan_text_value(slot, row_scan_column(table, "cell")));
	placement->head_seq = isnull ? -1 : DatumGetInt64(seq);
	placement->head_hash = copy_of(row_scan_text_value(slot, row_scan_column(table, "head_hash")));
}

/*
 * The table as it is now, whatever the transaction sees: what is frozen is frozen for those too who began before.
 *
 * A parallel query, which writes nothing, takes no other snapshot than its own, and keeps nothing of it.
 */
static void
read_table(void)
{
	MemoryContext caller;
	Relation	table;
	TupleTableSlot *slot;
	TableScanDesc scan;
	Snapshot	snapshot;
	int			capacity = 0;
	uint64		seen;

	if (placement_context == NULL)
	{
		CacheRegisterRelcacheCallback(forget, (Datum) 0);
		placement_context = AllocSetContextCreate(TopMemoryContext, "reason placements", ALLOCSET_SMALL_SIZES);
	}
	MemoryContextReset(placement_context);
	placements = NULL;
	placement_count = 0;
	table = schema_open_table("division_placement", AccessShareLock);
	placement_table = RelationGetRelid(table);
	/* A change that is announced meanwhile is not to be missed. */
	seen = announcements;
	snapshot = RegisterSnapshot(IsInParallelMode() ? GetActiveSnapshot() : GetLatestSnapshot());
	slot = table_slot_create(table, NULL);
	scan = table_beginscan(table, snapshot, 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		caller = MemoryContextSwitchTo(placement_context);
		keep(table, slot, &capacity);
		MemoryContextSwitchTo(caller);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	is_known = seen == announcements && !IsInParallelMode();
	table_close(table, AccessShareLock);
}

static const Placement *
placement_of(RecordText division)
{
	if (!is_known)
		read_table();
	for (int i = 0; i < placement_count; i++)
	{
		if (placements[i].division.length == division.length && memcmp(placements[i].division.data, division.data, division.length) == 0)
			return &placements[i];
	}
	return NULL;
}

static void
report_moved(const Placement *placement)
{
	StringInfoData detail;

	initStringInfo(&detail);
	appendStringInfoString(&detail, "{\"division\": ");
	escape_json(&detail, placement->division.data);
	appendStringInfoString(&detail, ", \"movedTo\": ");
	escape_json(&detail, placement->cell);
	if (placement->head_hash)
		appendStringInfo(&detail, ", \"headSeq\": " INT64_FORMAT ", \"headHash\": \"%s\"", placement->head_seq, placement->head_hash);
	appendStringInfoChar(&detail, '}');
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("division \"%s\" has moved to cell \"%s\"", placement->division.data, placement->cell),
			 errdetail_internal("%s", detail.data),
			 errhint("What is here is its copy of before, which ends with the event that is named.")));
}

void
placement_require_here(RecordText division)
{
	const Placement *placement = placement_of(division);

	if (placement && placement->cell)
		report_moved(placement);
}

void
placement_require_open(RecordText division)
{
	const Placement *placement = placement_of(division);

	if (placement == NULL)
		return;
	if (placement->cell)
		report_moved(placement);
	ereport(ERROR,
			(errcode(ERRCODE_CANNOT_CONNECT_NOW),
			 errmsg("division \"%s\" takes no writes now: it is being moved", placement->division.data),
			 errdetail_internal("{\"division\": \"%s\", \"retryAfter\": 2}", placement->division.data),
			 errhint("Repeat the write, with its Idempotency-Key.")));
}

/* ---------------------------------------------------------------- for SQL */

static RecordText
argument_of(FunctionCallInfo fcinfo)
{
	text	   *division = PG_GETARG_TEXT_PP(0);

	return (RecordText) {VARDATA_ANY(division), VARSIZE_ANY_EXHDR(division)};
}

/* refuse_frozen(division) */
Datum
reason_refuse_frozen(PG_FUNCTION_ARGS)
{
	placement_require_open(argument_of(fcinfo));
	PG_RETURN_VOID();
}

/* refuse_moved(division) */
Datum
reason_refuse_moved(PG_FUNCTION_ARGS)
{
	placement_require_here(argument_of(fcinfo));
	PG_RETURN_VOID();
}

/* announce_placement(): all sessions look again, once this transaction has committed */
Datum
reason_announce_placement(PG_FUNCTION_ARGS)
{
	Relation	table = schema_open_table("division_placement", AccessShareLock);

	CacheInvalidateRelcache(table);
	table_close(table, AccessShareLock);
	PG_RETURN_VOID();
}
