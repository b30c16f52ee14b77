/*
 * shown.c
 *		Reads members out of JSON text of our own.
 */
#include "postgres.h"

#include "trace/shown.h"

#include "core/characters.h"
#include "core/string_scan.h"

#include "mb/pg_wchar.h"

/* ---------------------------------------------------------------- going through */

/* `p` is at the opening quote; one past the closing one. */
static const char *
skip_string(const char *p, const char *end)
{
	for (p++; p < end;)
	{
		p = scan_plain(p, end, false);
		if (p < end && *p == '"')
			return p + 1;
		p += p < end && *p == '\\' ? 2 : 1;
	}
	return end;
}

static const char *
skip_value(const char *p, const char *end)
{
	int			depth = 0;

	while (p < end)
	{
		switch (*p)
		{
			case '"':
				p = skip_string(p, end);
				break;
			case '{':
			case '[':
				depth++;
				p++;
				continue;
			case '}':
			case ']':
				if (depth == 0)
					return p;
				depth--;
				p++;
				break;
			case ',':
				if (depth == 0)
					return p;
				p++;
				continue;
			default:
				p++;
				continue;
		}
		if (depth == 0)
			return p;
	}
	return p;
}

bool
shown_next(ShownText container, const char **at, ShownText *name, ShownText *value)
{
	const char *end;
	const char *p;

	if (container.data == NULL)
		return false;
	end = container.data + container.length;
	p = *at ? *at : container.data + 1;
	if (p >= end || *p == '}' || *p == ']')
		return false;
	if (*p == ',')
		p++;
	if (*container.data == '{')
	{
		name->data = p + 1;
		p = skip_string(p, end);
		name->length = p - 1 - name->data;
		p++;
	}
	value->data = p;
	p = skip_value(p, end);
	value->length = p - value->data;
	*at = p;
	return true;
}

static bool
is_named(ShownText name, const char *wanted)
{
	return name.length == strlen(wanted) && memcmp(name.data, wanted, name.length) == 0;
}

ShownText
shown_member(ShownText object, const char *name)
{
	const char *at = NULL;
	ShownText	found;
	ShownText	value;

	if (object.data && *object.data == '{')
	{
		while (shown_next(object, &at, &found, &value))
		{
			if (is_named(found, name))
				return value;
		}
	}
	return (ShownText) {NULL, 0};
}

/* ---------------------------------------------------------------- records */

ShownRecord
shown_record(const char *bytes, size_t length)
{
#define MEMBER(name, member) {name, sizeof(name) - 1, offsetof(ShownRecord, member)}
	/* In canonical order, as the members of a record stand. */
	static const struct
	{
		const char *name;
		size_t		length;
		size_t		member;
	}			members[] = {
		MEMBER("auditEventId", audit_event_id),
		MEMBER("author", author),
		MEMBER("createdAt", created_at),
		MEMBER("erased", erased),
		MEMBER("from", from),
		MEMBER("id", id),
		MEMBER("metadata", metadata),
		MEMBER("payload", payload),
		MEMBER("quarantined", quarantined),
		MEMBER("target", target),
		MEMBER("to", to),
		MEMBER("ts", ts),
		MEMBER("type", type),
		MEMBER("weight", weight),
	};
	ShownRecord record = {0};
	ShownText	whole = {bytes, length};
	const char *at = NULL;
	ShownText	name;
	ShownText	value;
	int			next = 0;

	while (length > 0 && shown_next(whole, &at, &name, &value))
	{
		for (int i = next; i < lengthof(members); i++)
		{
			if (*members[i].name < *name.data)
			{
				next = i + 1;
				continue;
			}
			if (*members[i].name > *name.data)
				break;
			if (name.length == members[i].length && memcmp(name.data, members[i].name, name.length) == 0)
			{
				*(ShownText *) ((char *) &record + members[i].member) = value;
				next = i + 1;
				break;
			}
		}
	}
	record.confidence = shown_member(record.metadata, "confidence");
	return record;
}

ShownText
shown_note(const ShownRecord *record)
{
	static const char *const names[] = {"note", "summary", "title", "text", "reason", "rationale"};
	ShownText	notes[lengthof(names)] = {0};
	const char *at = NULL;
	ShownText	name;
	ShownText	value;

	if (record->payload.data && *record->payload.data == '"')
		return record->payload;
	if (record->payload.data && *record->payload.data == '{')
	{
		/* The first of the names is what is wanted, whatever follows. */
		while (!notes[0].data && shown_next(record->payload, &at, &name, &value))
		{
			for (int i = 0; i < lengthof(names); i++)
			{
				if (*value.data == '"' && is_named(name, names[i]))
					notes[i] = value;
			}
		}
	}
	for (int i = 0; i < lengthof(names); i++)
	{
		if (notes[i].data)
			return notes[i];
	}
	return (ShownText) {NULL, 0};
}

/* ---------------------------------------------------------------- writing */

