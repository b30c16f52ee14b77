/*
 * event_form.h
 *		Whether a row of audit_event is what a writer can have left: the one rule for sealing and for verifying.
 */
#ifndef REASON_CHAIN_EVENT_FORM_H
#define REASON_CHAIN_EVENT_FORM_H

#include "postgres.h"

#include "chain/check.h"

/* A row of audit_event, read. */
typedef struct EventRow
{
	pg_uuid_t	id;
	TimestampTz ts;
	RecordText	event_type;
	RecordText	division;		/* whose chain it is to be, or is, part of */
	RecordText	payload;
} EventRow;

/*
 * The payload is canonical JSON, byte for byte, and says of the event what its
 * columns say; checker->event holds it then.  Otherwise false, with
 * checker->fault.
 */
extern bool audit_check_form(AuditChecker *checker, const EventRow *row);

#endif							/* REASON_CHAIN_EVENT_FORM_H */
