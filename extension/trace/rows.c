/*
 * rows.c
 *		The rows of trace() where a function has to put them into a tuplestore; elsewhere trace/scan.c hands them out.
 */
#include "postgres.h"

#include "trace/rows.h"

#include "trace/call.h"
#include "trace/tree.h"

#include "miscadmin.h"
#include "utils/tuplestore.h"

void
trace_put_rows(ReturnSetInfo *result, Trace *trace)
{
	bool	   *cycle = trace_cycles(trace);
	int32		depth = 0;

	trace_rows_begin(trace);
	for (uint32 i = 0; i < trace->node_count; i++)
	{
		TraceRow	row = trace_row(trace, i);
		bool		nulls[TRACE_COLUMNS] = {false, false, false, i < trace->start_count, i < trace->start_count, false};
		Datum		values[TRACE_COLUMNS];

		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		while (i >= trace->level[depth + 1])
			depth++;
		values[0] = Int32GetDatum((int32) i);
		values[1] = Int32GetDatum(depth);
		values[2] = UUIDPGetDatum(row.node_id);
		values[3] = UUIDPGetDatum(row.edge_id);
		values[4] = UUIDPGetDatum(row.parent_id);
		values[5] = BoolGetDatum(cycle[i]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}