/* What is between the quotes of a JSON string, of it so many characters. */
static ShownText
first_characters(ShownText string, int most)
{
	const char *p = string.data + 1;
	const char *end = string.data + string.length - 1;

	while (p < end && most-- > 0)
		p += *p == '\\' ? (p[1] == 'u' ? 6 : 2) : (unsigned char) *p < 0x80 ? 1 : pg_utf_mblen((const unsigned char *) p);
	return (ShownText) {string.data + 1, Min(p, end) - (string.data + 1)};
}

static void
append_inside(ByteBuffer *out, ShownText string)
{
	if (string.data && *string.data == '"')
		buffer_append(out, string.data + 1, string.length - 2);
}

void
shown_write_note(ByteBuffer *out, const ShownRecord *record)
{
	ShownText	note = shown_note(record);

	buffer_append_char(out, '"');
	append_inside(out, record->type);
	buffer_append_literal(out, " by ");
	append_inside(out, record->author);
	if (note.data)
	{
		ShownText	first = first_characters(note, 200);

		buffer_append_literal(out, ": ");
		buffer_append(out, first.data, first.length);
		if (first.length < note.length - 2)
			buffer_append_literal(out, "…");
	}
	buffer_append_char(out, '"');
}

void
shown_write_entry(ByteBuffer *out, ShownText shown)
{
	ShownRecord node = shown_record(shown.data, shown.length);

	buffer_append_literal(out, "\"author\":");
	shown_append(out, node.author);
	buffer_append_literal(out, ",\"confidence\":");
	shown_append(out, node.confidence);
	buffer_append_literal(out, ",\"createdAt\":");
	shown_append(out, node.created_at);
	if (node.erased.data)
		buffer_append_literal(out, ",\"erased\":true");
	buffer_append_literal(out, ",\"nodeId\":");
	shown_append(out, node.id);
	buffer_append_literal(out, ",\"note\":");
	shown_write_note(out, &node);
	if (node.quarantined.data)
		buffer_append_literal(out, ",\"quarantined\":true");
	if (node.ts.data)
	{
		buffer_append_literal(out, ",\"ts\":");
		shown_append(out, node.ts);
	}
	buffer_append_literal(out, ",\"type\":");
	shown_append(out, node.type);
}

static void
append_visible(ByteBuffer *out, const char *p, int length)
{
	pg_wchar	c = utf8_to_unicode((const unsigned char *) p);

	if (character_is_hidden(c))
	{
		char		escape[16];

		buffer_append(out, escape, snprintf(escape, sizeof(escape), c <= 0xFFFF ? "\\u%04x" : "\\U%08x", c));
	}
	else
		buffer_append(out, p, length);
}

/* What stands for it in plain text: of an escape that means white space, a blank, or itself if lines are kept. */
static void
append_escaped(ByteBuffer *out, const char *p, bool keeps_lines)
{
	switch (p[1])
	{
		case 'u':
			/* Controls that are no white space stay what they are in JSON. */
			buffer_append(out, p, 6);
			break;
		case '"':
		case '\\':
			buffer_append_char(out, p[1]);
			break;
		case 'n':
			buffer_append_char(out, keeps_lines ? '\n' : ' ');
			break;
		case 'r':
			buffer_append_char(out, keeps_lines ? '\r' : ' ');
			break;
		case 't':
			buffer_append_char(out, keeps_lines ? '\t' : ' ');
			break;
		default:
			buffer_append_char(out, ' ');
	}
}

/* From p on, of at most so many: characters that are shown as they are. */
static const char *
end_of_plain(const char *p, const char *end, size_t most)
{
	const char *last = most < (size_t) (end - p) ? p + most : end;
	const char *stop = scan_plain(p, last, true);
	const char *delete = memchr(p, 0x7F, stop - p);

	return delete ? delete : stop;
}

static void
write_visible(ByteBuffer *out, ShownText value, int most, bool keeps_lines)
{
	bool		is_string = value.data && *value.data == '"';
	const char *p = is_string ? value.data + 1 : value.data;
	const char *end = value.data + value.length - (is_string ? 1 : 0);
	int			written = 0;

	while (p < end && written < most)
	{
		/* A run of such characters at once: most text is. */
		const char *run = end_of_plain(p, end, most - written);
		int			length = run - p;

		if (length > 0)
		{
			buffer_append(out, p, length);
			written += length;
			p = run;
			continue;
		}
		written++;
		length = pg_utf_mblen((const unsigned char *) p);
		if (is_string && *p == '\\')
		{
			length = p[1] == 'u' ? 6 : 2;
			append_escaped(out, p, keeps_lines);
		}
		else
			append_visible(out, p, length);
		p += length;
	}
	if (p < end)
		buffer_append_literal(out, "…");
}

void
shown_write_plain(ByteBuffer *out, ShownText value, int most)
{
	write_visible(out, value, most, false);
}

void
shown_write_lines(ByteBuffer *out, ShownText value)
{
	write_visible(out, value, PG_INT32_MAX, true);
}
