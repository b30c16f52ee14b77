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

/*
 * Writes what a function (input text, …, divisions text[], request json, policy json) got.  collection: the member that
 * lists the records of a batch; NULL: the input is one record.  The function must return SETOF (id uuid, audit_event_id
 * uuid, created_at timestamptz, no bigint).  What was written is visible to the commands that follow.
 */
extern void write_rows(FunctionCallInfo fcinfo, RecordKind kind, const char *collection, WriteReader read, void *argument);

#endif							/* REASON_WRITE_ROWS_H */
