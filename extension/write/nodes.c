/*
 * nodes.c
 *		Nodes, from JSON text.
 */
#include "postgres.h"

#include "write/nodes.h"

#include "core/canonical_number.h"
#include "core/sha256.h"

#include <math.h>

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

static void
read_node(WriteInput *input, const JsonNode *object, WriteRecord *write, void *argument)
{
	const JsonNode *slots[MEMBER_COUNT];
	Record	   *node = &write->record;

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
	write->event_id = slots[MEMBER_AUDIT_EVENT_ID];
}

void
nodes_write(WriteInput *input, bool single, WriteSink sink, void *sink_argument)
{
	WriteJob	job = {
		.kind = RECORD_NODE, .collection = single ? NULL : "nodes", .read = read_node, .sink = sink, .sink_argument = sink_argument
	};

	write_rows(input, &job);
}

Datum
reason_insert_nodes(PG_FUNCTION_ARGS)
{
	WriteInput	input = {0};

	write_input_arguments(&input, fcinfo);
	write_begin_results(fcinfo);
	nodes_write(&input, PG_GETARG_BOOL(1), write_put_result, fcinfo->resultinfo);
	return (Datum) 0;
}
