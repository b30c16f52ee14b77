/*
 * document.c
 *		The document of a snapshot as it is made.
 *
 * The members of each object are known, so their canonical order (RFC 8785,
 * section 3.2.3) is the order of the code.
 */
#include "postgres.h"

#include "snapshot/document.h"

#include "canonical/backend.h"
#include "canonical/jsonb.h"
#include "core/canonical.h"

#include <sodium.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

static const char *const chunk_columns[] = {"division", "snapshot_no", "chunk", "bytes"};

/* ---------------------------------------------------------------- chunks */

static void
add_time_since(instr_time *total, instr_time began)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_ACCUM_DIFF(*total, now, began);
}

void
snapshot_writer_open(SnapshotWriter *writer, int64 snapshot_no, text *division, bool pii)
{
	memset(writer, 0, sizeof(*writer));
	writer->division = division;
	writer->snapshot_no = snapshot_no;
	writer->pii = pii;
	if (!pii)
		writer->redaction = redact_open();
	buffer_init(&writer->bytes, canonical_realloc, CurrentMemoryContext);
	buffer_reserve(&writer->bytes, 2 * SNAPSHOT_CHUNK_BYTES);
	sha256_init(&writer->hash);
	record_insert_begin(&writer->chunks, "snapshot_chunk", chunk_columns, lengthof(chunk_columns), NULL, NULL);
	writer->context = AllocSetContextCreate(CurrentMemoryContext, "snapshot record", ALLOCSET_DEFAULT_SIZES);
	writer->canonicalising.began = GetCurrentTimestamp();
	INSTR_TIME_SET_CURRENT(writer->turn_began);
}

/* What is worked after the document was written is not canonicalising. */
static void
end_turn(SnapshotWriter *writer)
{
	if (!writer->is_written)
		add_time_since(&writer->canonicalising.worked, writer->turn_began);
}

static void
insert_chunk(SnapshotWriter *writer, const char *bytes, size_t length)
{
	MemoryContext old_context = MemoryContextSwitchTo(writer->context);
	bytea	   *chunk = palloc(VARHDRSZ + length);
	Datum		values[lengthof(chunk_columns)];
	bool		nulls[lengthof(chunk_columns)] = {0};
	instr_time	hash_began;

	end_turn(writer);
	SET_VARSIZE(chunk, VARHDRSZ + length);
	memcpy(VARDATA(chunk), bytes, length);
	values[0] = PointerGetDatum(writer->division);
	values[1] = Int64GetDatum(writer->snapshot_no);
	values[2] = Int32GetDatum(writer->chunk_count++);
	values[3] = PointerGetDatum(chunk);
	record_insert_row(&writer->chunks, values, nulls);
	record_insert_flush(&writer->chunks);
	if (writer->size_bytes == 0)
		writer->hashing.began = GetCurrentTimestamp();
	INSTR_TIME_SET_CURRENT(hash_began);
	sha256_update(&writer->hash, bytes, length);
	add_time_since(&writer->hashing.worked, hash_began);
	writer->size_bytes += length;
	MemoryContextSwitchTo(old_context);
	MemoryContextReset(writer->context);
	if (!writer->is_written)
		INSTR_TIME_SET_CURRENT(writer->turn_began);
}

void
snapshot_write_flush(SnapshotWriter *writer)
{
	ByteBuffer *bytes = &writer->bytes;
	size_t		done = 0;

	while (bytes->length - done >= SNAPSHOT_CHUNK_BYTES)
	{
		insert_chunk(writer, bytes->data + done, SNAPSHOT_CHUNK_BYTES);
		done += SNAPSHOT_CHUNK_BYTES;
	}
	if (done > 0)
	{
		memmove(bytes->data, bytes->data + done, bytes->length - done);
		bytes->length -= done;
	}
	MemoryContextReset(writer->context);
}

