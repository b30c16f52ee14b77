/*
 * write_edges.c
 *		Rows for edges and their events, from JSON text.
 */
#include "postgres.h"

#include "canonical.h"
#include "node_lookup.h"
#include "record.h"
#include "sha256.h"
#include "uuid.h"
#include "write_event.h"
#include "write_input.h"
#include "write_row.h"
#include "write_rows.h"

#include "funcapi.h"
#include "miscadmin.h"
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

static const char *const edge_types[] = {
	"causal", "supports", "contradicts", "derivedFrom", "influencedBy", "corrects", NULL
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

/* The node that a member of an edge names. */
static void
find_end(WriteInput *input, NodeLookup *lookup, const JsonNode *object, const JsonNode *value, const char *name,
		 RecordText division, pg_uuid_t *id, FoundNode *found)
{
	if (!write_uuid(input, value, name, id))
		write_refuse(input, object, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"%s\" is missing", name);
	switch (node_lookup(lookup, input, id, division, found))
	{
		case NODE_FOUND:
			break;
		case NODE_ABSENT:
			write_refuse(input, value, ERRCODE_NO_DATA_FOUND, "Nodes are written before the edges between them.",
						 "node \"%s\" does not exist",
						 DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id))));
		case NODE_AMBIGUOUS:
			write_refuse(input, value, ERRCODE_INVALID_PARAMETER_VALUE, "Name the division.",
						 "node \"%s\" exists in several divisions",
						 DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id))));
	}
}

Datum
reason_insert_edges(PG_FUNCTION_ARGS)
{
	WriteInput	input = {0};
	NodeLookup	lookup;
	bool		single;
	const JsonNode *records;
	const JsonNode *object;
	WriteRows	rows;
	TimestampTz created_at = 0;
	CanonicalText metadata;
	CanonicalText record_bytes;
	CanonicalText event_bytes;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("input, single and divisions must not be null")));

	single = PG_GETARG_BOOL(1);
	input.divisions = PG_GETARG_ARRAYTYPE_P(2);
	input.request = row_text_argument(fcinfo, 3);
	input.policy = row_text_argument(fcinfo, 4);
	records = write_input_read(&input, PG_GETARG_TEXT_PP(0), single ? NULL : "edges");

	canonical_text_init(&metadata);
	canonical_text_init(&record_bytes);
	canonical_text_init(&event_bytes);
	write_rows_begin(&rows, fcinfo, &input, "edge", columns, COLUMN_COUNT);
	node_lookup_begin(&lookup);

	for (object = single ? records : json_first(&input.document, records); object;
		 object = single ? NULL : json_next(&input.document, records, object))
	{
		const JsonNode *slots[MEMBER_COUNT];
		Datum		values[COLUMN_COUNT];
		bool		nulls[COLUMN_COUNT] = {0};
		uint8		digest[REASON_DIGEST_LENGTH];
		const char *type;
		EdgeRecord	edge = {0};
		RecordText	named_division = {NULL, 0};
		FoundNode	from;
		FoundNode	to;
		WriteEvent	event = {0};
		MemoryContext old_context = MemoryContextSwitchTo(rows.context);

		CHECK_FOR_INTERRUPTS();
		input.index++;
		write_members(&input, object, members, slots, MEMBER_COUNT, -1);

		if (slots[MEMBER_TYPE] == NULL)
			write_refuse(&input, object, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"type\" is missing");
		type = write_choice(&input, slots[MEMBER_TYPE], edge_types);
		if (type == NULL)
			write_refuse(&input, slots[MEMBER_TYPE], ERRCODE_INVALID_PARAMETER_VALUE,
						 "Types are causal, supports, contradicts, derivedFrom, influencedBy and corrects.",
						 "unknown edge type");
		edge.type = row_literal(type);
		if (!write_uuid(&input, slots[MEMBER_ID], "id", &edge.id))
			uuid_generate_v7(&edge.id);
		edge.weight = 1;
		if (slots[MEMBER_WEIGHT])
		{
			if (slots[MEMBER_WEIGHT]->kind != JSON_NUMBER)
				write_refuse(&input, slots[MEMBER_WEIGHT], ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"weight\" must be a number");
			/* Minus zero would not survive canonical JSON. */
			edge.weight = slots[MEMBER_WEIGHT]->u.number + 0.0;
		}
		edge.metadata = row_metadata(&input, slots[MEMBER_METADATA], &metadata);

		if (slots[MEMBER_DIVISION])
			write_division(&input, slots[MEMBER_DIVISION], &named_division);
		find_end(&input, &lookup, object, slots[MEMBER_FROM], "from", named_division, &edge.from, &from);
		find_end(&input, &lookup, object, slots[MEMBER_TO], "to", from.division, &edge.to, &to);
		edge.division = from.division;
		memcpy(edge.from_digest, from.digest, REASON_DIGEST_LENGTH);
		memcpy(edge.to_digest, to.digest, REASON_DIGEST_LENGTH);

		edge.created_at = created_at = next_record_time(created_at);
		record_bytes.buffer.length = 0;
		record_write_edge(&record_bytes.buffer, &edge);
		sha256_of(digest, record_bytes.buffer.data, record_bytes.buffer.length);

		event.subject = EVENT_EDGE;
		if (!write_uuid(&input, slots[MEMBER_AUDIT_EVENT_ID], "auditEventId", &event.id))
			uuid_generate_v7(&event.id);
		event.division = edge.division;
		event.ts = created_at;
		event.record = canonical_text_bytes(&record_bytes);
		event.request = input.request;
		event.policy = input.policy;

		values[COLUMN_ID] = row_uuid(&edge.id);
		values[COLUMN_DIVISION] = row_text(edge.division);
		values[COLUMN_FROM_NO] = Int64GetDatum(from.no);
		values[COLUMN_TO_NO] = Int64GetDatum(to.no);
		values[COLUMN_TYPE] = row_text(edge.type);
		values[COLUMN_WEIGHT] = Float8GetDatum(edge.weight);
		values[COLUMN_METADATA] = row_jsonb(edge.metadata);
		values[COLUMN_CREATED_AT] = TimestampTzGetDatum(created_at);
		values[COLUMN_DIGEST] = row_bytes(digest, REASON_DIGEST_LENGTH);
		values[COLUMN_AUDIT_EVENT_ID] = row_uuid(&event.id);
		write_rows_add(&rows, values, nulls, &event, &event_bytes.buffer);

		MemoryContextSwitchTo(old_context);
	}
	node_lookup_end(&lookup);
	write_rows_end(&rows);
	return (Datum) 0;
}
