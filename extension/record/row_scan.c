/*
 * row_scan.c
 *		Reading rows through an index, many times over, without the executor.
 */
#include "postgres.h"

#include "record/row_scan.h"

#include "record/attempt.h"
#include "record/schema.h"

#include "access/itup.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

void
row_scan_open(RowScan *scan, const char *table, const char *index, int key_count, Snapshot snapshot)
{
	scan->heap = schema_open_table(table, AccessShareLock);
	scan->index = schema_open_index(index, scan->heap, AccessShareLock);
	scan->slot = table_slot_create(scan->heap, NULL);
	scan->key_count = key_count;
	scan->context = CurrentMemoryContext;
	scan->at_row = false;
	scan->careful = false;
	scan->fault = NULL;
#if PG_VERSION_NUM >= 180000
	scan->scan = index_beginscan(scan->heap, scan->index, snapshot, NULL, key_count, 0);
#else
	scan->scan = index_beginscan(scan->heap, scan->index, snapshot, key_count, 0);
#endif
}

void
row_scan_close(RowScan *scan)
{
	index_endscan(scan->scan);
	ExecDropSingleTupleTableSlot(scan->slot);
	index_close(scan->index, AccessShareLock);
	table_close(scan->heap, AccessShareLock);
}

void
row_scan_careful(RowScan *scan)
{
	scan->careful = true;
	/* The slot keeps a copy: what holds a buffer must not outlive a subtransaction. */
	ExecDropSingleTupleTableSlot(scan->slot);
	scan->slot = MakeSingleTupleTableSlot(RelationGetDescr(scan->heap), &TTSOpsHeapTuple);
	scan->scan->xs_want_itup = true;
}

Datum
row_scan_key(RowScan *scan, int column)
{
	bool		isnull;

	Assert(scan->careful);
	return index_getattr(scan->scan->xs_itup, column + 1, RelationGetDescr(scan->index), &isnull);
}

static void
set_key(RowScan *scan, int column, Oid type, StrategyNumber strategy, RegProcedure procedure, Datum value)
{
	/* An index of the same name could be on anything. */
	if (column >= IndexRelationGetNumberOfKeyAttributes(scan->index) || scan->index->rd_opcintype[column] != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("index reason.%s is on other columns than in the extension's script", RelationGetRelationName(scan->index)),
				 errhint("Recreate the index as the extension's script defines it.")));
	ScanKeyEntryInitialize(&scan->keys[column], 0, column + 1, strategy, InvalidOid,
						   scan->index->rd_indcollation[column], procedure, value);
}

void
row_scan_int2(RowScan *scan, int column, int16 value)
{
	set_key(scan, column, INT2OID, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(value));
}

void
row_scan_int8(RowScan *scan, int column, StrategyNumber strategy, int64 value)
{
	RegProcedure procedure = strategy == BTEqualStrategyNumber ? F_INT8EQ :
		strategy == BTGreaterEqualStrategyNumber ? F_INT8GE : F_INT8GT;

	set_key(scan, column, INT8OID, strategy, procedure, Int64GetDatum(value));
}

void
row_scan_text(RowScan *scan, int column, text *value)
{
	set_key(scan, column, TEXTOID, BTEqualStrategyNumber, F_TEXTEQ, PointerGetDatum(value));
}

void
row_scan_uuid(RowScan *scan, int column, StrategyNumber strategy, const pg_uuid_t *value)
{
	/* The scan looks at it again on every page that it comes to. */
	scan->sought = *value;
	set_key(scan, column, UUIDOID, strategy, strategy == BTEqualStrategyNumber ? F_UUID_EQ : F_UUID_GE, UUIDPGetDatum(&scan->sought));
}

/*
 * A B-tree scan allocates on the way (its keys, the tuples of a page, the list of killed items), in
 * the current context, and keeps that to its end.
 */
void
row_scan_start(RowScan *scan)
{
	MemoryContext old_context = MemoryContextSwitchTo(scan->context);

	index_rescan(scan->scan, scan->keys, scan->key_count, NULL, 0);
	MemoryContextSwitchTo(old_context);
}

