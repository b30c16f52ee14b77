/*
 * node_shown.c
 *		A node as a caller is shown it, for filters.
 *
 * Whatever looks for nodes on a caller's behalf looks at this text, so that
 * nothing can be found which is not shown.
 */
#include "postgres.h"

#include "graph/columns.h"
#include "trace/node_json.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(reason_node_shown);

/* Kept from row to row. */
typedef struct NodeShown
{
	Graph		graph;			/* knows of one number in quarantine at most */
	int64		quarantined;
	bool		redact;
	NodeJson   *json;
} NodeShown;

static NodeShown *
shown_begin(FunctionCallInfo fcinfo, bool redact)
{
	NodeShown  *shown = fcinfo->flinfo->fn_extra;

	if (shown == NULL || shown->redact != redact)
	{
		MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		shown = palloc0(sizeof(NodeShown));
		shown->redact = redact;
		shown->json = node_json_begin(&shown->graph, redact);
		MemoryContextSwitchTo(caller);
		fcinfo->flinfo->fn_extra = shown;
	}
	return shown;
}

/* node_shown(node, redact, quarantined) */
Datum
reason_node_shown(PG_FUNCTION_ARGS)
{
	HeapTupleHeader header = PG_GETARG_HEAPTUPLEHEADER(0);
	NodeShown  *shown = shown_begin(fcinfo, PG_GETARG_BOOL(1));
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple = {0};
	ByteBuffer	out;

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	tuple.t_data = header;
	if (PG_GETARG_BOOL(2))
	{
		bool		isnull;

		shown->quarantined = DatumGetInt64(heap_getattr(&tuple, NODE_NO, desc, &isnull));
		shown->graph.quarantine = &shown->quarantined;
		shown->graph.quarantine_count = 1;
	}
	else
		shown->graph.quarantine_count = 0;
	node_json_buffer(&out);
	node_json_node(shown->json, &out, &tuple, desc);
	ReleaseTupleDesc(desc);
	return node_json_text(&out);
}
