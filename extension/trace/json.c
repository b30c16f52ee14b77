/*
 * json.c
 *		Pages of traces as JSON text, for HTTP: trace_json().
 *
 * A step names all edges inside the trace at its node, whichever page their
 * other ends are on.  Members stand in canonical order, so that the whole text
 * is canonical JSON.
 */
#include "postgres.h"

#include "core/canonical.h"
#include "graph/graph.h"
#include "graph/memory.h"
#include "record/record.h"
#include "trace/page.h"
#include "trace/tree.h"

#include "fmgr.h"
#include "miscadmin.h"

PG_FUNCTION_INFO_V1(reason_trace_json);

/* ---------------------------------------------------------------- steps */

/* Indexes into page->edges, grouped by step: those of step i from start[i] to start[i + 1]. */
typedef struct EdgeLists
{
	uint32	   *start;
	uint32	   *edges;
} EdgeLists;

static EdgeLists
list_edges(TracePage *page, bool incoming)
{
	Graph	   *graph = page->trace->graph;
	uint32		count = page->end - page->begin;
	EdgeLists	lists;

	lists.start = graph_alloc(graph, (Size) (count + 2) * sizeof(uint32));
	lists.edges = graph_alloc(graph, Max((Size) page->edge_count, 1) * sizeof(uint32));
	memset(lists.start, 0, (Size) (count + 2) * sizeof(uint32));
	/* Counted two further than meant, so that after placing start[i] is where i begins. */
	for (uint32 i = 0; i < page->edge_count; i++)
	{
		uint32		node = incoming ? page->edges[i].to : page->edges[i].from;

		GRAPH_CHECK_NOW_AND_THEN(i);
		if (page->edges[i].listed && trace_on_page(page, node))
			lists.start[node - page->begin + 2]++;
	}
	for (uint32 i = 2; i < count + 2; i++)
		lists.start[i] += lists.start[i - 1];
	for (uint32 i = 0; i < page->edge_count; i++)
	{
		uint32		node = incoming ? page->edges[i].to : page->edges[i].from;

		GRAPH_CHECK_NOW_AND_THEN(i);
		if (page->edges[i].listed && trace_on_page(page, node))
			lists.edges[lists.start[node - page->begin + 1]++] = i;
	}
	return lists;
}

static void
append_edge_list(ByteBuffer *out, const TracePage *page, const EdgeLists *lists, uint32 step)
{
	buffer_append_char(out, '[');
	for (uint32 i = lists->start[step]; i < lists->start[step + 1]; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > lists->start[step])
			buffer_append_char(out, ',');
		append_piece(out, &page->texts, page->edges[lists->edges[i]].text);
	}
	buffer_append_char(out, ']');
}

static void
append_steps(ByteBuffer *out, TracePage *page)
{
	Trace	   *trace = page->trace;
	bool	   *cycle = trace_cycles(trace);
	EdgeLists	incoming = list_edges(page, true);
	EdgeLists	outgoing = list_edges(page, false);
	uint32		depth = 0;

	buffer_append_literal(out, ",\"steps\":[");
	for (uint32 i = page->begin; i < page->end && page->skip_edges == 0; i++)
	{
		uint32		step = i - page->begin;

		CHECK_FOR_INTERRUPTS();
		while (i >= trace->level[depth + 1])
			depth++;
		if (step > 0)
			buffer_append_char(out, ',');
		buffer_append_literal(out, "{\"cycleDetected\":");
		canonical_write_boolean(out, cycle[i]);
		buffer_append_literal(out, ",\"depth\":");
		canonical_write_integer(out, depth);
		buffer_append_literal(out, ",\"incoming\":");
		append_edge_list(out, page, &incoming, step);
		buffer_append_literal(out, ",\"node\":");
		append_piece(out, &page->texts, page->nodes[step]);
		buffer_append_literal(out, ",\"outgoing\":");
		append_edge_list(out, page, &outgoing, step);
		if (page->is_cut)
			buffer_append_literal(out, ",\"truncated\":true");
		buffer_append_char(out, '}');
	}
	buffer_append_char(out, ']');
}

static void
append_edges(ByteBuffer *out, const TracePage *page)
{
	bool		first = true;

	buffer_append_literal(out, ",\"edges\":[");
	for (uint32 i = 0; i < page->edge_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!page->edges[i].given)
			continue;
		if (!first)
			buffer_append_char(out, ',');
		first = false;
		append_piece(out, &page->texts, page->edges[i].text);
	}
	buffer_append_char(out, ']');
}

/* ---------------------------------------------------------------- trace_json() */

/*
 * trace_json(node, direction, depth, limit, cursor, types, edge_types, min_weight, min_confidence,
 * as_of, redact, divisions, quarantined, division, as_of_seq)
 */
static const RequestArguments trace_arguments = {
	.filter = {.max_depth = 2, .types = 5, .edge_types = 6, .min_weight = 7,
			   .min_confidence = 8, .as_of = 9, .max_nodes = -1, .as_of_seq = 14},
	.direction = 1, .limit = 3, .cursor = 4, .redact = 10, .divisions = 11, .quarantined = 12, .division = 13
};

Datum
reason_trace_json(PG_FUNCTION_ARGS)
{
	TraceRequest request;
	TracePage	page;
	ByteBuffer	out;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	trace_request_begin(&request, fcinfo, &trace_arguments, TRACE_CURSOR_TRACE);
	trace_page_read(&page, &request);

	node_json_buffer(&out);
	buffer_append_literal(&out, "{\"depth\":");
	if (request.filter.max_depth >= 0)
		canonical_write_integer(&out, request.filter.max_depth);
	else
		buffer_append_literal(&out, "null");
	if (request.direction == GRAPH_ANCESTORS)
		buffer_append_literal(&out, ",\"direction\":\"ancestors\"");
	else
		buffer_append_literal(&out, ",\"direction\":\"descendants\"");
	append_edges(&out, &page);
	buffer_append_literal(&out, ",\"frontier\":");
	trace_frontier_write(&out, &page.frontier, page.begin, page.skip_edges > 0 ? page.begin : page.end);
	if (trace_page_goes_on(&page))
	{
		buffer_append_literal(&out, ",\"nextCursor\":\"");
		trace_page_write_cursor(&page, &request, &out);
		buffer_append_char(&out, '"');
	}
	buffer_append_literal(&out, ",\"startNodeId\":");
	record_write_uuid(&out, &request.start->id);
	append_steps(&out, &page);
	buffer_append_literal(&out, ",\"truncated\":");
	canonical_write_boolean(&out, trace_page_goes_on(&page) || page.frontier.count > 0);
	buffer_append_char(&out, '}');
	graph_close(request.graph);
	return node_json_text(&out);
}
