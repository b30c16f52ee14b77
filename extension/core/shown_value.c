/*
 * shown_value.c
 *		Whether a value is what the redaction of another can have made.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* memmem() */
#endif
#include "core/shown_value.h"

#include <stdlib.h>

#define TOKEN_BEGIN "[redacted:"
#define CATEGORY_MOST 50

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

bool
shown_holds_token(const JsonDocument *document, const JsonNode *value)
{
	for (const JsonNode *node = value; node < document->nodes + value->after; node++)
	{
		if (node->kind == JSON_STRING && find_token(json_string(document, node), node->length) < node->length)
			return true;
	}
	return false;
}

/* ---------------------------------------------------------------- texts */

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
		found = memmem(whole, whole_length, shown, literal);
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

/* ---------------------------------------------------------------- what it may take */

void
shown_work_init(ShownWork *work, uint64_t most, bool (*go_on)(void), BufferRealloc realloc, void *context)
{
	buffer_init(&work->members, realloc, context);
	work->go_on = go_on;
	work->left = most;
}

void
shown_work_free(ShownWork *work)
{
	buffer_free(&work->members);
}

/* False: no more may be spent, and the comparison ends. */
static bool
spend(ShownWork *work)
{
	if (work->left > 0 && --work->left % 1024 == 0 && work->go_on && !work->go_on())
		work->left = 0;
	return work->left > 0;
}

/* ---------------------------------------------------------------- members */

/*
 * A member of the whole whose name does not stand in what is shown, so that it
 * was redacted.
 */
typedef struct
{
	const char *text;
	const JsonNode *name;
	bool		met;			/* a name that is shown is of this one */
} RedactedMember;

/* The k-th of them; no pointer lasts while another value is compared. */
static RedactedMember *
redacted_member(ShownWork *work, size_t begin, size_t k)
{
	return (RedactedMember *) (void *) (work->members.data + begin) + k;
}

/* In this order names are redacted, and numbered: that of jsonb. */
static int
by_length(const void *a, const void *b)
{
	const RedactedMember *one = a;
	const RedactedMember *other = b;

	if (one->name->length != other->name->length)
		return one->name->length < other->name->length ? -1 : 1;
	return memcmp(one->text, other->text, one->name->length);
}

/* Names of an object in the order of by_length(), among the members; none of a small object, which is looked through as fast. */
typedef struct
{
	size_t		begin;
	size_t		count;
} NameIndex;

#define INDEXED_LEAST 16

static NameIndex
index_names(ShownWork *work, const JsonDocument *document, const JsonNode *object)
{
	NameIndex	index = {.begin = work->members.length};

	if (object->length < INDEXED_LEAST)
		return index;
	for (const JsonNode *name = json_first(document, object); name; name = json_next(document, object, json_value(name)))
	{
		RedactedMember member = {.text = json_string(document, name), .name = name};

		buffer_append(&work->members, &member, sizeof(member));
	}
	if (work->members.failed)
		work->left = 0;
	else
	{
		index.count = object->length;
		qsort(redacted_member(work, index.begin, 0), index.count, sizeof(RedactedMember), by_length);
	}
	return index;
}

/* As json_member(), without looking through all of a large object. */
static const JsonNode *
indexed_member(ShownWork *work, NameIndex index, const JsonDocument *document, const JsonNode *object, const char *text,
			   const JsonNode *name)
{
	const RedactedMember wanted = {.text = text, .name = name};
	const RedactedMember *found;

	if (index.count == 0)
		return json_member(document, object, text, name->length);
	found = bsearch(&wanted, redacted_member(work, index.begin, 0), index.count, sizeof(RedactedMember), by_length);
	return found ? json_value(found->name) : NULL;
}

static size_t
collect_redacted(ShownWork *work, const JsonDocument *document, const JsonNode *shown, NameIndex shown_names,
				 const JsonDocument *whole_document, const JsonNode *whole)
{
	size_t		begin = work->members.length;
	size_t		count = 0;

	for (const JsonNode *name = json_first(whole_document, whole); name; name = json_next(whole_document, whole, json_value(name)))
	{
		RedactedMember member = {.text = json_string(whole_document, name), .name = name};

		if (indexed_member(work, shown_names, document, shown, member.text, name) == NULL)
		{
			buffer_append(&work->members, &member, sizeof(member));
			count++;
		}
	}
	if (work->members.failed)
		work->left = 0;
	else if (count > 1)
		qsort(redacted_member(work, begin, 0), count, sizeof(RedactedMember), by_length);
	return work->members.failed ? 0 : count;
}

