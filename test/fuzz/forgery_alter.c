/*
 * forgery_alter.c
 *		Alterations of a text where its structure is.
 */
#include "forgery_alter.h"

#include <string.h>

#include "forgery_objects.h"

uint32_t
forgery_choose(ForgeryProgram *program, uint32_t count)
{
	uint32_t	chosen = 0;

	for (int i = 0; i < 2; i++)
		chosen = chosen << 8 | (program->next < program->end ? *program->next++ : 0);
	return count ? chosen % count : 0;
}

static void
splice(ByteBuffer *out, const ByteBuffer *text, size_t start, size_t end, const char *middle, size_t length)
{
	out->length = 0;
	buffer_append(out, text->data, start);
	buffer_append(out, middle, length);
	buffer_append(out, text->data + end, text->length - end);
}

void
forgery_alter_value(ByteBuffer *out, const ByteBuffer *text, ForgeryProgram *program)
{
	static const char *const others[] = {"null", "true", "0", "1", "-1", "1e3", "\"\"", "[]", "{}", "\"revoked\"", "\"active\"", "\"key-2\"",
										 "\"descendants\"", "\"2026-02-31T00:00:00Z\"", "\"2999-01-01T00:00:00Z\"", "\"00000000-0000-7000-8000-000000000001\"", "\"x\",\"y\":\"z\""};
	JsonDocument document;
	JsonError	error;
	const JsonNode *node;
	const JsonNode *other;
	size_t		start,
				end;

	json_document_init(&document, NULL, NULL);
	if (!json_read(&document, text->data, text->length, &forgery_limits, &error))
	{
		out->length = 0;
		buffer_append(out, text->data, text->length);
		json_document_free(&document);
		return;
	}
	node = document.nodes + forgery_choose(program, document.node_count);
	other = document.nodes + forgery_choose(program, document.node_count);
	start = node->start;
	end = start + json_raw_length(node);
	switch (forgery_choose(program, 7))
	{
		case 0:					/* another value of the same text */
			splice(out, text, start, end, json_raw(&document, other), json_raw_length(other));
			break;
		case 1:
			{
				const char *constant = others[forgery_choose(program, sizeof(others) / sizeof(*others))];

				splice(out, text, start, end, constant, strlen(constant));
				break;
			}
		case 2:					/* gone, with a comma beside it */
			if (start > 0 && text->data[start - 1] == ',')
				start--;
			else if (end < text->length && text->data[end] == ',')
				end++;
			splice(out, text, start, end, "", 0);
			break;
		case 3:					/* there twice */
			splice(out, text, end, end, ",", 1);
			{
				ByteBuffer	twice;

				buffer_init(&twice, NULL, NULL);
				splice(&twice, out, end + 1, end + 1, text->data + start, end - start);
				splice(out, &twice, 0, twice.length, twice.data, twice.length);
				buffer_free(&twice);
			}
			break;
		case 4:					/* one byte */
			splice(out, text, start, start, "", 0);
			if (end > start)
				out->data[start + forgery_choose(program, (uint32_t) (end - start))] ^= (char) (1 << forgery_choose(program, 7));
			break;
		case 5:					/* white space before it */
			splice(out, text, start, start, " ", 1);
			break;
		case 6:					/* the two change places */
			if (json_raw_length(other) > 0 && other->start >= end)
			{
				splice(out, text, other->start, other->start + json_raw_length(other), text->data + start, end - start);
				{
					ByteBuffer	half;

					buffer_init(&half, NULL, NULL);
					buffer_append(&half, out->data, out->length);
					splice(out, &half, start, end, json_raw(&document, other), json_raw_length(other));
					buffer_free(&half);
				}
			}
			else
				splice(out, text, start, start, "", 0);
			break;
	}
	json_document_free(&document);
}

/* The n-th line: where it starts, and its length without the end of the line. */
static size_t
line_at(const ByteBuffer *text, uint32_t n, size_t *length)
{
	size_t		start = 0;
	const char *end;

	for (;;)
	{
		end = memchr(text->data + start, '\n', text->length - start);
		*length = end ? (size_t) (end - text->data) - start : text->length - start;
		if (n-- == 0 || end == NULL)
			return start;
		start += *length + 1;
	}
}

void
forgery_alter_chain(ByteBuffer *out, const ByteBuffer *text, ForgeryProgram *program)
{
	size_t		length;
	size_t		start = line_at(text, forgery_choose(program, FORGERY_EVENTS), &length);
	uint32_t	what = forgery_choose(program, 8);
	ByteBuffer	line, altered;

	if (start + length >= text->length)
		what = 7;
	switch (what)
	{
		case 0:
			splice(out, text, start, start + length + 1, "", 0);
			return;
		case 1:
			splice(out, text, start, start, text->data + start, length + 1);
			return;
		case 2:
			splice(out, text, start, start + length + 1, "", 0);
			buffer_append(out, text->data + start, length + 1);
			return;
		case 3:
			splice(out, text, start, start, "\n", 1);
			return;
		default:
			buffer_init(&line, NULL, NULL);
			buffer_init(&altered, NULL, NULL);
			buffer_append(&line, text->data + start, length);
			forgery_alter_value(&altered, &line, program);
			splice(out, text, start, start + length, altered.data, altered.length);
			buffer_free(&line);
			buffer_free(&altered);
	}
}
