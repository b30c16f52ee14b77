/*
 * json_string.c
 *		Reads one string of a JSON text: UTF-8, escapes, and whether RFC 8785 writes
 *		it the same.
 */
#include "core/json_string.h"

#include "core/string_scan.h"

/* Hexadecimal digits of an escape; -1 if there are not four. */
static int
read_hex(const char *p, const char *end, bool *lower_case)
{
	int			value = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++)
	{
		char		c = p[i];

		value <<= 4;
		if (c >= '0' && c <= '9')
			value |= c - '0';
		else if (c >= 'a' && c <= 'f')
			value |= c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
		{
			value |= c - 'A' + 10;
			*lower_case = false;
		}
		else
			return -1;
	}
	return value;
}

static char *
put_utf8(char *out, uint32_t c)
{
	if (c < 0x80)
		*out++ = (char) c;
	else if (c < 0x800)
	{
		*out++ = (char) (0xC0 | c >> 6);
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	else if (c < 0x10000)
	{
		*out++ = (char) (0xE0 | c >> 12);
		*out++ = (char) (0x80 | (c >> 6 & 0x3F));
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	else
	{
		*out++ = (char) (0xF0 | c >> 18);
		*out++ = (char) (0x80 | (c >> 12 & 0x3F));
		*out++ = (char) (0x80 | (c >> 6 & 0x3F));
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	return out;
}

/*
 * Reads the escape at *p (the backslash), leaves *p behind it and returns what it
 * stands for; UINT32_MAX after an error.  *canonical is cleared if RFC 8785 writes
 * it otherwise.
 */
static uint32_t
read_escape(JsonReader *reader, const char **p, bool *canonical)
{
	const char *at = *p;
	int			unit,
				second;
	bool		lower_case = true;

	if (reader->end - at < 2)
	{
		json_fail_expected(reader, reader->end, "an escape");
		return UINT32_MAX;
	}
	*p = at + 2;
	switch (at[1])
	{
		case '"':
		case '\\':
			return (uint32_t) at[1];
		case '/':
			*canonical = false;
			return '/';
		case 'b':
			return '\b';
		case 'f':
			return '\f';
		case 'n':
			return '\n';
		case 'r':
			return '\r';
		case 't':
			return '\t';
		case 'u':
			break;
		default:
			json_fail_expected(reader, at + 1, "one of \"\\/bfnrtu after a backslash");
			return UINT32_MAX;
	}

	unit = read_hex(at + 2, reader->end, &lower_case);
	if (unit < 0)
	{
		json_fail(reader, JSON_ERROR_SYNTAX, at, "\\u must be followed by four hexadecimal digits");
		return UINT32_MAX;
	}
	*p = at + 6;
	if (unit == 0)
	{
		json_fail(reader, JSON_ERROR_NUL, at, "U+0000 cannot be stored");
		return UINT32_MAX;
	}
	if (unit < 0x20)
	{
		if (unit == '\b' || unit == '\t' || unit == '\n' || unit == '\f' || unit == '\r' || !lower_case)
			*canonical = false;
		return (uint32_t) unit;
	}
	*canonical = false;
	if (unit < 0xD800 || unit > 0xDFFF)
		return (uint32_t) unit;

	if (unit > 0xDBFF || reader->end - at < 12 || at[6] != '\\' || at[7] != 'u' ||
		(second = read_hex(at + 8, reader->end, &lower_case)) < 0xDC00 || second > 0xDFFF)
	{
		json_fail(reader, JSON_ERROR_SURROGATE, at, "surrogate U+%04X stands alone", unit);
		return UINT32_MAX;
	}
	*p = at + 12;
	return 0x10000 + ((uint32_t) (unit - 0xD800) << 10) + (uint32_t) (second - 0xDC00);
}

/* Length of the UTF-8 sequence at p, whose first byte is not ASCII; 0 if it is not valid. */
static inline int
utf8_sequence(const char *text, const char *end)
{
	const unsigned char *p = (const unsigned char *) text;
	ptrdiff_t	left = end - text;

	if (p[0] < 0xC2)
		return 0;
	if (p[0] < 0xE0)
		return left >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
	if (p[0] < 0xF0)
	{
		if (left < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80)
			return 0;
		/* overlong, or a surrogate */
		if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F))
			return 0;
		return 3;
	}
	if (p[0] > 0xF4 || left < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 || (p[3] & 0xC0) != 0x80)
		return 0;
	if ((p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
		return 0;
	return 4;
}

/* On to the next quote or backslash, over bytes that stand for themselves. */
static inline const char *
skip_plain(JsonReader *reader, const char *p)
{
	for (;;)
	{
		p = scan_plain(p, reader->end, true);
		if (p == reader->end)
		{
			json_fail_expected(reader, p, "the end of the string");
			return NULL;
		}
		if (*p == '"' || *p == '\\')
			return p;
		if ((unsigned char) *p < 0x20)
		{
			json_fail(reader, JSON_ERROR_SYNTAX, p, "control character 0x%02x must be escaped in a string",
					  (unsigned char) *p);
			return NULL;
		}
		do
		{
			int			length = utf8_sequence(p, reader->end);

			if (length == 0)
			{
				json_fail(reader, JSON_ERROR_ENCODING, p, "byte 0x%02x is not valid UTF-8 here", (unsigned char) *p);
				return NULL;
			}
			p += length;
		}
		while (p < reader->end && (unsigned char) *p >= 0x80);
	}
}

/*
 * Decodes a string into the document's memory, from its first backslash on;
 * `first` is what stands between the quote and there.  Returns the place of the
 * closing quote.
 */
static const char *
decode_string(JsonReader *reader, const char *first, const char *p, JsonNode *node)
{
	ByteBuffer *decoded = &reader->document->decoded_memory;
	size_t		start = decoded->length;
	bool		canonical = true;

	buffer_append(decoded, first, (size_t) (p - first));
	while (*p == '\\')
	{
		const char *run;
		uint32_t	c = read_escape(reader, &p, &canonical);

		if (c == UINT32_MAX)
			return NULL;
		if (buffer_reserve(decoded, 4))
			decoded->length = (size_t) (put_utf8(decoded->data + decoded->length, c) - decoded->data);
		run = p;
		p = skip_plain(reader, p);
		if (!p)
			return NULL;
		buffer_append(decoded, run, (size_t) (p - run));
	}
	if (decoded->failed)
	{
		json_fail_memory(reader, p);
		return NULL;
	}
	node->flags = JSON_ESCAPED | (canonical ? JSON_CANONICAL : 0);
	node->length = (uint32_t) (decoded->length - start);
	node->u.span.extra = (uint32_t) start;
	return p;
}

const char *
json_read_string(JsonReader *reader, const char *p)
{
	const char *first = p + 1;
	const char *quote = skip_plain(reader, first);
	JsonNode	node = {0};
	JsonNode   *pushed;

	if (!quote)
		return NULL;
	if (*quote == '"')
	{
		node.flags = JSON_CANONICAL;
		node.length = (uint32_t) (quote - first);
	}
	else
	{
		quote = decode_string(reader, first, quote, &node);
		if (!quote)
			return NULL;
		if (!(node.flags & JSON_CANONICAL))
			json_mark_dirty(reader, p);
	}
	/* Only now, so that errors within the string are reported for the value around it. */
	pushed = json_push_node(reader, JSON_STRING, p);
	if (!pushed)
	{
		json_fail_memory(reader, p);
		return NULL;
	}
	pushed->flags = node.flags;
	pushed->length = node.length;
	pushed->u.span.extra = node.u.span.extra;
	pushed->u.span.end = (uint32_t) (quote + 1 - reader->text);
	return quote + 1;
}