void
snapshot_writer_close(SnapshotWriter *writer, uint8 hash[SHA256_LENGTH])
{
	end_turn(writer);
	writer->is_written = true;
	writer->canonicalising.ended = GetCurrentTimestamp();
	snapshot_write_flush(writer);
	if (writer->bytes.length > 0)
		insert_chunk(writer, writer->bytes.data, writer->bytes.length);
	sha256_final(&writer->hash, hash);
	writer->hashing.ended = GetCurrentTimestamp();
	record_insert_end(&writer->chunks);
	MemoryContextDelete(writer->context);
}

/* ---------------------------------------------------------------- members */

static void
write_text(ByteBuffer *out, const char *member, RecordText value)
{
	if (value.data == NULL)
		return;
	buffer_append(out, member, strlen(member));
	canonical_write_string(out, value.data, value.length);
}

/* An author, or why something was erased; whether it was redacted. */
static bool
write_shown_text(SnapshotWriter *writer, const char *member, RecordText value)
{
	RecordText	shown = writer->redaction ? redact_text(writer->redaction, value) : value;

	write_text(&writer->bytes, member, shown);
	return shown.data != value.data;
}

/* Canonical JSON that the record holds; whether it was redacted. */
static bool
write_shown_json(SnapshotWriter *writer, const char *member, RecordText value)
{
	Jsonb	   *recorded = NULL;
	Jsonb	   *shown = NULL;

	if (value.data == NULL)
		return false;
	if (writer->redaction && value.length > strlen("{}"))
	{
		recorded = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(pnstrdup(value.data, value.length))));
		shown = redact_jsonb(writer->redaction, recorded);
	}
	buffer_append(&writer->bytes, member, strlen(member));
	if (shown == recorded)
		buffer_append(&writer->bytes, value.data, value.length);
	else
		canonical_write_jsonb(&writer->bytes, shown);
	return shown != recorded;
}

/* Tells verifiers that the digest is that of the whole record, which does not stand here. */
static void
write_redacted(SnapshotWriter *writer, bool redacted)
{
	if (redacted)
		buffer_append_literal(&writer->bytes, ",\"redacted\":true");
}

static void
write_salt(SnapshotWriter *writer, const StoredRecord *stored)
{
	char		encoded[sodium_base64_ENCODED_LEN(REASON_SALT_LENGTH, sodium_base64_VARIANT_ORIGINAL)];

	/* Without the whole payload the salt would only help to guess what was redacted. */
	if (!writer->pii || stored->salt.length != REASON_SALT_LENGTH)
		return;
	sodium_bin2base64(encoded, sizeof(encoded), (const unsigned char *) stored->salt.data, stored->salt.length,
					  sodium_base64_VARIANT_ORIGINAL);
	buffer_append_literal(&writer->bytes, ",\"salt\":\"");
	buffer_append(&writer->bytes, encoded, strlen(encoded));
	buffer_append_char(&writer->bytes, '"');
}

static void
write_payload(SnapshotWriter *writer, const StoredRecord *stored)
{
	Jsonb	   *payload = stored->payload;

	buffer_append_literal(&writer->bytes, ",\"payload\":");
	if (payload == NULL)
	{
		buffer_append_literal(&writer->bytes, "null");
		return;
	}
	if (!writer->pii)
		payload = redact_jsonb(writer->redaction, payload);
	canonical_write_jsonb(&writer->bytes, payload);
}

/* {"at":…,"by":…,"reason":…} of a content that was erased. */
static void
write_erasure(SnapshotWriter *writer, const StoredRecord *stored)
{
	Oid			types[] = {TEXTOID, UUIDOID};
	Datum		values[] = {PointerGetDatum(writer->division), UUIDPGetDatum(&stored->id)};
	HeapTuple	tuple;
	TupleDesc	desc;
	bool		isnull;
	TimestampTz at;
	RecordText	by;
	RecordText	reason;

	if (stored->payload)
		return;
	if (SPI_execute_with_args("SELECT at, by, reason FROM reason.erasure($1, $2) WHERE event_id IS NOT NULL",
							  lengthof(types), types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look for an erasure");
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the content of \"%s\" is gone, and no event payload.erased tells why",
						DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&stored->id)))),
				 errhint("Run reason.verify_audit().")));
	tuple = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	at = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 1, &isnull));
	by.data = SPI_getvalue(tuple, desc, 2);
	by.length = by.data ? strlen(by.data) : 0;
	reason.data = SPI_getvalue(tuple, desc, 3);
	reason.length = reason.data ? strlen(reason.data) : 0;
	buffer_append_literal(&writer->bytes, ",\"erased\":{\"at\":");
	record_write_timestamp(&writer->bytes, at);
	(void) write_shown_text(writer, ",\"by\":", by);
	(void) write_shown_text(writer, ",\"reason\":", reason);
	buffer_append_char(&writer->bytes, '}');
	SPI_freetuptable(SPI_tuptable);
}

