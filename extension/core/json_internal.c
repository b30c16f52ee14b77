/*
 * json_internal.c
 *		Errors of the reader, with the place they are at, and room for more nodes.
 */
#include "core/json_internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/json_pointer.h"

/*
 * Appends the part of the pointer that leads from an open container to the child
 * it is at, as far as that child is known: a name that cannot be read has none.
 */
static void
write_open_step(ByteBuffer *out, const JsonReader *reader, const JsonNode *container)
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
void
json_write_open_path(ByteBuffer *out, const JsonReader *reader)
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

void
json_set_pointer(JsonError *error, const ByteBuffer *pointer)
{
	static const char cut[] = "...";
	size_t		length = pointer->length;

	if (length < sizeof(error->pointer))
	{
		if (length)
			memcpy(error->pointer, pointer->data, length);
		error->pointer[length] = '\0';
		return;
	}
	length = sizeof(error->pointer) - sizeof(cut);
	/* Not within a character. */
	while (length > 0 && ((unsigned char) pointer->data[length] & 0xC0) == 0x80)
		length--;
	memcpy(error->pointer, pointer->data, length);
	memcpy(error->pointer + length, cut, sizeof(cut));
}

bool
json_fail(JsonReader *reader, JsonErrorCode code, const char *at, const char *format, ...)
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
		ByteBuffer	path;

		buffer_init(&path, reader->document->node_memory.realloc, reader->document->node_memory.context);
		reader->document->decoded = reader->document->decoded_memory.data;
		json_write_open_path(&path, reader);
		json_set_pointer(error, &path);
		buffer_free(&path);
	}
	return false;
}

bool
json_fail_memory(JsonReader *reader, const char *at)
{
	return json_fail(reader, JSON_ERROR_MEMORY, at, "out of memory");
}

bool
json_fail_expected(JsonReader *reader, const char *at, const char *expected)
{
	unsigned char c;

	if (at >= reader->end)
		return json_fail(reader, JSON_ERROR_SYNTAX, at, "expected %s, but the text ends", expected);
	c = (unsigned char) *at;
	if (c > 0x20 && c < 0x7F)
		return json_fail(reader, JSON_ERROR_SYNTAX, at, "expected %s, found \"%c\"", expected, c);
	return json_fail(reader, JSON_ERROR_SYNTAX, at, "expected %s, found byte 0x%02x", expected, c);
}

bool
json_grow_nodes(JsonReader *reader)
{
	ByteBuffer *memory = &reader->document->node_memory;

	memory->length = (size_t) reader->count * sizeof(JsonNode);
	if (!buffer_reserve(memory, sizeof(JsonNode)))
		return false;
	reader->nodes = (JsonNode *) memory->data;
	reader->document->nodes = reader->nodes;
	reader->capacity = memory->capacity / sizeof(JsonNode) < UINT32_MAX ?
		(uint32_t) (memory->capacity / sizeof(JsonNode)) : UINT32_MAX;
	return true;
}
