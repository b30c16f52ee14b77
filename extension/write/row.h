/*
 * row.h
 *		Column values of the rows that a write inserts.
 */
#ifndef REASON_WRITE_ROW_H
#define REASON_WRITE_ROW_H

#include "postgres.h"

#include "fmgr.h"

#include "core/json_reader.h"
#include "record/record.h"
#include "write/input.h"

/* Canonical text in a buffer that is used again for the next record. */
typedef struct CanonicalText
{
	ByteBuffer	buffer;
} CanonicalText;

extern void canonical_text_init(CanonicalText *canonical);

static inline RecordText
canonical_text_bytes(const CanonicalText *canonical)
{
	RecordText	result = {canonical->buffer.data, canonical->buffer.length};

	return result;
}

/* Replaces what the text held by the canonical form of a value. */
extern RecordText canonical_text_of(CanonicalText *canonical, const JsonDocument *document, const JsonNode *value);

/*
 * Commits to a payload: canonical text, 16 new random bytes, and SHA-256 over
 * both.  value == NULL stands for null.  Raises 54000 beyond reason.max_payload_size.
 */
extern void row_commit_payload(WriteInput *input, const JsonNode *value, CanonicalText *canonical,
							   uint8 salt[REASON_SALT_LENGTH], uint8 payload_hash[REASON_DIGEST_LENGTH]);

/* An object, {} when absent; confidence, if any, must be a number from 0 to 1, tags an array of strings. */
extern RecordText row_metadata(WriteInput *input, const JsonNode *value, CanonicalText *canonical);

/* Column values, copied into the current memory context. */
extern Datum row_text(RecordText value);
extern Datum row_uuid(const pg_uuid_t *id);
extern Datum row_bytes(const uint8 *bytes, size_t length);
extern Datum row_jsonb(RecordText canonical);
extern RecordText row_literal(const char *literal);

#endif							/* REASON_WRITE_ROW_H */
