/*
 * checkpoint.h
 *		Checkpoints of a log, as https://c2sp.org/tlog-checkpoint has them.
 *
 * A checkpoint is the text of a signed note (signed_note.h): origin, size of
 * the tree and its root, a line each, then lines that a log should not write.
 */
#ifndef REASON_CORE_CHECKPOINT_H
#define REASON_CORE_CHECKPOINT_H

#include "core/sha256.h"
#include "core/signed_note.h"

typedef struct Checkpoint
{
	NoteText	origin;
	uint64_t	size;
	uint8_t		root[SHA256_LENGTH];
	bool		has_extensions;
} Checkpoint;

/* Key names and origins of ours are no longer. */
#define CHECKPOINT_ORIGIN_MOST 1000

/* NULL, or what is wrong.  The text is a note's, without signatures. */
extern const char *checkpoint_parse(Checkpoint *checkpoint, const char *text, size_t length);

/* "<origin>\n<size>\n<base64 of the root>\n": what the log's key signs. */
extern void checkpoint_text(ByteBuffer *out, const char *origin, size_t origin_length, uint64_t size,
							const uint8_t root[SHA256_LENGTH]);

/* "<prefix>/<division>", and ";<epoch>" from the second on.  Names of divisions need no escapes (names.h). */
extern void checkpoint_origin(ByteBuffer *out, const char *prefix, const char *division, size_t division_length,
							  uint32_t epoch);

#endif							/* REASON_CORE_CHECKPOINT_H */