/* ---------------------------------------------------------------- records */

static void
write_node(SnapshotWriter *writer, const StoredRecord *stored)
{
	const NodeRecord *node = &stored->record.node;
	ByteBuffer *out = &writer->bytes;
	bool		redacted = write_shown_text(writer, "{\"author\":", node->author);

	buffer_append_literal(out, ",\"createdAt\":");
	record_write_timestamp(out, node->created_at);
	buffer_append_literal(out, ",\"digest\":");
	record_write_hex(out, stored->digest, REASON_DIGEST_LENGTH);
	write_text(out, ",\"division\":", node->division);
	write_erasure(writer, stored);
	buffer_append_literal(out, ",\"id\":");
	record_write_uuid(out, &node->id);
	write_text(out, ",\"manifestSignatureId\":", node->manifest_signature_id);
	redacted |= write_shown_json(writer, ",\"metadata\":", node->metadata);
	write_payload(writer, stored);
	buffer_append_literal(out, ",\"payloadHash\":");
	record_write_hex(out, stored->payload_hash, REASON_DIGEST_LENGTH);
	redacted |= write_shown_json(writer, ",\"payloadRef\":", node->payload_ref);
	write_redacted(writer, redacted);
	write_salt(writer, stored);
	if (node->has_occurred_at)
	{
		buffer_append_literal(out, ",\"ts\":");
		record_write_timestamp(out, node->occurred_at);
	}
	write_text(out, ",\"type\":", node->type);
	write_text(out, ",\"version\":", node->version);
	buffer_append_char(out, '}');
}

static void
write_edge(SnapshotWriter *writer, const StoredRecord *stored)
{
	const EdgeRecord *edge = &stored->record.edge;
	ByteBuffer *out = &writer->bytes;

	buffer_append_literal(out, "{\"createdAt\":");
	record_write_timestamp(out, edge->created_at);
	buffer_append_literal(out, ",\"digest\":");
	record_write_hex(out, stored->digest, REASON_DIGEST_LENGTH);
	write_text(out, ",\"division\":", edge->division);
	buffer_append_literal(out, ",\"from\":");
	record_write_uuid(out, &edge->from);
	buffer_append_literal(out, ",\"fromDigest\":");
	record_write_hex(out, edge->from_digest, REASON_DIGEST_LENGTH);
	buffer_append_literal(out, ",\"id\":");
	record_write_uuid(out, &edge->id);
	write_redacted(writer, write_shown_json(writer, ",\"metadata\":", edge->metadata));
	buffer_append_literal(out, ",\"to\":");
	record_write_uuid(out, &edge->to);
	buffer_append_literal(out, ",\"toDigest\":");
	record_write_hex(out, edge->to_digest, REASON_DIGEST_LENGTH);
	write_text(out, ",\"type\":", edge->type);
	buffer_append_literal(out, ",\"weight\":");
	canonical_write_number(out, edge->weight);
	buffer_append_char(out, '}');
}

