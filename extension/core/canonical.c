/*
 * canonical.c
 *		Writes values that were read in canonical form.
 *
 * The reader has marked what is canonical already, down to single values, so
 * most of the work is copying.  The rest is walked with a stack of our own.
 */
#include "core/canonical.h"

#include <assert.h>

#include "core/canonical_number.h"
#include "core/string_scan.h"

/* Section 3.2.2.2: two-character escapes where JSON has one, \u00xx for other controls. */
static size_t
write_escape(char *p, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char letters[0x20] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
	};

	p[0] = '\\';
	if (c >= 0x20)
	{
		p[1] = (char) c;		/* quote or backslash */
		return 2;
	}
	if (letters[c])
	{
		p[1] = letters[c];
		return 2;
	}
	p[1] = 'u';
	p[2] = '0';
	p[3] = '0';
	p[4] = hex[c >> 4];
	p[5] = hex[c & 0xF];
	return 6;
}

void
canonical_write_string(ByteBuffer *out, const char *bytes, size_t length)
{
	const char *end = bytes + length;
	char	   *p;

	if (!buffer_reserve(out, length + 2))
		return;
	p = out->data + out->length;
	*p++ = '"';
	if (copy_plain(p, bytes, length))
	{
		p[length] = '"';
		out->length += length + 2;
		return;
	}
	for (;;)
	{
		const char *stop = scan_plain(bytes, end, false);

		memcpy(p, bytes, (size_t) (stop - bytes));
		p += stop - bytes;
		if (stop == end)
			break;
		out->length = (size_t) (p - out->data);
		/* the escape, what is left of the string, and the closing quote */
		if (!buffer_reserve(out, 6 + (size_t) (end - stop)))
			return;
		p = out->data + out->length;
		p += write_escape(p, (unsigned char) *stop);
		bytes = stop + 1;
	}
	*p++ = '"';
	out->length = (size_t) (p - out->data);
}

void
canonical_write_number(ByteBuffer *out, double value)
{
	if (buffer_reserve(out, CANONICAL_NUMBER_SIZE))
		out->length += canonical_format_number(out->data + out->length, value);
}

void
canonical_write_integer(ByteBuffer *out, int64_t value)
{
	/* Beyond 2^53 a double decides the digits, as for any other number. */
	if (value > INT64_C(1) << 53 || value < -(INT64_C(1) << 53))
	{
		canonical_write_number(out, (double) value);
		return;
	}
	if (!buffer_reserve(out, CANONICAL_NUMBER_SIZE))
		return;
	if (value < 0)
		buffer_append_char(out, '-');
	out->length += decimal_format_integer(out->data + out->length,
										  (uint64_t) (value < 0 ? -value : value));
}

/* A container that is being written. */
typedef struct Frame
{
	const JsonNode *container;
	const JsonNode *next;		/* in the order of the text; NULL: none left */
	uint32_t	done;			/* children written so far */
} Frame;

/* As many levels as documents usually have stay on the C stack. */
#define FRAMES_AT_HAND 64

static void
write_scalar(ByteBuffer *out, const JsonDocument *document, const JsonNode *value)
{
	/* null, true and false have no other form, so they never come here */
	if (value->kind == JSON_NUMBER)
		canonical_write_number(out, value->u.number);
	else
		canonical_write_string(out, json_string(document, value), value->length);
}

void
canonical_write_value(ByteBuffer *out, const JsonDocument *document, const JsonNode *value)
{
	Frame		at_hand[FRAMES_AT_HAND];
	Frame	   *frames = at_hand;
	ByteBuffer	more;
	uint32_t	capacity = FRAMES_AT_HAND;
	uint32_t	depth = 0;

	buffer_init(&more, out->realloc, out->context);
	for (;;)
	{
		if (value->flags & JSON_CANONICAL)
			buffer_append(out, json_raw(document, value), json_raw_length(value));
		else if (value->kind < JSON_ARRAY)
			write_scalar(out, document, value);
		else
		{
			if (depth == capacity)
			{
				more.length = frames == at_hand ? 0 : depth * sizeof(Frame);
				if (!buffer_reserve(&more, capacity * 2 * sizeof(Frame)))
				{
					out->failed = true;
					break;
				}
				if (frames == at_hand)
					memcpy(more.data, at_hand, sizeof(at_hand));
				frames = (Frame *) more.data;
				capacity *= 2;
			}
			frames[depth].container = value;
			frames[depth].next = json_first(document, value);
			frames[depth].done = 0;
			depth++;
			buffer_append_char(out, value->kind == JSON_OBJECT ? '{' : '[');
		}

		/* On to the next value: a sibling, or a sibling of what ends with this one. */
		value = NULL;
		while (depth > 0)
		{
			Frame	   *frame = &frames[depth - 1];
			const JsonNode *child = frame->next;

			if (frame->done == frame->container->length)
			{
				buffer_append_char(out, frame->container->kind == JSON_OBJECT ? '}' : ']');
				depth--;
				continue;
			}
			if (frame->container->flags & JSON_REORDERED)
				child = document->nodes + document->order[frame->container->u.span.extra + frame->done];
			if (frame->done++ > 0)
				buffer_append_char(out, ',');
			if (frame->container->kind == JSON_OBJECT)
			{
				if (child->flags & JSON_CANONICAL)
					buffer_append(out, json_raw(document, child), json_raw_length(child));
				else
					write_scalar(out, document, child);
				buffer_append_char(out, ':');
				value = json_value(child);
			}
			else
				value = child;
			frame->next = json_next(document, frame->container, value);
			break;
		}
		if (!value)
			break;
	}
	buffer_free(&more);
}
