/*
 * reason_json.c
 *		A page of a node's causes in the Kernel's form: reason_json().
 *
 * {node, record, trace[{step, ts, note, data}], metadata}: the id, the node, and
 * the steps of a trace as lines to read; metadata tells how the page goes on.
 */
#include "postgres.h"

#include "core/canonical.h"
#include "graph/graph.h"
#include "record/record.h"
#include "trace/page.h"
#include "trace/shown.h"

#include "fmgr.h"
#include "miscadmin.h"

PG_FUNCTION_INFO_V1(reason_reason_json);

static void
append_lines(ByteBuffer *out, const TracePage *page)
{
	buffer_append_literal(out, ",\"trace\":[");
	for (uint32 i = page->begin; i < page->end; i++)
	{
		Piece		piece = page->nodes[i - page->begin];
		ShownRecord node = shown_record(page->texts.data + piece.offset, piece.length);

		CHECK_FOR_INTERRUPTS();
		if (i > page->begin)
			buffer_append_char(out, ',');
		buffer_append_literal(out, "{\"data\":");
		append_piece(out, &page->texts, piece);
		buffer_append_literal(out, ",\"note\":");
		shown_write_note(out, &node);
		buffer_append_literal(out, ",\"step\":");
		canonical_write_integer(out, i);
		buffer_append_literal(out, ",\"ts\":");
		shown_append(out, node.ts.data ? node.ts : node.created_at);
		buffer_append_char(out, '}');
	}
	buffer_append_char(out, ']');
}

/* reason_json(node, divisions, redact, quarantined, division, as_of_seq, depth, limit, cursor, as_of) */
Datum
reason_reason_json(PG_FUNCTION_ARGS)
{
	TraceRequest request;
	TracePage	page;
	Piece		record;
	ByteBuffer	out;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	trace_request_begin(&request, fcinfo, &request_arguments, TRACE_CURSOR_REASON);
	request.lists_edges = false;
	trace_page_read(&page, &request);

	record = trace_page_start(&page);
	node_json_buffer(&out);
	buffer_append_literal(&out, "{\"metadata\":{\"frontier\":");
	trace_frontier_write(&out, &page.frontier, page.begin, page.end);
	buffer_append_literal(&out, ",\"length\":");
	canonical_write_integer(&out, page.end - page.begin);
	if (trace_page_goes_on(&page))
	{
		buffer_append_literal(&out, ",\"nextCursor\":\"");
		trace_page_write_cursor(&page, &request, &out);
		buffer_append_char(&out, '"');
	}
	buffer_append_literal(&out, ",\"truncated\":");
	canonical_write_boolean(&out, trace_page_goes_on(&page) || page.frontier.count > 0);
	buffer_append_literal(&out, "},\"node\":");
	record_write_uuid(&out, &request.start->id);
	buffer_append_literal(&out, ",\"record\":");
	append_piece(&out, &page.texts, record);
	append_lines(&out, &page);
	buffer_append_char(&out, '}');
	graph_close(request.graph);
	return node_json_text(&out);
}
