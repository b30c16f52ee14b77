/*
 * json_document.c
 *		Documents: their memory, and members by name.
 */
#include "core/json_document.h"

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
