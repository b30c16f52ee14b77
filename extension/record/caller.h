/*
 * caller.h
 *		Who calls, and which divisions that role may see.
 */
#ifndef REASON_RECORD_CALLER_H
#define REASON_RECORD_CALLER_H

#include "postgres.h"

#include "utils/array.h"

#include "record/record.h"

/*
 * The divisions that a role may see, as text[]; {*} when it may see all:
 * superusers and the owner of the schema do, others see what
 * reason.division_grant gives the roles they are members of.
 */
extern ArrayType *caller_visible_divisions(Oid role);

/* The role that called the function running with its owner's rights: SET ROLE counts, SECURITY DEFINER does not. */
extern const char *caller_role_name(void);

/* {"role":…}, canonical: who asks, as the event of a write made in SQL records it. */
extern RecordText caller_sql_request(void);

/* {"client":…,"requestId":…,"traceparent":…}, canonical, without what is absent: the same of a request over HTTP. */
extern RecordText caller_http_request(RecordText client, RecordText request_id, RecordText traceparent);

/* Whether a role sees records in quarantine: superusers, the owner and members of reason_auditor. */
extern bool caller_sees_quarantined(Oid role);

#endif							/* REASON_RECORD_CALLER_H */
