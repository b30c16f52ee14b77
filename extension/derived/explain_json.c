/*
 * explain_json.c
 *		Pages of an explanation as JSON text: explain_json().
 *
 * The entries of all kinds are one row: components, evidence, corrections, what
 * came after, the frontier.  A page holds some of them, by number and by the
 * bytes of the nodes that have to be read; counts are always those of the whole.
 */
#include "postgres.h"

#include "canonical/backend.h"
#include "core/canonical.h"
#include "graph/graph.h"
#include "record/record.h"
#include "derived/explain.h"
#include "derived/explain_corrections.h"
#include "derived/node_pieces.h"
#include "trace/shown.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_explain_json);

typedef struct ExplainPage
{
	Explanation *explanation;
	NodePieces	nodes;
	ExplainCorrections corrections;
} ExplainPage;

/* ---------------------------------------------------------------- entries */

static uint32
entry_total(const Explanation *explanation)
{
	uint64		total = 0;

	for (int kind = 0; kind < EXPLAIN_KINDS; kind++)
		total += explanation->counts[kind];
	return (uint32) Min(total, PG_UINT32_MAX);
}

/* The kind of an entry of the row, and its place among its kind. */
static ExplainKind
kind_of(const Explanation *explanation, uint32 *entry)
{
	int			kind = 0;

	while (*entry >= explanation->counts[kind])
		*entry -= explanation->counts[kind++];
	return kind;
}

/* The node that an entry speaks of. */
static uint32
node_of(const void *entries, uint32 entry)
{
	const Explanation *explanation = entries;
	ExplainKind kind = kind_of(explanation, &entry);
	uint32		found = explanation->entries[kind][entry];

	return kind == EXPLAIN_COMPONENT || kind == EXPLAIN_CORRECTION ? explanation->trace->edges[found].target : found;
}

/* ---------------------------------------------------------------- the answer */

typedef struct Answer
{
	ByteBuffer *out;
	ExplainPage *page;
} Answer;

/* {"author":…,…,"type":…, and what belongs to its kind. */
static void
begin_entry(const Answer *answer, uint32 position)
{
	ExplainPage *page = answer->page;

	buffer_append_char(answer->out, '{');
	node_pieces_append(answer->out, &page->nodes, position);
	explain_append_correctors(answer->out, &page->corrections, position);
	explain_append_corrected(answer->out, &page->corrections, position);
	if (page->explanation->depth[position] != EXPLAIN_NOT_COUNTED)
	{
		buffer_append_literal(answer->out, ",\"depth\":");
		canonical_write_integer(answer->out, page->explanation->depth[position]);
	}
}

static void
append_entry(const Answer *answer, ExplainKind kind, uint32 entry)
{
	Explanation *explanation = answer->page->explanation;
	Trace	   *trace = explanation->trace;
	ByteBuffer *out = answer->out;
	const TraceEdge *edge = &trace->edges[entry];
	const ExplainEdge *row = &explanation->edges[entry];

	switch (kind)
	{
		case EXPLAIN_COMPONENT:
			begin_entry(answer, edge->target);
			buffer_append_literal(out, ",\"edgeId\":");
			record_write_uuid(out, &row->id);
			buffer_append_literal(out, ",\"linkedAt\":");
			record_write_timestamp(out, row->created_at);
			buffer_append_literal(out, ",\"relation\":");
			canonical_write_string(out, row->type.data, row->type.length);
			buffer_append_literal(out, ",\"weight\":");
			canonical_write_number(out, row->weight);
			break;
		case EXPLAIN_CORRECTION:
			begin_entry(answer, edge->target);
			buffer_append_literal(out, ",\"afterwards\":");
			canonical_write_boolean(out, trace->nodes[edge->target].created_at > trace->nodes[0].created_at);
			buffer_append_literal(out, ",\"correctedNodeId\":");
			record_write_uuid(out, &trace->nodes[edge->source].id);
			buffer_append_literal(out, ",\"linkedAt\":");
			record_write_timestamp(out, row->created_at);
			break;
		case EXPLAIN_EVIDENCE:
		case EXPLAIN_AFTER:
			begin_entry(answer, entry);
			break;
		case EXPLAIN_FRONTIER:
		case EXPLAIN_KINDS:
			record_write_uuid(out, &trace->nodes[entry].id);
			return;
	}
	buffer_append_char(out, '}');
}

/* Those of the kind that are among the entries from `begin` to `end` of the row. */
static void
append_kind(const Answer *answer, ExplainKind kind, uint32 begin, uint32 end)
{
	Explanation *explanation = answer->page->explanation;
	uint64		before = 0;
	bool		first = true;

	for (int k = 0; k < kind; k++)
		before += explanation->counts[k];
	buffer_append_char(answer->out, '[');
	for (uint64 i = Max(begin, before); i < Min(end, before + explanation->counts[kind]); i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!first)
			buffer_append_char(answer->out, ',');
		first = false;
		append_entry(answer, kind, explanation->entries[kind][i - before]);
	}
	buffer_append_char(answer->out, ']');
}

static void
append_count(ByteBuffer *out, const char *name, uint32 count)
{
	buffer_append_char(out, '"');
	buffer_append(out, name, strlen(name));
	buffer_append_literal(out, "\":");
	canonical_write_integer(out, count);
}

