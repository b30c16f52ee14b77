/*
 * rows.h
 *		Records and their events, inserted side by side; all or none.
 */
#ifndef REASON_WRITE_ROWS_H
#define REASON_WRITE_ROWS_H

#include "postgres.h"

#include "fmgr.h"

#include "record/record.h"
#include "write/input.h"
#include "write/row.h"

/* What a record is made of, in buffers that are used again for the next. */
typedef struct WriteRecord
{
	Record		record;
	const JsonNode *event_id;	/* the member that names its event, or NULL */
	uint8		salt[REASON_SALT_LENGTH];
	CanonicalText payload;
	CanonicalText metadata;
	CanonicalText payload_ref;
	CanonicalText bytes;		/* of the record */
} WriteRecord;

/* Reads one record.  Its time comes afterwards; what it points to lives in the current memory context, or in the buffers. */
typedef void (*WriteReader) (WriteInput *input, const JsonNode *object, WriteRecord *write, void *argument);

/* What the caller of a write learns of a record. */
typedef struct WrittenRecord
{
	pg_uuid_t	id;
	pg_uuid_t	event_id;
	TimestampTz created_at;
	int64		no;
} WrittenRecord;

typedef void (*WriteSink) (void *argument, const WrittenRecord *written);

/* Reads the records of a kind, and hears of each that was written. */
typedef struct WriteJob
{
	RecordKind	kind;
	const char *collection;		/* the member that lists the records of a batch; NULL: the input is one record */
	WriteReader read;
	void	   *read_argument;
	WriteSink	sink;
	void	   *sink_argument;
} WriteJob;

/* Writes what the input says.  It is visible to the commands that follow. */
extern void write_rows(WriteInput *input, const WriteJob *job);

/* Rows (id uuid, audit_event_id uuid, created_at timestamptz, no bigint) as what a function returns. */
extern void write_begin_results(FunctionCallInfo fcinfo);
extern void write_put_result(void *result_info, const WrittenRecord *written);	/* a WriteSink */

#endif							/* REASON_WRITE_ROWS_H */
