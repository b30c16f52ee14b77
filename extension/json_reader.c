/*
 * json_reader.c
 *		One pass over the text: the grammar, strings, and the order of members.
 *
 * There is no recursion.  While a container is open, its node's `after` holds
 * the index of the container around it, so the nodes themselves are the stack;
 * its `length` counts the children that are complete.
 *
 * A container's text is canonical when nothing within it is not: `dirty` is one
 * past the offset of the last thing that is not canonical (white space, a number
 * or string written otherwise, members out of order), and a container that ends
 * with `dirty` still at or before its start can be copied as it stands.
 */
#include "json_reader.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "canonical_order.h"
#include "canonical_scan.h"
#include "json_internal.h"

#define NO_PARENT UINT32_MAX

typedef struct Reader
{
	JsonDocument *document;
	const JsonLimits *limits;
	JsonError  *error;
	const char *text;
	const char *end;
	JsonNode   *nodes;
	uint32_t	count;
	uint32_t	capacity;
	uint32_t	parent;			/* innermost open container */
	uint32_t	depth;
	uint32_t	dirty;
} Reader;

/*
 * Appends the part of the pointer that leads from an open container to the child
 * it is at, as far as that child is known: a name that cannot be read has none.
 */
static void
write_open_step(ByteBuffer *out, const Reader *reader, const JsonNode *container)
{
	const JsonNode *nodes = reader->nodes;
	uint32_t	child = (uint32_t) (container - nodes) + 1;

	if (container->kind == JSON_ARRAY)
	{
		json_write_pointer_index(out, container->length);
		return;
	}
	for (uint32_t i = 0; i < container->length; i++)
		child = nodes[child + 1].after;
	if (child < reader->count)
		json_write_pointer_name(out, json_string(reader->document, &nodes[child]), nodes[child].length);
}

/* Innermost open containers come first on the way up: find each level anew, from the outside. */
static void
write_open_path(ByteBuffer *out, const Reader *reader)
{
	for (uint32_t level = reader->depth; level > 0; level--)
	{
		uint32_t	index = reader->parent;

		for (uint32_t up = 1; up < level; up++)
			index = reader->nodes[index].after;
		write_open_step(out, reader, &reader->nodes[index]);
		/* Longer than an error holds: the rest would be cut off anyway. */
		if (out->length > sizeof(reader->error->pointer))
			break;
	}
}

static bool fail(Reader *reader, JsonErrorCode code, const char *at, const char *format,...)
			__attribute__((format(printf, 4, 5), cold));

static bool
fail(Reader *reader, JsonErrorCode code, const char *at, const char *format,...)
{
	JsonError  *error = reader->error;
	va_list		arguments;

	error->code = code;
	error->offset = (size_t) (at - reader->text);
	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	if (error->pointer[0] == '\0' && code != JSON_ERROR_MEMORY)
	{
		ByteBuffer		path;

		buffer_init(&path, reader->document->node_memory.realloc, reader->document->node_memory.context);
		reader->document->decoded = reader->document->decoded_memory.data;
		write_open_path(&path, reader);
		json_set_pointer(error, &path);
		buffer_free(&path);
	}
	return false;
}

static bool
fail_memory(Reader *reader, const char *at)
{
	return fail(reader, JSON_ERROR_MEMORY, at, "out of memory");
}

/* Says what stands where something else was expected. */
static bool __attribute__((cold))
fail_expected(Reader *reader, const char *at, const char *expected)
{
	unsigned char c;

	if (at >= reader->end)
		return fail(reader, JSON_ERROR_SYNTAX, at, "expected %s, but the text ends", expected);
	c = (unsigned char) *at;
	if (c > 0x20 && c < 0x7F)
		return fail(reader, JSON_ERROR_SYNTAX, at, "expected %s, found \"%c\"", expected, c);
	return fail(reader, JSON_ERROR_SYNTAX, at, "expected %s, found byte 0x%02x", expected, c);
}

static bool
grow_nodes(Reader *reader)
{
	ByteBuffer	   *memory = &reader->document->node_memory;

	memory->length = (size_t) reader->count * sizeof(JsonNode);
	if (!buffer_reserve(memory, sizeof(JsonNode)))
		return false;
	reader->nodes = (JsonNode *) memory->data;
	reader->document->nodes = reader->nodes;
	reader->capacity = memory->capacity / sizeof(JsonNode) < UINT32_MAX ?
		(uint32_t) (memory->capacity / sizeof(JsonNode)) : UINT32_MAX;
	return true;
}