/* The row of the index entry at which the scan stands; the slot is empty when the snapshot has none. */
static void
fetch_row(void *argument)
{
	RowScan    *scan = argument;
	TupleTableSlot *slot = table_slot_create(scan->heap, NULL);
	IndexFetchTableData *fetch = table_index_fetch_begin(scan->heap);
	ItemPointerData tid = scan->scan->xs_heaptid;
	bool		call_again = false;

	do
	{
		if (table_index_fetch_tuple(fetch, &tid, scan->scan->xs_snapshot, slot, &call_again, NULL))
		{
			ExecCopySlot(scan->slot, slot);
			break;
		}
	} while (call_again);
	table_index_fetch_end(fetch);
	ExecDropSingleTupleTableSlot(slot);
}

static bool
next_carefully(RowScan *scan, ScanDirection direction)
{
	scan->fault = NULL;
	while (index_getnext_tid(scan->scan, direction))
	{
		CHECK_FOR_INTERRUPTS();
		scan->scan->kill_prior_tuple = false;
		ExecClearTuple(scan->slot);
		scan->fault = attempt(fetch_row, scan);
		if (scan->fault || !TTS_EMPTY(scan->slot))
			return true;
	}
	return false;
}

static bool
next_in_direction(RowScan *scan, ScanDirection direction)
{
	MemoryContext old_context = MemoryContextSwitchTo(scan->context);
	bool		found = scan->careful ? next_carefully(scan, direction) : index_getnext_slot(scan->scan, direction, scan->slot);

	MemoryContextSwitchTo(old_context);
	return found;
}

bool
row_scan_next(RowScan *scan)
{
	return next_in_direction(scan, ForwardScanDirection);
}

bool
row_scan_find_last(RowScan *scan)
{
	row_scan_start(scan);
	return next_in_direction(scan, BackwardScanDirection);
}

void
row_scan_seek_by(RowScan *scan, const char *key_column)
{
	Assert(scan->key_count == 1);
	scan->key_column = row_scan_column(scan->heap, key_column);
	scan->division_column = row_scan_column(scan->heap, "division");
}

/* Rows that are passed over before the tree is descended anew. */
#define SEEK_STEPS 3

static bool
is_of_division(RowScan *scan, text *division)
{
	RecordText	found = row_scan_text_value(scan->slot, scan->division_column);

	return found.length == VARSIZE_ANY_EXHDR(division) && memcmp(found.data, VARDATA_ANY(division), found.length) == 0;
}

static void
next_number(RowScan *scan)
{
	scan->at_row = row_scan_next(scan);
	if (scan->at_row)
		scan->number = DatumGetInt64(row_scan_value(scan->slot, scan->key_column));
}

bool
row_scan_seek(RowScan *scan, int64 number, text *division)
{
	for (int step = 0; scan->at_row && scan->number < number && step < SEEK_STEPS; step++)
		next_number(scan);
	/* Rows of the number that lie behind are other divisions'. */
	if (!scan->at_row || scan->number != number)
	{
		row_scan_int8(scan, 0, BTGreaterEqualStrategyNumber, number);
		row_scan_start(scan);
		next_number(scan);
	}
	for (; scan->at_row && scan->number == number; next_number(scan))
	{
		if (is_of_division(scan, division))
			return true;
	}
	return false;
}

static void
next_id(RowScan *scan)
{
	scan->at_row = row_scan_next(scan);
	if (scan->at_row)
		scan->id = *DatumGetUUIDP(row_scan_value(scan->slot, scan->key_column));
}

