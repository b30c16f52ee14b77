/*
 * sql.c
 *		The functions that export: trace_export(), document_export() and answer_export().
 */
#include "postgres.h"

#include "export/answer.h"
#include "export/forms.h"
#include "export/part.h"

#include "canonical/backend.h"
#include "core/canonical.h"
#include "graph/graph.h"
#include "graph/memory.h"
#include "record/record.h"
#include "record/text.h"
#include "derived/human_source.h"
#include "trace/node_json.h"
#include "trace/page.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_trace_export);
PG_FUNCTION_INFO_V1(reason_document_export);
PG_FUNCTION_INFO_V1(reason_answer_export);

/* The row (body, next_cursor, truncated); a cursor of no bytes: there is no further part. */
static Datum
result_row(FunctionCallInfo fcinfo, ByteBuffer *body, const ByteBuffer *cursor, bool truncated)
{
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {false, cursor->length == 0, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = node_json_text(body);
	values[1] = cursor->length == 0 ? (Datum) 0 : PointerGetDatum(cstring_to_text_with_len(cursor->data, cursor->length));
	values[2] = BoolGetDatum(truncated);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, UUID_LEN);
}

/* ---------------------------------------------------------------- traces */

static ShownText
quoted_id(const pg_uuid_t *id)
{
	ByteBuffer	quoted;

	buffer_init(&quoted, canonical_realloc, CurrentMemoryContext);
	record_write_uuid(&quoted, id);
	return (ShownText) {quoted.data, quoted.length};
}

static ShownText
quoted_time(const GraphFilter *filter)
{
	ByteBuffer	quoted;

	if (!filter->has_as_of)
		return (ShownText) {NULL, 0};
	buffer_init(&quoted, canonical_realloc, CurrentMemoryContext);
	record_write_timestamp(&quoted, filter->as_of);
	return (ShownText) {quoted.data, quoted.length};
}

static void
mark_frontier(ExportPart *part, const TraceFrontier *frontier)
{
	pg_uuid_t  *ids = human_room(frontier->count, sizeof(pg_uuid_t));

	for (uint32 i = 0; i < frontier->count; i++)
		ids[i] = frontier->trace->nodes[frontier->positions[i]].id;
	qsort(ids, frontier->count, sizeof(pg_uuid_t), compare_ids);
	export_part_mark(part, ids, frontier->count);
	part->frontier_count = frontier->count;
	pfree(ids);
}

/* trace_export(node, divisions, redact, quarantined, division, as_of_seq, depth, limit, cursor, as_of, direction, format, part) */
Datum
reason_trace_export(PG_FUNCTION_ARGS)
{
	ExportForm	form = export_form(record_text_argument(fcinfo, 11), record_text_argument(fcinfo, 12));
	TraceRequest request;
	TracePage	page;
	ExportPart	part = {0};
	ByteBuffer	body;
	ByteBuffer	cursor;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	trace_request_begin(&request, fcinfo, &directed_request_arguments, TRACE_CURSOR_EXPORT);
	trace_page_read(&page, &request);
	export_part_begin(&part, human_of_page(&page, &request), 0);
	part.id = quoted_id(&request.start->id);
	part.as_of = quoted_time(&request.filter);
	part.depth = request.filter.max_depth;
	part.node_total = page.trace->node_count;
	part.edge_total = page.trace->edges_kept;
	part.begin = page.begin;
	part.goes_on = trace_page_goes_on(&page);
	mark_frontier(&part, &page.frontier);
	node_json_buffer(&body);
	form(&body, &part);
	buffer_init(&cursor, canonical_realloc, CurrentMemoryContext);
	if (part.goes_on)
		trace_page_write_cursor(&page, &request, &cursor);
	graph_close(request.graph);
	return result_row(fcinfo, &body, &cursor, export_is_cut(&part));
}

/* ---------------------------------------------------------------- documents of snapshots */

