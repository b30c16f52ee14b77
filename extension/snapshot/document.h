/*
 * document.h
 *		The document of a snapshot as it is made: canonical bytes, hashed and cut into chunks.
 *
 * Nothing is held but one chunk.  The form of the document is the contract with
 * every verifier: what is written here is what is signed.
 *
 * Canonicalising and hashing take turns, a chunk each, so that neither has one
 * stretch of time to itself: when each began and ended is noted, and how long it
 * was really at work.
 */
#ifndef REASON_SNAPSHOT_DOCUMENT_H
#define REASON_SNAPSHOT_DOCUMENT_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/array.h"
#include "utils/uuid.h"

#include "record/read.h"
#include "core/buffer.h"
#include "record/insert.h"
#include "core/sha256.h"
#include "redact/redact.h"

#include "datatype/timestamp.h"
#include "portability/instr_time.h"

#define SNAPSHOT_CHUNK_BYTES (1024 * 1024)

typedef struct WorkTime
{
	TimestampTz began;
	TimestampTz ended;
	instr_time	worked;			/* of that time, spent on it */
} WorkTime;

typedef struct SnapshotWriter
{
	text	   *division;
	int64		snapshot_no;
	bool		pii;			/* everything as it is, payloads with their salts */
	Redaction  *redaction;		/* NULL with pii */
	ByteBuffer	bytes;			/* written, not yet in a chunk */
	int			chunk_count;
	int64		size_bytes;
	Sha256		hash;
	RecordInsert chunks;
	WorkTime	canonicalising; /* reading records and writing them; complete once closed */
	WorkTime	hashing;
	instr_time	turn_began;		/* of canonicalising, which goes on after each chunk */
	bool		is_written;		/* the document is, to its last byte */
	MemoryContext context;		/* reset by snapshot_write_flush() */
} SnapshotWriter;

extern void snapshot_writer_open(SnapshotWriter *writer, int64 snapshot_no, text *division, bool pii);

/* The rest becomes the last chunk. */
extern void snapshot_writer_close(SnapshotWriter *writer, uint8 hash[SHA256_LENGTH]);

/* One member of nodes[], edges[] or annotations[]. */
extern void snapshot_write_record(SnapshotWriter *writer, const StoredRecord *stored);

/* Passes on what is complete; between records. */
extern void snapshot_write_flush(SnapshotWriter *writer);

/* What the document says besides its records. */
typedef struct SnapshotHeader
{
	pg_uuid_t	id;
	TimestampTz created_at;
	ArrayType  *root_ids;
	int			depth;
	RecordText	direction;
	RecordText	audience;
	RecordText	description;
	RecordText	manifest_signature_id;
	bool		include_annotations;
	Jsonb	   *log;			/* {origin, size, root} of the tree when it was frozen */
} SnapshotHeader;

/* Writes all records of a kind, in the order of their ids, as the elements of an array. */
typedef void (*SnapshotRecords) (void *argument, RecordKind kind);

/* Writes the ids at which the walk stopped for its depth, ascending, as the elements of an array. */
typedef void (*SnapshotFrontier) (void *argument);

/* The whole document. */
extern void snapshot_write_document(SnapshotWriter *writer, const SnapshotHeader *header,
									SnapshotRecords write_records, SnapshotFrontier write_frontier, void *argument);

#endif							/* REASON_SNAPSHOT_DOCUMENT_H */
