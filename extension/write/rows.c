/*
 * rows.c
 *		Records and their events, inserted side by side: one number, one time and one transaction for both.
 */
#include "postgres.h"

#include "write/rows.h"

#include "core/sha256.h"
#include "record/columns.h"
#include "record/event_text.h"
#include "record/insert.h"
#include "record/number.h"
#include "record/placement.h"
#include "write/doorbell.h"
#include "write/safe_mode.h"

#include "access/xact.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

static const char *const event_columns[] = {"no", "id", "division", "event_type", "ts", "payload"};

#define EVENT_COLUMN_COUNT lengthof(event_columns)

typedef struct WriteRows
{
	WriteInput *input;
	const WriteJob *job;
	RecordInsert records;
	RecordInsert events;
	MemoryContext context;		/* holds the values of rows kept back */
	ByteBuffer	event_payload;	/* of the current record */
} WriteRows;

/*
 * Raises the error for an id that a unique constraint refused, with a hint about why it cannot be used
 * again.
 */
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

	const char *kind = record_kind_names[rows->job->kind];

	if (strcmp(constraint, psprintf("%s_id_key", kind)) == 0)
		refuse_duplicate(rows, row, kind, slot);
}

static void
duplicate_event(void *context, int64 row, const char *constraint, TupleTableSlot *slot)
{
	if (strcmp(constraint, "audit_event_id_key") == 0)
		refuse_duplicate(context, row, "audit event", slot);
}

static void
begin(WriteRows *rows, WriteInput *input, const WriteJob *job)
{
	const char *const *columns = record_column_names[job->kind];
	int			column_count = 0;

	refuse_write_in_safe_mode();
	rows->input = input;
	rows->job = job;
	buffer_init(&rows->event_payload, canonical_realloc, CurrentMemoryContext);
	rows->context = AllocSetContextCreate(CurrentMemoryContext, "reason rows", ALLOCSET_DEFAULT_SIZES);
	while (columns[column_count])
		column_count++;
	record_insert_begin(&rows->records, record_kind_names[job->kind], columns, column_count, duplicate_record, rows);
	record_insert_begin(&rows->events, "audit_event", event_columns, EVENT_COLUMN_COUNT, duplicate_event, rows);
}

static void
flush(WriteRows *rows)
{
	record_insert_flush(&rows->records);
	record_insert_flush(&rows->events);
	MemoryContextReset(rows->context);
}

static void
end(WriteRows *rows)
{
	flush(rows);
	record_insert_end(&rows->events);
	record_insert_end(&rows->records);
	MemoryContextDelete(rows->context);
	doorbell_ring();
	CommandCounterIncrement();
}

static void
set_optional(Datum *values, bool *nulls, int column, bool is_given, Datum value)
{
	values[column] = value;
	nulls[column] = !is_given;
}

/* What the record says, by the places of record/columns.h. */
static void
set_record_values(const WriteRecord *write, Datum *values, bool *nulls)
{
	const Record *record = &write->record;

	values[COLUMN_ID] = row_uuid(&record->id);
	values[COLUMN_DIVISION] = row_text(record->division);
	values[COLUMN_TYPE] = row_text(record->type);
	values[COLUMN_METADATA] = row_jsonb(record->metadata);
	values[COLUMN_CREATED_AT] = TimestampTzGetDatum(record->created_at);
	if (record->kind == RECORD_EDGE)
	{
		values[EDGE_COLUMN_FROM_NO] = Int64GetDatum(record->ends[0].no);
		values[EDGE_COLUMN_TO_NO] = Int64GetDatum(record->ends[1].no);
		values[EDGE_COLUMN_WEIGHT] = Float8GetDatum(record->weight);
		return;
	}
	values[COLUMN_AUTHOR] = row_text(record->author);
	values[COLUMN_PAYLOAD] = row_jsonb(canonical_text_bytes(&write->payload));
	values[COLUMN_SALT] = row_bytes(write->salt, REASON_SALT_LENGTH);
	values[COLUMN_PAYLOAD_HASH] = row_bytes(record->payload_hash, REASON_DIGEST_LENGTH);
	if (record->kind == RECORD_ANNOTATION)
	{
		values[ANNOTATION_COLUMN_TARGET_NO] = Int64GetDatum(record->ends[0].no);
		return;
	}
	set_optional(values, nulls, NODE_COLUMN_OCCURRED_AT, record->has_occurred_at, TimestampTzGetDatum(record->occurred_at));
	set_optional(values, nulls, NODE_COLUMN_VERSION, record->version.data, row_text(record->version));
	set_optional(values, nulls, NODE_COLUMN_MANIFEST_SIGNATURE_ID, record->manifest_signature_id.data,
				 row_text(record->manifest_signature_id));
	set_optional(values, nulls, NODE_COLUMN_PAYLOAD_REF, record->payload_ref.data,
				 record->payload_ref.data ? row_jsonb(record->payload_ref) : (Datum) 0);
}

