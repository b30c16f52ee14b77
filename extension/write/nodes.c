/*
 * nodes.c
 *		Rows for nodes and their events, from JSON text.
 */
#include "postgres.h"

#include "core/canonical_number.h"
#include "core/sha256.h"
#include "record/number.h"
#include "record/record.h"
#include "record/types.h"
#include "write/input.h"
#include "write/row.h"
#include "write/rows.h"

#include <math.h>

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_insert_nodes);

enum
{
	MEMBER_ID,
	MEMBER_TYPE,
	MEMBER_DIVISION,
	MEMBER_AUTHOR,
	MEMBER_PAYLOAD,
	MEMBER_PAYLOAD_REF,
	MEMBER_METADATA,
	MEMBER_TS,
	MEMBER_VERSION,
	MEMBER_MANIFEST_SIGNATURE_ID,
	MEMBER_AUDIT_EVENT_ID,
	MEMBER_COUNT
};

static const WriteMember members[] = {
	{"id", MEMBER_ID},
	{"type", MEMBER_TYPE},
	{"author", MEMBER_AUTHOR},
	{"actor", MEMBER_AUTHOR},
	{"payload", MEMBER_PAYLOAD},
	{"metadata", MEMBER_METADATA},
	{"ts", MEMBER_TS},
	{"division", MEMBER_DIVISION},
	{"version", MEMBER_VERSION},
	{"payloadRef", MEMBER_PAYLOAD_REF},
	{"manifestSignatureId", MEMBER_MANIFEST_SIGNATURE_ID},
	{"auditEventId", MEMBER_AUDIT_EVENT_ID},
	{NULL, 0}
};

enum
{
	COLUMN_NO,
	COLUMN_ID,
	COLUMN_DIVISION,
	COLUMN_TYPE,
	COLUMN_AUTHOR,
	COLUMN_PAYLOAD,
	COLUMN_METADATA,
	COLUMN_CREATED_AT,
	COLUMN_OCCURRED_AT,
	COLUMN_VERSION,
	COLUMN_MANIFEST_SIGNATURE_ID,
	COLUMN_PAYLOAD_REF,
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
	[COLUMN_TYPE] = "type",
	[COLUMN_AUTHOR] = "author",
	[COLUMN_PAYLOAD] = "payload",
	[COLUMN_METADATA] = "metadata",
	[COLUMN_CREATED_AT] = "created_at",
	[COLUMN_OCCURRED_AT] = "occurred_at",
	[COLUMN_VERSION] = "version",
	[COLUMN_MANIFEST_SIGNATURE_ID] = "manifest_signature_id",
	[COLUMN_PAYLOAD_REF] = "payload_ref",
	[COLUMN_SALT] = "salt",
	[COLUMN_PAYLOAD_HASH] = "payload_hash",
	[COLUMN_DIGEST] = "digest",
	[COLUMN_AUDIT_EVENT_ID] = "audit_event_id"
};

/* {uri, sha256, size}: uri names the content, the others are what it must be when fetched. */
static void
check_payload_ref(WriteInput *input, const JsonNode *ref)
{
	enum
	{
		REF_URI, REF_SHA256, REF_SIZE, REF_COUNT
	};
	static const WriteMember ref_members[] = {
		{"uri", REF_URI}, {"sha256", REF_SHA256}, {"size", REF_SIZE}, {NULL, 0}
	};
	const JsonNode *slots[REF_COUNT];
	RecordText	sha256;

	write_members(input, ref, ref_members, slots, REF_COUNT, -1);
	if (slots[REF_URI] == NULL)
		write_refuse(input, ref, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"payloadRef\" must have \"uri\"");
	(void) write_label(input, slots[REF_URI], "uri", 2048);
	sha256 = write_text(input, slots[REF_SHA256], "sha256", 2 * SHA256_LENGTH);
	if (sha256.data && (sha256.length != 2 * SHA256_LENGTH ||
						strspn(sha256.data, "0123456789abcdef") < 2 * SHA256_LENGTH))
		write_refuse(input, slots[REF_SHA256], ERRCODE_INVALID_PARAMETER_VALUE, NULL,
					 "\"sha256\" must be 64 lower-case hexadecimal digits");
	if (slots[REF_SIZE] && (slots[REF_SIZE]->kind != JSON_NUMBER || slots[REF_SIZE]->u.number < 0 ||
							slots[REF_SIZE]->u.number != floor(slots[REF_SIZE]->u.number)))
		write_refuse(input, slots[REF_SIZE], ERRCODE_INVALID_PARAMETER_VALUE, NULL,
					 "\"size\" must be a number of bytes");
}

/* A string, or a number, which becomes its canonical text. */
static RecordText
version_text(WriteInput *input, const JsonNode *value)
{
	if (value && value->kind == JSON_NUMBER)
	{
		char	   *digits = palloc(CANONICAL_NUMBER_SIZE);
		RecordText	result = {digits, canonical_format_number(digits, value->u.number)};

		return result;
	}
	return write_label(input, value, "version", 255);
}

/* What a node is made of, in buffers that are used again for the next. */
typedef struct NodeWrite
{
	const JsonNode *slots[MEMBER_COUNT];
	NodeRecord	record;
	uint8		salt[REASON_SALT_LENGTH];
	CanonicalText payload;
	CanonicalText metadata;
	CanonicalText payload_ref;
	CanonicalText bytes;		/* of the record */
} NodeWrite;

