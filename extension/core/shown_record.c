/*
 * shown_record.c
 *		How a record may stand in a snapshot's document: whole, redacted or erased.
 */
#include "core/shown_record.h"

const char *const shown_companions[] = {"digest", "erased", "payload", "redacted", "salt", NULL};

/* Members that are redacted where a document leaves out personal data; payloads have no place in the digest. */
static const char *const redactable[] = {"author", "metadata", "payloadRef", NULL};

#define TOKEN_BEGIN "[redacted:"
#define CATEGORY_MOST 50

bool
shown_name_is_among(const char *name, size_t length, const char *const *names)
{
	for (; *names; names++)
	{
		if (strlen(*names) == length && memcmp(*names, name, length) == 0)
			return true;
	}
	return false;
}

static bool
is_absent(const JsonNode *value)
{
	return value == NULL || value->kind == JSON_NULL;
}

/* ---------------------------------------------------------------- tokens */

/* Bytes of the token that begins here, 0: none does. */
static size_t
token_length(const char *text, size_t length)
{
	size_t		begin = sizeof(TOKEN_BEGIN) - 1;
	size_t		at = begin;

	if (length <= begin || memcmp(text, TOKEN_BEGIN, begin) != 0)
		return 0;
	while (at < length && at - begin < CATEGORY_MOST &&
		   ((text[at] >= 'a' && text[at] <= 'z') || (at > begin && ((text[at] >= '0' && text[at] <= '9') || text[at] == '_'))))
		at++;
	return at > begin && at < length && text[at] == ']' ? at + 1 : 0;
}

/* Where the first token begins; `length` when there is none. */
static size_t
find_token(const char *text, size_t length)
{
	const char *found = text;

	while ((found = memchr(found, '[', length - (size_t) (found - text))) != NULL)
	{
		if (token_length(found, length - (size_t) (found - text)) > 0)
			return (size_t) (found - text);
		found++;
	}
	return length;
}

