/*
 * signed_note.h
 *		Signed notes and their verifier keys, as https://c2sp.org/signed-note has them.
 *
 * A note is a text that ends in a newline, an empty line, and signature lines
 * of the form "— <key name> <base64 of key id and signature>".  Nothing here
 * signs, and Ed25519 is checked by a function that the caller brings.
 *
 * What is parsed points into the text that was parsed: it lives as long.
 * Errors are texts for a person, which live for ever.
 */
#ifndef REASON_CORE_SIGNED_NOTE_H
#define REASON_CORE_SIGNED_NOTE_H

#include "core/cosignature.h"

/* Whoever reads may set limits: a verifier must take 16 signatures, of 5 kB each. */
#define NOTE_BYTES_MOST 1000000
#define NOTE_SIGNATURES_MOST 100

#define NOTE_KEY_ID_LENGTH 4
#define NOTE_PUBLIC_KEY_LENGTH 32
#define NOTE_ED25519_LENGTH 64

/* Types of signatures: the byte that key ids and verifier keys hold. */
#define NOTE_TYPE_ED25519 0x01
#define NOTE_TYPE_COSIGNATURE 0x04	/* Ed25519 over a checkpoint and a time: cosignature.h */
#define NOTE_TYPE_COSIGNATURE_ML_DSA 0x06	/* the same by ML-DSA-44, which is not verified here */

typedef struct NoteText
{
	const char *data;			/* not terminated */
	size_t		length;
} NoteText;

/*
 * Only the beginning of a longer signature is kept: none of the types that are verified here is as
 * long.
 */
#define NOTE_SIGNATURE_KEPT 72

typedef struct NoteSignature
{
	NoteText	name;
	uint8_t		key_id[NOTE_KEY_ID_LENGTH];
	size_t		length;			/* without the key id */
	uint8_t		bytes[NOTE_SIGNATURE_KEPT];
} NoteSignature;

typedef struct SignedNote
{
	NoteText	text;			/* with the newline at its end, without the empty line */
	size_t		signature_count;	/* at least one */
	NoteSignature signatures[NOTE_SIGNATURES_MOST];
} SignedNote;

/* A verifier key.  One of another type than the two above can be named, and verifies nothing. */
typedef struct NoteKey
{
	NoteText	name;
	uint8_t		key_id[NOTE_KEY_ID_LENGTH];
	uint8_t		type;
	uint8_t		public_key[NOTE_PUBLIC_KEY_LENGTH]; /* zeros, for another type */
	uint8_t		fingerprint[32];	/* SHA-256 of the public key alone: two keys are one if these are equal */
} NoteKey;

typedef enum NoteVerdict
{
	NOTE_NOT_SIGNED,			/* the key has no signature line */
	NOTE_VERIFIED,
	NOTE_FORGED,				/* a line of the key does not verify: the whole note is to be refused */
	NOTE_TYPE_UNKNOWN			/* signatures of this type of key are not verified here */
} NoteVerdict;

/* NULL, or what is wrong. */
extern const char *note_parse(SignedNote *note, const char *bytes, size_t length);

/* Valid UTF-8, not empty, without spaces of Unicode and "+". */
extern bool note_key_name_is_valid(const char *name, size_t length);

/*
 * Whether the key signed the note: each line with its name and id must verify.
 * `timestamp`, which may be NULL, is the latest that a cosignature states, in
 * seconds since 1970, and 0 for a key of type NOTE_TYPE_ED25519.
 */
extern NoteVerdict note_verify(const SignedNote *note, const NoteKey *key, Ed25519Verify verify,
							   uint64_t *timestamp);

/* SHA-256(name || newline || type || public key)[:4] */
extern void note_key_id(uint8_t key_id[NOTE_KEY_ID_LENGTH], const char *name, size_t name_length, uint8_t type,
						const uint8_t *public_key, size_t public_key_length);

/* <name>+<hex of the key id>+<base64 of type and public key>.  NULL, or what is wrong. */
extern const char *note_key_parse(NoteKey *key, const char *vkey, size_t length);
extern void note_key_write(ByteBuffer *out, const char *name, size_t name_length, uint8_t type,
						   const uint8_t public_key[NOTE_PUBLIC_KEY_LENGTH]);

/* Text and empty line; signature lines follow by note_append_signature(). */
extern void note_begin(ByteBuffer *out, const char *text, size_t length);
extern void note_append_signature(ByteBuffer *out, const char *name, size_t name_length,
								  const uint8_t key_id[NOTE_KEY_ID_LENGTH], const uint8_t *signature, size_t length);

/* The next line without its newline, and `*at` after it; false at the end, and when no newline ends the text. */
extern bool note_next_line(const char **at, const char *end, NoteText *line);

#endif							/* REASON_CORE_SIGNED_NOTE_H */
