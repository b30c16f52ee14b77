/*
 * event_read.h
 *		Reading rows of audit_event that may be damaged.
 */
#ifndef REASON_CHAIN_EVENT_READ_H
#define REASON_CHAIN_EVENT_READ_H

#include "postgres.h"

#include "chain/event_form.h"
#include "record/row_scan.h"

typedef struct EventColumns
{
	AttrNumber	no;
	AttrNumber	id;
	AttrNumber	ts;
	AttrNumber	event_type;
	AttrNumber	division;
	AttrNumber	payload;
} EventColumns;

extern void event_columns_find(EventColumns *columns, Relation table);

/*
 * Reads a row, its payload as it is stored; what *row points to lives in the slot or in the current memory
 * context.  False when the payload cannot be read, with why in *fault; the
 * other columns are there then, and the transaction goes on.
 */
extern bool event_read(TupleTableSlot *slot, const EventColumns *columns, EventRow *row, char **fault);

/* Its id and type alone. */
extern void event_read_name(TupleTableSlot *slot, const EventColumns *columns, EventRow *row);

#endif							/* REASON_CHAIN_EVENT_READ_H */