/* " #k" behind a name says that it was the k-th to be redacted; the first has no number. */
static size_t
place_of(const char *text, size_t length)
{
	size_t		digits = length;
	size_t		number = 0;

	while (digits > 0 && length - digits < 9 && text[digits - 1] >= '0' && text[digits - 1] <= '9')
		digits--;
	if (digits == length || digits < 2 || memcmp(text + digits - 2, " #", 2) != 0)
		return 1;
	for (; digits < length; digits++)
		number = 10 * number + (size_t) (text[digits] - '0');
	return number;
}

/* Two objects, and what is known of them. */
typedef struct
{
	ShownWork  *work;
	const JsonDocument *document;
	const JsonNode *shown;
	const JsonDocument *whole_document;
	const JsonNode *whole;
	NameIndex	whole_names;
	size_t		begin;			/* of their redacted members */
	size_t		count;
} Objects;

/* Whether this member is shown by the name and value. */
static bool
is_member(const Objects *objects, const JsonNode *name, const JsonNode *other)
{
	return name_is_of(json_string(objects->document, name), name->length, json_string(objects->whole_document, other), other->length) &&
		shown_value_is_of(objects->work, objects->document, json_value(name), objects->whole_document, json_value(other));
}

static bool
is_redacted_member(const Objects *objects, const JsonNode *name, size_t k)
{
	if (k >= objects->count || !spend(objects->work) ||
		!is_member(objects, name, redacted_member(objects->work, objects->begin, k)->name))
		return false;
	redacted_member(objects->work, objects->begin, k)->met = true;
	return true;
}

/*
 * Some member of the whole is shown by this name and value.  Where it should be
 * is looked first; elsewhere it is if names of the whole hold tokens themselves.
 */
static bool
is_some_member(const Objects *objects, const JsonNode *name)
{
	const char *text = json_string(objects->document, name);
	const JsonNode *value = indexed_member(objects->work, objects->whole_names, objects->whole_document, objects->whole, text, name);

	if (value && shown_value_is_of(objects->work, objects->document, json_value(name), objects->whole_document, value))
		return true;
	if (!has_tokens(objects->document, name))
		return false;
	if (is_redacted_member(objects, name, place_of(text, name->length) - 1) || is_redacted_member(objects, name, 0))
		return true;
	for (size_t k = 0; k < objects->count; k++)
	{
		if (is_redacted_member(objects, name, k))
			return true;
	}
	for (const JsonNode *other = json_first(objects->whole_document, objects->whole); other && spend(objects->work);
		 other = json_next(objects->whole_document, objects->whole, json_value(other)))
	{
		if (is_member(objects, name, other))
			return true;
	}
	return false;
}

/* A name was made of this one. */
static bool
is_some_name(const Objects *objects, const RedactedMember *member)
{
	for (const JsonNode *name = json_first(objects->document, objects->shown); name && spend(objects->work);
		 name = json_next(objects->document, objects->shown, json_value(name)))
	{
		if (has_tokens(objects->document, name) &&
			name_is_of(json_string(objects->document, name), name->length, member->text, member->name->length))
			return true;
	}
	return false;
}

/* For two names that became the same one only the last is left: so members are not counted. */
static bool
object_is_of(ShownWork *work, const JsonDocument *document, const JsonNode *shown, const JsonDocument *whole_document,
			 const JsonNode *whole)
{
	Objects		objects = {.work = work, .document = document, .shown = shown, .whole_document = whole_document, .whole = whole};
	size_t		before = work->members.length;
	NameIndex	shown_names = index_names(work, document, shown);
	bool		is_of = true;

	objects.whole_names = index_names(work, whole_document, whole);
	objects.begin = work->members.length;
	objects.count = collect_redacted(work, document, shown, shown_names, whole_document, whole);
	for (const JsonNode *name = json_first(document, shown); name && is_of; name = json_next(document, shown, json_value(name)))
		is_of = is_some_member(&objects, name);
	for (size_t k = 0; k < objects.count && is_of; k++)
	{
		const RedactedMember *member = redacted_member(work, objects.begin, k);

		is_of = member->met || is_some_name(&objects, member);
	}
	work->members.length = before;
	return is_of && work->left > 0;
}

static bool
array_is_of(ShownWork *work, const JsonDocument *document, const JsonNode *shown, const JsonDocument *whole_document,
			const JsonNode *whole)
{
	const JsonNode *other = json_first(whole_document, whole);

	if (shown->length != whole->length)
		return false;
	for (const JsonNode *value = json_first(document, shown); value; value = json_next(document, shown, value))
	{
		if (!shown_value_is_of(work, document, value, whole_document, other))
			return false;
		other = json_next(whole_document, whole, other);
	}
	return true;
}

bool
shown_value_is_of(ShownWork *work, const JsonDocument *document, const JsonNode *shown, const JsonDocument *whole_document,
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
		return object_is_of(work, document, shown, whole_document, whole);
	return shown->kind == JSON_ARRAY && whole->kind == JSON_ARRAY && array_is_of(work, document, shown, whole_document, whole);
}
