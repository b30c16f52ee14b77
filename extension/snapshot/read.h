/*
 * read.h
 *		Reading a snapshot's document piece by piece.
 *
 * The document may be larger than any value.  It is cut into its records as the
 * bytes come by; what is left, the header, is small and parsed at the end.
 */
#ifndef REASON_SNAPSHOT_READ_H
#define REASON_SNAPSHOT_READ_H

#include "postgres.h"

#include "record/read.h"
#include "core/buffer.h"
#include "core/sha256.h"

/* Called with the text of one record; it must not be kept. */
typedef void (*SnapshotRecordSink) (void *argument, RecordKind kind, const char *bytes, size_t length);

typedef struct SnapshotReader
{
	SnapshotRecordSink sink;
	void	   *argument;
	Sha256		hash;
	int64		size_bytes;
	ByteBuffer	header;			/* the document with its arrays of records left empty */
	ByteBuffer	record;			/* a record that began in an earlier piece */
	ByteBuffer	frontier;		/* the elements of payload.frontier, which is left empty in the header too */
	int			depth;			/* containers that are open */
	bool		in_string;
	bool		escaped;		/* the byte before was a backslash */
	bool		in_records;		/* within nodes[], edges[] or annotations[] */
	bool		in_frontier;
	RecordKind	kind;
	bool		stray;			/* there was something between records that is none */
} SnapshotReader;

extern void snapshot_reader_init(SnapshotReader *reader, SnapshotRecordSink sink, void *argument);

/* Reads on. */
extern void snapshot_read(SnapshotReader *reader, const char *bytes, size_t length);

/* Reads all chunks of a snapshot; false when one is missing. */
extern bool snapshot_read_chunks(SnapshotReader *reader, int64 snapshot_no, text *division, Snapshot snapshot);

#endif							/* REASON_SNAPSHOT_READ_H */
