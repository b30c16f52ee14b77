/*
 * quarantine.c
 *		Which records are in quarantine, for the length of one call.
 */
#include "postgres.h"

#include "graph/quarantine.h"

#include "graph/heap.h"
#include "graph/memory.h"
#include "record/row_scan.h"
#include "record/schema.h"

#include "access/stratnum.h"
#include "access/table.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"

/* Almost always: then nothing needs to be opened but the table. */
static bool
nothing_was_ever_quarantined(Graph *graph)
{
	Relation	table = schema_open_table("quarantine", AccessShareLock);
	/* A serializable transaction reads the index all the same, for the predicate lock. */
	bool		empty = !graph->serializable && RelationGetNumberOfBlocks(table) == 0;

	table_close(table, AccessShareLock);
	return empty;
}

static bool
sees_release(Graph *graph, RowScan *released, AttrNumber event_no)
{
	int64		no = DatumGetInt64(row_scan_value(released->slot, event_no));
	bool		should_free;
	HeapTuple	tuple = ExecFetchSlotHeapTuple(released->slot, false, &should_free);
	bool		result;

	result = graph_horizon_sees(graph, released->heap, no, tuple);
	if (should_free)
		heap_freetuple(tuple);
	return result;
}

static void
add_number(Graph *graph, int64 no)
{
	graph_reserve(graph, graph->quarantine, graph->quarantine_count, graph->quarantine_capacity);
	graph->quarantine[graph->quarantine_count++] = no;
}

static void
add_held(Graph *graph, text *division)
{
	RowScan		held;
	AttrNumber	record_no;

	/* A partial index: what was released is not in it. */
	row_scan_open(&held, "quarantine", "quarantine_held_idx", 1, graph->snapshot);
	record_no = row_scan_column(held.heap, "record_no");
	row_scan_text(&held, 0, division);
	row_scan_start(&held);
	while (row_scan_next(&held))
	{
		CHECK_FOR_INTERRUPTS();
		add_number(graph, DatumGetInt64(row_scan_value(held.slot, record_no)));
	}
	row_scan_close(&held);
}

/* What was held back on the first page of a trace still is on the others. */
static void
add_released_since(Graph *graph, text *division)
{
	RowScan		released;
	AttrNumber	record_no;
	AttrNumber	event_no;

	row_scan_open(&released, "quarantine_release", "quarantine_release_event_idx", 2, graph->snapshot);
	record_no = row_scan_column(released.heap, "record_no");
	event_no = row_scan_column(released.heap, "event_no");
	row_scan_text(&released, 0, division);
	row_scan_int8(&released, 1, BTGreaterStrategyNumber, graph->horizon->decided_no);
	row_scan_start(&released);
	while (row_scan_next(&released))
	{
		CHECK_FOR_INTERRUPTS();
		if (!sees_release(graph, &released, event_no))
			add_number(graph, DatumGetInt64(row_scan_value(released.slot, record_no)));
	}
	row_scan_close(&released);
}

static int
compare_numbers(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return left < right ? -1 : left > right;
}

void
quarantine_load(Graph *graph)
{
	text	   *division;

	graph->quarantine_count = 0;
	if (nothing_was_ever_quarantined(graph))
		return;
	division = cstring_to_text_with_len(graph->division.data, graph->division.length);
	add_held(graph, division);
	if (graph->horizon)
	{
		add_released_since(graph, division);
		qsort(graph->quarantine, graph->quarantine_count, sizeof(int64), compare_numbers);
	}
	pfree(division);
}

void
quarantine_argument(FunctionCallInfo fcinfo, int argument, Graph *graph)
{
	if (!PG_ARGISNULL(argument))
		graph->hides_quarantined = !PG_GETARG_BOOL(argument);
}

bool
quarantine_contains(const Graph *graph, int64 no)
{
	uint32		low = 0;
	uint32		high = graph->quarantine_count;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (graph->quarantine[middle] < no)
			low = middle + 1;
		else
			high = middle;
	}
	return low < graph->quarantine_count && graph->quarantine[low] == no;
}
