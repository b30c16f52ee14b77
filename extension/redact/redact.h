/*
 * redact.h
 *		What a caller without the capability for personal data is shown instead of it.
 *
 * Everything that shows records to such a caller (answers of routes, documents of
 * snapshots, SQL) asks here, so that one place decides.  Which rules hold is
 * read from reason.pii_rule; docs/for-operators/redaction.md names them.
 */
#ifndef REASON_REDACT_REDACT_H
#define REASON_REDACT_REDACT_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "record/record.h"

typedef struct Redaction Redaction;

/* The rules as the active snapshot sees them.  Lives in CurrentMemoryContext. */
extern Redaction *redact_open(void);

/*
 * A text, or a document, with personal data replaced; the very same when there is none.
 * Results live in CurrentMemoryContext.  Time is linear in the length.
 */
extern RecordText redact_text(Redaction *redaction, RecordText value);
extern Jsonb *redact_jsonb(Redaction *redaction, Jsonb *value);

#endif							/* REASON_REDACT_REDACT_H */
