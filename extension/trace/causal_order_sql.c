/*
 * causal_order_sql.c
 *		ordered_trace(), and its JSON text for HTTP.
 */
#include "postgres.h"

#include "canonical/backend.h"
#include "core/canonical.h"
#include "graph/columns.h"
#include "graph/graph.h"
#include "graph/heap.h"
#include "graph/memory.h"
#include "graph/quarantine.h"
#include "record/text.h"
#include "trace/arguments.h"
#include "trace/causal_details.h"
#include "trace/causal_order.h"
#include "trace/node_json.h"

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
PG_FUNCTION_INFO_V1(reason_ordered_trace_json);

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
	Size		most = Max(trace->node_count, trace->edges_kept);
	GraphEntry *entries = graph_alloc(graph, most * sizeof(GraphEntry));
	EntryTypes	types = {0};

	types.nodes = graph_alloc(graph, (Size) trace->node_count * sizeof(Datum));
	types.edges = graph_alloc(graph, Max((Size) trace->edges_kept, 1) * sizeof(Datum));
	for (uint32 i = 0; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		entries[i].position = i;
		entries[i].tid = trace->nodes[i].tid;
	}
	types.column = NODE_TYPE;
	types.into = types.nodes;
	graph_visit_rows(graph, graph->node, entries, trace->node_count, read_type, &types);
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		entries[i].position = i;
		entries[i].tid = trace->edges[i].tid;
	}
	types.column = EDGE_TYPE;
	types.into = types.edges;
	graph_visit_rows(graph, graph->edge, entries, trace->edges_kept, read_type, &types);
	graph_grow(graph, entries, most * sizeof(GraphEntry), 0);
	return types;
}

/*
 * Direct causes of an entry: of an edge the node it comes from, of a node the nodes
 * its edges come from, each once, in the order of those edges.
 */
static uint32
parents_of(const CausalOrder *order, const CausalOrderEntry *entry, uint32 *parents, uint32 *seen)
{
	const Trace *trace = order->trace;
	uint32		count = 0;

	if (entry->is_edge)
	{
		parents[0] = trace->edges[entry->index].target;
		return 1;
	}
	for (uint32 k = order->incoming_start[entry->index]; k < order->incoming_start[entry->index + 1]; k++)
	{
		uint32		cause = trace->edges[order->incoming[k]].target;

		CHECK_FOR_INTERRUPTS();
		if (seen[cause] != entry->index + 1)
			parents[count++] = cause;
		seen[cause] = entry->index + 1;
	}
	return count;
}

static CausalOrder *
order_argument(FunctionCallInfo fcinfo, Graph *graph, const GraphDivisions *divisions, RecordText division, int as_of_seq)
{
	const TraceArguments arguments = {
		.max_depth = -1, .max_nodes = -1, .types = -1, .edge_types = -1, .min_weight = -1, .min_confidence = -1, .as_of = -1,
		.as_of_seq = as_of_seq
	};
	GraphFilter filter = trace_filter_of(fcinfo, &arguments);
	GraphNode  *start = trace_start(graph, PG_GETARG_UUID_P(0), divisions, division, &filter);

	return causal_order(graph, start, &filter);
}

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
		uint32		count = parents_of(order, entry, parents, seen);
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

/* ordered_trace(node, division, as_of_seq) */
Datum
reason_ordered_trace(PG_FUNCTION_ARGS)
{
	Graph	   *graph;
	GraphDivisions divisions;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	graph = graph_open();
	divisions = graph_divisions_of_user(graph);
	put_entries(fcinfo, order_argument(fcinfo, graph, &divisions, record_text_argument(fcinfo, 1), 2));
	graph_close(graph);
	return (Datum) 0;
}

/* ---------------------------------------------------------------- ordered_trace_json() */

/* What of a row goes into its entry. */
typedef struct EntryText
{
	pg_uuid_t	audit_event_id;
	Datum		type;
	size_t		offset;			/* of the payload */
	size_t		length;
} EntryText;

typedef struct EntryTexts
{
	NodeJson   *json;
	MemoryContext context;
	ByteBuffer	payloads;
	EntryText  *nodes;
	EntryText  *edges;
} EntryTexts;

static void
read_node_row(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	EntryTexts *texts = argument;
	EntryText  *node = &texts->nodes[entry->position];
	MemoryContext caller = MemoryContextSwitchTo(texts->json->scratch);
	bool		isnull;
	Datum		payload;

	node->audit_event_id = *DatumGetUUIDP(heap_getattr(tuple, NODE_AUDIT_EVENT_ID, desc, &isnull));
	node->offset = texts->payloads.length;
	payload = heap_getattr(tuple, NODE_PAYLOAD, desc, &isnull);
	node_json_content(texts->json, &texts->payloads, payload, isnull);
	node->length = texts->payloads.length - node->offset;
	MemoryContextSwitchTo(caller);
	MemoryContextReset(texts->json->scratch);
}

