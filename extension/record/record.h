/*
 * record.h
 *		Canonical records: the bytes that a node's, edge's or annotation's digest covers.
 *
 * Each function writes one JSON object in canonical form (RFC 8785): members in
 * order, no white space.  Members marked optional are left out when NULL.
 * Metadata is passed as canonical text.  Nothing here allocates but the buffer.
 */
#ifndef REASON_RECORD_RECORD_H
#define REASON_RECORD_RECORD_H

#include "postgres.h"

#include "core/buffer.h"
#include "datatype/timestamp.h"
#include "utils/uuid.h"

#define REASON_DIGEST_LENGTH 32
#define REASON_SALT_LENGTH 16

/* Bytes with a length; not terminated.  data == NULL: absent. */
typedef struct RecordText
{
	const char *data;
	size_t		length;
} RecordText;

typedef struct NodeRecord
{
	pg_uuid_t	id;
	RecordText	division;
	RecordText	type;
	RecordText	author;
	RecordText	metadata;		/* canonical JSON object */
	TimestampTz created_at;
	bool		has_occurred_at;
	TimestampTz occurred_at;	/* optional: "ts" */
	RecordText	version;		/* optional */
	RecordText	manifest_signature_id;	/* optional */
	RecordText	payload_ref;	/* optional, canonical JSON object */
	uint8		payload_hash[REASON_DIGEST_LENGTH];
} NodeRecord;

typedef struct EdgeRecord
{
	pg_uuid_t	id;
	RecordText	division;
	RecordText	type;
	RecordText	metadata;
	TimestampTz created_at;
	double		weight;
	pg_uuid_t	from;
	pg_uuid_t	to;
	uint8		from_digest[REASON_DIGEST_LENGTH];
	uint8		to_digest[REASON_DIGEST_LENGTH];
} EdgeRecord;

typedef struct AnnotationRecord
{
	pg_uuid_t	id;
	RecordText	division;
	RecordText	type;
	RecordText	author;
	RecordText	metadata;
	TimestampTz created_at;
	pg_uuid_t	target;
	uint8		target_digest[REASON_DIGEST_LENGTH];
	uint8		payload_hash[REASON_DIGEST_LENGTH];
} AnnotationRecord;

extern void record_write_node(ByteBuffer *out, const NodeRecord *node);
extern void record_write_edge(ByteBuffer *out, const EdgeRecord *edge);
extern void record_write_annotation(ByteBuffer *out, const AnnotationRecord *annotation);

/* "2026-11-23T16:15:27.123456Z", quoted; the year must be 0001 to 9999. */
/* Whether a time can be recorded: finite, and from year 1 to 9999 of UTC. */
extern bool record_time_fits(TimestampTz ts);

extern void record_write_timestamp(ByteBuffer *out, TimestampTz ts);
/* Lower-case 8-4-4-4-12, quoted. */
extern void record_write_uuid(ByteBuffer *out, const pg_uuid_t *id);
/* Lower-case hex, quoted. */
extern void record_write_hex(ByteBuffer *out, const uint8 *bytes, size_t length);

#endif							/* REASON_RECORD_RECORD_H */
