/*
 * human_sql.c
 *		Exports for a person: trace_human() and document_human().
 */
#include "postgres.h"

#include "core/canonical.h"
#include "graph/graph.h"
#include "record/record.h"
#include "derived/human.h"
#include "derived/human_circles.h"
#include "derived/human_draw.h"
#include "derived/human_source.h"
#include "derived/human_tree.h"
#include "trace/page.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_trace_human);
PG_FUNCTION_INFO_V1(reason_document_human);

/* Ids that are named where many nodes are meant. */
#define NAMED_IDS 20

static void
say(ByteBuffer *out, const char *words)
{
	buffer_append(out, words, strlen(words));
}

static void
say_id(ByteBuffer *out, const pg_uuid_t *id)
{
	ByteBuffer	quoted;

	buffer_init(&quoted, NULL, NULL);
	record_write_uuid(&quoted, id);
	buffer_append(out, quoted.data + 1, quoted.length - 2);
	buffer_free(&quoted);
}

static void
say_count(ByteBuffer *out, uint64 count, const char *one, const char *many)
{
	canonical_write_integer(out, count);
	buffer_append_char(out, ' ');
	say(out, count == 1 ? one : many);
}

/* The tree, and the circles that it has a node of. */
static void
say_tree(ByteBuffer *out, const HumanGraph *graph)
{
	bool	   *here = human_circles_here(graph);

	human_draw(out, graph);
	for (uint32 i = 0; i < graph->circles.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!here[i])
			continue;
		say(out, "\nCIRCLE: ");
		human_write_circle(out, graph, i);
		say(out, ".\n");
	}
}

/* ---------------------------------------------------------------- traces */

static void
say_frontier(ByteBuffer *out, const TraceFrontier *frontier, bool upwards, int depth)
{
	uint32		named = 0;

	if (frontier->count == 0)
		return;
	say(out, "\nCUT: the walk stopped at depth ");
	canonical_write_integer(out, depth);
	say(out, ", where ");
	say_count(out, frontier->count, "node has", "nodes have");
	say(out, upwards ? " further causes:" : " further effects:");
	for (; named < Min(frontier->count, NAMED_IDS); named++)
	{
		say(out, named == 0 ? " " : ", ");
		say_id(out, &frontier->trace->nodes[frontier->positions[named]].id);
	}
	if (named < frontier->count)
	{
		say(out, " and ");
		say_count(out, frontier->count - named, "more", "more");
	}
	say(out, ". Ask for more depth, or for each of them.\n");
}

/* trace_human(node, divisions, redact, quarantined, division, as_of_seq, depth, limit, cursor, as_of, direction) */
Datum
reason_trace_human(PG_FUNCTION_ARGS)
{
	TraceRequest request;
	TracePage	page;
	ByteBuffer	out;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	trace_request_begin(&request, fcinfo, &directed_request_arguments, TRACE_CURSOR_HUMAN);
	trace_page_read(&page, &request);
	node_json_buffer(&out);
	say(&out, request.direction == GRAPH_ANCESTORS ? "What led to " : "What came of ");
	say_id(&out, &request.start->id);
	if (request.filter.has_as_of)
	{
		ByteBuffer	time;

		buffer_init(&time, NULL, NULL);
		record_write_timestamp(&time, request.filter.as_of);
		say(&out, ", as of ");
		buffer_append(&out, time.data + 1, time.length - 2);
		buffer_free(&time);
	}
	say(&out, ": ");
	say_count(&out, page.trace->node_count, "node", "nodes");
	say(&out, ", ");
	say_count(&out, page.trace->edges_kept, "edge", "edges");
	if (page.begin > 0 || trace_page_goes_on(&page))
	{
		say(&out, "; here from node ");
		canonical_write_integer(&out, page.begin + 1);
		say(&out, " to ");
		canonical_write_integer(&out, page.end);
	}
	say(&out, "\n\n");
	say_tree(&out, human_of_page(&page, &request));
	say_frontier(&out, &page.frontier, request.direction == GRAPH_ANCESTORS, request.filter.max_depth);
	if (trace_page_goes_on(&page))
	{
		say(&out, "\nCUT: the next page is had with this cursor. \"nextCursor\":\"");
		trace_page_write_cursor(&page, &request, &out);
		say(&out, "\"\n");
	}
	graph_close(request.graph);
	return node_json_text(&out);
}

/* ---------------------------------------------------------------- documents of snapshots */

/* document_human(document, limit, skip) */
Datum
reason_document_human(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	ShownText	document = {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
	ShownText	payload = shown_member(document, "payload");
	ShownText	frontier = shown_member(payload, "frontier");
	uint32		roots;
	HumanGraph *whole = human_of_document(document, &roots);
	uint32		begin = Min((uint32) Max(PG_GETARG_INT32(2), 0), whole->node_count);
	uint32		end = begin + Min((uint32) Max(PG_GETARG_INT32(1), 1), whole->node_count - begin);
	ByteBuffer	out;

	node_json_buffer(&out);
	say_tree(&out, human_part(whole, human_order(whole, roots), begin, end, shown_member(payload, "annotations")));
	if (human_count(frontier) > 0)
	{
		say(&out, "\nCUT: the walk stopped for its depth where ");
		say_count(&out, human_count(frontier), "node has", "nodes have");
		say(&out, " further edges: ");
		shown_write_plain(&out, frontier, NAMED_IDS * 39);
		say(&out, "\n");
	}
	if (end < whole->node_count)
	{
		say(&out, "\nCUT: the next page is had with this cursor. \"nextCursor\":\"");
		canonical_write_integer(&out, end);
		say(&out, "\"\n");
	}
	return node_json_text(&out);
}
