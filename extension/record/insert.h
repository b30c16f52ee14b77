/*
 * insert.h
 *		Puts finished rows into a table of the schema, as COPY does.
 *
 * Planning and starting an INSERT costs more than the insertion of one small
 * row, and a batch gains by filling pages at once.  Constraints, indexes,
 * triggers, defaults and generated columns of the table are honoured, those too
 * that an administrator added; a trigger that suppresses a row or changes a
 * value that was given is refused, for the event would say otherwise.  Row
 * security and privileges are not looked at: the functions that get here are
 * granted to nobody and decide themselves who may write what.
 *
 * Several may be open at a time; the one begun last is ended first.
 */
#ifndef REASON_RECORD_INSERT_H
#define REASON_RECORD_INSERT_H

#include "postgres.h"

#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/relcache.h"

/* Rows kept back, to be inserted together. */
#define RECORD_INSERT_BATCH 64
#define RECORD_INSERT_MAX_COLUMNS 20

/*
 * Called when a unique constraint refuses a row, to raise an error that says
 * more than PostgreSQL's own; if it returns, that one is raised.  `row` counts
 * from 0 since record_insert_begin().
 */
typedef void (*RecordInsertDuplicate) (void *context, int64 row, const char *constraint, TupleTableSlot *slot);

typedef struct RecordInsert
{
	Relation	table;
	EState	   *estate;			/* what lives longer than a row is in its memory */
	ResultRelInfo *result;
	int			column_count;
	AttrNumber	columns[RECORD_INSERT_MAX_COLUMNS]; /* where the values of a row go */
	ExprState **defaults;		/* of the other columns; NULL: it has none */
	TransitionCaptureState *transition; /* rows for triggers that ask for all of them */
	TupleTableSlot *slots[RECORD_INSERT_BATCH];
	int			slot_count;		/* made so far */
	int			kept;			/* waiting for record_insert_flush() */
	int64		flushed;		/* rows inserted */
	RecordInsertDuplicate on_duplicate;
	void	   *on_duplicate_context;
} RecordInsert;

/*
 * Opens reason.<table>.  names[] says which column each value of a row is for;
 * columns that are not named get their defaults.
 */
extern void record_insert_begin(RecordInsert *insert, const char *table, const char *const *names, int column_count,
								RecordInsertDuplicate on_duplicate, void *on_duplicate_context);

/*
 * Keeps a row back; no more than RECORD_INSERT_BATCH between flushes.  What the
 * values point to must stay until the flush.
 */
extern void record_insert_row(RecordInsert *insert, const Datum *values, const bool *nulls);

extern void record_insert_flush(RecordInsert *insert);

/* Inserts what was kept back, fires triggers, and closes the table, keeping its lock. */
extern void record_insert_end(RecordInsert *insert);

#endif							/* REASON_RECORD_INSERT_H */
