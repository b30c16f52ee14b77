/*
 * rows.c
 *		The rows of trace().
 *
 * A large trace spends most of its time here.  All columns have a fixed width and
 * all rows but those of the starts the same ones set, so the first of them is formed as any tuple,
 * and those after it are made by writing new values into its places.
 */
#include "postgres.h"

#include "trace/rows.h"

#include "trace/call.h"
#include "trace/tree.h"

#include "access/htup_details.h"
#include "access/tupmacs.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/tuplestore.h"

typedef struct RowForm
{
	TupleTableSlot *slot;		/* holds the tuple */
	char	   *column[TRACE_COLUMNS];
} RowForm;

static void
put_start(ReturnSetInfo *result, Trace *trace, uint32 position, bool cycle)
{
	Datum		values[TRACE_COLUMNS] = {0};
	bool		nulls[TRACE_COLUMNS] = {false, false, false, true, true, false};

	values[0] = Int32GetDatum((int32) position);
	values[1] = Int32GetDatum(0);
	values[2] = UUIDPGetDatum(trace_row(trace, position).node_id);
	values[5] = BoolGetDatum(cycle);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* In the current memory context. */
static void
make_form(RowForm *form, TupleDesc desc)
{
	static const int16 widths[TRACE_COLUMNS] = {sizeof(int32), sizeof(int32), UUID_LEN, UUID_LEN, UUID_LEN, sizeof(bool)};
	pg_uuid_t	any = {{0}};
	Datum		values[TRACE_COLUMNS] = {0, 0, UUIDPGetDatum(&any), UUIDPGetDatum(&any), UUIDPGetDatum(&any), 0};
	bool		nulls[TRACE_COLUMNS] = {false};
#if PG_VERSION_NUM >= 180000
	MinimalTuple tuple = heap_form_minimal_tuple(desc, values, nulls, 0);
#else
	MinimalTuple tuple = heap_form_minimal_tuple(desc, values, nulls);
#endif
	char	   *data = (char *) tuple - MINIMAL_TUPLE_OFFSET + tuple->t_hoff;
	uintptr_t	offset = 0;

	if (desc->natts != TRACE_COLUMNS)
		elog(ERROR, "trace() has %d columns instead of %d", desc->natts, TRACE_COLUMNS);
	for (int i = 0; i < TRACE_COLUMNS; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (attribute->attlen != widths[i])
			elog(ERROR, "column %d of trace() has an unexpected type", i + 1);
		offset = att_align_nominal(offset, attribute->attalign);
		form->column[i] = data + offset;
		offset += widths[i];
	}
	form->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	ExecStoreMinimalTuple(tuple, form->slot, false);
}

void
trace_put_rows(ReturnSetInfo *result, Trace *trace)
{
	bool	   *cycle = trace_cycles(trace);
	int32		depth = 1;
	RowForm		form;

	trace_rows_begin(trace);
	for (uint32 i = 0; i < trace->start_count; i++)
		put_start(result, trace, i, cycle[i]);
	make_form(&form, result->setDesc);
	for (uint32 i = trace->start_count; i < trace->node_count; i++)
	{
		TraceRow	row = trace_row(trace, i);
		int32		step = (int32) i;

		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		while (i >= trace->level[depth + 1])
			depth++;
		memcpy(form.column[0], &step, sizeof(int32));
		memcpy(form.column[1], &depth, sizeof(int32));
		memcpy(form.column[2], row.node_id, UUID_LEN);
		memcpy(form.column[3], row.edge_id, UUID_LEN);
		memcpy(form.column[4], row.parent_id, UUID_LEN);
		memcpy(form.column[5], &cycle[i], sizeof(bool));
		tuplestore_puttupleslot(result->setResult, form.slot);
	}
	ExecDropSingleTupleTableSlot(form.slot);
}
