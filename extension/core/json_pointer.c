/*
 * json_pointer.c
 *		JSON Pointers: the place of a value, as errors and verifiers name it.
 */
#include "core/json_pointer.h"

#include "core/canonical_number.h"

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
