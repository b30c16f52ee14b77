/*
 * event.h
 *		Payloads of the events that record a write.
 */
#ifndef REASON_WRITE_EVENT_H
#define REASON_WRITE_EVENT_H

#include "postgres.h"

#include "record/record.h"

typedef enum EventSubject
{
	EVENT_ANNOTATION,
	EVENT_EDGE,
	EVENT_NODE
} EventSubject;

typedef struct WriteEvent
{
	EventSubject subject;		/* gives eventType, and the member that holds the record */
	pg_uuid_t	id;
	RecordText	division;
	TimestampTz ts;
	RecordText	record;			/* canonical */
	RecordText	request;		/* canonical, optional */
	RecordText	policy;			/* canonical, optional */
} WriteEvent;

/* "node.created" and so on. */
extern const char *event_type_of(EventSubject subject);

/* Appends the canonical payload: what the chain hashes. */
extern void event_write(ByteBuffer *out, const WriteEvent *event);

/* The next number of reason.record_no, drawn by a transaction that has its xid. */
extern int64 next_record_no(void);

/* Now, but later than `previous` by a microsecond at least. */
extern TimestampTz next_record_time(TimestampTz previous);

#endif							/* REASON_WRITE_EVENT_H */
