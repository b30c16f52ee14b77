/*
 * read.h
 *		Rows of node, edge and annotation as the records that their digests cover.
 *
 * What is read here is what verification and snapshots rely on: the canonical
 * record is written anew from every column, so whatever was altered shows.
 */
#ifndef REASON_RECORD_READ_H
#define REASON_RECORD_READ_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "record/row_scan.h"
#include "core/buffer.h"
#include "record/columns.h"
#include "record/record.h"

typedef struct RecordTable
{
	RowScan		by_no;
	RowScan		by_id;
	AttrNumber	columns[RECORD_MAX_COLUMNS];	/* by the places of record/columns.h */
} RecordTable;

#define REFERENCE_CACHE_SIZE 8192

typedef struct RecentReference
{
	NodeReference node;
	uint32		turn;			/* of the reader, when it was read */
} RecentReference;

typedef struct RecordReader
{
	Snapshot	snapshot;
	text	   *division;
	uint32		turn;			/* how often the division has changed, and one */
	RecordTable tables[RECORD_KINDS];
	RowScan		references;		/* nodes by no, for ends and targets */
	AttrNumber	reference_id;
	AttrNumber	reference_digest;
	RecentReference *recent;	/* nodes referred to lately, by no modulo recent_count */
	int			recent_count;	/* 0: references are not open */
} RecordReader;

/*
 * A row.  What it points to lives in the row's buffer, until the next row of
 * the same table is read, or in the memory context that was current.
 */
typedef struct StoredRecord
{
	Record		record;
	int64		no;
	uint8		digest[REASON_DIGEST_LENGTH];	/* as stored */
	pg_uuid_t	audit_event_id;
	const char *unreadable;		/* a column whose value no record can have; the record is not complete then */

	/* Nodes and annotations. */
	Jsonb	   *payload;		/* NULL: erased */
	RecordText	salt;
} StoredRecord;

/* Reads rows of one division with the snapshot. */
extern void record_reader_open(RecordReader *reader, Snapshot snapshot, text *division);
extern void record_reader_close(RecordReader *reader);

/* For a single row, which record_read_single() finds: cheap to open. */
extern void record_reader_open_kind(RecordReader *reader, RecordKind kind, Snapshot snapshot, text *division);

/* What is read from now on is of another division. */
extern void record_reader_turn_to(RecordReader *reader, RecordText division);

/* False when there is no such row. */
extern bool record_read_by_no(RecordReader *reader, RecordKind kind, int64 no, StoredRecord *stored);
extern bool record_read_single(RecordReader *reader, RecordKind kind, int64 no, StoredRecord *stored);
extern bool record_read_by_id(RecordReader *reader, RecordKind kind, const pg_uuid_t *id, StoredRecord *stored);

/* A row that was found in another way: slot of the table of that kind. */
extern void record_read_slot(RecordReader *reader, RecordKind kind, TupleTableSlot *slot, StoredRecord *stored);

/*
 * Appends canonical JSON; false, with nothing certain appended, for a value that
 * could not have been recorded (out of a double's range, too deep).
 */
extern bool record_write_jsonb(ByteBuffer *out, Jsonb *value);

/* SHA-256(salt || canonical(payload)) is what payload_hash says; scratch is overwritten. */
extern bool record_content_matches(const StoredRecord *stored, ByteBuffer *scratch);

#endif							/* REASON_RECORD_READ_H */
