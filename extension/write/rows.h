/*
 * rows.h
 *		A record and its event, inserted side by side; all or none.
 */
#ifndef REASON_WRITE_ROWS_H
#define REASON_WRITE_ROWS_H

#include "postgres.h"

#include "fmgr.h"

#include "record/insert.h"
#include "record/event.h"
#include "write/input.h"

typedef struct WriteRows
{
	WriteInput *input;
	const char *kind;			/* "node", "edge", "annotation": the table, and the word for messages */
	int			column_count;
	RecordInsert records;
	RecordInsert events;
	MemoryContext context;		/* holds the values of rows kept back */
	ReturnSetInfo *results;		/* id, audit_event_id, created_at, no of each record */
	ByteBuffer	event_payload;	/* of the current record */
} WriteRows;

/*
 * The first two columns must be number and id, the last two the record's digest
 * and its event's id.  The function must return SETOF (id uuid, audit_event_id uuid, created_at timestamptz, no bigint).
 */
extern void write_rows_begin(WriteRows *rows, FunctionCallInfo fcinfo, WriteInput *input, const char *kind,
							 const char *const *columns, int column_count);

/*
 * Adds a record, given as canonical bytes and as column values, which live in
 * rows->context, and its event, under one new number.  event_id: the member of
 * the input that names the event, or NULL.  Number, digest and the event's id
 * need not be among the values: they are set here.
 */
extern void write_rows_add(WriteRows *rows, EventSubject subject, RecordText division, TimestampTz created_at,
						   const ByteBuffer *record, const JsonNode *event_id, Datum *values, const bool *nulls);

/* Inserts the rest and makes all visible to the commands that follow. */
extern void write_rows_end(WriteRows *rows);

#endif							/* REASON_WRITE_ROWS_H */