static void
read_edge_row(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	EntryTexts *texts = argument;
	bool		isnull;

	texts->edges[entry->position].audit_event_id =
		*DatumGetUUIDP(heap_getattr(tuple, EDGE_AUDIT_EVENT_ID, desc, &isnull));
}

static void
read_rows(EntryTexts *texts, Trace *trace)
{
	Graph	   *graph = trace->graph;
	Size		most = Max(trace->node_count, trace->edges_kept);
	GraphEntry *entries = graph_alloc(graph, most * sizeof(GraphEntry));

	texts->nodes = graph_alloc(graph, (Size) trace->node_count * sizeof(EntryText));
	texts->edges = graph_alloc(graph, Max((Size) trace->edges_kept, 1) * sizeof(EntryText));
	buffer_init(&texts->payloads, canonical_realloc, CurrentMemoryContext);
	for (uint32 i = 0; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		entries[i].position = i;
		entries[i].tid = trace->nodes[i].tid;
	}
	graph_visit_rows(graph, graph->node, entries, trace->node_count, read_node_row, texts);
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		entries[i].position = i;
		entries[i].tid = trace->edges[i].tid;
	}
	graph_visit_rows(graph, graph->edge, entries, trace->edges_kept, read_edge_row, texts);
	graph_grow(graph, entries, most * sizeof(GraphEntry), 0);
}

static void
append_ids(ByteBuffer *out, const Trace *trace, const uint32 *nodes, uint32 count)
{
	buffer_append_char(out, '[');
	for (uint32 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > 0)
			buffer_append_char(out, ',');
		record_write_uuid(out, &trace->nodes[nodes[i]].id);
	}
	buffer_append_char(out, ']');
}

static void
append_path(ByteBuffer *out, CausalOrder *order, NodeJson *json)
{
	Trace	   *trace = order->trace;
	Graph	   *graph = trace->graph;
	EntryTypes	types = read_types(trace);
	EntryTexts	texts = {.json = json};
	CausalDetails seals;
	CausalDetails annotations;
	uint32	   *parents = graph_alloc(graph, (Size) trace->node_count * sizeof(uint32));
	uint32	   *seen = graph_alloc(graph, (Size) trace->node_count * sizeof(uint32));

	read_rows(&texts, trace);
	causal_details_seals(&seals, order);
	causal_details_annotations(&annotations, order, json);
	memset(seen, 0, (Size) trace->node_count * sizeof(uint32));
	buffer_append_char(out, '[');
	for (uint32 i = 0; i < order->count; i++)
	{
		CausalOrderEntry *entry = &order->entries[i];
		uint32		count = parents_of(order, entry, parents, seen);
		EntryText  *row = entry->is_edge ? &texts.edges[entry->index] : &texts.nodes[entry->index];
		int64		no = entry->is_edge ? trace->edges[entry->index].no : trace->nodes[entry->index].no;

		CHECK_FOR_INTERRUPTS();
		if (i > 0)
			buffer_append_char(out, ',');
		buffer_append_literal(out, "{\"annotations\":[");
		causal_details_write(out, &annotations, entry->is_edge ? 0 : no, "");
		buffer_append_literal(out, "],\"auditRef\":{\"eventId\":");
		record_write_uuid(out, &row->audit_event_id);
		causal_details_write(out, &seals, no, ",\"hash\":null,\"prevHash\":null");
		buffer_append_literal(out, "},\"causalIndex\":");
		canonical_write_integer(out, i);
		buffer_append_literal(out, ",\"entityType\":");
		node_json_text_member(out, entry->is_edge ? types.edges[entry->index] : types.nodes[entry->index]);
		if (entry->is_edge)
		{
			buffer_append_literal(out, ",\"from\":");
			record_write_uuid(out, &trace->nodes[trace->edges[entry->index].target].id);
		}
		buffer_append_literal(out, ",\"id\":");
		record_write_uuid(out, &entry->id);
		buffer_append_literal(out, ",\"parentIds\":");
		append_ids(out, trace, parents, count);
		if (!entry->is_edge)
		{
			buffer_append_literal(out, ",\"payload\":");
			buffer_append(out, texts.payloads.data + row->offset, row->length);
		}
		buffer_append_literal(out, ",\"timestamp\":");
		record_write_timestamp(out, entry->created_at);
		if (entry->is_edge)
		{
			buffer_append_literal(out, ",\"to\":");
			record_write_uuid(out, &trace->nodes[trace->edges[entry->index].source].id);
			buffer_append_literal(out, ",\"type\":\"edge\"}");
		}
		else
			buffer_append_literal(out, ",\"type\":\"node\"}");
	}
	buffer_append_char(out, ']');
}