static void
append_counts(ByteBuffer *out, const Explanation *explanation)
{
	buffer_append_literal(out, "\"counts\":{");
	append_count(out, "after", explanation->counts[EXPLAIN_AFTER]);
	buffer_append_char(out, ',');
	append_count(out, "aside", explanation->aside);
	buffer_append_char(out, ',');
	append_count(out, "causes", explanation->causes);
	buffer_append_char(out, ',');
	append_count(out, "components", explanation->counts[EXPLAIN_COMPONENT]);
	buffer_append_char(out, ',');
	append_count(out, "corrections", explanation->counts[EXPLAIN_CORRECTION]);
	buffer_append_char(out, ',');
	append_count(out, "evidence", explanation->counts[EXPLAIN_EVIDENCE]);
	buffer_append_char(out, ',');
	append_count(out, "frontier", explanation->counts[EXPLAIN_FRONTIER]);
	buffer_append_char(out, ',');
	append_count(out, "nodes", explanation->reasoning);
	buffer_append_char(out, '}');
}

static void
say(ByteBuffer *out, const char *before, uint32 count, const char *one, const char *many)
{
	buffer_append(out, before, strlen(before));
	canonical_write_integer(out, count);
	buffer_append_char(out, ' ');
	buffer_append(out, count == 1 ? one : many, strlen(count == 1 ? one : many));
}

/* A JSON string. */
static void
append_summary(ByteBuffer *out, ExplainPage *page)
{
	Explanation *explanation = page->explanation;
	ByteBuffer	object;
	ShownText	whole;
	ShownText	note;
	ShownText	created_at;

	buffer_init(&object, canonical_realloc, CurrentMemoryContext);
	buffer_append_char(&object, '{');
	node_pieces_append(&object, &page->nodes, 0);
	buffer_append_char(&object, '}');
	whole = (ShownText) {object.data, object.length};
	note = shown_member(whole, "note");
	created_at = shown_member(whole, "createdAt");
	buffer_append(out, note.data, note.length - 1);
	buffer_append_literal(out, ", recorded ");
	buffer_append(out, created_at.data + 1, created_at.length - 2);
	say(out, "; ", explanation->causes, "direct cause", "direct causes");
	say(out, ", ", explanation->reasoning, "node of reasoning", "nodes of reasoning");
	say(out, ", resting on ", explanation->counts[EXPLAIN_EVIDENCE], "piece of evidence", "pieces of evidence");
	if (explanation->counts[EXPLAIN_CORRECTION] > 0)
		say(out, "; ", explanation->counts[EXPLAIN_CORRECTION], "correction of it or of what it rests on",
			"corrections of it or of what it rests on");
	if (explanation->counts[EXPLAIN_AFTER] > 0)
		say(out, "; ", explanation->counts[EXPLAIN_AFTER], "node was recorded after it and does not count",
			"nodes were recorded after it and do not count");
	if (explanation->has_cycle)
		buffer_append_literal(out, "; the reasoning goes in a circle");
	if (explanation->counts[EXPLAIN_FRONTIER] > 0)
		say(out, "; cut by depth: the causes of ", explanation->counts[EXPLAIN_FRONTIER], "node were not looked at",
			"nodes were not looked at");
	buffer_append_char(out, '"');
}

/* explain_json(node, divisions, redact, quarantined, division, as_of_seq, depth, limit, cursor, as_of) */
Datum
reason_explain_json(PG_FUNCTION_ARGS)
{
	TraceRequest request;
	ExplainPage page = {0};
	Answer		answer = {.page = &page};
	ByteBuffer	out;
	uint32		begin;
	uint32		end;
	uint32		total;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	trace_request_begin(&request, fcinfo, &request_arguments, TRACE_CURSOR_EXPLANATION);
	page.explanation = explain_node(&request);
	node_pieces_begin(&page.nodes, page.explanation->trace, request.redact);
	total = entry_total(page.explanation);
	begin = Min(request.cursor.offset, total);
	end = node_pieces_read(&page.nodes, node_of, page.explanation, begin, begin + Min(request.limit, total - begin), request.is_bounded);
	explain_find_corrections(&page.corrections, page.explanation, &request.filter, page.nodes.positions, page.nodes.count);

	node_json_buffer(&out);
	answer.out = &out;
	buffer_append_literal(&out, "{\"explain\":{\"after\":");
	append_kind(&answer, EXPLAIN_AFTER, begin, end);
	buffer_append_literal(&out, ",\"components\":");
	append_kind(&answer, EXPLAIN_COMPONENT, begin, end);
	buffer_append_literal(&out, ",\"corrections\":");
	append_kind(&answer, EXPLAIN_CORRECTION, begin, end);
	buffer_append_char(&out, ',');
	append_counts(&out, page.explanation);
	buffer_append_literal(&out, ",\"cycleDetected\":");
	canonical_write_boolean(&out, page.explanation->has_cycle);
	buffer_append_literal(&out, ",\"evidence\":");
	append_kind(&answer, EXPLAIN_EVIDENCE, begin, end);
	buffer_append_literal(&out, ",\"frontier\":");
	append_kind(&answer, EXPLAIN_FRONTIER, begin, end);
	buffer_append_literal(&out, ",\"node\":");
	begin_entry(&answer, 0);
	buffer_append_literal(&out, "},\"summary\":");
	append_summary(&out, &page);
	buffer_append_char(&out, '}');
	if (end < total)
	{
		buffer_append_literal(&out, ",\"nextCursor\":\"");
		trace_cursor_write(&request.cursor, &out, end, 0);
		buffer_append_char(&out, '"');
	}
	buffer_append_literal(&out, ",\"truncated\":");
	canonical_write_boolean(&out, end < total || page.explanation->counts[EXPLAIN_FRONTIER] > 0);
	buffer_append_char(&out, '}');
	graph_close(request.graph);
	return node_json_text(&out);
}
