/*
 * audit_scan.c
 *		Reading rows through an index, many times over, without the executor.
 */
#include "postgres.h"

#include "audit_scan.h"

#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

void
audit_scan_open(AuditScan *scan, const char *table, const char *index, int key_count, Snapshot snapshot)
{
	Oid			schema = get_namespace_oid("reason", false);
	Oid			table_oid = get_relname_relid(table, schema);
	Oid			index_oid = get_relname_relid(index, schema);

	if (!OidIsValid(table_oid) || !OidIsValid(index_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%s\" with index \"%s\" does not exist", table, index),
				 errhint("Run ALTER EXTENSION reasoning_graph UPDATE.")));
	scan->heap = table_open(table_oid, AccessShareLock);
	scan->index = index_open(index_oid, AccessShareLock);
	scan->slot = table_slot_create(scan->heap, NULL);
	scan->key_count = key_count;
#if PG_VERSION_NUM >= 180000
	scan->scan = index_beginscan(scan->heap, scan->index, snapshot, NULL, key_count, 0);
#else
	scan->scan = index_beginscan(scan->heap, scan->index, snapshot, key_count, 0);
#endif
}

void
audit_scan_close(AuditScan *scan)
{
	index_endscan(scan->scan);
	ExecDropSingleTupleTableSlot(scan->slot);
	index_close(scan->index, AccessShareLock);
	table_close(scan->heap, AccessShareLock);
}

static void
set_key(AuditScan *scan, int column, StrategyNumber strategy, RegProcedure procedure, Datum value)
{
	ScanKeyEntryInitialize(&scan->keys[column], 0, column + 1, strategy, InvalidOid,
						   scan->index->rd_indcollation[column], procedure, value);
}

void
audit_scan_int8(AuditScan *scan, int column, StrategyNumber strategy, int64 value)
{
	RegProcedure procedure = strategy == BTEqualStrategyNumber ? F_INT8EQ :
		strategy == BTGreaterEqualStrategyNumber ? F_INT8GE : F_INT8GT;

	set_key(scan, column, strategy, procedure, Int64GetDatum(value));
}

void
audit_scan_text(AuditScan *scan, int column, text *value)
{
	set_key(scan, column, BTEqualStrategyNumber, F_TEXTEQ, PointerGetDatum(value));
}

void
audit_scan_uuid(AuditScan *scan, int column, const pg_uuid_t *value)
{
	set_key(scan, column, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(value));
}

void
audit_scan_start(AuditScan *scan)
{
	index_rescan(scan->scan, scan->keys, scan->key_count, NULL, 0);
}

bool
audit_scan_next(AuditScan *scan)
{
	return index_getnext_slot(scan->scan, ForwardScanDirection, scan->slot);
}

AttrNumber
audit_scan_column(Relation table, const char *name)
{
	AttrNumber	column = get_attnum(RelationGetRelid(table), name);

	if (column == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist", name, RelationGetRelationName(table)),
				 errhint("Run ALTER EXTENSION reasoning_graph UPDATE.")));
	return column;
}

RecordText
audit_scan_text_value(TupleTableSlot *slot, AttrNumber column)
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
