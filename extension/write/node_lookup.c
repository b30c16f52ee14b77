/*
 * node_lookup.c
 *		Finds nodes by id.
 *
 * One scan is opened for a batch and restarted for each id, which costs what
 * the descent of the index costs and nothing for planning or executor state.
 */
#include "postgres.h"

#include "write/node_lookup.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "executor/tuptable.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Columns of reason.node, in the order of sql/10_tables.sql; checked when the table is opened. */
#define ATTNUM_NO 1
#define ATTNUM_DIVISION 3
#define ATTNUM_DIGEST 15

static void
check_column(Relation heap, AttrNumber attnum, const char *name)
{
	if (get_attnum(RelationGetRelid(heap), name) != attnum)
		elog(ERROR, "column \"%s\" of table \"%s\" is not where this version of the library expects it",
			 name, RelationGetRelationName(heap));
}

void
node_lookup_begin(NodeLookup *lookup)
{
	Oid			schema = get_namespace_oid("reason", false);

	lookup->heap = table_open(get_relname_relid("node", schema), AccessShareLock);
	lookup->index = index_open(get_relname_relid("node_id_key", schema), AccessShareLock);
	check_column(lookup->heap, ATTNUM_NO, "no");
	check_column(lookup->heap, ATTNUM_DIVISION, "division");
	check_column(lookup->heap, ATTNUM_DIGEST, "digest");
	lookup->snapshot = GetActiveSnapshot();
	lookup->slot = table_slot_create(lookup->heap, NULL);
#if PG_VERSION_NUM >= 180000
	lookup->scan = index_beginscan(lookup->heap, lookup->index, lookup->snapshot, NULL, 1, 0);
#else
	lookup->scan = index_beginscan(lookup->heap, lookup->index, lookup->snapshot, 1, 0);
#endif
}

void
node_lookup_end(NodeLookup *lookup)
{
	index_endscan(lookup->scan);
	ExecDropSingleTupleTableSlot(lookup->slot);
	index_close(lookup->index, AccessShareLock);
	table_close(lookup->heap, AccessShareLock);
}

static const char *
uuid_text(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}

void
node_lookup(NodeLookup *lookup, WriteInput *input, const JsonNode *value, const pg_uuid_t *id, RecordText division,
			const char *hint, FoundNode *found)
{
	ScanKeyData key;

	found->division.data = NULL;
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(id));
	index_rescan(lookup->scan, &key, 1, NULL, 0);
	while (index_getnext_slot(lookup->scan, ForwardScanDirection, lookup->slot))
	{
		bool		isnull;
		text	   *candidate = DatumGetTextPP(slot_getattr(lookup->slot, ATTNUM_DIVISION, &isnull));
		const char *name = VARDATA_ANY(candidate);
		size_t		length = VARSIZE_ANY_EXHDR(candidate);
		bytea	   *digest;

		if (division.data ? division.length != length || memcmp(division.data, name, length) != 0
			: !write_division_granted(input, name, length))
			continue;
		if (found->division.data)
			write_refuse(input, value, ERRCODE_INVALID_PARAMETER_VALUE, "Name the division.",
						 "node \"%s\" exists in several divisions", uuid_text(id));
		found->no = DatumGetInt64(slot_getattr(lookup->slot, ATTNUM_NO, &isnull));
		found->division.data = pnstrdup(name, length);
		found->division.length = length;
		digest = DatumGetByteaPP(slot_getattr(lookup->slot, ATTNUM_DIGEST, &isnull));
		memcpy(found->digest, VARDATA_ANY(digest), REASON_DIGEST_LENGTH);
	}
	if (found->division.data == NULL)
		write_refuse(input, value, ERRCODE_NO_DATA_FOUND, hint, "node \"%s\" does not exist", uuid_text(id));
}
