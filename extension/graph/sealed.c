/*
 * sealed.c
 *		Which records had their place in the chain of their division at an event.
 */
#include "postgres.h"

#include "graph/sealed.h"

#include "graph/memory.h"

#include "access/stratnum.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

static bool
is_in_chain(text *division, int64 seq, Snapshot snapshot)
{
	RowScan		chain;
	bool		found;

	row_scan_open(&chain, "audit_seal", "audit_seal_pkey", 2, snapshot);
	row_scan_text(&chain, 0, division);
	row_scan_int8(&chain, 1, BTEqualStrategyNumber, seq);
	found = row_scan_find(&chain);
	row_scan_close(&chain);
	return found;
}

const GraphSealed *
graph_sealed_open(Graph *graph, RecordText division, int64 seq)
{
	MemoryContext caller = MemoryContextSwitchTo(graph->context);
	GraphSealed *sealed = palloc0(sizeof(GraphSealed));

	sealed->division = cstring_to_text_with_len(division.data, division.length);
	sealed->seq = seq;
	if (!is_in_chain(sealed->division, seq, graph->snapshot))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("the chain of division \"%.*s\" has no event " INT64_FORMAT, (int) division.length, division.data, seq),
				 errhint("Events are counted from 0, and what was written a moment ago may wait for its place.")));
	row_scan_open(&sealed->seals, "audit_seal", "audit_seal_event_key", 1, graph->snapshot);
	row_scan_seek_by(&sealed->seals, "event_no");
	sealed->seq_column = row_scan_column(sealed->seals.heap, "seq");
	graph->sealed = sealed;
	MemoryContextSwitchTo(caller);
	return sealed;
}

void
graph_sealed_close(Graph *graph)
{
	if (graph->sealed)
		row_scan_close(&graph->sealed->seals);
	graph->sealed = NULL;
}

bool
graph_sealed_shows(const GraphSealed *sealed, int64 no)
{
	/* The position of the scan does not affect its answers. */
	RowScan    *seals = unconstify(RowScan *, &sealed->seals);

	return row_scan_seek(seals, no, sealed->division) &&
		DatumGetInt64(row_scan_value(seals->slot, sealed->seq_column)) <= sealed->seq;
}
