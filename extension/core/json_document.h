/*
 * json_document.h
 *		A JSON text that was read: what its nodes are, and how one goes through them.
 *
 * Nodes lie in document order (a container, then everything within it) and hold offsets into the
 * text, which must stay where it is as long as the document is used.
 */
#ifndef REASON_CORE_JSON_DOCUMENT_H
#define REASON_CORE_JSON_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/buffer.h"

typedef enum JsonKind
{
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
} JsonKind;

/* Flags of a node. */
#define JSON_CANONICAL	0x01	/* the text of this value is its canonical form */
#define JSON_ESCAPED	0x02	/* string: decoded bytes are in the document's own memory */
#define JSON_INEXACT	0x04	/* number: a double holds another value than the text says */
#define JSON_REORDERED	0x08	/* object: members do not stand in canonical order */

/*
 * One value, or one member's name (a string; the member's value is the node
 * right after it).  Read the fields through the functions below.
 */
typedef struct JsonNode
{
	uint8_t		kind;			/* JsonKind */
	uint8_t		flags;
	uint32_t	start;			/* offset of the value's first byte in the text */
	uint32_t	length;			/* string: bytes when decoded; array, object: elements, members */
	uint32_t	after;			/* index of the node that follows this value and all within it */
	union
	{
		double		number;		/* number: nearest double, ties to even */
		struct
		{
			uint32_t	extra;	/* escaped string: where in decoded; reordered object: where in order */
			uint32_t	end;	/* offset one past the value's last byte */
		}			span;		/* everything but numbers; a number's text has `length` bytes */
	}			u;
} JsonNode;

typedef struct JsonDocument
{
	const char *text;
	size_t		text_length;
	const JsonNode *nodes;		/* nodes[0] is the root */
	uint32_t	node_count;
	const char *decoded;		/* bytes of escaped strings */
	const uint32_t *order;		/* for reordered objects: indexes of names in canonical order */
	/* The memory behind the pointers above, kept from one read to the next. */
	ByteBuffer	node_memory;
	ByteBuffer	decoded_memory;
	ByteBuffer	order_memory;
	ByteBuffer	scratch_memory;
} JsonDocument;

typedef struct JsonLimits
{
	uint32_t	max_depth;		/* containers within containers: 1 admits [] and {}, not [[]] */
	size_t		max_bytes;		/* 0: no limit but that of 32-bit offsets */
	bool		refuse_inexact_numbers; /* see JSON_INEXACT */
} JsonLimits;

typedef enum JsonErrorCode
{
	JSON_OK,
	JSON_ERROR_SYNTAX,			/* not in the grammar of RFC 8259 */
	JSON_ERROR_ENCODING,		/* not UTF-8 */
	JSON_ERROR_SURROGATE,		/* half of a surrogate pair */
	JSON_ERROR_NUL,				/* U+0000, which PostgreSQL cannot store */
	JSON_ERROR_DUPLICATE,		/* a name twice in one object */
	JSON_ERROR_NUMBER_RANGE,	/* beyond the range of a double */
	JSON_ERROR_NUMBER_INEXACT,	/* a double would change the value */
	JSON_ERROR_DEPTH,			/* deeper than max_depth */
	JSON_ERROR_SIZE,			/* more than max_bytes */
	JSON_ERROR_MEMORY			/* the hook returned NULL */
} JsonErrorCode;

typedef struct JsonError
{
	JsonErrorCode code;
	size_t		offset;			/* of the byte at which the text stops being acceptable */
	char		message[160];	/* lower case, no full stop */
	/*
	 * JSON Pointer (RFC 6901) of the innermost value concerned; "" is the whole
	 * text.  One too long for here ends with "..." instead of its last part.
	 */
	char		pointer[512];
} JsonError;

/* realloc == NULL: the C library's. */
extern void json_document_init(JsonDocument *document, BufferRealloc realloc, void *context);
/* Only for documents on the C library's memory; others go with their context. */
extern void json_document_free(JsonDocument *document);

/* The member's value, NULL if there is none of that name.  Names are compared byte by byte. */
extern const JsonNode *json_member(const JsonDocument *document, const JsonNode *object,
								   const char *name, size_t name_length);
#define json_member_literal(document, object, name) json_member((document), (object), (name), sizeof(name) - 1)

static inline const JsonNode *
json_root(const JsonDocument *document)
{
	return document->nodes;
}

/*
 * Children in the order of the text: the elements of an array, or the names of
 * an object's members, whose value is json_value(name).  NULL after the last.
 *
 *	for (e = json_first(d, array); e; e = json_next(d, array, e))
 *	for (n = json_first(d, object); n; n = json_next(d, object, json_value(n)))
 */
static inline const JsonNode *
json_first(const JsonDocument *document, const JsonNode *container)
{
	return container->length ? container + 1 : NULL;
}

static inline const JsonNode *
json_next(const JsonDocument *document, const JsonNode *container, const JsonNode *value)
{
	return value->after < container->after ? document->nodes + value->after : NULL;
}

static inline const JsonNode *
json_value(const JsonNode *name)
{
	return name + 1;
}

/* The decoded bytes of a string or name; node->length of them, valid UTF-8, not terminated. */
static inline const char *
json_string(const JsonDocument *document, const JsonNode *node)
{
	return (node->flags & JSON_ESCAPED) ? document->decoded + node->u.span.extra
		: document->text + node->start + 1;
}

static inline bool
json_string_is(const JsonDocument *document, const JsonNode *node, const char *bytes, size_t length)
{
	return node->kind == JSON_STRING && node->length == length &&
		memcmp(json_string(document, node), bytes, length) == 0;
}

/* The value's own text: json_raw_length() bytes from json_raw(). */
static inline const char *
json_raw(const JsonDocument *document, const JsonNode *node)
{
	return document->text + node->start;
}

static inline size_t
json_raw_length(const JsonNode *node)
{
	return node->kind == JSON_NUMBER ? node->length : node->u.span.end - node->start;
}

#endif							/* REASON_CORE_JSON_DOCUMENT_H */
