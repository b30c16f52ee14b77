/*
 * row_scan.h
 *		Reading rows through an index, many times over, without the executor.
 *
 * Verification looks up several rows for each event, a write one for each node
 * that it names: planning and starting a query for each would cost more than
 * the rest.  One scan is opened and restarted with new keys; rows are seen with
 * the snapshot that was given, which the caller keeps.
 *
 * Whatever the scan holds lives in the context in which it was opened: it may
 * be used in any other, and that other may be reset between two calls.
 */
#ifndef REASON_RECORD_ROW_SCAN_H
#define REASON_RECORD_ROW_SCAN_H

#include "postgres.h"

#include "access/genam.h"
#include "access/skey.h"
#include "executor/tuptable.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"
#include "utils/uuid.h"

#include "record/record.h"

#define ROW_SCAN_MAX_KEYS 3

typedef struct RowScan
{
	Relation	heap;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;		/* the row found; valid until the next one */
	MemoryContext context;		/* where the scan lives: the one it was opened in */
	int			key_count;
	ScanKeyData keys[ROW_SCAN_MAX_KEYS];
	pg_uuid_t	sought;			/* what a condition on an id points to */
	bool		careful;		/* row_scan_careful() */
	char	   *fault;			/* why the row that was found cannot be read; NULL: it can */

	/* row_scan_seek(), row_scan_seek_id() */
	AttrNumber	key_column;
	AttrNumber	division_column;
	bool		at_row;
	int64		number;			/* of the row in the slot, if the key is one */
	pg_uuid_t	id;				/* the same */
} RowScan;

extern void row_scan_open(RowScan *scan, const char *table, const char *index, int key_count, Snapshot snapshot);
extern void row_scan_close(RowScan *scan);

/*
 * For a table of which a page may be broken, before the scan starts: each row is
 * then fetched in a subtransaction of its own.  A row that cannot be read is found
 * as well, with the reason in scan->fault and nothing in the slot; it is then not
 * known whether the snapshot sees it. row_scan_key() is what the index has of it.
 */
extern void row_scan_careful(RowScan *scan);
extern Datum row_scan_key(RowScan *scan, int column);

/* Conditions on the index's columns 0, 1, …; a text must stay, an id is copied (there is room for one). */
extern void row_scan_int2(RowScan *scan, int column, int16 value);	/* equal */
extern void row_scan_int8(RowScan *scan, int column, StrategyNumber strategy, int64 value);
extern void row_scan_text(RowScan *scan, int column, text *value);
extern void row_scan_uuid(RowScan *scan, int column, StrategyNumber strategy, const pg_uuid_t *value);

/* Begins again with the present conditions. */
extern void row_scan_start(RowScan *scan);
extern bool row_scan_next(RowScan *scan);

/* Begins again and returns whether there is a row. */
static inline bool
row_scan_find(RowScan *scan)
{
	row_scan_start(scan);
	return row_scan_next(scan);
}

/* Begins again at the other end and returns whether there is a row; for one row only. */
extern bool row_scan_find_last(RowScan *scan);

/*
 * The row of a key (a number or an id) and division, through an index on both,
 * for callers who mostly ask in ascending order: the scan then goes on where it
 * stands, which costs a fraction of descending the tree again.  Opened with one
 * key, whose column row_scan_seek_by() names; a scan serves one division.
 */
extern void row_scan_seek_by(RowScan *scan, const char *key_column);
extern bool row_scan_seek(RowScan *scan, int64 number, text *division);
extern bool row_scan_seek_id(RowScan *scan, const pg_uuid_t *id, text *division);

/* The column's number; raises an error when the table has no such column. */
extern AttrNumber row_scan_column(Relation table, const char *name);

extern void row_scan_refuse_null(TupleTableSlot *slot, AttrNumber column) pg_attribute_noreturn();

/* Values of columns that are never NULL; raises XX001 for one that was made so, by whoever dropped the constraint. */
static inline Datum
row_scan_value(TupleTableSlot *slot, AttrNumber column)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column, &isnull);

	if (unlikely(isnull))
		row_scan_refuse_null(slot, column);
	return value;
}

extern RecordText row_scan_text_value(TupleTableSlot *slot, AttrNumber column); /* absent when NULL */

#endif							/* REASON_RECORD_ROW_SCAN_H */
