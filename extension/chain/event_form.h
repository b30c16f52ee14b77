/*
 * event_form.h
 *		Whether a row of audit_event is what a writer can have left: the one rule for sealing and for verifying.
 */
#ifndef REASON_CHAIN_EVENT_FORM_H
#define REASON_CHAIN_EVENT_FORM_H

#include "postgres.h"

#include "chain/check.h"
#include "record/event.h"

/*
 * The payload, which is whole, is canonical JSON, byte for byte, and says of the event what its
 * columns say; checker->event holds it then.  Otherwise false, with
 * checker->fault.
 */
extern bool audit_check_form(AuditChecker *checker, const EventRow *row);

#endif							/* REASON_CHAIN_EVENT_FORM_H */
