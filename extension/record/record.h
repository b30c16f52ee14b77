/*
 * record.h
 *		Canonical records: the bytes that a node's, edge's or annotation's digest covers.
 *
 * A record is one JSON object in canonical form (RFC 8785): members in order, no
 * white space.  Members that its kind does not have, and those marked optional
 * that are absent, are left out.  Nothing here allocates but the buffer.
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

typedef enum RecordKind
{
	RECORD_NODE,
	RECORD_EDGE,
	RECORD_ANNOTATION
} RecordKind;

#define RECORD_KINDS 3

/* "node", "edge", "annotation": table, and member of the event. */
extern const char *const record_kind_names[RECORD_KINDS];

/* What an edge or annotation says of a node. */
typedef struct NodeReference
{
	int64		no;				/* 0: none; the record does not have it */
	pg_uuid_t	id;
	uint8		digest[REASON_DIGEST_LENGTH];
} NodeReference;

typedef struct Record
{
	RecordKind	kind;
	pg_uuid_t	id;
	RecordText	division;
	RecordText	type;
	RecordText	metadata;		/* canonical JSON object */
	TimestampTz created_at;

	/* Nodes and annotations. */
	RecordText	author;
	uint8		payload_hash[REASON_DIGEST_LENGTH];

	/* Nodes; all optional. */
	bool		has_occurred_at;
	TimestampTz occurred_at;	/* "ts" */
	RecordText	version;
	RecordText	manifest_signature_id;
	RecordText	payload_ref;	/* canonical JSON object */

	/* Edges: from and to; annotations: the target. */
	NodeReference ends[2];

	/* Edges. */
	double		weight;
} Record;

extern void record_write(ByteBuffer *out, const Record *record);

/* Whether a time can be recorded: finite, and from year 1 to 9999 of UTC. */
extern bool record_time_fits(TimestampTz ts);

/* Raises 22023 for a time that does not fit; `name` is for the message. */
extern void record_check_time(TimestampTz ts, RecordText name);

/* "2026-11-23T16:15:27.123456Z", quoted; the time must fit. */
extern void record_write_timestamp(ByteBuffer *out, TimestampTz ts);
/* Lower-case 8-4-4-4-12, quoted. */
extern void record_write_uuid(ByteBuffer *out, const pg_uuid_t *id);
/* Lower-case hex, quoted. */
extern void record_write_hex(ByteBuffer *out, const uint8 *bytes, size_t length);

#endif							/* REASON_RECORD_RECORD_H */
