/*
 * json_internal.h
 *		What the files of the reader share among themselves.
 */
#ifndef REASON_CORE_JSON_INTERNAL_H
#define REASON_CORE_JSON_INTERNAL_H

#include "core/json_document.h"

/* No container is open. */
#define NO_PARENT UINT32_MAX

/* A text that is being read; core/json_reader.c says how the nodes serve as stack. */
typedef struct JsonReader
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
	uint32_t	dirty;			/* one past the offset of the last thing that is not canonical */
} JsonReader;

/*
 * Sets the reader's error: at a place in the text, within the values that are open.
 * All return false, for their caller to return.
 */
extern __attribute__((format(printf, 4, 5), cold))
bool json_fail(JsonReader *reader, JsonErrorCode code, const char *at, const char *format, ...);
extern bool json_fail_memory(JsonReader *reader, const char *at) __attribute__((cold));
/* Says what stands where something else was expected. */
extern bool json_fail_expected(JsonReader *reader, const char *at, const char *expected) __attribute__((cold));

extern bool json_grow_nodes(JsonReader *reader);

/* A new node for the value that begins here; NULL when there is no memory. */
static inline JsonNode *
json_push_node(JsonReader *reader, JsonKind kind, const char *at)
{
	JsonNode   *node;

	if (__builtin_expect(reader->count == reader->capacity, 0) && !json_grow_nodes(reader))
		return NULL;
	node = &reader->nodes[reader->count++];
	node->kind = (uint8_t) kind;
	node->flags = 0;
	node->start = (uint32_t) (at - reader->text);
	node->length = 0;
	node->after = reader->count;
	return node;
}

/* What begins here is not canonical. */
static inline void
json_mark_dirty(JsonReader *reader, const char *at)
{
	reader->dirty = (uint32_t) (at - reader->text) + 1;
}

/* Appends the pointer to where the reader is, as far as the names on the way are known. */
extern void json_write_open_path(ByteBuffer *out, const JsonReader *reader);

/* Copies the pointer into an error, shortened at a step if need be. */
extern void json_set_pointer(JsonError *error, const ByteBuffer *pointer);

#endif							/* REASON_CORE_JSON_INTERNAL_H */