static inline JsonNode *
push_node(Reader *reader, JsonKind kind, const char *at)
{
	JsonNode   *node;

	if (__builtin_expect(reader->count == reader->capacity, 0) && !grow_nodes(reader))
		return NULL;
	node = &reader->nodes[reader->count++];
	node->kind = (uint8_t) kind;
	node->flags = 0;
	node->start = (uint32_t) (at - reader->text);
	node->length = 0;
	node->after = reader->count;
	return node;
}

static inline void
mark_dirty(Reader *reader, const char *at)
{
	reader->dirty = (uint32_t) (at - reader->text) + 1;
}

static inline const char *
skip_space(Reader *reader, const char *p)
{
	if (__builtin_expect(p < reader->end && (unsigned char) *p <= ' ', 0))
	{
		const char *start = p;

		while (p < reader->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
			p++;
		if (p > start)
			mark_dirty(reader, p - 1);
	}
	return p;
}

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
read_escape(Reader *reader, const char **p, bool *canonical)
{
	const char *at = *p;
	int			unit,
				second;
	bool		lower_case = true;

	if (reader->end - at < 2)
	{
		fail_expected(reader, reader->end, "an escape");
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
			fail_expected(reader, at + 1, "one of \"\\/bfnrtu after a backslash");
			return UINT32_MAX;
	}

	unit = read_hex(at + 2, reader->end, &lower_case);
	if (unit < 0)
	{
		fail(reader, JSON_ERROR_SYNTAX, at, "\\u must be followed by four hexadecimal digits");
		return UINT32_MAX;
	}
	*p = at + 6;
	if (unit == 0)
	{
		fail(reader, JSON_ERROR_NUL, at, "U+0000 cannot be stored");
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
		fail(reader, JSON_ERROR_SURROGATE, at, "surrogate U+%04X stands alone", unit);
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
skip_plain(Reader *reader, const char *p)
{
	for (;;)
	{
		p = scan_plain(p, reader->end, true);
		if (p == reader->end)
		{
			fail_expected(reader, p, "the end of the string");
			return NULL;
		}
		if (*p == '"' || *p == '\\')
			return p;
		if ((unsigned char) *p < 0x20)
		{
			fail(reader, JSON_ERROR_SYNTAX, p, "control character 0x%02x must be escaped in a string",
				 (unsigned char) *p);
			return NULL;
		}
		do
		{
			int			length = utf8_sequence(p, reader->end);

			if (length == 0)
			{
				fail(reader, JSON_ERROR_ENCODING, p, "byte 0x%02x is not valid UTF-8 here", (unsigned char) *p);
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
decode_string(Reader *reader, const char *first, const char *p, JsonNode *node)
{
	ByteBuffer	   *decoded = &reader->document->decoded_memory;
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
		fail_memory(reader, p);
		return NULL;
	}
	node->flags = JSON_ESCAPED | (canonical ? JSON_CANONICAL : 0);
	node->length = (uint32_t) (decoded->length - start);
	node->u.span.extra = (uint32_t) start;
	return p;
}

/* Reads the string at p (its quote) into a new node; returns what follows it. */
static inline const char *
read_string(Reader *reader, const char *p)
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
			mark_dirty(reader, p);
	}
	/* Only now, so that errors within the string are told of what surrounds it. */
	pushed = push_node(reader, JSON_STRING, p);
	if (!pushed)
	{
		fail_memory(reader, p);
		return NULL;
	}
	pushed->flags = node.flags;
	pushed->length = node.length;
	pushed->u.span.extra = node.u.span.extra;
	pushed->u.span.end = (uint32_t) (quote + 1 - reader->text);
	return quote + 1;
}

static const char *
read_number_node(Reader *reader, const char *p)
{
	JsonNode   *node = push_node(reader, JSON_NUMBER, p);
	JsonNumber	number;
	JsonErrorCode code;

	if (!node)
	{
		fail_memory(reader, p);
		return NULL;
	}
	code = json_read_number(p, reader->end, &number);
	if (code == JSON_ERROR_SYNTAX)
	{
		fail_expected(reader, number.end, number.expected);
		return NULL;
	}
	if (code == JSON_ERROR_NUMBER_RANGE)
	{
		fail(reader, code, p, "number is beyond the range of a double");
		return NULL;
	}
	if (!number.exact && reader->limits->refuse_inexact_numbers)
	{
		fail(reader, JSON_ERROR_NUMBER_INEXACT, p, "number cannot be held by a double without changing its value");
		return NULL;
	}
	node->flags = (uint8_t) ((number.canonical ? JSON_CANONICAL : 0) | (number.exact ? 0 : JSON_INEXACT));
	node->length = (uint32_t) (number.end - p);
	node->u.number = number.value;
	if (!number.canonical)
		mark_dirty(reader, p);
	return number.end;
}

static const char *
read_word(Reader *reader, const char *p, JsonKind kind, const char *word, size_t length)
{
	JsonNode   *node;

	if ((size_t) (reader->end - p) < length || memcmp(p, word, length) != 0)
	{
		fail_expected(reader, p, "a value");
		return NULL;
	}
	node = push_node(reader, kind, p);
	if (!node)
	{
		fail_memory(reader, p);
		return NULL;
	}
	node->flags = JSON_CANONICAL;
	node->u.span.extra = 0;
	node->u.span.end = (uint32_t) (p + length - reader->text);
	return p + length;
}

/*
 * Brings the names of the object that has just been closed into order, and finds
 * duplicates, which are neighbours then.
 */
static bool
order_members(Reader *reader, JsonNode *object)
{
	JsonDocument *document = reader->document;
	JsonNode   *nodes = reader->nodes;
	uint32_t	count = object->length;
	uint32_t	index = (uint32_t) (object - nodes) + 1;
	uint32_t	duplicate = UINT32_MAX;
	ByteBuffer	   *scratch = &document->scratch_memory;
	ByteBuffer	   *order = &document->order_memory;
	OrderedName previous;
	OrderedName *names;
	uint32_t	i;

	document->decoded = document->decoded_memory.data;
	if (count < 2)
		return true;

	/* In order already?  Most writers have one, and canonical text always is. */
	order_name(&previous, json_string(document, &nodes[index]), nodes[index].length, index);
	for (i = 1; i < count; i++)
	{
		OrderedName next;

		index = nodes[index + 1].after;
		order_name(&next, json_string(document, &nodes[index]), nodes[index].length, index);
		if (order_compare(&previous, &next) >= 0)
			break;
		previous = next;
	}
	if (i == count)
		return true;

	scratch->length = 0;
	if (!buffer_reserve(scratch, (size_t) count * 2 * sizeof(OrderedName)) ||
		!buffer_reserve(order, (size_t) count * sizeof(uint32_t)))
		return fail_memory(reader, reader->text + object->start);
	names = (OrderedName *) scratch->data;
	index = (uint32_t) (object - nodes) + 1;
	for (i = 0; i < count; i++)
	{
		order_name(&names[i], json_string(document, &nodes[index]), nodes[index].length, index);
		index = nodes[index + 1].after;
	}
	order_sort(names, count, names + count);

	object->u.span.extra = (uint32_t) (order->length / sizeof(uint32_t));
	for (i = 0; i < count; i++)
	{
		/* Equal names keep their order, so the later one is the one that repeats. */
		if (i > 0 && order_compare(&names[i - 1], &names[i]) == 0 && names[i].index < duplicate)
			duplicate = names[i].index;
		memcpy(order->data + order->length, &names[i].index, sizeof(uint32_t));
		order->length += sizeof(uint32_t);
	}
	if (duplicate != UINT32_MAX)
	{
		ByteBuffer		path;

		buffer_init(&path, document->node_memory.realloc, document->node_memory.context);
		write_open_path(&path, reader);
		json_write_pointer_name(&path, json_string(document, &nodes[duplicate]), nodes[duplicate].length);
		json_set_pointer(reader->error, &path);
		buffer_free(&path);
		return fail(reader, JSON_ERROR_DUPLICATE, reader->text + nodes[duplicate].start,
					"name appears twice in one object");
	}
	object->flags |= JSON_REORDERED;
	mark_dirty(reader, reader->text + object->start);
	return true;
}

/* Ends the innermost container, whose bracket is at p. */
static bool
close_container(Reader *reader, const char *p)
{
	JsonNode   *node = &reader->nodes[reader->parent];

	reader->parent = node->after;
	reader->depth--;
	node->after = reader->count;
	node->u.span.end = (uint32_t) (p + 1 - reader->text);
	if (node->kind == JSON_OBJECT && !order_members(reader, node))
		return false;
	if (reader->dirty <= node->start)
		node->flags |= JSON_CANONICAL;
	return true;
}

static bool
open_container(Reader *reader, JsonKind kind, const char *p)
{
	JsonNode   *node;

	if (reader->depth >= reader->limits->max_depth)
		return fail(reader, JSON_ERROR_DEPTH, p, "nested deeper than %u levels", reader->limits->max_depth);
	node = push_node(reader, kind, p);
	if (!node)
		return fail_memory(reader, p);
	node->u.span.extra = 0;
	node->after = reader->parent;
	reader->parent = reader->count - 1;
	reader->depth++;
	return true;
}

/* A name, and the colon after it: leaves p where the member's value must begin. */
static const char *
read_name(Reader *reader, const char *p)
{
	if (p == reader->end || *p != '"')
	{
		fail_expected(reader, p, "a name in double quotes");
		return NULL;
	}
	p = read_string(reader, p);
	if (!p)
		return NULL;
	p = skip_space(reader, p);
	if (p == reader->end || *p != ':')
	{
		fail_expected(reader, p, "\":\"");
		return NULL;
	}
	return skip_space(reader, p + 1);
}

static bool
read_text(Reader *reader)
{
	const char *p = skip_space(reader, reader->text);

	for (;;)
	{
		bool		complete = true;

		/* A value begins here. */
		switch (p < reader->end ? *p : '\0')
		{
			case '"':
				p = read_string(reader, p);
				break;
			case '-':
			case '0' ... '9':
				p = read_number_node(reader, p);
				break;
			case '{':
			case '[':
				{
					bool		is_object = *p == '{';

					if (!open_container(reader, is_object ? JSON_OBJECT : JSON_ARRAY, p))
						return false;
					p = skip_space(reader, p + 1);
					if (p < reader->end && *p == (is_object ? '}' : ']'))
					{
						if (!close_container(reader, p))
							return false;
						p++;
					}
					else
					{
						complete = false;
						if (is_object)
							p = read_name(reader, p);
					}
					break;
				}
			case 't':
				p = read_word(reader, p, JSON_TRUE, "true", 4);
				break;
			case 'f':
				p = read_word(reader, p, JSON_FALSE, "false", 5);
				break;
			case 'n':
				p = read_word(reader, p, JSON_NULL, "null", 4);
				break;
			default:
				return fail_expected(reader, p, "a value");
		}
		if (!p)
			return false;
		if (!complete)
			continue;

		/* A value ends here, and perhaps what it is the last of. */
		for (;;)
		{
			JsonNode   *container;
			bool		is_object;

			p = skip_space(reader, p);
			if (reader->parent == NO_PARENT)
			{
				if (p < reader->end)
					return fail_expected(reader, p, "the end of the text");
				return true;
			}
			container = &reader->nodes[reader->parent];
			is_object = container->kind == JSON_OBJECT;
			if (p < reader->end && *p == ',')
			{
				container->length++;
				p = skip_space(reader, p + 1);
				if (is_object)
				{
					p = read_name(reader, p);
					if (!p)
						return false;
				}
				break;
			}
			if (p == reader->end || *p != (is_object ? '}' : ']'))
				return fail_expected(reader, p, is_object ? "\",\" or \"}\"" : "\",\" or \"]\"");
			container->length++;
			if (!close_container(reader, p))
				return false;
			p++;
		}
	}
}

bool
json_read(JsonDocument *document, const char *text, size_t length,
		  const JsonLimits *limits, JsonError *error)
{
	Reader		reader = {
		.document = document,
		.limits = limits,
		.error = error,
		.text = text,
		.end = text + length,
		.parent = NO_PARENT
	};

	document->text = text;
	document->text_length = length;
	document->nodes = NULL;
	document->node_count = 0;
	document->decoded_memory.length = 0;
	document->order_memory.length = 0;
	error->code = JSON_OK;
	error->offset = 0;
	error->message[0] = '\0';
	error->pointer[0] = '\0';

	/* Offsets, and one past them, must fit into 32 bits. */
	if (length >= UINT32_MAX || (limits->max_bytes && length > limits->max_bytes))
		return fail(&reader, JSON_ERROR_SIZE, text, "text is longer than %zu bytes",
					limits->max_bytes ? limits->max_bytes : (size_t) UINT32_MAX - 1);
	reader.nodes = (JsonNode *) document->node_memory.data;
	reader.capacity = (uint32_t) (document->node_memory.capacity / sizeof(JsonNode));
	document->nodes = reader.nodes;
	if (!read_text(&reader))
	{
		document->nodes = NULL;
		return false;
	}
	document->nodes = reader.nodes;
	document->node_count = reader.count;
	document->decoded = document->decoded_memory.data;
	document->order = (const uint32_t *) document->order_memory.data;
	return true;
}
