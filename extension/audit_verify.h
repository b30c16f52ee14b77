/*
 * audit_verify.h
 *		The parts of verify_audit().
 */
#ifndef REASON_AUDIT_VERIFY_H
#define REASON_AUDIT_VERIFY_H

#include "postgres.h"

#include "audit_check.h"

/*
 * What the walk along the chain cannot see: rows of the division that no event
 * records, and events that the sealer has left behind without a place.
 */
extern bool audit_check_strays(AuditChecker *checker, Snapshot snapshot, text *division);

#endif							/* REASON_AUDIT_VERIFY_H */
