/*
 * row.c
 *		Column values of the rows that a write inserts.
 */
#include "postgres.h"

#include "write/row.h"

#include "canonical/backend.h"
#include "core/canonical.h"
#include "core/sha256.h"
#include "record/uuid.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"

void
canonical_text_init(CanonicalText *canonical)
{
	buffer_init(&canonical->buffer, canonical_realloc, CurrentMemoryContext);
}

RecordText
canonical_text_of(CanonicalText *canonical, const JsonDocument *document, const JsonNode *value)
{
	canonical->buffer.length = 0;
	canonical_write_value(&canonical->buffer, document, value);
	return canonical_text_bytes(canonical);
}

void
row_commit_payload(WriteInput *input, const JsonNode *value, CanonicalText *canonical,
				   uint8 salt[REASON_SALT_LENGTH], uint8 payload_hash[REASON_DIGEST_LENGTH])
{
	canonical->buffer.length = 0;
	if (value)
		canonical_write_value(&canonical->buffer, &input->document, value);
	else
		buffer_append_literal(&canonical->buffer, "null");
	if (canonical->buffer.length > (size_t) reason_max_payload_kb * 1024)
		write_refuse(input, value, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
					 "Keep larger content in the object store and name it in payloadRef {uri, sha256, size}.",
					 "the payload has %zu bytes, more than the %d kB allowed", canonical->buffer.length, reason_max_payload_kb);
	random_bytes(salt, REASON_SALT_LENGTH);
	sha256_of_two(payload_hash, salt, REASON_SALT_LENGTH, canonical->buffer.data, canonical->buffer.length);
}

/* Filters compare it with numbers from 0 to 1, and would never find another. */
static void
check_confidence(WriteInput *input, const JsonNode *confidence)
{
	if (confidence == NULL || confidence->kind == JSON_NULL)
		return;
	if (confidence->kind != JSON_NUMBER || !(confidence->u.number >= 0 && confidence->u.number <= 1))
		write_refuse(input, confidence, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"confidence\" must be a number from 0 to 1");
}

static void
check_tags(WriteInput *input, const JsonNode *tags)
{
	const JsonDocument *document = &input->document;

	if (tags == NULL || tags->kind == JSON_NULL)
		return;
	if (tags->kind != JSON_ARRAY)
		write_refuse(input, tags, ERRCODE_INVALID_PARAMETER_VALUE, "For example [\"late\", \"checked\"].",
					 "\"tags\" must be an array of strings");
	for (const JsonNode *tag = json_first(document, tags); tag; tag = json_next(document, tags, tag))
	{
		if (tag->kind != JSON_STRING || tag->length == 0)
			write_refuse(input, tag, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "a tag must be a string that is not empty");
	}
}

RecordText
row_metadata(WriteInput *input, const JsonNode *value, CanonicalText *canonical)
{
	if (value == NULL)
		return row_literal("{}");
	if (value->kind != JSON_OBJECT)
		write_refuse(input, value, ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"metadata\" must be a JSON object");
	check_confidence(input, json_member_literal(&input->document, value, "confidence"));
	check_tags(input, json_member_literal(&input->document, value, "tags"));
	canonical_text_of(canonical, &input->document, value);
	if (canonical->buffer.length > (size_t) reason_max_payload_kb * 1024)
		write_refuse(input, value, ERRCODE_PROGRAM_LIMIT_EXCEEDED, NULL,
					 "the metadata have %zu bytes, more than the %d kB allowed", canonical->buffer.length, reason_max_payload_kb);
	return canonical_text_bytes(canonical);
}

Datum
row_text(RecordText value)
{
	return value.data ? PointerGetDatum(cstring_to_text_with_len(value.data, value.length)) : (Datum) 0;
}

Datum
row_uuid(const pg_uuid_t *id)
{
	pg_uuid_t  *copy = palloc(sizeof(pg_uuid_t));

	*copy = *id;
	return UUIDPGetDatum(copy);
}

Datum
row_bytes(const uint8 *bytes, size_t length)
{
	bytea	   *result = palloc(VARHDRSZ + length);

	SET_VARSIZE(result, VARHDRSZ + length);
	memcpy(VARDATA(result), bytes, length);
	return PointerGetDatum(result);
}

Datum
row_jsonb(RecordText canonical)
{
	char	   *terminated = pnstrdup(canonical.data, canonical.length);

	return DirectFunctionCall1(jsonb_in, CStringGetDatum(terminated));
}

RecordText
row_literal(const char *literal)
{
	RecordText	result = {literal, strlen(literal)};

	return result;
}
