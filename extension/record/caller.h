/*
 * caller.h
 *		Who calls, and which divisions that role may see.
 */
#ifndef REASON_RECORD_CALLER_H
#define REASON_RECORD_CALLER_H

#include "postgres.h"

#include "utils/array.h"

/*
 * The divisions that a role may see, as text[]; {*} when it may see all:
 * superusers and the owner of the schema do, others see what
 * reason.division_grant gives the roles they are members of.
 */
extern ArrayType *caller_visible_divisions(Oid role);

/* Whether a role sees records in quarantine: superusers, the owner and members of reason_auditor. */
extern bool caller_sees_quarantined(Oid role);

#endif							/* REASON_RECORD_CALLER_H */
