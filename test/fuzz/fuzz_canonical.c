/*
 * fuzz_canonical.c
 *		Whatever bytes come: the reader must refuse them with a place, or give a
 *		document whose canonical form is canonical.
 *
 * Checked of every accepted text: canonical text reads back, is known to be
 * canonical, and is its own canonical form, whether it is copied or written
 * anew; walking sees as many children as the nodes say; a text that is read
 * strictly (inexact numbers refused) has the same canonical form.  Of every
 * refused text: the place lies within the text, and the pointer is terminated.
 */
#include <stdint.h>

#include "core/canonical.h"
#include "core/json_pointer.h"
#include "core/json_reader.h"
#include "must.h"

static const JsonLimits limits = {.max_depth = 200};
static const JsonLimits strict = {.max_depth = 200, .refuse_inexact_numbers = true};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Canonical text with white space after every mark, so that nothing of it can be copied. */
static void
spread(ByteBuffer *out, const ByteBuffer *canonical)
{
	bool		in_string = false;

	for (size_t i = 0; i < canonical->length; i++)
	{
		char		c = canonical->data[i];

		buffer_append_char(out, c);
		if (in_string && c == '\\')
			buffer_append_char(out, canonical->data[++i]);
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '[' || c == '{' || c == ',' || c == ':'))
			buffer_append_char(out, ' ');
	}
}

static void
walk(const JsonDocument *document, const JsonNode *node)
{
	uint32_t	children = 0;

	if (node->kind == JSON_OBJECT)
	{
		for (const JsonNode *name = json_first(document, node); name;
			 name = json_next(document, node, json_value(name)))
		{
			MUST(name->kind == JSON_STRING);
			MUST(json_member(document, node, json_string(document, name), name->length) == json_value(name));
			children++;
		}
		MUST(children == node->length);
	}
	else if (node->kind == JSON_ARRAY)
	{
		for (const JsonNode *e = json_first(document, node); e; e = json_next(document, node, e))
			children++;
		MUST(children == node->length);
	}
	MUST(node->start + json_raw_length(node) <= document->text_length);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static JsonDocument document;
	static ByteBuffer first;
	static ByteBuffer second;
	static ByteBuffer text;
	JsonError	error;

	if (!first.realloc)
	{
		json_document_init(&document, NULL, NULL);
		buffer_init(&first, NULL, NULL);
		buffer_init(&second, NULL, NULL);
		buffer_init(&text, NULL, NULL);
	}
	first.length = second.length = text.length = 0;

	if (!json_read(&document, (const char *) data, size, &limits, &error))
	{
		MUST(error.code != JSON_OK && error.offset <= size && error.message[0] != '\0');
		MUST(memchr(error.pointer, '\0', sizeof(error.pointer)) != NULL);
		MUST(document.nodes == NULL);
		MUST(!json_read(&document, (const char *) data, size, &strict, &error));
		return 0;
	}
	for (uint32_t i = 0; i < document.node_count && i < 1000; i++)
	{
		walk(&document, &document.nodes[i]);
		second.length = 0;
		if (i < 50)
			json_write_pointer(&second, &document, &document.nodes[i]);
	}
	canonical_write_value(&first, &document, json_root(&document));

	second.length = 0;
	MUST(json_read(&document, first.data, first.length, &strict, &error));
	MUST(json_root(&document)->flags & JSON_CANONICAL);
	canonical_write_value(&second, &document, json_root(&document));
	MUST(first.length == second.length && memcmp(first.data, second.data, first.length) == 0);

	spread(&text, &first);
	second.length = 0;
	MUST(json_read(&document, text.data, text.length, &strict, &error));
	canonical_write_value(&second, &document, json_root(&document));
	MUST(first.length == second.length && memcmp(first.data, second.data, first.length) == 0);

	/* strict reading differs in what it refuses, never in what it makes of the rest */
	second.length = 0;
	if (json_read(&document, (const char *) data, size, &strict, &error))
	{
		canonical_write_value(&second, &document, json_root(&document));
		MUST(first.length == second.length && memcmp(first.data, second.data, first.length) == 0);
	}
	else
		MUST(error.code == JSON_ERROR_NUMBER_INEXACT);
	return 0;
}