bool
row_scan_seek_id(RowScan *scan, const pg_uuid_t *id, text *division)
{
	for (int step = 0; scan->at_row && memcmp(&scan->id, id, UUID_LEN) < 0 && step < SEEK_STEPS; step++)
		next_id(scan);
	if (!scan->at_row || memcmp(&scan->id, id, UUID_LEN) != 0)
	{
		row_scan_uuid(scan, 0, BTGreaterEqualStrategyNumber, id);
		row_scan_start(scan);
		next_id(scan);
	}
	for (; scan->at_row && memcmp(&scan->id, id, UUID_LEN) == 0; next_id(scan))
	{
		if (is_of_division(scan, division))
			return true;
	}
	return false;
}

/* The columns that are read without the executor, which would compare their types: one name has one type in all tables. */
static const struct
{
	const char *name;
	Oid			type;
}			column_types[] = {
	{"no", INT8OID}, {"seq", INT8OID}, {"index", INT8OID}, {"event_no", INT8OID}, {"record_no", INT8OID}, {"from_no", INT8OID},
	{"to_no", INT8OID}, {"target_no", INT8OID}, {"chunk", INT4OID}, {"weight", FLOAT8OID}, {"enabled", BOOLOID},
	{"id", UUIDOID}, {"audit_event_id", UUIDOID},
	{"division", TEXTOID}, {"event_type", TEXTOID}, {"signer_id", TEXTOID}, {"type", TEXTOID}, {"author", TEXTOID},
	{"version", TEXTOID}, {"manifest_signature_id", TEXTOID}, {"name", TEXTOID}, {"role", TEXTOID}, {"issuer", TEXTOID}, {"san_uri", TEXTOID},
	{"divisions", TEXTARRAYOID}, {"cell", TEXTOID}, {"head_seq", INT8OID}, {"head_hash", TEXTOID},
	{"hash", BYTEAOID}, {"prev_hash", BYTEAOID}, {"signature", BYTEAOID}, {"digest", BYTEAOID}, {"payload_hash", BYTEAOID},
	{"salt", BYTEAOID}, {"bytes", BYTEAOID}, {"metadata", JSONBOID}, {"payload_ref", JSONBOID},
	{"ts", TIMESTAMPTZOID}, {"created_at", TIMESTAMPTZOID}, {"occurred_at", TIMESTAMPTZOID}
};

static Oid
type_of_column(Relation table, const char *name)
{
	/* but for this one: an event's is kept as it was written */
	if (strcmp(name, "payload") == 0)
		return strcmp(RelationGetRelationName(table), "audit_event") == 0 ? JSONOID : JSONBOID;
	for (int i = 0; i < lengthof(column_types); i++)
	{
		if (strcmp(column_types[i].name, name) == 0)
			return column_types[i].type;
	}
	elog(ERROR, "column \"%s\" has no type that is known", name);
}

AttrNumber
row_scan_column(Relation table, const char *name)
{
	AttrNumber	column = schema_column(table, name);

	if (column == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist", name, RelationGetRelationName(table)),
				 errhint("Run ALTER EXTENSION reasoning_graph UPDATE.")));
	if (TupleDescAttr(RelationGetDescr(table), column - 1)->atttypid != type_of_column(table, name))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" is of another type than in the extension's script", name, RelationGetRelationName(table))));
	return column;
}

void
row_scan_refuse_null(TupleTableSlot *slot, AttrNumber column)
{
	Relation	table = RelationIdGetRelation(slot->tts_tableOid);
	char	   *name = table ? pstrdup(RelationGetRelationName(table)) : "?";

	if (table)
		RelationClose(table);
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("column %s of a row of %s is NULL, and cannot have been recorded so", NameStr(TupleDescAttr(slot->tts_tupleDescriptor, column - 1)->attname), name),
			 errhint("verify_all() names what else is not as the extension made it.")));
}

RecordText
row_scan_text_value(TupleTableSlot *slot, AttrNumber column)
{
	RecordText	result = {NULL, 0};
	bool		isnull;
	Datum		value = slot_getattr(slot, column, &isnull);

	if (!isnull)
	{
		text	   *bytes = DatumGetTextPP(value);

		result.data = VARDATA_ANY(bytes);
		result.length = VARSIZE_ANY_EXHDR(bytes);
	}
	return result;
}
