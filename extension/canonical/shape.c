/*
 * shape.c
 *		A table of shapes with one place for each hash: what comes later replaces
 *		what was there.
 *
 * A shape is kept only the second time it is seen, so that objects whose names
 * are data (identifiers, dates) do not drive out the others, nor pay for being
 * kept.
 */
#include "canonical/shape.h"

#include "core/canonical.h"

/* A power of two; about 90 kB in all, touched as far as used. */
#define SHAPES 64

static ObjectShape shapes[SHAPES];
static uint64 seen[SHAPES];

static inline uint64
load_word(const char *bytes)
{
	uint64		word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* A few bytes tell shapes apart well enough: those that are found are compared in full. */
static inline uint64
hash_names(const char *names, uint32 name_bytes, uint32 count)
{
	uint64		hash = ((uint64) name_bytes << 32) | count;

	if (name_bytes >= 8)
	{
		hash = (hash ^ load_word(names)) * UINT64CONST(0x9E3779B97F4A7C15);
		hash ^= hash >> 32;
		hash = (hash ^ load_word(names + name_bytes / 2 - 4)) * UINT64CONST(0x9E3779B97F4A7C15);
		hash ^= hash >> 32;
		hash ^= load_word(names + name_bytes - 8);
	}
	else
	{
		for (uint32 i = 0; i < name_bytes; i++)
			hash = (hash << 8 | hash >> 56) ^ (unsigned char) names[i];
	}
	return hash * UINT64CONST(0x9E3779B97F4A7C15) | 1;
}

static inline uint32
place_of(uint64 hash)
{
	return hash >> 58 & (SHAPES - 1);
}

const ObjectShape *
shape_find(uint64 walk, const JEntry *entries, uint32 count, const char *names, uint32 name_bytes, bool *wanted)
{
	uint64		hash;
	ObjectShape *shape;

	*wanted = false;
	if (count > SHAPE_NAMES || name_bytes > SHAPE_NAME_BYTES)
		return NULL;
	hash = hash_names(names, name_bytes, count);
	shape = &shapes[place_of(hash)];
	if (shape->count == count && shape->name_bytes == name_bytes &&
		memcmp(shape->entries, entries, count * sizeof(JEntry)) == 0 &&
		memcmp(shape->names, names, name_bytes) == 0)
	{
		shape->used_by = walk;
		return shape;
	}
	*wanted = seen[place_of(hash)] == hash && shape->used_by != walk;
	seen[place_of(hash)] = hash;
	return NULL;
}

const ObjectShape *
shape_keep(uint64 walk, const JEntry *entries, uint32 count, const char *names, uint32 name_bytes,
		   const uint8 *order)
{
	ObjectShape *shape = &shapes[place_of(hash_names(names, name_bytes, count))];
	uint32		starts[SHAPE_NAMES + 1];
	uint32		offset = 0;
	ByteBuffer	pieces;

	buffer_init(&pieces, NULL, NULL);
	/* Nothing may be found here while it is incomplete. */
	shape->count = 0;
	for (uint32 i = 0; i < count; i++)
	{
		starts[i] = offset;
		JBE_ADVANCE_OFFSET(offset, entries[i]);
	}
	starts[count] = offset;
	for (uint32 i = 0; i < count; i++)
	{
		shape->start[i] = pieces.length;
		if (i > 0)
			buffer_append_char(&pieces, ',');
		canonical_write_string(&pieces, names + starts[order[i]], starts[order[i] + 1] - starts[order[i]]);
		buffer_append_char(&pieces, ':');
	}
	if (pieces.failed || pieces.length > SHAPE_TEXT_BYTES)
	{
		buffer_free(&pieces);
		return NULL;
	}
	shape->start[count] = pieces.length;
	memcpy(shape->text, pieces.data, pieces.length);
	buffer_free(&pieces);
	memcpy(shape->names, names, name_bytes);
	memcpy(shape->entries, entries, count * sizeof(JEntry));
	memcpy(shape->order, order, count);
	shape->name_bytes = name_bytes;
	shape->used_by = walk;
	shape->count = count;
	return shape;
}
