/*
 * event.h
 *		Payloads of the events that record a write: whole, and as they are stored.
 *
 * The chain hashes the whole payload.  Most of it stands in the row of the node,
 * edge or annotation as well, so what is stored of it is what the row does not
 * say: {"policy":…,"request":…}, each if it was given.  The whole is made of
 * both, by the code that wrote it (record/event_text.h).  Payloads of other
 * events are stored whole, and so may be those of records.
 */
#ifndef REASON_RECORD_EVENT_H
#define REASON_RECORD_EVENT_H

#include "postgres.h"

#include "record/record.h"

typedef struct WriteEvent
{
	RecordKind	kind;			/* gives eventType, and the member that holds the record */
	pg_uuid_t	id;
	RecordText	division;
	TimestampTz ts;
	RecordText	record;			/* canonical */
	RecordText	request;		/* canonical, optional */
	RecordText	policy;			/* canonical, optional */
	RecordText	stated;			/* members policy and request as they are stored, without braces, instead of these two */
} WriteEvent;

/* A row of audit_event, read. */
typedef struct EventRow
{
	int64		no;
	pg_uuid_t	id;
	TimestampTz ts;
	RecordText	event_type;
	RecordText	division;		/* whose chain it is to be, or is, part of */
	RecordText	payload;		/* as it is stored; whole once event_text_complete() has been called */
} EventRow;

/* "node.created" and so on. */
extern const char *event_type_of(RecordKind kind);

/* Appends the canonical payload: what the chain hashes. */
extern void event_write(ByteBuffer *out, const WriteEvent *event);

/* Appends what of it the record's row does not say. */
extern void event_write_stated(ByteBuffer *out, const WriteEvent *event);

/* Whether a payload is stored in that form, and of which kind its record is. */
extern bool event_is_stated(const EventRow *row, RecordKind *kind);

#endif							/* REASON_RECORD_EVENT_H */