static inline uint32
component_of(const CausalOrder *order, const CausalOrderEntry *entry)
{
	return order->component[entry->is_edge ? order->trace->edges[entry->index].source : entry->index];
}

/* Entries on cycles, grouped by cycle: those of cycle i from start[i] to start[i + 1]. */
static uint32 *
group_by_cycle(const CausalOrder *order, uint32 *start)
{
	uint32	   *grouped = graph_alloc(order->trace->graph, (Size) (order->count - order->acyclic_count + 1) * sizeof(uint32));

	/* Counted two further than meant, so that after placing start[i] is where i begins. */
	for (uint32 i = order->acyclic_count; i < order->count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (causal_order_in_cycle(order, &order->entries[i]))
			start[component_of(order, &order->entries[i]) + 2]++;
	}
	for (uint32 i = 2; i < order->component_count + 2; i++)
		start[i] += start[i - 1];
	for (uint32 i = order->acyclic_count; i < order->count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (causal_order_in_cycle(order, &order->entries[i]))
			grouped[start[component_of(order, &order->entries[i]) + 1]++] = i;
	}
	return grouped;
}

static void
append_entry_ids(ByteBuffer *out, const CausalOrder *order, const uint32 *entries, uint32 count, bool edges)
{
	bool		first = true;

	for (uint32 i = 0; i < count; i++)
	{
		const CausalOrderEntry *entry = &order->entries[entries[i]];

		CHECK_FOR_INTERRUPTS();
		if (entry->is_edge != edges)
			continue;
		if (!first)
			buffer_append_char(out, ',');
		first = false;
		record_write_uuid(out, &entry->id);
	}
}

/* [{"edgeIds":[…],"nodeIds":[…]}, …], one for each set of nodes that reach each other. */
static void
append_cycles(ByteBuffer *out, const CausalOrder *order)
{
	Size		size = (Size) (order->component_count + 2) * sizeof(uint32);
	uint32	   *start = graph_alloc(order->trace->graph, size);
	uint32	   *grouped;

	memset(start, 0, size);
	grouped = group_by_cycle(order, start);
	buffer_append_char(out, '[');
	for (uint32 i = 0; i < order->component_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > 0)
			buffer_append_char(out, ',');
		buffer_append_literal(out, "{\"edgeIds\":[");
		append_entry_ids(out, order, grouped + start[i], start[i + 1] - start[i], true);
		buffer_append_literal(out, "],\"nodeIds\":[");
		append_entry_ids(out, order, grouped + start[i], start[i + 1] - start[i], false);
		buffer_append_literal(out, "]}");
	}
	buffer_append_char(out, ']');
}

/* ordered_trace_json(node, divisions, redact, quarantined, division, as_of_seq) */
Datum
reason_ordered_trace_json(PG_FUNCTION_ARGS)
{
	bool		redact = PG_ARGISNULL(2) || PG_GETARG_BOOL(2);
	Graph	   *graph;
	GraphDivisions divisions;
	CausalOrder *order;
	const TraceNode *start;
	ByteBuffer	out;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	graph = graph_open();
	divisions = PG_ARGISNULL(1) ? graph_divisions_of_user(graph) : graph_divisions_of_array(PG_GETARG_DATUM(1));
	quarantine_argument(fcinfo, 3, graph);
	order = order_argument(fcinfo, graph, &divisions, record_text_argument(fcinfo, 4), 5);
	start = &order->trace->nodes[0];

	node_json_buffer(&out);
	buffer_append_literal(&out, "{\"metadata\":{\"createdAt\":");
	record_write_timestamp(&out, start->created_at);
	buffer_append_literal(&out, ",\"cycleDetails\":");
	append_cycles(&out, order);
	buffer_append_literal(&out, ",\"cycleDetected\":");
	canonical_write_boolean(&out, order->component_count > 0);
	buffer_append_literal(&out, ",\"length\":");
	canonical_write_integer(&out, order->count);
	buffer_append_literal(&out, ",\"traceId\":");
	record_write_uuid(&out, &start->id);
	buffer_append_literal(&out, "},\"ordered_path\":");
	append_path(&out, order, node_json_begin(graph, redact));
	buffer_append_literal(&out, ",\"trace_id\":");
	record_write_uuid(&out, &start->id);
	buffer_append_char(&out, '}');
	graph_close(graph);
	return node_json_text(&out);
}
