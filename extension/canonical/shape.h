/*
 * shape.h
 *		Objects with the same names, as most objects of a kind are: their names'
 *		canonical order and text, kept from one object to the next.
 *
 * A shape is found by the bytes of all names as jsonb keeps them, which lie
 * together; it saves sorting and escaping them.  Shapes live as long as the
 * backend, in a table of fixed size.
 */
#ifndef REASON_CANONICAL_SHAPE_H
#define REASON_CANONICAL_SHAPE_H

#include "postgres.h"

#include "utils/jsonb.h"

/* Larger objects are sorted each time. */
#define SHAPE_NAMES 32
#define SHAPE_NAME_BYTES 512
/* Quotes, colon and comma for each name; names with many escapes do not fit. */
#define SHAPE_TEXT_BYTES (SHAPE_NAME_BYTES + SHAPE_NAMES * 4)

typedef struct ObjectShape
{
	uint32		count;
	uint32		name_bytes;
	uint64		used_by;		/* the last walk that used it: not to be replaced during that one */
	uint8		order[SHAPE_NAMES]; /* by canonical place: index in jsonb's order */
	uint16		start[SHAPE_NAMES + 1]; /* by canonical place: where the name's text begins */
	JEntry		entries[SHAPE_NAMES];	/* of the names, which give their lengths */
	char		names[SHAPE_NAME_BYTES];
	char		text[SHAPE_TEXT_BYTES]; /* "name": for the first, ,"name": for the others */
} ObjectShape;

/*
 * The shape of an object of `count` names, whose text takes `name_bytes` bytes
 * from `names` on; NULL if it is not known.  Then *wanted says whether it is
 * worth keeping, as it has been asked for before.  `walk` numbers the caller's
 * walk: shapes that were found stay as they are until another walk begins.
 */
extern const ObjectShape *shape_find(uint64 walk, const JEntry *entries, uint32 count, const char *names,
									 uint32 name_bytes, bool *wanted);

/* Keeps a shape that shape_find() wanted.  order: by canonical place, the index in jsonb's order. */
extern const ObjectShape *shape_keep(uint64 walk, const JEntry *entries, uint32 count, const char *names,
									 uint32 name_bytes, const uint8 *order);

#endif							/* REASON_CANONICAL_SHAPE_H */