static void
read_node(WriteInput *input, const JsonNode *object, NodeWrite *write)
{
	const JsonNode **slots = write->slots;
	NodeRecord *node = &write->record;

	memset(node, 0, sizeof(NodeRecord));
	write_members(input, object, members, slots, MEMBER_COUNT, MEMBER_PAYLOAD);
	node->type = write_type(input, object, slots[MEMBER_TYPE], RECORD_NODE);
	node->author = write_label(input, slots[MEMBER_AUTHOR], "author", 1024);
	if (node->author.data == NULL)
		write_refuse(input, object, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"author\" is missing");
	write_division(input, slots[MEMBER_DIVISION], &node->division);
	write_own_or_new_uuid(input, slots[MEMBER_ID], "id", &node->id);
	if (slots[MEMBER_TS])
	{
		node->has_occurred_at = true;
		node->occurred_at = write_timestamp(input, slots[MEMBER_TS], "ts");
	}
	node->version = version_text(input, slots[MEMBER_VERSION]);
	node->manifest_signature_id = write_label(input, slots[MEMBER_MANIFEST_SIGNATURE_ID], "manifestSignatureId", 255);
	node->metadata = row_metadata(input, slots[MEMBER_METADATA], &write->metadata);
	if (slots[MEMBER_PAYLOAD_REF])
	{
		check_payload_ref(input, slots[MEMBER_PAYLOAD_REF]);
		node->payload_ref = canonical_text_of(&write->payload_ref, &input->document, slots[MEMBER_PAYLOAD_REF]);
	}
	else if (slots[MEMBER_PAYLOAD] == NULL)
		write_refuse(input, object, ERRCODE_INVALID_PARAMETER_VALUE,
					 "Give the payload, or payloadRef with the place where it is kept.", "\"payload\" is missing");
	row_commit_payload(input, slots[MEMBER_PAYLOAD], &write->payload, write->salt, node->payload_hash);
}

static void
add_node(WriteRows *rows, NodeWrite *write)
{
	const NodeRecord *node = &write->record;
	Datum		values[COLUMN_COUNT];
	bool		nulls[COLUMN_COUNT] = {0};

	write->bytes.buffer.length = 0;
	record_write_node(&write->bytes.buffer, node);

	values[COLUMN_ID] = row_uuid(&node->id);
	values[COLUMN_DIVISION] = row_text(node->division);
	values[COLUMN_TYPE] = row_text(node->type);
	values[COLUMN_AUTHOR] = row_text(node->author);
	values[COLUMN_PAYLOAD] = row_jsonb(canonical_text_bytes(&write->payload));
	values[COLUMN_METADATA] = row_jsonb(node->metadata);
	values[COLUMN_CREATED_AT] = TimestampTzGetDatum(node->created_at);
	nulls[COLUMN_OCCURRED_AT] = !node->has_occurred_at;
	values[COLUMN_OCCURRED_AT] = TimestampTzGetDatum(node->occurred_at);
	nulls[COLUMN_VERSION] = node->version.data == NULL;
	values[COLUMN_VERSION] = row_text(node->version);
	nulls[COLUMN_MANIFEST_SIGNATURE_ID] = node->manifest_signature_id.data == NULL;
	values[COLUMN_MANIFEST_SIGNATURE_ID] = row_text(node->manifest_signature_id);
	nulls[COLUMN_PAYLOAD_REF] = node->payload_ref.data == NULL;
	values[COLUMN_PAYLOAD_REF] = node->payload_ref.data ? row_jsonb(node->payload_ref) : (Datum) 0;
	values[COLUMN_SALT] = row_bytes(write->salt, REASON_SALT_LENGTH);
	values[COLUMN_PAYLOAD_HASH] = row_bytes(node->payload_hash, REASON_DIGEST_LENGTH);
	write_rows_add(rows, EVENT_NODE, node->division, node->created_at, &write->bytes.buffer,
				   write->slots[MEMBER_AUDIT_EVENT_ID], values, nulls);
}

Datum
reason_insert_nodes(PG_FUNCTION_ARGS)
{
	WriteInput	input = {0};
	WriteRows	rows;
	NodeWrite	write;
	TimestampTz created_at = 0;
	const JsonNode *records;

	write_input_arguments(&input, fcinfo);
	records = write_input_read(&input, PG_GETARG_TEXT_PP(0), PG_GETARG_BOOL(1) ? NULL : "nodes");
	canonical_text_init(&write.payload);
	canonical_text_init(&write.metadata);
	canonical_text_init(&write.payload_ref);
	canonical_text_init(&write.bytes);
	write_rows_begin(&rows, fcinfo, &input, "node", columns, COLUMN_COUNT);

	for (const JsonNode *object = NULL; (object = write_input_next(&input, records, object)) != NULL;)
	{
		MemoryContext old_context = MemoryContextSwitchTo(rows.context);

		read_node(&input, object, &write);
		write.record.created_at = created_at = next_record_time(created_at);
		add_node(&rows, &write);
		MemoryContextSwitchTo(old_context);
	}
	write_rows_end(&rows);
	return (Datum) 0;
}