/* Both rows under one new number. */
static void
add(WriteRows *rows, WriteRecord *write)
{
	WriteInput *input = rows->input;
	const Record *record = &write->record;
	ByteBuffer *bytes = &write->bytes.buffer;
	WriteEvent	event = {
		.kind = record->kind,
		.division = record->division,
		.ts = record->created_at,
		.request = input->request,
		.policy = input->policy
	};
	uint8		digest[REASON_DIGEST_LENGTH];
	Datum		values[RECORD_MAX_COLUMNS];
	bool		nulls[RECORD_MAX_COLUMNS] = {0};
	Datum		event_values[EVENT_COLUMN_COUNT];
	bool		event_nulls[EVENT_COLUMN_COUNT] = {0};
	WrittenRecord written = {.id = record->id, .created_at = record->created_at};

	/* The tables are locked: see placement.h. */
	placement_require_open(record->division);
	bytes->length = 0;
	record_write(bytes, record);
	event.record = canonical_text_bytes(&write->bytes);
	write_own_or_new_uuid(input, write->event_id, "auditEventId", &event.id);
	rows->event_payload.length = 0;
	if (reason_keep_event_text)
		event_write(&rows->event_payload, &event);
	else
		event_write_stated(&rows->event_payload, &event);

	written.no = next_record_no();
	written.event_id = event.id;
	event_values[0] = Int64GetDatum(written.no);
	event_values[1] = row_uuid(&event.id);
	event_values[2] = row_text(record->division);
	event_values[3] = row_text(row_literal(event_type_of(record->kind)));
	event_values[4] = TimestampTzGetDatum(record->created_at);
	event_values[5] = row_text((RecordText) {rows->event_payload.data, rows->event_payload.length});

	sha256_of(digest, bytes->data, bytes->length);
	set_record_values(write, values, nulls);
	values[COLUMN_NO] = event_values[0];
	values[COLUMN_DIGEST] = row_bytes(digest, REASON_DIGEST_LENGTH);
	values[COLUMN_AUDIT_EVENT_ID] = event_values[1];
	record_insert_row(&rows->records, values, nulls);
	record_insert_row(&rows->events, event_values, event_nulls);

	rows->job->sink(rows->job->sink_argument, &written);
}

void
write_rows(WriteInput *input, const WriteJob *job)
{
	WriteRows	rows;
	WriteRecord write;
	TimestampTz created_at = 0;
	const JsonNode *records;

	records = write_input_read(input, job->collection);
	canonical_text_init(&write.payload);
	canonical_text_init(&write.metadata);
	canonical_text_init(&write.payload_ref);
	canonical_text_init(&write.bytes);
	begin(&rows, input, job);

	for (const JsonNode *object = NULL; (object = write_input_next(input, records, object)) != NULL;)
	{
		MemoryContext old_context = MemoryContextSwitchTo(rows.context);

		memset(&write.record, 0, sizeof(Record));
		write.record.kind = job->kind;
		job->read(input, object, &write, job->read_argument);
		write.record.created_at = created_at = next_record_time(created_at);
		add(&rows, &write);
		MemoryContextSwitchTo(old_context);
		if (rows.records.kept == RECORD_INSERT_BATCH)
			flush(&rows);
	}
	end(&rows);
}

void
write_begin_results(FunctionCallInfo fcinfo)
{
	InitMaterializedSRF(fcinfo, 0);
}

void
write_put_result(void *result_info, const WrittenRecord *written)
{
	ReturnSetInfo *results = result_info;
	Datum		values[] = {UUIDPGetDatum(&written->id), UUIDPGetDatum(&written->event_id),
							TimestampTzGetDatum(written->created_at), Int64GetDatum(written->no)};
	bool		nulls[lengthof(values)] = {false};

	tuplestore_putvalues(results->setResult, results->setDesc, values, nulls);
}
