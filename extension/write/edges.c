/*
 * edges.c
 *		Rows for edges and their events, from JSON text.
 */
#include "postgres.h"

#include "record/number.h"
#include "record/record.h"
#include "record/types.h"
#include "write/input.h"
#include "write/node_lookup.h"
#include "write/row.h"
#include "write/rows.h"

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(reason_insert_edges);

enum
{
	MEMBER_ID,
	MEMBER_FROM,
	MEMBER_TO,
	MEMBER_TYPE,
	MEMBER_DIVISION,
	MEMBER_WEIGHT,
	MEMBER_METADATA,
	MEMBER_AUDIT_EVENT_ID,
	MEMBER_COUNT
};

static const WriteMember members[] = {
	{"from", MEMBER_FROM},
	{"to", MEMBER_TO},
	{"type", MEMBER_TYPE},
	{"id", MEMBER_ID},
	{"weight", MEMBER_WEIGHT},
	{"metadata", MEMBER_METADATA},
	{"division", MEMBER_DIVISION},
	{"auditEventId", MEMBER_AUDIT_EVENT_ID},
	{NULL, 0}
};

enum
{
	COLUMN_NO,
	COLUMN_ID,
	COLUMN_DIVISION,
	COLUMN_FROM_NO,
	COLUMN_TO_NO,
	COLUMN_TYPE,
	COLUMN_WEIGHT,
	COLUMN_METADATA,
	COLUMN_CREATED_AT,
	COLUMN_DIGEST,
	COLUMN_AUDIT_EVENT_ID,
	COLUMN_COUNT
};

static const char *const columns[COLUMN_COUNT] = {
	[COLUMN_NO] = "no",
	[COLUMN_ID] = "id",
	[COLUMN_DIVISION] = "division",
	[COLUMN_FROM_NO] = "from_no",
	[COLUMN_TO_NO] = "to_no",
	[COLUMN_TYPE] = "type",
	[COLUMN_WEIGHT] = "weight",
	[COLUMN_METADATA] = "metadata",
	[COLUMN_CREATED_AT] = "created_at",
	[COLUMN_DIGEST] = "digest",
	[COLUMN_AUDIT_EVENT_ID] = "audit_event_id"
};

/* What an edge is made of, in buffers that are used again for the next. */
typedef struct EdgeWrite
{
	const JsonNode *slots[MEMBER_COUNT];
	EdgeRecord	record;
	FoundNode	from;
	FoundNode	to;
	CanonicalText metadata;
	CanonicalText bytes;		/* of the record */
} EdgeWrite;

/* The node that a member of an edge names. */
static void
find_end(WriteInput *input, NodeLookup *lookup, const JsonNode *object, const JsonNode *value, const char *name,
		 RecordText division, pg_uuid_t *id, FoundNode *found)
{
	if (!write_uuid(input, value, name, id))
		write_refuse(input, object, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"%s\" is missing", name);
	node_lookup(lookup, input, value, id, division, "Nodes are written before the edges between them.", found);
}

/* 1 when absent. */
static double
edge_weight(WriteInput *input, const JsonNode *value)
{
	if (value == NULL)
		return 1;
	if (value->kind != JSON_NUMBER)
		write_refuse(input, value, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"weight\" must be a number");
	/* Minus zero would not survive canonical JSON. */
	return value->u.number + 0.0;
}

static void
read_edge(WriteInput *input, NodeLookup *lookup, const JsonNode *object, EdgeWrite *write)
{
	const JsonNode **slots = write->slots;
	EdgeRecord *edge = &write->record;
	RecordText	named_division = {NULL, 0};

	write_members(input, object, members, slots, MEMBER_COUNT, -1);
	edge->type = write_type(input, object, slots[MEMBER_TYPE], RECORD_EDGE);
	write_own_or_new_uuid(input, slots[MEMBER_ID], "id", &edge->id);
	edge->weight = edge_weight(input, slots[MEMBER_WEIGHT]);
	edge->metadata = row_metadata(input, slots[MEMBER_METADATA], &write->metadata);
	if (slots[MEMBER_DIVISION])
		write_division(input, slots[MEMBER_DIVISION], &named_division);
	find_end(input, lookup, object, slots[MEMBER_FROM], "from", named_division, &edge->from, &write->from);
	find_end(input, lookup, object, slots[MEMBER_TO], "to", write->from.division, &edge->to, &write->to);
	edge->division = write->from.division;
	memcpy(edge->from_digest, write->from.digest, REASON_DIGEST_LENGTH);
	memcpy(edge->to_digest, write->to.digest, REASON_DIGEST_LENGTH);
}

static void
add_edge(WriteRows *rows, EdgeWrite *write)
{
	const EdgeRecord *edge = &write->record;
	Datum		values[COLUMN_COUNT];
	bool		nulls[COLUMN_COUNT] = {0};

	write->bytes.buffer.length = 0;
	record_write_edge(&write->bytes.buffer, edge);

	values[COLUMN_ID] = row_uuid(&edge->id);
	values[COLUMN_DIVISION] = row_text(edge->division);
	values[COLUMN_FROM_NO] = Int64GetDatum(write->from.no);
	values[COLUMN_TO_NO] = Int64GetDatum(write->to.no);
	values[COLUMN_TYPE] = row_text(edge->type);
	values[COLUMN_WEIGHT] = Float8GetDatum(edge->weight);
	values[COLUMN_METADATA] = row_jsonb(edge->metadata);
	values[COLUMN_CREATED_AT] = TimestampTzGetDatum(edge->created_at);
	write_rows_add(rows, EVENT_EDGE, edge->division, edge->created_at, &write->bytes.buffer,
				   write->slots[MEMBER_AUDIT_EVENT_ID], values, nulls);
}

Datum
reason_insert_edges(PG_FUNCTION_ARGS)
{
	WriteInput	input = {0};
	WriteRows	rows;
	NodeLookup	lookup;
	EdgeWrite	write;
	TimestampTz created_at = 0;
	const JsonNode *records;

	write_input_arguments(&input, fcinfo);
	records = write_input_read(&input, PG_GETARG_TEXT_PP(0), PG_GETARG_BOOL(1) ? NULL : "edges");
	canonical_text_init(&write.metadata);
	canonical_text_init(&write.bytes);
	write_rows_begin(&rows, fcinfo, &input, "edge", columns, COLUMN_COUNT);
	node_lookup_begin(&lookup);

	for (const JsonNode *object = NULL; (object = write_input_next(&input, records, object)) != NULL;)
	{
		MemoryContext old_context = MemoryContextSwitchTo(rows.context);

		read_edge(&input, &lookup, object, &write);
		write.record.created_at = created_at = next_record_time(created_at);
		add_edge(&rows, &write);
		MemoryContextSwitchTo(old_context);
	}
	node_lookup_end(&lookup);
	write_rows_end(&rows);
	return (Datum) 0;
}
