/*
 * event_text.c
 *		Whole payloads of events, of which the record's row says most.
 *
 * What is made here is hashed, so it is made only of a row that gives the digest
 * which was taken when it was written: a row that has been damaged or altered
 * since is named as such, instead of giving bytes that were never hashed.
 */
#include "postgres.h"

#include "record/event_text.h"

#include "canonical/backend.h"
#include "core/sha256.h"
#include "record/caller.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_event_payload);

bool		reason_keep_event_text = true;

void
event_text_define_parameters(void)
{
	DefineCustomBoolVariable("reason.keep_event_text",
							 "Stores the events of nodes, edges and annotations whole, beside the rows that say the same.",
							 "Otherwise their payload is made from the row whenever it is needed.",
							 &reason_keep_event_text, true,
							 PGC_SUSET, 0, NULL, NULL, NULL);
}

static const char *
uuid_text(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}

/* ---------------------------------------------------------------- one event */

/* What of the row must agree with the event, or with itself; record holds the canonical record. */
static bool
check_row(const StoredRecord *stored, const EventRow *row, const ByteBuffer *record, char **fault)
{
	const char *kind = record_kind_names[stored->record.kind];
	const char *problem = NULL;
	uint8		digest[SHA256_LENGTH];

	sha256_of(digest, record->data, record->length);
	if (memcmp(digest, stored->digest, SHA256_LENGTH) != 0)
		problem = "its columns do not give its digest";
	else if (memcmp(&stored->audit_event_id, &row->id, UUID_LEN) != 0)
		problem = psprintf("column audit_event_id names another event than audit_event \"%s\"", uuid_text(&row->id));
	else if (stored->record.created_at != row->ts)
		problem = psprintf("column ts of audit_event \"%s\" is not when it was recorded", uuid_text(&row->id));
	if (problem == NULL)
		return true;
	*fault = psprintf("%s \"%s\" with no " INT64_FORMAT ": %s", kind, uuid_text(&stored->record.id), stored->no, problem);
	return false;
}

static bool
write_whole(ByteBuffer *record, ByteBuffer *whole, const StoredRecord *stored, EventRow *row, char **fault)
{
	WriteEvent	event = {
		.kind = stored->record.kind,
		.id = row->id,
		.division = row->division,
		.ts = row->ts,
		/* between the braces */
		.stated = {row->payload.data + 1, row->payload.length - 2}
	};

	if (stored->unreadable)
	{
		*fault = psprintf("%s \"%s\" with no " INT64_FORMAT ": column %s holds what cannot have been recorded",
						  record_kind_names[stored->record.kind], uuid_text(&stored->record.id), stored->no, stored->unreadable);
		return false;
	}
	record->length = whole->length = 0;
	record_write(record, &stored->record);
	if (!check_row(stored, row, record, fault))
		return false;
	event.record.data = record->data;
	event.record.length = record->length;
	event_write(whole, &event);
	row->payload.data = whole->data;
	row->payload.length = whole->length;
	return true;
}

bool
event_text_of_record(const StoredRecord *stored, EventRow *row, char **fault)
{
	ByteBuffer	record;
	ByteBuffer	whole;

	buffer_init(&record, canonical_realloc, CurrentMemoryContext);
	buffer_init(&whole, canonical_realloc, CurrentMemoryContext);
	return write_whole(&record, &whole, stored, row, fault);
}

typedef bool (*ReadRecord) (RecordReader *reader, RecordKind kind, int64 no, StoredRecord *stored);

/* What was recorded was within the limits of its time: those of the session do not matter. */
static bool
read_record(ReadRecord read, RecordReader *reader, RecordKind kind, int64 no, StoredRecord *stored)
{
	int			limit = reason_max_canonical_depth;
	bool		found = false;

	reason_max_canonical_depth = PG_INT32_MAX;
	PG_TRY();
	{
		found = read(reader, kind, no, stored);
	}
	PG_FINALLY();
	{
		reason_max_canonical_depth = limit;
	}
	PG_END_TRY();
	return found;
}

static char *
missing(RecordKind kind, const EventRow *row)
{
	return psprintf("%s of audit_event \"%s\": its row (no " INT64_FORMAT ") is missing", record_kind_names[kind], uuid_text(&row->id), row->no);
}

/* ---------------------------------------------------------------- many */

void
event_texts_begin(EventTexts *texts, Snapshot snapshot, RecordReader *reader)
{
	texts->snapshot = snapshot;
	texts->reader = reader;
	texts->context = CurrentMemoryContext;
	texts->event_context = AllocSetContextCreate(CurrentMemoryContext, "record of an event", ALLOCSET_SMALL_SIZES);
	buffer_init(&texts->record, canonical_realloc, CurrentMemoryContext);
	buffer_init(&texts->whole, canonical_realloc, CurrentMemoryContext);
}

