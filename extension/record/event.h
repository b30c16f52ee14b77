/*
 * event.h
 *		Payloads of the events that record a write.
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
} WriteEvent;

/* "node.created" and so on. */
extern const char *event_type_of(RecordKind kind);

/* Appends the canonical payload: what the chain hashes. */
extern void event_write(ByteBuffer *out, const WriteEvent *event);

#endif							/* REASON_RECORD_EVENT_H */
