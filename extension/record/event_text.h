/*
 * event_text.h
 *		Whole payloads of events, of which the record's row says most (record/event.h).
 *
 * Whoever needs the bytes that the chain hashes asks here.
 */
#ifndef REASON_RECORD_EVENT_TEXT_H
#define REASON_RECORD_EVENT_TEXT_H

#include "postgres.h"

#include "record/event.h"
#include "record/read.h"

/* reason.keep_event_text: payloads of records are stored whole. */
extern bool reason_keep_event_text;

/* Called by _PG_init(). */
extern void event_text_define_parameters(void);

/* What is read again and again of many events. */
typedef struct EventTexts
{
	Snapshot	snapshot;
	RecordReader *reader;		/* NULL: not needed so far */
	RecordReader own;
	MemoryContext context;		/* where these live, ... */
	MemoryContext event_context;	/* ... and what was read of the present event */
	ByteBuffer	record;
	ByteBuffer	whole;
} EventTexts;

/* With a reader of the division that all events are of; or NULL: one is opened when it is needed, for events of any. */
extern void event_texts_begin(EventTexts *texts, Snapshot snapshot, RecordReader *reader);
extern void event_texts_end(EventTexts *texts);

/*
 * Makes row->payload whole, if it is not; it lives in *texts then, until the next
 * call.  False when the row of its record is not there, or is not what was
 * written, with why in *fault, in the current memory context.
 */
extern bool event_text_complete(EventTexts *texts, EventRow *row, char **fault);

/* The same with the record's row at hand, for an event that is stored as event_is_stated() says; in the current memory context. */
extern bool event_text_of_record(const StoredRecord *stored, EventRow *row, char **fault);

#endif							/* REASON_RECORD_EVENT_TEXT_H */