static void
write_annotation(SnapshotWriter *writer, const StoredRecord *stored)
{
	const AnnotationRecord *annotation = &stored->record.annotation;
	ByteBuffer *out = &writer->bytes;
	bool		redacted = write_shown_text(writer, "{\"author\":", annotation->author);

	buffer_append_literal(out, ",\"createdAt\":");
	record_write_timestamp(out, annotation->created_at);
	buffer_append_literal(out, ",\"digest\":");
	record_write_hex(out, stored->digest, REASON_DIGEST_LENGTH);
	write_text(out, ",\"division\":", annotation->division);
	write_erasure(writer, stored);
	buffer_append_literal(out, ",\"id\":");
	record_write_uuid(out, &annotation->id);
	redacted |= write_shown_json(writer, ",\"metadata\":", annotation->metadata);
	write_payload(writer, stored);
	buffer_append_literal(out, ",\"payloadHash\":");
	record_write_hex(out, stored->payload_hash, REASON_DIGEST_LENGTH);
	write_redacted(writer, redacted);
	write_salt(writer, stored);
	buffer_append_literal(out, ",\"target\":");
	record_write_uuid(out, &annotation->target);
	buffer_append_literal(out, ",\"targetDigest\":");
	record_write_hex(out, annotation->target_digest, REASON_DIGEST_LENGTH);
	write_text(out, ",\"type\":", annotation->type);
	buffer_append_char(out, '}');
}

void
snapshot_write_record(SnapshotWriter *writer, const StoredRecord *stored)
{
	MemoryContext old_context;

	if (stored->unreadable)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("%s \"%s\": column %s holds what cannot have been recorded", record_kind_names[stored->kind],
						DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&stored->id))), stored->unreadable),
				 errhint("Run reason.verify_audit().")));
	old_context = MemoryContextSwitchTo(writer->context);
	switch (stored->kind)
	{
		case RECORD_NODE:
			write_node(writer, stored);
			break;
		case RECORD_EDGE:
			write_edge(writer, stored);
			break;
		case RECORD_ANNOTATION:
			write_annotation(writer, stored);
			break;
	}
	MemoryContextSwitchTo(old_context);
}

/* ---------------------------------------------------------------- the whole */

static void
write_root_ids(ByteBuffer *out, ArrayType *root_ids)
{
	Datum	   *ids;
	int			count;

	deconstruct_array(root_ids, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &ids, NULL, &count);
	buffer_append_char(out, '[');
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			buffer_append_char(out, ',');
		record_write_uuid(out, DatumGetUUIDP(ids[i]));
	}
	buffer_append_char(out, ']');
}

static void
write_member(ByteBuffer *out, const char *member, RecordText value)
{
	buffer_append(out, member, strlen(member));
	if (value.data)
		canonical_write_string(out, value.data, value.length);
	else
		buffer_append_literal(out, "null");
}

void
snapshot_write_document(SnapshotWriter *writer, const SnapshotHeader *header,
						SnapshotRecords write_records, SnapshotFrontier write_frontier, void *argument)
{
	ByteBuffer *out = &writer->bytes;
	const RecordText version = {REASON_VERSION, strlen(REASON_VERSION)};

	buffer_append_literal(out, "{\"created_at\":");
	record_write_timestamp(out, header->created_at);
	buffer_append_literal(out, ",\"id\":");
	record_write_uuid(out, &header->id);
	if (header->manifest_signature_id.data)
		write_member(out, ",\"manifest_signature_id\":", header->manifest_signature_id);
	buffer_append_literal(out, ",\"payload\":{");
	if (header->include_annotations)
	{
		buffer_append_literal(out, "\"annotations\":[");
		write_records(argument, RECORD_ANNOTATION);
		buffer_append_literal(out, "],");
	}
	write_member(out, "\"audience\":", header->audience);
	buffer_append_literal(out, ",\"depth\":");
	canonical_write_integer(out, header->depth);
	write_member(out, ",\"description\":", header->description);
	write_member(out, ",\"direction\":", header->direction);

	buffer_append_literal(out, ",\"edges\":[");
	write_records(argument, RECORD_EDGE);
	buffer_append_literal(out, "],\"frontier\":[");
	write_frontier(argument);
	buffer_append_literal(out, "],\"log\":");
	canonical_write_jsonb(out, header->log);
	buffer_append_literal(out, ",\"nodes\":[");
	write_records(argument, RECORD_NODE);
	buffer_append_literal(out, "],\"pii_included\":");
	canonical_write_boolean(out, writer->pii);
	write_member(out, "},\"reasoning_graph_version\":", version);
	buffer_append_literal(out, ",\"root_ids\":");
	write_root_ids(out, header->root_ids);
	buffer_append_char(out, '}');
}
