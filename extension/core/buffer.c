/*
 * buffer.c
 *		A growing byte buffer: the part that is not inlined.
 */
#include "core/buffer.h"

#include <stdlib.h>

#define BUFFER_FIRST_SIZE 256

static void *
library_realloc(void *context, void *old, size_t size)
{
	(void) context;
	return realloc(old, size);
}

void
buffer_init(ByteBuffer *buffer, BufferRealloc realloc_hook, void *context)
{
	memset(buffer, 0, sizeof(*buffer));
	buffer->realloc = realloc_hook ? realloc_hook : library_realloc;
	buffer->context = context;
}

void
buffer_free(ByteBuffer *buffer)
{
	if (buffer->realloc == library_realloc)
		free(buffer->data);
	buffer_init(buffer, buffer->realloc, buffer->context);
}

bool
buffer_reserve_slow(ByteBuffer *buffer, size_t more)
{
	size_t		capacity = buffer->capacity * 2;
	char	   *data;

	if (buffer->failed)
		return false;
	if (more > SIZE_MAX / 4 || buffer->length > SIZE_MAX / 4)
	{
		buffer->failed = true;
		return false;
	}
	if (capacity < buffer->length + more)
		capacity = buffer->length + more;
	if (capacity < BUFFER_FIRST_SIZE)
		capacity = BUFFER_FIRST_SIZE;
	data = buffer->realloc(buffer->context, buffer->data, capacity);
	if (!data)
	{
		/* Room left over must not be used either: the bytes would have a gap. */
		buffer->capacity = buffer->length;
		buffer->failed = true;
		return false;
	}
	buffer->data = data;
	buffer->capacity = capacity;
	return true;
}
