/*
 * tlog_proof.h
 *		Proofs that an entry is in a log, in one text: https://c2sp.org/tlog-proof
 */
#ifndef REASON_CORE_TLOG_PROOF_H
#define REASON_CORE_TLOG_PROOF_H

#include "core/checkpoint.h"

/* Who proves an event sends it along as extra data, whose size the event's limits bound. */
#define TLOG_PROOF_BYTES_MOST (64 << 20)
/* A tree of at most 2^63 - 1 leaves is no higher. */
#define TLOG_PROOF_HASHES_MOST 63

typedef struct TlogProof
{
	bool		has_extra;
	NoteText	extra;			/* in Base 64: tlog_proof_extra() */
	uint64_t	index;
	size_t		hash_count;
	uint8_t		hashes[TLOG_PROOF_HASHES_MOST][SHA256_LENGTH];	/* from the leaf's sibling to the root's child */
	NoteText	note;			/* the checkpoint with its signatures, as it stands in the proof */
	SignedNote	signed_note;
	Checkpoint	checkpoint;
} TlogProof;

/*
 * NULL, or what is wrong.  Nothing is verified: that the checkpoint is signed,
 * and that the entry's hash leads to its root, is for the caller to see to.
 * The proof points into the bytes.
 */
extern const char *tlog_proof_parse(TlogProof *proof, const char *bytes, size_t length);

/* Whether bytes begin as a proof does. */
extern bool tlog_proof_recognises(const char *bytes, size_t length);

/* The extra data, appended; false when there is no memory. */
extern bool tlog_proof_extra(ByteBuffer *out, const TlogProof *proof);

/* extra == NULL: none.  `note` is a signed checkpoint, taken as it is. */
extern void tlog_proof_write(ByteBuffer *out, const void *extra, size_t extra_length, uint64_t index,
							 const uint8_t (*hashes)[SHA256_LENGTH], size_t hash_count,
							 const char *note, size_t note_length);

#endif							/* REASON_CORE_TLOG_PROOF_H */
