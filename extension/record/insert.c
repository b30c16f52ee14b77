/*
 * insert.c
 *		Puts finished rows into a table of the schema.  Follows CopyFrom().
 */
#include "postgres.h"

#include "record/insert.h"

#include "record/schema.h"
#include "record/table_checks.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/datum.h"
#include "utils/rel.h"

static void
find_columns(RecordInsert *insert, const char *const *names, int column_count)
{
	Assert(column_count <= RECORD_INSERT_MAX_COLUMNS);
	insert->column_count = column_count;
	for (int i = 0; i < column_count; i++)
	{
		insert->columns[i] = schema_column(insert->table, names[i]);
		if (insert->columns[i] == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of table \"%s\" does not exist", names[i], RelationGetRelationName(insert->table)),
					 errhint("Run ALTER EXTENSION reasoning_graph UPDATE.")));
		if (TupleDescAttr(RelationGetDescr(insert->table), insert->columns[i] - 1)->attgenerated)
			ereport(ERROR,
					(errcode(ERRCODE_GENERATED_ALWAYS),
					 errmsg("column \"%s\" of table \"%s\" must not be a generated one", names[i], RelationGetRelationName(insert->table)),
					 errdetail("What is recorded would not be what was written.")));
	}
}

static bool
is_given(const RecordInsert *insert, AttrNumber column)
{
	for (int i = 0; i < insert->column_count; i++)
	{
		if (insert->columns[i] == column)
			return true;
	}
	return false;
}

static void
prepare_defaults(RecordInsert *insert)
{
	TupleDesc	desc = RelationGetDescr(insert->table);

	insert->defaults = palloc0(desc->natts * sizeof(ExprState *));
	for (AttrNumber column = 1; column <= desc->natts; column++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, column - 1);
		Node	   *expression;

		if (attribute->attisdropped || attribute->attgenerated || is_given(insert, column))
			continue;
		expression = build_column_default(insert->table, column);
		if (expression)
			insert->defaults[column - 1] = ExecInitExpr(expression_planner((Expr *) expression), NULL);
	}
}

/* The table becomes the only entry of a range table, so that triggers find it there instead of opening it anew. */
static void
open_result(RecordInsert *insert)
{
	EState	   *estate = insert->estate;
	RangeTblEntry *rte = makeNode(RangeTblEntry);

	rte->rtekind = RTE_RELATION;
	rte->relid = RelationGetRelid(insert->table);
	rte->relkind = insert->table->rd_rel->relkind;
	rte->rellockmode = RowExclusiveLock;
#if PG_VERSION_NUM >= 180000
	ExecInitRangeTable(estate, list_make1(rte), NIL, bms_make_singleton(1));
#elif PG_VERSION_NUM >= 160000
	ExecInitRangeTable(estate, list_make1(rte), NIL);
#else
	ExecInitRangeTable(estate, list_make1(rte));
#endif
	insert->result = makeNode(ResultRelInfo);
	ExecInitResultRelation(estate, insert->result, 1);
	CheckValidResultRel(insert->result, CMD_INSERT
#if PG_VERSION_NUM >= 180000
						, ONCONFLICT_NONE, NIL
#elif PG_VERSION_NUM >= 170000
						, NIL
#endif
						);
	ExecOpenIndices(insert->result, false);
}

void
record_insert_begin(RecordInsert *insert, const char *table, const char *const *names, int column_count,
					RecordInsertDuplicate on_duplicate, void *on_duplicate_context)
{
	MemoryContext old_context;

	memset(insert, 0, sizeof(*insert));
	insert->on_duplicate = on_duplicate;
	insert->on_duplicate_context = on_duplicate_context;
	insert->table = schema_open_table(table, RowExclusiveLock);
	if (insert->table->rd_rel->relkind != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" must be an ordinary table", table)));
	find_columns(insert, names, column_count);
	insert->estate = CreateExecutorState();
	old_context = MemoryContextSwitchTo(insert->estate->es_query_cxt);
	open_result(insert);
	table_checks_provide(insert->result, insert->estate);
	prepare_defaults(insert);
	MemoryContextSwitchTo(old_context);

	AfterTriggerBeginQuery();
	insert->transition = MakeTransitionCaptureState(insert->table->trigdesc, RelationGetRelid(insert->table), CMD_INSERT);
	ExecBSInsertTriggers(insert->estate, insert->result);
}

static void
fill_defaults(RecordInsert *insert, TupleTableSlot *slot)
{
	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
	{
		if (insert->defaults[i])
			slot->tts_values[i] = ExecEvalExpr(insert->defaults[i], GetPerTupleExprContext(insert->estate), &slot->tts_isnull[i]);
	}
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
	fill_defaults(insert, slot);
	for (int i = 0; i < insert->column_count; i++)
	{
		slot->tts_values[insert->columns[i] - 1] = values[i];
		slot->tts_isnull[insert->columns[i] - 1] = nulls[i];
	}
	ExecStoreVirtualTuple(slot);
}

