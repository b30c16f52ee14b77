/*
 * causal_order_json.c
 *		Pages of a causal order as JSON text: ordered_trace_json().
 *
 * The order is that of the whole closure, whichever page is asked for; rows,
 * seals and annotations are read of the page alone.
 */
#include "postgres.h"

#include "canonical/backend.h"
#include "core/canonical.h"
#include "graph/graph.h"
#include "graph/heap.h"
#include "graph/memory.h"
#include "graph/sort.h"
#include "record/record.h"
#include "trace/causal_details.h"
#include "trace/causal_order.h"
#include "trace/page.h"
#include "trace/shown.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_ordered_trace_json);

/* So many rows are read before their bytes are looked at. */
#define ROW_BATCH 256

typedef struct OrderPage
{
	CausalOrder *order;
	NodeJson   *json;
	bool		is_bounded;
	uint32		begin;
	uint32		end;
	Piece	   *pieces;			/* of entries, from begin on */
	ByteBuffer	texts;
	CausalDetails seals;
	CausalDetails annotations;
	uint32	   *parents;		/* scratch of causal_order_parents() */
	uint32	   *seen;
} OrderPage;

/* ---------------------------------------------------------------- reading */

static void
write_node(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	OrderPage  *page = argument;
	Piece	   *piece = &page->pieces[entry->position];

	piece->offset = page->texts.length;
	node_json_node(page->json, &page->texts, tuple, desc);
	piece->length = page->texts.length - piece->offset;
}

static void
write_edge(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	OrderPage  *page = argument;
	Piece	   *piece = &page->pieces[entry->position];
	Trace	   *trace = page->order->trace;
	const TraceEdge *edge = &trace->edges[page->order->entries[page->begin + entry->position].index];

	piece->offset = page->texts.length;
	node_json_edge(page->json, &page->texts, tuple, desc, &trace->nodes[edge->target].id, &trace->nodes[edge->source].id);
	piece->length = page->texts.length - piece->offset;
}

/* Ends the page before the entry that would make it too large, but for the first. */
static void
read_rows(OrderPage *page)
{
	Trace	   *trace = page->order->trace;
	Graph	   *graph = trace->graph;
	uint32		count = page->end - page->begin;
	size_t		bytes = 0;

	page->pieces = graph_alloc(graph, Max((Size) count, 1) * sizeof(Piece));
	memset(page->pieces, 0, Max((Size) count, 1) * sizeof(Piece));
	for (uint32 done = 0; done < page->end - page->begin;)
	{
		uint32		batch = Min(count - done, ROW_BATCH);
		GraphEntry	nodes[ROW_BATCH];
		GraphEntry	edges[ROW_BATCH];
		uint32		node_count = 0;
		uint32		edge_count = 0;

		CHECK_FOR_INTERRUPTS();
		for (uint32 i = done; i < done + batch; i++)
		{
			const CausalOrderEntry *entry = &page->order->entries[page->begin + i];
			GraphEntry *row = entry->is_edge ? &edges[edge_count++] : &nodes[node_count++];

			row->position = i;
			row->tid = entry->is_edge ? trace->edges[entry->index].tid : trace->nodes[entry->index].tid;
		}
		graph_visit_rows(graph, graph->node, nodes, node_count, write_node, page);
		graph_visit_rows(graph, graph->edge, edges, edge_count, write_edge, page);
		for (uint32 i = done; i < done + batch && page->is_bounded; i++)
		{
			bytes += page->pieces[i].length;
			if (bytes > PAGE_BYTES && i > 0)
			{
				page->end = page->begin + i;
				break;
			}
		}
		done += batch;
	}
}

static inline int64
entry_no(const CausalOrder *order, const CausalOrderEntry *entry)
{
	return entry->is_edge ? order->trace->edges[entry->index].no : order->trace->nodes[entry->index].no;
}

static void
read_details(OrderPage *page, const GraphFilter *filter)
{
	Graph	   *graph = page->order->trace->graph;
	uint32		count = page->end - page->begin;
	Size		size = Max((Size) count, 1) * sizeof(GraphKey);
	GraphKey   *numbers = graph_alloc(graph, size);
	GraphKey   *scratch = graph_alloc(graph, size);

	for (uint32 i = 0; i < count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		numbers[i].no = entry_no(page->order, &page->order->entries[page->begin + i]);
	}
	graph_sort_keys(numbers, scratch, count);
	causal_details_seals(&page->seals, graph, numbers, count);
	causal_details_annotations(&page->annotations, graph, numbers, count, filter, page->json);
	graph_grow(graph, scratch, size, 0);
	graph_grow(graph, numbers, size, 0);
}

/* ---------------------------------------------------------------- writing */

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
append_member(ByteBuffer *out, const char *name, ShownText value)
{
	if (value.data == NULL)
		return;
	buffer_append_literal(out, ",\"");
	buffer_append(out, name, strlen(name));
	buffer_append_literal(out, "\":");
	buffer_append(out, value.data, value.length);
}