void
event_texts_end(EventTexts *texts)
{
	if (texts->reader == &texts->own)
		record_reader_close(&texts->own);
	MemoryContextDelete(texts->event_context);
}

static RecordReader *
reader_of(EventTexts *texts, RecordText division)
{
	MemoryContext old_context = MemoryContextSwitchTo(texts->context);

	if (texts->reader == NULL)
	{
		record_reader_open(&texts->own, texts->snapshot, cstring_to_text_with_len(division.data, division.length));
		texts->reader = &texts->own;
	}
	else if (texts->reader == &texts->own)
		record_reader_turn_to(&texts->own, division);
	MemoryContextSwitchTo(old_context);
	return texts->reader;
}

bool
event_text_complete(EventTexts *texts, EventRow *row, char **fault)
{
	RecordKind	kind;
	StoredRecord stored;
	RecordReader *reader;
	MemoryContext old_context;
	bool		found;

	if (!event_is_stated(row, &kind))
		return true;
	reader = reader_of(texts, row->division);
	MemoryContextReset(texts->event_context);
	old_context = MemoryContextSwitchTo(texts->event_context);
	found = read_record(record_read_by_no, reader, kind, row->no, &stored);
	MemoryContextSwitchTo(old_context);
	if (found)
		return write_whole(&texts->record, &texts->whole, &stored, row, fault);
	*fault = missing(kind, row);
	return false;
}

/* ---------------------------------------------------------------- in SQL */

/* A row is an argument that anybody can make up, and rows of tables are read here without row security. */
static void
require_division(RecordText division)
{
	Datum	   *visible;
	int			count;

	deconstruct_array(caller_visible_divisions(GetUserId()), TEXTOID, -1, false, TYPALIGN_INT, &visible, NULL, &count);
	for (int i = 0; i < count; i++)
	{
		text	   *name = DatumGetTextPP(visible[i]);

		if ((VARSIZE_ANY_EXHDR(name) == 1 && *VARDATA_ANY(name) == '*') ||
			(VARSIZE_ANY_EXHDR(name) == division.length && memcmp(VARDATA_ANY(name), division.data, division.length) == 0))
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("division \"%.*s\" does not exist or is not granted", (int) division.length, division.data)));
}

/* A column of the row; false when it is NULL, as none can be that was recorded. */
static bool
text_attribute(HeapTupleHeader tuple, const char *name, RecordText *result)
{
	bool		isnull;
	Datum		value = GetAttributeByName(tuple, name, &isnull);

	if (!isnull)
	{
		text	   *bytes = DatumGetTextPP(value);

		result->data = VARDATA_ANY(bytes);
		result->length = VARSIZE_ANY_EXHDR(bytes);
	}
	return !isnull;
}

/* The rest of a row whose payload is not whole. */
static bool
other_attributes(HeapTupleHeader tuple, EventRow *row)
{
	bool		no_no,
				no_id,
				no_ts;
	Datum		no = GetAttributeByName(tuple, "no", &no_no);
	Datum		id = GetAttributeByName(tuple, "id", &no_id);
	Datum		ts = GetAttributeByName(tuple, "ts", &no_ts);

	if (no_no || no_id || no_ts || !text_attribute(tuple, "division", &row->division))
		return false;
	row->no = DatumGetInt64(no);
	row->id = *DatumGetUUIDP(id);
	row->ts = DatumGetTimestampTz(ts);
	return true;
}

/* event_payload(e reason.audit_event) → json */
Datum
reason_event_payload(PG_FUNCTION_ARGS)
{
	HeapTupleHeader tuple = PG_GETARG_HEAPTUPLEHEADER(0);
	EventRow	row = {0};
	RecordKind	kind;
	RecordReader reader;
	StoredRecord stored;
	char	   *fault;
	bool		made = false;

	if (!text_attribute(tuple, "payload", &row.payload))
		PG_RETURN_NULL();
	if (!text_attribute(tuple, "event_type", &row.event_type) || !event_is_stated(&row, &kind))
		PG_RETURN_TEXT_P(cstring_to_text_with_len(row.payload.data, row.payload.length));
	if (!other_attributes(tuple, &row))
		PG_RETURN_NULL();
	require_division(row.division);

	record_reader_open_kind(&reader, kind, GetActiveSnapshot(), cstring_to_text_with_len(row.division.data, row.division.length));
	if (read_record(record_read_single, &reader, kind, row.no, &stored))
		made = event_text_of_record(&stored, &row, &fault);
	else
		fault = missing(kind, &row);
	record_reader_close(&reader);
	if (!made)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("%s", fault),
				 errdetail("The event repeats what the row says, and is made from it."),
				 errhint("The event as it was hashed is in the archive, in Kafka and in backups. verify_audit() names all that is wrong.")));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(row.payload.data, row.payload.length));
}