/* What the event says of a row must be what is in the row. */
static void
check_given(RecordInsert *insert, TupleTableSlot *slot, const Datum *values, const bool *nulls)
{
	slot_getallattrs(slot);
	for (int i = 0; i < insert->column_count; i++)
	{
		int			column = insert->columns[i] - 1;
		Form_pg_attribute attribute = TupleDescAttr(slot->tts_tupleDescriptor, column);

		if (nulls[column] != slot->tts_isnull[column] ||
			(!nulls[column] && !datum_image_eq(values[column], slot->tts_values[column], attribute->attbyval, attribute->attlen)))
			ereport(ERROR,
					(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
					 errmsg("a trigger changed column \"%s\" of a row of \"%s\"", NameStr(attribute->attname),
							RelationGetRelationName(insert->table)),
					 errdetail("The event that records the row would say otherwise.")));
	}
}

static void
fire_before_row(RecordInsert *insert, TupleTableSlot *slot)
{
	Size		natts = slot->tts_tupleDescriptor->natts;
	Datum	   *values = palloc(natts * sizeof(Datum));
	bool	   *nulls = palloc(natts * sizeof(bool));
	MemoryContext old_context;
	bool		kept;

	memcpy(values, slot->tts_values, natts * sizeof(Datum));
	memcpy(nulls, slot->tts_isnull, natts * sizeof(bool));
	/* What a function keeps from one call to the next outlives the row. */
	old_context = MemoryContextSwitchTo(insert->estate->es_query_cxt);
	kept = ExecBRInsertTriggers(insert->estate, insert->result, slot);
	MemoryContextSwitchTo(old_context);
	if (!kept)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("a trigger suppressed a row of \"%s\"", RelationGetRelationName(insert->table)),
				 errdetail("The event that records the row would be without it.")));
	check_given(insert, slot, values, nulls);
}

static bool
has_before_row(const RecordInsert *insert)
{
	return insert->table->trigdesc && insert->table->trigdesc->trig_insert_before_row;
}

static void
prepare_row(RecordInsert *insert, TupleTableSlot *slot)
{
	TupleConstr *constraints = RelationGetDescr(insert->table)->constr;

	if (has_before_row(insert))
		fire_before_row(insert, slot);
	if (constraints && constraints->has_generated_stored)
		ExecComputeStoredGenerated(insert->result, insert->estate, slot, CMD_INSERT);
	if (constraints)
		ExecConstraints(insert->result, slot, insert->estate);
	if (insert->table->rd_rel->relispartition)
		ExecPartitionCheck(insert->result, slot, insert->estate, true);
}

/* Enters a row, already in the heap, into the indexes. */
static void
insert_index_tuples(RecordInsert *insert, TupleTableSlot *slot)
{
	List	   *recheck = ExecInsertIndexTuples(insert->result, slot, insert->estate, false, false, NULL, NIL
#if PG_VERSION_NUM >= 160000
												, false
#endif
												);

	ExecARInsertTriggers(insert->estate, insert->result, slot, recheck, insert->transition);
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

static void
insert_rows(RecordInsert *insert, int first, int count)
{
	MemoryContext context = CurrentMemoryContext;
	volatile int row = first;

	for (int i = first; i < first + count; i++)
		prepare_row(insert, insert->slots[i]);

	table_multi_insert(insert->table, insert->slots + first, count, GetCurrentCommandId(true), 0, NULL);

	PG_TRY();
	{
		for (row = first; row < first + count; row++)
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
}

void
record_insert_flush(RecordInsert *insert)
{
	/* A trigger that looks at the table sees the rows before its own, as it would with INSERT. */
	int			count = has_before_row(insert) ? 1 : insert->kept;

	for (int first = 0; first < insert->kept; first += count)
		insert_rows(insert, first, count);
	for (int i = 0; i < insert->kept; i++)
		ExecClearTuple(insert->slots[i]);
	insert->flushed += insert->kept;
	insert->kept = 0;
}

void
record_insert_end(RecordInsert *insert)
{
	record_insert_flush(insert);
	ExecASInsertTriggers(insert->estate, insert->result, insert->transition);
	AfterTriggerEndQuery(insert->estate);
	ExecResetTupleTable(insert->estate->es_tupleTable, false);
	ExecCloseResultRelations(insert->estate);
	ExecCloseRangeTableRelations(insert->estate);
	table_close(insert->table, NoLock);
	FreeExecutorState(insert->estate);
}