/* A name or text within the value holds a token. */
static bool
holds_token(const JsonDocument *document, const JsonNode *value)
{
	for (const JsonNode *node = value; node < document->nodes + value->after; node++)
	{
		if (node->kind == JSON_STRING && find_token(json_string(document, node), node->length) < node->length)
			return true;
	}
	return false;
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

		is_redacted = value && holds_token(document, value);
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

static const char *
find_bytes(const char *text, size_t length, const char *sought, size_t sought_length)
{
	const char *at = text;

	if (sought_length == 0)
		return text;
	while (length - (size_t) (at - text) >= sought_length &&
		   (at = memchr(at, sought[0], length - (size_t) (at - text) - sought_length + 1)) != NULL)
	{
		if (memcmp(at, sought, sought_length) == 0)
			return at;
		at++;
	}
	return NULL;
}

/*
 * What stands between the tokens stands in the whole, in the same order: at its
 * beginning what is before the first, at its end what is behind the last.
 */
static bool
text_is_of(const char *shown, size_t shown_length, const char *whole, size_t whole_length)
{
	size_t		literal = find_token(shown, shown_length);

	if (literal == shown_length)
		return shown_length == whole_length && memcmp(shown, whole, whole_length) == 0;
	if (literal > whole_length || memcmp(shown, whole, literal) != 0)
		return false;
	for (;;)
	{
		size_t		token;
		const char *found;

		whole += literal;
		whole_length -= literal;
		shown += literal;
		shown_length -= literal;
		token = token_length(shown, shown_length);
		shown += token;
		shown_length -= token;
		literal = find_token(shown, shown_length);
		if (literal == shown_length)
			return literal <= whole_length && memcmp(shown, whole + (whole_length - literal), literal) == 0;
		found = find_bytes(whole, whole_length, shown, literal);
		if (found == NULL)
			return false;
		whole_length -= (size_t) (found - whole);
		whole = found;
	}
}

/* A name that was redacted may end with " #2" and so on, which keeps it apart from others of its object. */
static bool
name_is_of(const char *shown, size_t shown_length, const char *whole, size_t whole_length)
{
	size_t		length = shown_length;

	if (text_is_of(shown, shown_length, whole, whole_length))
		return true;
	if (find_token(shown, shown_length) == shown_length)
		return false;
	while (length > 0 && shown[length - 1] >= '0' && shown[length - 1] <= '9')
		length--;
	return length < shown_length && length > 2 && memcmp(shown + length - 2, " #", 2) == 0 &&
		text_is_of(shown, length - 2, whole, whole_length);
}

static bool
has_tokens(const JsonDocument *document, const JsonNode *name)
{
	return find_token(json_string(document, name), name->length) < name->length;
}

/* Some member of the whole is shown by this name and value. */
static bool
is_some_member(const JsonDocument *document, const JsonNode *name, const JsonDocument *whole_document, const JsonNode *whole)
{
	const char *text = json_string(document, name);

	if (!has_tokens(document, name))
	{
		const JsonNode *value = json_member(whole_document, whole, text, name->length);

		return value && shown_value_is_of(document, json_value(name), whole_document, value);
	}
	for (const JsonNode *other = json_first(whole_document, whole); other; other = json_next(whole_document, whole, json_value(other)))
	{
		if (name_is_of(text, name->length, json_string(whole_document, other), other->length) &&
			shown_value_is_of(document, json_value(name), whole_document, json_value(other)))
			return true;
	}
	return false;
}

/* The name stands there, or one that was made of it. */
static bool
has_name_of(const JsonDocument *document, const JsonNode *shown, const char *name, size_t length)
{
	if (json_member(document, shown, name, length))
		return true;
	for (const JsonNode *other = json_first(document, shown); other; other = json_next(document, shown, json_value(other)))
	{
		if (has_tokens(document, other) && name_is_of(json_string(document, other), other->length, name, length))
			return true;
	}
	return false;
}

/* For two names that became the same one only the last is left: so members are not counted. */
static bool
object_is_of(const JsonDocument *document, const JsonNode *shown, const JsonDocument *whole_document, const JsonNode *whole)
{
	for (const JsonNode *name = json_first(document, shown); name; name = json_next(document, shown, json_value(name)))
	{
		if (!is_some_member(document, name, whole_document, whole))
			return false;
	}
	for (const JsonNode *name = json_first(whole_document, whole); name; name = json_next(whole_document, whole, json_value(name)))
	{
		if (!has_name_of(document, shown, json_string(whole_document, name), name->length))
			return false;
	}
	return true;
}

static bool
array_is_of(const JsonDocument *document, const JsonNode *shown, const JsonDocument *whole_document, const JsonNode *whole)
{
	const JsonNode *other = json_first(whole_document, whole);

	if (shown->length != whole->length)
		return false;
	for (const JsonNode *value = json_first(document, shown); value; value = json_next(document, shown, value))
	{
		if (!shown_value_is_of(document, value, whole_document, other))
			return false;
		other = json_next(whole_document, whole, other);
	}
	return true;
}

bool
shown_value_is_of(const JsonDocument *document, const JsonNode *shown, const JsonDocument *whole_document,
				  const JsonNode *whole)
{
	if (json_raw_length(shown) == json_raw_length(whole) &&
		memcmp(json_raw(document, shown), json_raw(whole_document, whole), json_raw_length(whole)) == 0)
		return true;
	if (shown->kind == JSON_STRING && whole->kind == JSON_STRING)
		return text_is_of(json_string(document, shown), shown->length, json_string(whole_document, whole), whole->length);
	/* Numbers and containers are redacted as one; nothing, yes and no are nobody's. */
	if (shown->kind == JSON_STRING)
		return whole->kind >= JSON_NUMBER && shown->length > 0 &&
			token_length(json_string(document, shown), shown->length) == shown->length;
	if (shown->kind == JSON_OBJECT && whole->kind == JSON_OBJECT)
		return object_is_of(document, shown, whole_document, whole);
	return shown->kind == JSON_ARRAY && whole->kind == JSON_ARRAY && array_is_of(document, shown, whole_document, whole);
}

bool
shown_record_is_of(const JsonDocument *document, const JsonNode *record, const JsonDocument *whole_document,
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
			!(redacted && shown_name_is_among(text, name->length, redactable) ? shown_value_is_of(document, value, whole_document, other) :
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
