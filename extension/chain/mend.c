/*
 * mend.c
 *		What is left of an event that cannot be sealed: its bytes, and the row of the record that it was about.
 */
#include "postgres.h"

#include "canonical/backend.h"
#include "chain/event_read.h"
#include "core/sha256.h"
#include "record/event.h"
#include "record/read.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(reason_found_payload);
PG_FUNCTION_INFO_V1(reason_remade_payload);

/* found_payload(division text, no bigint) → bytea */
Datum
reason_found_payload(PG_FUNCTION_ARGS)
{
	text	   *division = PG_GETARG_TEXT_PP(0);
	RowScan		events;
	bytea	   *found = NULL;

	row_scan_open(&events, "audit_event", "audit_event_pkey", 1, GetActiveSnapshot());
	row_scan_seek_by(&events, "no");
	if (row_scan_seek(&events, PG_GETARG_INT64(1), division))
	{
		EventColumns columns;
		EventRow	row;
		char	   *unreadable;

		event_columns_find(&columns, events.heap);
		if (event_read(events.slot, &columns, &row, &unreadable))
			found = (bytea *) cstring_to_text_with_len(row.payload.data, row.payload.length);
	}
	row_scan_close(&events);
	if (found == NULL)
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(found);
}

static bool
find_kind(text *name, RecordKind *kind)
{
	for (int i = 0; i < RECORD_KINDS; i++)
	{
		if (VARSIZE_ANY_EXHDR(name) == strlen(record_kind_names[i]) &&
			memcmp(VARDATA_ANY(name), record_kind_names[i], VARSIZE_ANY_EXHDR(name)) == 0)
		{
			*kind = (RecordKind) i;
			return true;
		}
	}
	return false;
}

/* The record that a row's columns give, if it has the row's digest. */
static bool
write_record(ByteBuffer *out, const StoredRecord *stored)
{
	uint8		digest[SHA256_LENGTH];

	if (stored->unreadable)
		return false;
	record_write(out, &stored->record);
	sha256_of(digest, out->data, out->length);
	return memcmp(digest, stored->digest, SHA256_LENGTH) == 0;
}

/* remade_payload(kind text, division text, no bigint, policy text) → text */
Datum
reason_remade_payload(PG_FUNCTION_ARGS)
{
	RecordReader reader;
	RecordKind	kind;
	StoredRecord stored;
	ByteBuffer	record;
	ByteBuffer	payload;
	text	   *division;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || !find_kind(PG_GETARG_TEXT_PP(0), &kind))
		PG_RETURN_NULL();
	division = PG_GETARG_TEXT_PP(1);
	buffer_init(&record, canonical_realloc, CurrentMemoryContext);
	buffer_init(&payload, canonical_realloc, CurrentMemoryContext);
	record_reader_open(&reader, GetActiveSnapshot(), division);
	if (record_read_by_no(&reader, kind, PG_GETARG_INT64(2), &stored) && write_record(&record, &stored))
	{
		WriteEvent	event = {
			.kind = kind,
			.id = stored.audit_event_id,
			.division = {VARDATA_ANY(division), VARSIZE_ANY_EXHDR(division)},
			.ts = stored.record.created_at,
			.record = {record.data, record.length},
		};

		if (!PG_ARGISNULL(3))
		{
			text	   *policy = PG_GETARG_TEXT_PP(3);

			event.policy.data = VARDATA_ANY(policy);
			event.policy.length = VARSIZE_ANY_EXHDR(policy);
		}
		event_write(&payload, &event);
	}
	record_reader_close(&reader);
	if (payload.length == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(payload.data, payload.length));
}
