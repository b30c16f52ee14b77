/*
 * shown_record.c
 *		How a record may stand in a snapshot's document: whole, redacted or erased.
 */
#include "core/shown_record.h"

const char *const shown_companions[] = {"digest", "erased", "payload", "redacted", "salt", NULL};

/* Members that are redacted where a document leaves out personal data; payloads have no place in the digest. */
static const char *const redactable[] = {"author", "metadata", "payloadRef", NULL};

bool
shown_name_is_among(const char *name, size_t length, const char *const *names)
{
	for (; *names; names++)
	{
		/* Most differ at once. */
		if (length > 0 && **names == *name && strlen(*names) == length && memcmp(*names, name, length) == 0)
			return true;
	}
	return false;
}

static bool
is_absent(const JsonNode *value)
{
	return value == NULL || value->kind == JSON_NULL;
}

/* ---------------------------------------------------------------- by itself */

const char *
shown_record_fault(const JsonDocument *document, const JsonNode *record)
{
	const JsonNode *redacted;
	const JsonNode *payload;
	const JsonNode *salt;
	bool		is_redacted = false;

	if (record->kind != JSON_OBJECT)
		return NULL;
	redacted = json_member_literal(document, record, "redacted");
	payload = json_member_literal(document, record, "payload");
	salt = json_member_literal(document, record, "salt");
	if (redacted && redacted->kind != JSON_TRUE)
		return "is marked as redacted with another value than true";
	for (const char *const *name = redactable; redacted && *name && !is_redacted; name++)
	{
		const JsonNode *value = json_member(document, record, *name, strlen(*name));

		is_redacted = value && shown_holds_token(document, value);
	}
	if (redacted && !is_redacted)
		return "is marked as redacted, and nothing in it is";
	if (json_member_literal(document, record, "erased") && (!is_absent(payload) || !is_absent(salt)))
		return "is marked as erased, and has a content";
	if (json_member_literal(document, record, "payloadHash") == NULL && (!is_absent(payload) || !is_absent(salt)))
		return "has a content, and no payloadHash";
	if (payload == NULL && !is_absent(salt))
		return "has a salt, and no payload that it can belong to";
	return NULL;
}

bool
shown_payload_is_unproved(const JsonDocument *document, const JsonNode *record)
{
	return record->kind == JSON_OBJECT && !is_absent(json_member_literal(document, record, "payload")) &&
		is_absent(json_member_literal(document, record, "salt"));
}

/* ---------------------------------------------------------------- against the whole */

bool
shown_record_is_of(ShownWork *work, const JsonDocument *document, const JsonNode *record, const JsonDocument *whole_document,
				   const JsonNode *whole, bool may_redact)
{
	const JsonNode *redacted = json_member_literal(document, record, "redacted");

	if (shown_record_fault(document, record) || (redacted && !may_redact))
		return false;
	for (const JsonNode *name = json_first(document, record); name; name = json_next(document, record, json_value(name)))
	{
		const char *text = json_string(document, name);
		const JsonNode *value = json_value(name);
		const JsonNode *other = json_member(whole_document, whole, text, name->length);

		if (other == NULL && shown_name_is_among(text, name->length, shown_companions))
			continue;
		if (other == NULL ||
			!(redacted && shown_name_is_among(text, name->length, redactable) ?
			  shown_value_is_of(work, document, value, whole_document, other) :
			  json_raw_length(value) == json_raw_length(other) &&
			  memcmp(json_raw(document, value), json_raw(whole_document, other), json_raw_length(other)) == 0))
			return false;
	}
	for (const JsonNode *name = json_first(whole_document, whole); name; name = json_next(whole_document, whole, json_value(name)))
	{
		if (json_member(document, record, json_string(whole_document, name), name->length) == NULL)
			return false;
	}
	return true;
}
