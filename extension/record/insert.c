/*
 * insert.c
 *		Puts finished rows into a table of the schema.  Follows CopyFrom().
 */
#include "postgres.h"

#include "record/insert.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

void
record_insert_begin(RecordInsert *insert, const char *table, const char *const *names, int column_count,
					RecordInsertDuplicate on_duplicate, void *on_duplicate_context)
{
	Oid			oid = get_relname_relid(table, get_namespace_oid("reason", false));

	memset(insert, 0, sizeof(*insert));
	insert->on_duplicate = on_duplicate;
	insert->on_duplicate_context = on_duplicate_context;
	insert->table = table_open(oid, RowExclusiveLock);
	if (insert->table->rd_rel->relkind != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" must be an ordinary table", table)));

	Assert(column_count <= RECORD_INSERT_MAX_COLUMNS);
	insert->column_count = column_count;
	for (int i = 0; i < column_count; i++)
	{
		insert->columns[i] = get_attnum(oid, names[i]);
		if (insert->columns[i] == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of table \"%s\" does not exist", names[i], table),
					 errhint("Run ALTER EXTENSION reasoning_graph UPDATE.")));
	}

	insert->estate = CreateExecutorState();
	insert->result = makeNode(ResultRelInfo);
	InitResultRelInfo(insert->result, insert->table, 0, NULL, 0);
	CheckValidResultRel(insert->result, CMD_INSERT
#if PG_VERSION_NUM >= 180000
						,ONCONFLICT_NONE, NIL
#endif
		);
	ExecOpenIndices(insert->result, false);
	if (insert->table->trigdesc && insert->table->trigdesc->trig_insert_after_row)
		AfterTriggerBeginQuery();
}

void
record_insert_row(RecordInsert *insert, const Datum *values, const bool *nulls)
{
	TupleTableSlot *slot;

	Assert(insert->kept < RECORD_INSERT_BATCH);
	if (insert->kept == insert->slot_count)
	{
		/* It outlives the memory of the row, which the caller resets. */
		MemoryContext old_context = MemoryContextSwitchTo(insert->estate->es_query_cxt);

		insert->slots[insert->slot_count++] = table_slot_create(insert->table, &insert->estate->es_tupleTable);
		MemoryContextSwitchTo(old_context);
	}
	slot = insert->slots[insert->kept++];

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	for (int i = 0; i < insert->column_count; i++)
	{
		slot->tts_values[insert->columns[i] - 1] = values[i];
		slot->tts_isnull[insert->columns[i] - 1] = nulls[i];
	}
	ExecStoreVirtualTuple(slot);
}

/* Enters a row, already in the heap, into the indexes. */
static void
insert_index_tuples(RecordInsert *insert, TupleTableSlot *slot)
{
	List	   *recheck = ExecInsertIndexTuples(insert->result, slot, insert->estate, false, false, NULL, NIL
#if PG_VERSION_NUM >= 160000
												,false
#endif
		);

	ExecARInsertTriggers(insert->estate, insert->result, slot, recheck, NULL);
	list_free(recheck);
}

/* Called in PG_CATCH(): says better what a unique constraint refused, if that is what happened. */
static void
explain_duplicate(RecordInsert *insert, int row, MemoryContext context)
{
	MemoryContext error_context = MemoryContextSwitchTo(context);
	ErrorData  *error = CopyErrorData();

	if (error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION && error->constraint_name && insert->on_duplicate)
	{
		FlushErrorState();
		insert->on_duplicate(insert->on_duplicate_context, insert->flushed + row, error->constraint_name, insert->slots[row]);
		ReThrowError(error);
	}
	FreeErrorData(error);
	MemoryContextSwitchTo(error_context);
}

void
record_insert_flush(RecordInsert *insert)
{
	MemoryContext context = CurrentMemoryContext;
	volatile int row = 0;

	if (insert->kept == 0)
		return;

	for (int i = 0; i < insert->kept; i++)
	{
		TriggerDesc *triggers = insert->table->trigdesc;

		if (triggers && triggers->trig_insert_before_row &&
			!ExecBRInsertTriggers(insert->estate, insert->result, insert->slots[i]))
			ereport(ERROR,
					(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
					 errmsg("a trigger suppressed a row of \"%s\"", RelationGetRelationName(insert->table)),
					 errdetail("The event that records the row would be without it.")));
		if (insert->table->rd_att->constr)
			ExecConstraints(insert->result, insert->slots[i], insert->estate);
	}

	table_multi_insert(insert->table, insert->slots, insert->kept, GetCurrentCommandId(true), 0, NULL);

	PG_TRY();
	{
		for (row = 0; row < insert->kept; row++)
		{
			insert_index_tuples(insert, insert->slots[row]);
			ResetPerTupleExprContext(insert->estate);
		}
	}
	PG_CATCH();
	{
		explain_duplicate(insert, row, context);
		PG_RE_THROW();
	}
	PG_END_TRY();

	for (int i = 0; i < insert->kept; i++)
		ExecClearTuple(insert->slots[i]);
	insert->flushed += insert->kept;
	insert->kept = 0;
}

void
record_insert_end(RecordInsert *insert)
{
	record_insert_flush(insert);
	if (insert->table->trigdesc && insert->table->trigdesc->trig_insert_after_row)
		AfterTriggerEndQuery(insert->estate);
	ExecResetTupleTable(insert->estate->es_tupleTable, false);
	ExecCloseIndices(insert->result);
	table_close(insert->table, NoLock);
	FreeExecutorState(insert->estate);
}
