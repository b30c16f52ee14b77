/*
 * buffer.h
 *		A growing buffer of bytes, for code that runs inside and outside PostgreSQL.
 *
 * Memory comes from an allocator that the caller names: inside the backend one
 * that stands on a MemoryContext (and may raise an error), outside malloc().
 * Once an allocation has failed, `failed` stays set and further appends do
 * nothing: the caller checks once, at the end.
 */
#ifndef REASON_CORE_BUFFER_H
#define REASON_CORE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Behaves as realloc(); old may be NULL. Returns NULL when there is no memory. */
typedef void *(*BufferRealloc) (void *context, void *old, size_t size);

typedef struct ByteBuffer
{
	char	   *data;			/* not terminated */
	size_t		length;
	size_t		capacity;
	bool		failed;
	BufferRealloc realloc;
	void	   *context;
} ByteBuffer;

/* realloc == NULL: the C library's. */
extern void buffer_init(ByteBuffer *buffer, BufferRealloc realloc, void *context);
/* Frees the bytes of a buffer on the C library's realloc; others belong to their context. */
extern void buffer_free(ByteBuffer *buffer);
/* Makes room for more bytes beyond length; false once failed. */
extern bool buffer_reserve_slow(ByteBuffer *buffer, size_t more);

static inline bool
buffer_reserve(ByteBuffer *buffer, size_t more)
{
	if (buffer->capacity - buffer->length >= more)
		return true;
	return buffer_reserve_slow(buffer, more);
}

static inline void
buffer_append(ByteBuffer *buffer, const void *bytes, size_t length)
{
	if (length > 0 && buffer_reserve(buffer, length))
	{
		memcpy(buffer->data + buffer->length, bytes, length);
		buffer->length += length;
	}
}

static inline void
buffer_append_char(ByteBuffer *buffer, char c)
{
	if (buffer_reserve(buffer, 1))
		buffer->data[buffer->length++] = c;
}

#define buffer_append_literal(buffer, literal) buffer_append((buffer), (literal), sizeof(literal) - 1)

#endif							/* REASON_CORE_BUFFER_H */