/* The ids of payload.frontier. */
static void
mark_document_frontier(ExportPart *part, ShownText frontier)
{
	size_t		count = human_count(frontier);
	pg_uuid_t  *ids = human_room(count, sizeof(pg_uuid_t));
	const char *at = NULL;
	ShownText	name;
	ShownText	id;

	for (size_t i = 0; i < count && shown_next(frontier, &at, &name, &id); i++)
		ids[i] = human_uuid(id);
	qsort(ids, count, sizeof(pg_uuid_t), compare_ids);
	export_part_mark(part, ids, count);
	part->frontier_count = count;
	pfree(ids);
}

/* document_export(document, snapshot, format, part, limit, skip) */
Datum
reason_document_export(PG_FUNCTION_ARGS)
{
	RecordText	given = record_text_argument(fcinfo, 0);
	RecordText	known = record_text_argument(fcinfo, 1);
	ExportForm	form = export_form(record_text_argument(fcinfo, 2), record_text_argument(fcinfo, 3));
	ShownText	document = {given.data, given.length};
	ShownText	payload = shown_member(document, "payload");
	ShownText	depth = shown_member(payload, "depth");
	ExportPart	part = {.depth = -1};
	HumanGraph *whole;
	uint32		roots;
	uint32		begin;
	uint32		end;
	ByteBuffer	body;
	ByteBuffer	cursor;

	if (given.data == NULL || known.data == NULL || PG_ARGISNULL(4) || PG_ARGISNULL(5))
		PG_RETURN_NULL();
	whole = human_of_document(document, &roots);
	begin = Min((uint32) Max(PG_GETARG_INT32(5), 0), whole->node_count);
	end = begin + Min((uint32) Max(PG_GETARG_INT32(4), 1), whole->node_count - begin);
	part.snapshot = (ShownText) {known.data, known.length};
	export_part_begin(&part, human_part(whole, human_order(whole, roots), begin, end, shown_member(payload, "annotations")),
					  begin == 0 ? Min(roots, end) : 0);
	part.id = shown_member(document, "id");
	if (depth.data)
		part.depth = pg_strtoint32(pnstrdup(depth.data, depth.length));
	part.node_total = whole->node_count;
	part.edge_total = whole->edge_count;
	part.begin = begin;
	part.goes_on = end < whole->node_count;
	mark_document_frontier(&part, shown_member(payload, "frontier"));
	node_json_buffer(&body);
	form(&body, &part);
	buffer_init(&cursor, canonical_realloc, CurrentMemoryContext);
	if (part.goes_on)
		canonical_write_integer(&cursor, end);
	return result_row(fcinfo, &body, &cursor, export_is_cut(&part));
}

/* ---------------------------------------------------------------- answers */

static ShownText
shown_argument(FunctionCallInfo fcinfo, int number)
{
	RecordText	given = record_text_argument(fcinfo, number);

	return (ShownText) {given.data, given.length};
}

/* answer_export(answer, read, format, facts, annotations) */
Datum
reason_answer_export(PG_FUNCTION_ARGS)
{
	const AnswerKind *kind = answer_kind(record_text_argument(fcinfo, 1));
	AnswerForm	form = answer_form(record_text_argument(fcinfo, 2));
	ShownText	whole = shown_argument(fcinfo, 0);
	Answer		answer;
	ShownText	next;
	ByteBuffer	body;
	ByteBuffer	cursor;

	if (whole.data == NULL)
		PG_RETURN_NULL();
	answer_begin(&answer, kind, whole, shown_argument(fcinfo, 3), shown_argument(fcinfo, 4));
	node_json_buffer(&body);
	form(&body, &answer);
	buffer_init(&cursor, canonical_realloc, CurrentMemoryContext);
	next = shown_member(whole, "nextCursor");
	if (next.data)
		buffer_append(&cursor, next.data + 1, next.length - 2);
	return result_row(fcinfo, &body, &cursor, answer_is_cut(&answer));
}
