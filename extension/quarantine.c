/*
 * quarantine.c
 *		Which records are in quarantine, for the length of one call.
 */
#include "postgres.h"

#include "audit_scan.h"
#include "graph_heap.h"
#include "quarantine.h"

#include "access/table.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* Almost always: then nothing needs to be opened but the table. */
static bool
nothing_was_ever_quarantined(Graph *graph)
{
	Relation	table = table_open(get_relname_relid("quarantine", graph->schema), AccessShareLock);
	/* A serializable transaction has to leave its mark on the index. */
	bool		empty = !graph->serializable && RelationGetNumberOfBlocks(table) == 0;

	table_close(table, AccessShareLock);
	return empty;
}

static bool
sees_release(Graph *graph, AuditScan *released, AttrNumber event_no)
{
	int64		no = DatumGetInt64(audit_scan_value(released->slot, event_no));
	bool		should_free;
	HeapTuple	tuple;
	bool		result;

	if (graph->horizon == NULL)
		return true;
	tuple = ExecFetchSlotHeapTuple(released->slot, false, &should_free);
	result = graph_horizon_sees(graph, released->heap, no, tuple);
	if (should_free)
		heap_freetuple(tuple);
	return result;
}

void
quarantine_load(Graph *graph)
{
	AuditScan	held;
	AuditScan	released;
	AttrNumber	held_no;
	AttrNumber	released_no;
	AttrNumber	event_no;
	text	   *division;
	bool		at_release;

	graph->quarantine_count = 0;
	if (nothing_was_ever_quarantined(graph))
		return;

	/* Both in the order of numbers: side by side. */
	division = cstring_to_text_with_len(graph->division.data, graph->division.length);
	audit_scan_open(&held, "quarantine", "quarantine_pkey", 1, graph->snapshot);
	audit_scan_open(&released, "quarantine_release", "quarantine_release_pkey", 1, graph->snapshot);
	held_no = audit_scan_column(held.heap, "record_no");
	released_no = audit_scan_column(released.heap, "record_no");
	event_no = audit_scan_column(released.heap, "event_no");
	audit_scan_text(&held, 0, division);
	audit_scan_text(&released, 0, division);
	audit_scan_start(&held);
	audit_scan_start(&released);
	at_release = audit_scan_next(&released);
	while (audit_scan_next(&held))
	{
		int64		no = DatumGetInt64(audit_scan_value(held.slot, held_no));

		CHECK_FOR_INTERRUPTS();
		while (at_release && DatumGetInt64(audit_scan_value(released.slot, released_no)) < no)
			at_release = audit_scan_next(&released);
		if (at_release && DatumGetInt64(audit_scan_value(released.slot, released_no)) == no &&
			sees_release(graph, &released, event_no))
			continue;
		graph_reserve(graph, graph->quarantine, graph->quarantine_count, graph->quarantine_capacity);
		graph->quarantine[graph->quarantine_count++] = no;
	}
	audit_scan_close(&released);
	audit_scan_close(&held);
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
