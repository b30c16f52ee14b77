/*
 * policy.c
 *		Whether any policy rule is about a kind of record.
 *
 * Every write asks, and mostly there is no rule at all: then the size of an
 * empty table is all that is looked at.
 */
#include "postgres.h"

#include "write/policy.h"

#include "record/schema.h"
#include "record/text.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

PG_FUNCTION_INFO_V1(reason_policy_applies);

#define ACTION_SUFFIX ".create"

/* Whether the actions have that of the kind: "node.create" for "node". */
static bool
is_action_of(ArrayType *actions, RecordText kind)
{
	Datum	   *elements;
	int			count;
	bool		result = false;

	deconstruct_array(actions, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &count);
	for (int i = 0; i < count && !result; i++)
	{
		text	   *action = DatumGetTextPP(elements[i]);

		result = VARSIZE_ANY_EXHDR(action) == kind.length + strlen(ACTION_SUFFIX) &&
			memcmp(VARDATA_ANY(action), kind.data, kind.length) == 0 &&
			memcmp(VARDATA_ANY(action) + kind.length, ACTION_SUFFIX, strlen(ACTION_SUFFIX)) == 0;
	}
	pfree(elements);
	return result;
}

static bool
has_rule(Relation table, RecordText kind)
{
	AttrNumber	actions = schema_column(table, "actions");
	AttrNumber	enabled = schema_column(table, "enabled");
	TupleTableSlot *slot = table_slot_create(table, NULL);
	TableScanDesc scan = table_beginscan(table, GetActiveSnapshot(), 0, NULL);
	bool		result = false;

	if (actions == InvalidAttrNumber || enabled == InvalidAttrNumber)
		elog(ERROR, "table \"%s\" is not as this version of the library expects it", RelationGetRelationName(table));
	while (!result && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		result = DatumGetBool(slot_getattr(slot, enabled, &isnull)) &&
			is_action_of(DatumGetArrayTypeP(slot_getattr(slot, actions, &isnull)), kind);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return result;
}

bool
policy_applies(RecordText kind)
{
	Relation	table = schema_open_table("policy_rule", AccessShareLock);
	/* A serializable transaction reads the table all the same, for the predicate lock. */
	bool		result = (IsolationIsSerializable() || RelationGetNumberOfBlocks(table) > 0) &&
		has_rule(table, kind);

	table_close(table, AccessShareLock);
	return result;
}

Datum
reason_policy_applies(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(policy_applies(record_text_argument(fcinfo, 0)));
}
