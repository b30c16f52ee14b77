/*
 * rows.c
 *		A record and its event, inserted side by side.
 */
#include "postgres.h"

#include "write/rows.h"

#include "core/sha256.h"
#include "record/number.h"
#include "write/doorbell.h"
#include "write/row.h"
#include "write/safe_mode.h"

#include "access/xact.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

static const char *const event_columns[] = {"no", "id", "division", "event_type", "ts", "payload"};

#define EVENT_COLUMN_COUNT lengthof(event_columns)

/* The id of the row that a unique constraint refused, and a hint that says why there is no way around it. */
static void
refuse_duplicate(WriteRows *rows, int64 row, const char *kind, TupleTableSlot *slot)
{
	WriteInput *input = rows->input;
	bool		isnull;
	Datum		id = slot_getattr(slot, 2, &isnull);

	input->index = row;
	write_refuse(input, NULL, ERRCODE_UNIQUE_VIOLATION,
				 "Nothing is ever overwritten. To correct a node, write a new one with an edge of type corrects.",
				 "%s \"%s\" already exists", kind, DatumGetCString(DirectFunctionCall1(uuid_out, id)));
}

static void
duplicate_record(void *context, int64 row, const char *constraint, TupleTableSlot *slot)
{
	WriteRows  *rows = context;

	if (strcmp(constraint, psprintf("%s_id_key", rows->kind)) == 0)
		refuse_duplicate(rows, row, rows->kind, slot);
}

static void
duplicate_event(void *context, int64 row, const char *constraint, TupleTableSlot *slot)
{
	if (strcmp(constraint, "audit_event_id_key") == 0)
		refuse_duplicate(context, row, "audit event", slot);
}

void
write_rows_begin(WriteRows *rows, FunctionCallInfo fcinfo, WriteInput *input, const char *kind,
				 const char *const *columns, int column_count)
{
	refuse_write_in_safe_mode();
	InitMaterializedSRF(fcinfo, 0);
	rows->results = (ReturnSetInfo *) fcinfo->resultinfo;
	rows->input = input;
	rows->kind = kind;
	rows->column_count = column_count;
	buffer_init(&rows->event_payload, canonical_realloc, CurrentMemoryContext);
	rows->context = AllocSetContextCreate(CurrentMemoryContext, "reason rows", ALLOCSET_DEFAULT_SIZES);
	record_insert_begin(&rows->records, kind, columns, column_count, duplicate_record, rows);
	record_insert_begin(&rows->events, "audit_event", event_columns, EVENT_COLUMN_COUNT, duplicate_event, rows);
}

static void
flush(WriteRows *rows)
{
	record_insert_flush(&rows->records);
	record_insert_flush(&rows->events);
	MemoryContextReset(rows->context);
}

void
write_rows_add(WriteRows *rows, EventSubject subject, RecordText division, TimestampTz created_at,
			   const ByteBuffer *record, const JsonNode *event_id, Datum *values, const bool *nulls)
{
	WriteInput *input = rows->input;
	WriteEvent	event = {
		.subject = subject,
		.division = division,
		.ts = created_at,
		.record = {record->data, record->length},
		.request = input->request,
		.policy = input->policy
	};
	uint8		digest[REASON_DIGEST_LENGTH];
	bool		event_nulls[EVENT_COLUMN_COUNT] = {0};
	Datum		event_values[EVENT_COLUMN_COUNT];
	Datum		result_values[4];
	RecordText	payload;

	write_own_or_new_uuid(input, event_id, "auditEventId", &event.id);
	rows->event_payload.length = 0;
	event_write(&rows->event_payload, &event);
	payload.data = rows->event_payload.data;
	payload.length = rows->event_payload.length;

	event_values[0] = Int64GetDatum(next_record_no());
	event_values[1] = row_uuid(&event.id);
	event_values[2] = row_text(division);
	event_values[3] = row_text(row_literal(event_type_of(subject)));
	event_values[4] = TimestampTzGetDatum(created_at);
	event_values[5] = row_text(payload);

	sha256_of(digest, record->data, record->length);
	values[0] = event_values[0];
	values[rows->column_count - 2] = row_bytes(digest, REASON_DIGEST_LENGTH);
	values[rows->column_count - 1] = event_values[1];
	record_insert_row(&rows->records, values, nulls);
	record_insert_row(&rows->events, event_values, event_nulls);

	result_values[0] = values[1];
	result_values[1] = event_values[1];
	result_values[2] = event_values[4];
	result_values[3] = values[0];
	tuplestore_putvalues(rows->results->setResult, rows->results->setDesc, result_values, event_nulls);

	if (rows->records.kept == RECORD_INSERT_BATCH)
		flush(rows);
}

void
write_rows_end(WriteRows *rows)
{
	flush(rows);
	record_insert_end(&rows->events);
	record_insert_end(&rows->records);
	MemoryContextDelete(rows->context);
	doorbell_ring();
	CommandCounterIncrement();
}
