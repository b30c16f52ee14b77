/*
 * json_reader.c
 *		One pass over the text: the grammar, and the order of members.
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
#include "core/json_reader.h"

#include "core/json_internal.h"
#include "core/json_number.h"
#include "core/json_pointer.h"
#include "core/json_string.h"
#include "core/name_order.h"

static inline const char *
skip_space(JsonReader *reader, const char *p)
{
	if (__builtin_expect(p < reader->end && (unsigned char) *p <= ' ', 0))
	{
		const char *start = p;

		while (p < reader->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
			p++;
		if (p > start)
			json_mark_dirty(reader, p - 1);
	}
	return p;
}

static const char *
read_number_node(JsonReader *reader, const char *p)
{
	JsonNode   *node = json_push_node(reader, JSON_NUMBER, p);
	JsonNumber	number;
	JsonErrorCode code;

	if (!node)
	{
		json_fail_memory(reader, p);
		return NULL;
	}
	code = json_read_number(p, reader->end, &number);
	if (code == JSON_ERROR_SYNTAX)
	{
		json_fail_expected(reader, number.end, number.expected);
		return NULL;
	}
	if (code == JSON_ERROR_NUMBER_RANGE)
	{
		json_fail(reader, code, p, "number is beyond the range of a double");
		return NULL;
	}
	if (!number.exact && reader->limits->refuse_inexact_numbers)
	{
		json_fail(reader, JSON_ERROR_NUMBER_INEXACT, p, "number cannot be held by a double without changing its value");
		return NULL;
	}
	node->flags = (uint8_t) ((number.canonical ? JSON_CANONICAL : 0) | (number.exact ? 0 : JSON_INEXACT));
	node->length = (uint32_t) (number.end - p);
	node->u.number = number.value;
	if (!number.canonical)
		json_mark_dirty(reader, p);
	return number.end;
}

static const char *
read_word(JsonReader *reader, const char *p, JsonKind kind, const char *word, size_t length)
{
	JsonNode   *node;

	if ((size_t) (reader->end - p) < length || memcmp(p, word, length) != 0)
	{
		json_fail_expected(reader, p, "a value");
		return NULL;
	}
	node = json_push_node(reader, kind, p);
	if (!node)
	{
		json_fail_memory(reader, p);
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
order_members(JsonReader *reader, JsonNode *object)
{
	JsonDocument *document = reader->document;
	JsonNode   *nodes = reader->nodes;
	uint32_t	count = object->length;
	uint32_t	index = (uint32_t) (object - nodes) + 1;
	uint32_t	duplicate = UINT32_MAX;
	ByteBuffer *scratch = &document->scratch_memory;
	ByteBuffer *order = &document->order_memory;
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
		return json_fail_memory(reader, reader->text + object->start);
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
		ByteBuffer	path;

		buffer_init(&path, document->node_memory.realloc, document->node_memory.context);
		json_write_open_path(&path, reader);
		json_write_pointer_name(&path, json_string(document, &nodes[duplicate]), nodes[duplicate].length);
		json_set_pointer(reader->error, &path);
		buffer_free(&path);
		return json_fail(reader, JSON_ERROR_DUPLICATE, reader->text + nodes[duplicate].start,
						 "name appears twice in one object");
	}
	object->flags |= JSON_REORDERED;
	json_mark_dirty(reader, reader->text + object->start);
	return true;
}

/* Ends the innermost container, whose bracket is at p. */
static bool
close_container(JsonReader *reader, const char *p)
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
open_container(JsonReader *reader, JsonKind kind, const char *p)
{
	JsonNode   *node;

	if (reader->depth >= reader->limits->max_depth)
		return json_fail(reader, JSON_ERROR_DEPTH, p, "nested deeper than %u levels", reader->limits->max_depth);
	node = json_push_node(reader, kind, p);
	if (!node)
		return json_fail_memory(reader, p);
	node->u.span.extra = 0;
	node->after = reader->parent;
	reader->parent = reader->count - 1;
	reader->depth++;
	return true;
}

/* A name, and the colon after it: leaves p where the member's value must begin. */
static const char *
read_name(JsonReader *reader, const char *p)
{
	if (p == reader->end || *p != '"')
	{
		json_fail_expected(reader, p, "a name in double quotes");
		return NULL;
	}
	p = json_read_string(reader, p);
	if (!p)
		return NULL;
	p = skip_space(reader, p);
	if (p == reader->end || *p != ':')
	{
		json_fail_expected(reader, p, "\":\"");
		return NULL;
	}
	return skip_space(reader, p + 1);
}

static bool
read_text(JsonReader *reader)
{
	const char *p = skip_space(reader, reader->text);

	for (;;)
	{
		bool		complete = true;

		/* A value begins here. */
		switch (p < reader->end ? *p : '\0')
		{
			case '"':
				p = json_read_string(reader, p);
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
				return json_fail_expected(reader, p, "a value");
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
					return json_fail_expected(reader, p, "the end of the text");
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
				return json_fail_expected(reader, p, is_object ? "\",\" or \"}\"" : "\",\" or \"]\"");
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
	JsonReader	reader = {
		.document = document,
		.limits = limits,
		.error = error,
		.parent = NO_PARENT
	};

	/* An empty buffer may have no memory at all. */
	if (length == 0)
		text = "";
	reader.text = text;
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
		return json_fail(&reader, JSON_ERROR_SIZE, text, "text is longer than %zu bytes",
						 limits->max_bytes ? limits->max_bytes : (size_t) UINT32_MAX - 1);
	reader.end = text + length;
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
