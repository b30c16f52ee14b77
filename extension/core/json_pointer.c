/*
 * json_pointer.c
 *		Documents as their users see them: members, places, memory.
 */
#include "core/json_internal.h"

#include "core/canonical_number.h"

void
json_document_init(JsonDocument *document, BufferRealloc realloc_hook, void *context)
{
	memset(document, 0, sizeof(*document));
	buffer_init(&document->node_memory, realloc_hook, context);
	buffer_init(&document->decoded_memory, realloc_hook, context);
	buffer_init(&document->order_memory, realloc_hook, context);
	buffer_init(&document->scratch_memory, realloc_hook, context);
}

void
json_document_free(JsonDocument *document)
{
	buffer_free(&document->node_memory);
	buffer_free(&document->decoded_memory);
	buffer_free(&document->order_memory);
	buffer_free(&document->scratch_memory);
	document->nodes = NULL;
	document->node_count = 0;
}

const JsonNode *
json_member(const JsonDocument *document, const JsonNode *object, const char *name, size_t name_length)
{
	if (object->kind != JSON_OBJECT)
		return NULL;
	for (const JsonNode *n = json_first(document, object); n; n = json_next(document, object, json_value(n)))
	{
		if (n->length == name_length && memcmp(json_string(document, n), name, name_length) == 0)
			return json_value(n);
	}
	return NULL;
}

void
json_write_pointer_index(ByteBuffer *out, uint32_t index)
{
	char		digits[CANONICAL_NUMBER_SIZE];
	size_t		length = decimal_format_integer(digits, index);

	buffer_append_char(out, '/');
	buffer_append(out, digits, length);
}

/* RFC 6901, section 3: "~" and "/" are written ~0 and ~1. */
void
json_write_pointer_name(ByteBuffer *out, const char *name, size_t length)
{
	buffer_append_char(out, '/');
	for (size_t i = 0; i < length; i++)
	{
		if (name[i] == '~')
			buffer_append_literal(out, "~0");
		else if (name[i] == '/')
			buffer_append_literal(out, "~1");
		else
			buffer_append_char(out, name[i]);
	}
}

void
json_write_pointer(ByteBuffer *out, const JsonDocument *document, const JsonNode *node)
{
	const JsonNode *container = json_root(document);
	uint32_t	target = (uint32_t) (node - document->nodes);

	while (container != node)
	{
		const JsonNode *child = json_first(document, container);
		uint32_t	index = 0;

		if (container->kind == JSON_OBJECT)
		{
			while (json_value(child)->after <= target)
				child = json_next(document, container, json_value(child));
			json_write_pointer_name(out, json_string(document, child), child->length);
			if (child == node)
				return;
			container = json_value(child);
		}
		else
		{
			while (child->after <= target)
			{
				child = json_next(document, container, child);
				index++;
			}
			json_write_pointer_index(out, index);
			container = child;
		}
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
