/*
 * impact_sql.c
 *		What rests on a node as rows: impact().
 */
#include "postgres.h"

#include "graph/graph.h"
#include "record/text.h"
#include "trace/arguments.h"
#include "derived/impact.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(reason_impact);

#define IMPACT_COLUMNS 11

static const TraceArguments impact_arguments = {
	.max_depth = 1, .types = -1, .edge_types = -1, .min_weight = -1, .min_confidence = -1, .as_of = 2, .max_nodes = -1, .as_of_seq = 4
};

static ArrayType *
corrected_by(const Impact *impact, uint32 position)
{
	uint32		count = corrections_count(&impact->corrections, position);
	Datum	   *ids = palloc(Max((Size) count, 1) * sizeof(Datum));

	for (uint32 i = 0; i < count; i++)
		ids[i] = UUIDPGetDatum(&impact->corrections.by[impact->corrections.first[position] + i]);
	return construct_array(ids, (int) count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
}

static void
put_row(ReturnSetInfo *result, const Impact *impact, uint32 step)
{
	uint32		position = impact->order[step];
	const TraceNode *node = &impact->trace->nodes[position];
	Datum		values[IMPACT_COLUMNS];
	bool		nulls[IMPACT_COLUMNS] = {false};

	values[0] = Int32GetDatum((int32) step);
	values[1] = UUIDPGetDatum(&node->id);
	values[2] = PointerGetDatum(cstring_to_text_with_len(impact->type[position].data, impact->type[position].length));
	values[3] = Int32GetDatum((int32) impact->depth[position]);
	values[4] = Float8GetDatum(impact->strength[position]);
	values[5] = BoolGetDatum(impact->has_other_support[position]);
	values[6] = BoolGetDatum(corrections_count(&impact->corrections, position) > 0);
	values[7] = PointerGetDatum(corrected_by(impact, position));
	values[8] = BoolGetDatum(impact_stands(impact, position));
	values[9] = BoolGetDatum(node->created_at < impact->trace->nodes[0].created_at);
	values[10] = BoolGetDatum(impact->leads_on[position]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* impact(node, max_depth, as_of, division, as_of_seq) */
Datum
reason_impact(PG_FUNCTION_ARGS)
{
	GraphFilter filter = trace_filter_of(fcinfo, &impact_arguments);
	RecordText	division = record_text_argument(fcinfo, 3);
	MemoryContext scratch;
	MemoryContext caller;
	Graph	   *graph;
	GraphDivisions divisions;
	ReturnSetInfo *result;
	Impact	   *impact;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	graph = graph_open();
	divisions = graph_divisions_of_user(graph);
	impact = impact_of(graph, trace_start(graph, PG_GETARG_UUID_P(0), &divisions, division, &filter), &filter);
	result = trace_begin_rows(fcinfo, graph);
	scratch = AllocSetContextCreate(CurrentMemoryContext, "reasoning graph impact rows", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(scratch);
	for (uint32 step = 0; step < impact->count; step++)
	{
		CHECK_FOR_INTERRUPTS();
		put_row(result, impact, step);
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	graph_close(graph);
	return (Datum) 0;
}
