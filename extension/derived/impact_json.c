/*
 * impact_json.c
 *		Pages of what rests on a node as JSON text: impact_json().
 *
 * A page holds some of the nodes, by number and by the bytes that have to be
 * read for them; counts are always those of the whole.
 */
#include "postgres.h"

#include "canonical/backend.h"
#include "core/canonical.h"
#include "graph/graph.h"
#include "record/record.h"
#include "derived/impact.h"
#include "derived/node_pieces.h"
#include "trace/shown.h"

#include "fmgr.h"
#include "miscadmin.h"

PG_FUNCTION_INFO_V1(reason_impact_json);

/* An entry names so many corrections, and says how many there are. */
#define NAMED_CORRECTIONS 20

typedef struct ImpactPage
{
	Impact	   *impact;
	NodePieces	nodes;			/* the start, and the nodes of the page */
} ImpactPage;

static uint32
node_of(const void *entries, uint32 entry)
{
	const Impact *impact = entries;

	return impact->order[entry];
}

/* ---------------------------------------------------------------- the answer */

static void
append_corrections(ByteBuffer *out, const Impact *impact, uint32 position)
{
	uint32		count = corrections_count(&impact->corrections, position);

	buffer_append_literal(out, ",\"corrected\":");
	canonical_write_boolean(out, count > 0);
	if (count == 0)
		return;
	buffer_append_literal(out, ",\"correctedBy\":[");
	for (uint32 i = 0; i < Min(count, NAMED_CORRECTIONS); i++)
	{
		if (i > 0)
			buffer_append_char(out, ',');
		record_write_uuid(out, &impact->corrections.by[impact->corrections.first[position] + i]);
	}
	buffer_append_literal(out, "],\"corrections\":");
	canonical_write_integer(out, count);
}

static void
append_start(ByteBuffer *out, ImpactPage *page)
{
	buffer_append_char(out, '{');
	node_pieces_append(out, &page->nodes, 0);
	append_corrections(out, page->impact, 0);
	buffer_append_char(out, '}');
}

static void
append_node(ByteBuffer *out, ImpactPage *page, uint32 position)
{
	const Impact *impact = page->impact;

	buffer_append_char(out, '{');
	node_pieces_append(out, &page->nodes, position);
	append_corrections(out, impact, position);
	buffer_append_literal(out, ",\"depth\":");
	canonical_write_integer(out, impact->depth[position]);
	if (impact->trace->nodes[position].created_at < impact->trace->nodes[0].created_at)
		buffer_append_literal(out, ",\"earlier\":true");
	buffer_append_literal(out, ",\"stands\":");
	canonical_write_boolean(out, impact_stands(impact, position));
	buffer_append_literal(out, ",\"support\":{\"other\":");
	canonical_write_boolean(out, impact->has_other_support[position]);
	buffer_append_literal(out, ",\"strength\":");
	canonical_write_number(out, impact->strength[position]);
	buffer_append_literal(out, "}}");
}

static void
append_counts(ByteBuffer *out, const Impact *impact)
{
	buffer_append_literal(out, "{\"counts\":{\"corrected\":");
	canonical_write_integer(out, impact->corrected);
	buffer_append_literal(out, ",\"decisions\":");
	canonical_write_integer(out, impact->decisions);
	buffer_append_literal(out, ",\"frontier\":");
	canonical_write_integer(out, impact->frontier_count);
	buffer_append_literal(out, ",\"nodes\":");
	canonical_write_integer(out, impact->count);
	buffer_append_literal(out, ",\"standing\":");
	canonical_write_integer(out, impact->standing);
	buffer_append_char(out, '}');
}

/* Those of the page's nodes from which the walk would have gone on. */
static void
append_frontier(ByteBuffer *out, const Impact *impact, uint32 begin, uint32 end)
{
	bool		is_first = true;

	buffer_append_char(out, '[');
	for (uint32 i = begin; i < end; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (!impact->leads_on[impact->order[i]])
			continue;
		if (!is_first)
			buffer_append_char(out, ',');
		is_first = false;
		record_write_uuid(out, &impact->trace->nodes[impact->order[i]].id);
	}
	buffer_append_char(out, ']');
}

/* impact_json(node, divisions, redact, quarantined, division, as_of_seq, depth, limit, cursor, as_of) */
Datum
reason_impact_json(PG_FUNCTION_ARGS)
{
	TraceRequest request;
	ImpactPage	page = {0};
	ByteBuffer	out;
	uint32		begin;
	uint32		end;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	trace_request_begin(&request, fcinfo, &request_arguments, TRACE_CURSOR_IMPACT);
	page.impact = impact_of(request.graph, request.start, &request.filter);
	node_pieces_begin(&page.nodes, page.impact->trace, request.redact);
	begin = Min(request.cursor.offset, page.impact->count);
	end = node_pieces_read(&page.nodes, node_of, page.impact, begin, begin + Min(request.limit, page.impact->count - begin),
						   request.is_bounded);

	node_json_buffer(&out);
	append_counts(&out, page.impact);
	buffer_append_literal(&out, ",\"frontier\":");
	append_frontier(&out, page.impact, begin, end);
	if (end < page.impact->count)
	{
		buffer_append_literal(&out, ",\"nextCursor\":\"");
		trace_cursor_write(&request.cursor, &out, end, 0);
		buffer_append_char(&out, '"');
	}
	buffer_append_literal(&out, ",\"node\":");
	append_start(&out, &page);
	buffer_append_literal(&out, ",\"nodes\":[");
	for (uint32 i = begin; i < end; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > begin)
			buffer_append_char(&out, ',');
		append_node(&out, &page, page.impact->order[i]);
	}
	buffer_append_literal(&out, "],\"truncated\":");
	canonical_write_boolean(&out, end < page.impact->count || page.impact->frontier_count > 0);
	buffer_append_char(&out, '}');
	graph_close(request.graph);
	return node_json_text(&out);
}
