/*
 * annotation.c
 *		The row for an annotation and its event, from JSON text.
 */
#include "postgres.h"

#include "canonical/backend.h"
#include "record/number.h"
#include "record/record.h"
#include "write/input.h"
#include "write/node_lookup.h"
#include "write/row.h"
#include "write/rows.h"

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(reason_insert_annotation);

enum
{
	MEMBER_ID,
	MEMBER_CONTENT,
	MEMBER_NOTE,
	MEMBER_AUTHOR,
	MEMBER_TYPE,
	MEMBER_DIVISION,
	MEMBER_METADATA,
	MEMBER_AUDIT_EVENT_ID,
	MEMBER_COUNT
};

static const WriteMember members[] = {
	{"note", MEMBER_NOTE},
	{"text", MEMBER_NOTE},
	{"payload", MEMBER_CONTENT},
	{"author", MEMBER_AUTHOR},
	{"actor", MEMBER_AUTHOR},
	{"type", MEMBER_TYPE},
	{"metadata", MEMBER_METADATA},
	{"division", MEMBER_DIVISION},
	{"id", MEMBER_ID},
	{"auditEventId", MEMBER_AUDIT_EVENT_ID},
	{NULL, 0}
};

enum
{
	COLUMN_NO,
	COLUMN_ID,
	COLUMN_DIVISION,
	COLUMN_TARGET_NO,
	COLUMN_TYPE,
	COLUMN_AUTHOR,
	COLUMN_PAYLOAD,
	COLUMN_METADATA,
	COLUMN_CREATED_AT,
	COLUMN_SALT,
	COLUMN_PAYLOAD_HASH,
	COLUMN_DIGEST,
	COLUMN_AUDIT_EVENT_ID,
	COLUMN_COUNT
};

static const char *const columns[COLUMN_COUNT] = {
	[COLUMN_NO] = "no",
	[COLUMN_ID] = "id",
	[COLUMN_DIVISION] = "division",
	[COLUMN_TARGET_NO] = "target_no",
	[COLUMN_TYPE] = "type",
	[COLUMN_AUTHOR] = "author",
	[COLUMN_PAYLOAD] = "payload",
	[COLUMN_METADATA] = "metadata",
	[COLUMN_CREATED_AT] = "created_at",
	[COLUMN_SALT] = "salt",
	[COLUMN_PAYLOAD_HASH] = "payload_hash",
	[COLUMN_DIGEST] = "digest",
	[COLUMN_AUDIT_EVENT_ID] = "audit_event_id"
};

/* Who asks, according to "request": the client of the gateway, or the role in SQL. */
static RecordText
requester(RecordText request)
{
	JsonDocument document;
	JsonLimits	limits = {.max_depth = 2};
	JsonError	error;
	const JsonNode *name;
	RecordText	result = row_literal("unknown");

	if (request.data == NULL)
		return result;
	json_document_init(&document, canonical_realloc, CurrentMemoryContext);
	if (!json_read(&document, request.data, request.length, &limits, &error))
		canonical_report(&error);
	name = json_member_literal(&document, json_root(&document), "client");
	if (name == NULL)
		name = json_member_literal(&document, json_root(&document), "role");
	if (name && name->kind == JSON_STRING)
	{
		result.data = json_string(&document, name);
		result.length = name->length;
	}
	return result;
}

/* What is annotated with: the payload, or a note, which is the short form of a payload that is a string. */
static const JsonNode *
annotation_content(WriteInput *input, const JsonNode *object, const JsonNode *const *slots)
{
	if ((slots[MEMBER_NOTE] == NULL) == (slots[MEMBER_CONTENT] == NULL))
		write_refuse(input, object, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
					 "give one of \"note\", \"text\" and \"payload\"");
	if (slots[MEMBER_NOTE] == NULL)
		return slots[MEMBER_CONTENT];
	(void) write_text(input, slots[MEMBER_NOTE], "note", (size_t) reason_max_payload_kb * 1024);
	return slots[MEMBER_NOTE];
}

static void
find_target(WriteInput *input, const JsonNode *named_division, AnnotationRecord *annotation, FoundNode *target)
{
	NodeLookup	lookup;
	RecordText	division = {NULL, 0};

	if (named_division)
		write_division(input, named_division, &division);
	node_lookup_begin(&lookup);
	node_lookup(&lookup, input, NULL, &annotation->target, division, NULL, target);
	node_lookup_end(&lookup);
	annotation->division = target->division;
	memcpy(annotation->target_digest, target->digest, REASON_DIGEST_LENGTH);
}

Datum
reason_insert_annotation(PG_FUNCTION_ARGS)
{
	WriteInput	input = {0};
	WriteRows	rows;
	FoundNode	target;
	AnnotationRecord annotation = {0};
	const JsonNode *object;
	const JsonNode *slots[MEMBER_COUNT];
	Datum		values[COLUMN_COUNT];
	bool		nulls[COLUMN_COUNT] = {0};
	uint8		salt[REASON_SALT_LENGTH];
	CanonicalText payload;
	CanonicalText metadata;
	CanonicalText bytes;

	write_input_arguments(&input, fcinfo);
	canonical_text_init(&payload);
	canonical_text_init(&metadata);
	canonical_text_init(&bytes);

	annotation.target = *PG_GETARG_UUID_P(1);
	object = write_input_read(&input, PG_GETARG_TEXT_PP(0), NULL);
	write_members(&input, object, members, slots, MEMBER_COUNT, MEMBER_CONTENT);
	find_target(&input, slots[MEMBER_DIVISION], &annotation, &target);
	write_own_or_new_uuid(&input, slots[MEMBER_ID], "id", &annotation.id);
	annotation.author = write_label(&input, slots[MEMBER_AUTHOR], "author", 1024);
	if (annotation.author.data == NULL)
		annotation.author = requester(input.request);
	annotation.type = write_label(&input, slots[MEMBER_TYPE], "type", 100);
	if (annotation.type.data == NULL)
		annotation.type = row_literal("note");
	annotation.metadata = row_metadata(&input, slots[MEMBER_METADATA], &metadata);
	row_commit_payload(&input, annotation_content(&input, object, slots), &payload, salt, annotation.payload_hash);
	annotation.created_at = next_record_time(0);
	record_write_annotation(&bytes.buffer, &annotation);

	write_rows_begin(&rows, fcinfo, &input, "annotation", columns, COLUMN_COUNT);
	values[COLUMN_ID] = row_uuid(&annotation.id);
	values[COLUMN_DIVISION] = row_text(annotation.division);
	values[COLUMN_TARGET_NO] = Int64GetDatum(target.no);
	values[COLUMN_TYPE] = row_text(annotation.type);
	values[COLUMN_AUTHOR] = row_text(annotation.author);
	values[COLUMN_PAYLOAD] = row_jsonb(canonical_text_bytes(&payload));
	values[COLUMN_METADATA] = row_jsonb(annotation.metadata);
	values[COLUMN_CREATED_AT] = TimestampTzGetDatum(annotation.created_at);
	values[COLUMN_SALT] = row_bytes(salt, sizeof(salt));
	values[COLUMN_PAYLOAD_HASH] = row_bytes(annotation.payload_hash, REASON_DIGEST_LENGTH);
	write_rows_add(&rows, EVENT_ANNOTATION, annotation.division, annotation.created_at, &bytes.buffer,
				   slots[MEMBER_AUDIT_EVENT_ID], values, nulls);
	write_rows_end(&rows);
	return (Datum) 0;
}
