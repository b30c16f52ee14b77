/*
 * write_rows.h
 *		A record and its event, inserted side by side; all or none.
 */
#ifndef REASON_WRITE_ROWS_H
#define REASON_WRITE_ROWS_H

#include "postgres.h"

#include "fmgr.h"

#include "record_insert.h"
#include "write_event.h"
#include "write_input.h"

typedef struct WriteRows
{
	WriteInput *input;
	const char *kind;			/* "node", "edge", "annotation": the table, and the word for messages */
	RecordInsert records;
	RecordInsert events;
	MemoryContext context;		/* holds the values of rows kept back */
	ReturnSetInfo *results;		/* id, audit_event_id, created_at, no of each record */
} WriteRows;

/* The function must return SETOF (id uuid, audit_event_id uuid, created_at timestamptz, no bigint). */
extern void write_rows_begin(WriteRows *rows, FunctionCallInfo fcinfo, WriteInput *input, const char *kind,
							 const char *const *columns, int column_count);

/*
 * Adds a record, whose values live in rows->context, and its event, under one
 * new number.  values[0] is the number's place and set here; values[1] is the
 * record's id.
 */
extern void write_rows_add(WriteRows *rows, Datum *values, const bool *nulls, const WriteEvent *event, ByteBuffer *scratch);

/* Inserts the rest and makes all visible to the commands that follow. */
extern void write_rows_end(WriteRows *rows);

#endif							/* REASON_WRITE_ROWS_H */