static void
append_entry(ByteBuffer *out, OrderPage *page, uint32 index)
{
	CausalOrder *order = page->order;
	const CausalOrderEntry *entry = &order->entries[index];
	Piece		piece = page->pieces[index - page->begin];
	ShownRecord shown = shown_record(page->texts.data + piece.offset, piece.length);
	int64		no = entry_no(order, entry);
	uint32		parents = causal_order_parents(order, entry, page->parents, page->seen);

	buffer_append_literal(out, "{\"annotations\":[");
	causal_details_write(out, &page->annotations, entry->is_edge ? 0 : no, "");
	buffer_append_literal(out, "],\"auditRef\":{\"eventId\":");
	shown_append(out, shown.audit_event_id);
	causal_details_write(out, &page->seals, no, ",\"hash\":null,\"prevHash\":null");
	buffer_append_char(out, '}');
	append_member(out, "author", shown.author);
	buffer_append_literal(out, ",\"causalIndex\":");
	canonical_write_integer(out, index);
	append_member(out, "entityType", shown.type);
	append_member(out, "erased", shown.erased);
	append_member(out, "from", shown.from);
	append_member(out, "id", shown.id);
	append_member(out, "metadata", shown.metadata);
	buffer_append_literal(out, ",\"parentIds\":");
	append_ids(out, order->trace, page->parents, parents);
	append_member(out, "payload", shown.payload);
	append_member(out, "quarantined", shown.quarantined);
	append_member(out, "timestamp", shown.created_at);
	append_member(out, "to", shown.to);
	append_member(out, "ts", shown.ts);
	if (entry->is_edge)
		buffer_append_literal(out, ",\"type\":\"edge\"");
	else
		buffer_append_literal(out, ",\"type\":\"node\"");
	append_member(out, "weight", shown.weight);
	buffer_append_char(out, '}');
}

/* Ids of causes may be many: the page may end earlier than its rows said. */
static void
append_path(ByteBuffer *out, OrderPage *page)
{
	Trace	   *trace = page->order->trace;
	size_t		size = (Size) trace->node_count * sizeof(uint32);
	size_t		began = out->length;

	page->parents = graph_alloc(trace->graph, size);
	page->seen = graph_alloc(trace->graph, size);
	memset(page->seen, 0, size);
	buffer_append_char(out, '[');
	for (uint32 i = page->begin; i < page->end; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (page->is_bounded && i > page->begin && out->length - began > 2 * PAGE_BYTES)
			page->end = i;
		else
		{
			if (i > page->begin)
				buffer_append_char(out, ',');
			append_entry(out, page, i);
		}
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

/* ---------------------------------------------------------------- ordered_trace_json() */

/* ordered_trace_json(node, divisions, redact, quarantined, division, as_of_seq, depth, limit, cursor, as_of) */
Datum
reason_ordered_trace_json(PG_FUNCTION_ARGS)
{
	TraceRequest request;
	TraceFrontier frontier;
	OrderPage	page = {0};
	CausalOrder *order;
	const TraceNode *start;
	ByteBuffer	out;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	trace_request_begin(&request, fcinfo, &request_arguments, TRACE_CURSOR_ORDER);
	page.order = order = causal_order(request.graph, request.start, &request.filter);
	page.json = node_json_begin(request.graph, request.redact);
	page.is_bounded = request.is_bounded;
	page.begin = Min(request.cursor.offset, order->count);
	page.end = page.begin + Min(request.limit, order->count - page.begin);
	buffer_init(&page.texts, canonical_realloc, CurrentMemoryContext);
	read_rows(&page);
	read_details(&page, &request.filter);
	trace_frontier_find(&frontier, order->trace);
	start = &order->trace->nodes[0];

	node_json_buffer(&out);
	buffer_append_literal(&out, "{\"frontier\":");
	/* Causes come first: what was cut is told at once. */
	trace_frontier_write(&out, &frontier, 0, page.begin == 0 ? order->trace->node_count : 0);
	buffer_append_literal(&out, ",\"metadata\":{\"createdAt\":");
	record_write_timestamp(&out, start->created_at);
	buffer_append_literal(&out, ",\"cycleDetails\":");
	if (page.begin == 0)
		append_cycles(&out, order);
	else
		buffer_append_literal(&out, "[]");
	buffer_append_literal(&out, ",\"cycleDetected\":");
	canonical_write_boolean(&out, order->component_count > 0);
	buffer_append_literal(&out, ",\"length\":");
	canonical_write_integer(&out, order->count);
	buffer_append_literal(&out, ",\"traceId\":");
	record_write_uuid(&out, &start->id);
	buffer_append_literal(&out, "},\"ordered_path\":");
	append_path(&out, &page);
	if (page.end < order->count)
	{
		buffer_append_literal(&out, ",\"nextCursor\":\"");
		trace_cursor_write(&request.cursor, &out, page.end, 0);
		buffer_append_char(&out, '"');
	}
	buffer_append_literal(&out, ",\"trace_id\":");
	record_write_uuid(&out, &start->id);
	buffer_append_literal(&out, ",\"truncated\":");
	canonical_write_boolean(&out, page.end < order->count || frontier.count > 0);
	buffer_append_char(&out, '}');
	graph_close(request.graph);
	return node_json_text(&out);
}
