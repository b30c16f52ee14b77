/*
 * causal_order_sql.c
 *		Causal order as rows: ordered_trace().
 */
#include "postgres.h"

#include "graph/columns.h"
#include "graph/graph.h"
#include "graph/memory.h"
#include "record/text.h"
#include "trace/arguments.h"
#include "trace/causal_order.h"
#include "trace/visit.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(reason_ordered_trace);

/* Types of nodes, then of edges; they are few and short, and kept once each. */
typedef struct EntryTypes
{
	Datum	   *nodes;
	Datum	   *edges;
	AttrNumber	column;
	Datum	   *into;
	Datum		known[32];
	int			known_count;
} EntryTypes;

static void
read_type(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	EntryTypes *types = argument;
	bool		isnull;
	text	   *type = DatumGetTextPP(heap_getattr(tuple, types->column, desc, &isnull));
	int			i;

	for (i = 0; i < types->known_count; i++)
	{
		text	   *known = DatumGetTextPP(types->known[i]);

		if (VARSIZE_ANY_EXHDR(known) == VARSIZE_ANY_EXHDR(type) &&
			memcmp(VARDATA_ANY(known), VARDATA_ANY(type), VARSIZE_ANY_EXHDR(type)) == 0)
			break;
	}
	if (i == types->known_count)
	{
		Datum		copy = PointerGetDatum(cstring_to_text_with_len(VARDATA_ANY(type), VARSIZE_ANY_EXHDR(type)));

		types->into[entry->position] = copy;
		if (i < lengthof(types->known))
			types->known[types->known_count++] = copy;
		return;
	}
	types->into[entry->position] = types->known[i];
}

static EntryTypes
read_types(Trace *trace)
{
	Graph	   *graph = trace->graph;
	EntryTypes	types = {0};

	types.nodes = graph_alloc(graph, (Size) trace->node_count * sizeof(Datum));
	types.edges = graph_alloc(graph, Max((Size) trace->edges_kept, 1) * sizeof(Datum));
	types.column = NODE_TYPE;
	types.into = types.nodes;
	trace_visit_nodes(trace, read_type, &types);
	types.column = EDGE_TYPE;
	types.into = types.edges;
	trace_visit_edges(trace, read_type, &types);
	return types;
}

/* ordered_trace(node, division, as_of_seq) */
static const TraceArguments order_arguments = {
	.max_depth = -1, .max_nodes = -1, .types = -1, .edge_types = -1, .min_weight = -1, .min_confidence = -1, .as_of = -1, .as_of_seq = 2
};

/* ---------------------------------------------------------------- ordered_trace() */

static void
put_entries(FunctionCallInfo fcinfo, CausalOrder *order)
{
	ReturnSetInfo *result = trace_begin_rows(fcinfo, order->trace->graph);
	Trace	   *trace = order->trace;
	Graph	   *graph = trace->graph;
	EntryTypes	types = read_types(trace);
	uint32	   *parents = graph_alloc(graph, (Size) trace->node_count * sizeof(uint32));
	uint32	   *seen = graph_alloc(graph, (Size) trace->node_count * sizeof(uint32));
	Datum	   *ids = graph_alloc(graph, (Size) trace->node_count * sizeof(Datum));
	Datum		node_word = CStringGetTextDatum("node");
	Datum		edge_word = CStringGetTextDatum("edge");
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "ordered trace", ALLOCSET_SMALL_SIZES);

	memset(seen, 0, (Size) trace->node_count * sizeof(uint32));
	for (uint32 i = 0; i < order->count; i++)
	{
		CausalOrderEntry *entry = &order->entries[i];
		uint32		count = causal_order_parents(order, entry, parents, seen);
		MemoryContext caller = MemoryContextSwitchTo(scratch);
		Datum		values[9];
		bool		nulls[9] = {false};

		CHECK_FOR_INTERRUPTS();
		for (uint32 k = 0; k < count; k++)
			ids[k] = UUIDPGetDatum(&trace->nodes[parents[k]].id);
		values[0] = Int32GetDatum((int32) i);
		values[1] = entry->is_edge ? edge_word : node_word;
		values[2] = UUIDPGetDatum(&entry->id);
		values[3] = entry->is_edge ? types.edges[entry->index] : types.nodes[entry->index];
		values[4] = TimestampTzGetDatum(entry->created_at);
		values[5] = PointerGetDatum(construct_array(ids, count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
		nulls[6] = nulls[7] = !entry->is_edge;
		if (entry->is_edge)
		{
			values[6] = UUIDPGetDatum(&trace->nodes[trace->edges[entry->index].target].id);
			values[7] = UUIDPGetDatum(&trace->nodes[trace->edges[entry->index].source].id);
		}
		values[8] = BoolGetDatum(causal_order_in_cycle(order, entry));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(scratch);
	}
}

Datum
reason_ordered_trace(PG_FUNCTION_ARGS)
{
	Graph	   *graph;
	GraphDivisions divisions;
	GraphFilter filter;
	GraphNode  *start;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	graph = graph_open();
	divisions = graph_divisions_of_user(graph);
	filter = trace_filter_of(fcinfo, &order_arguments);
	start = trace_start(graph, PG_GETARG_UUID_P(0), &divisions, record_text_argument(fcinfo, 1), &filter);
	put_entries(fcinfo, causal_order(graph, start, &filter));
	graph_close(graph);
	return (Datum) 0;
}
