/*
 * shown_record.h
 *		How a record may stand in a snapshot's document: whole, redacted or erased.
 *
 * The rule, for whoever verifies, inside and outside the database:
 *
 *	- what stands there is the record's members and its companions: digest, erased,
 *	  payload, redacted and salt, and nothing else;
 *	- `redacted` is true, and says that of author, metadata and payloadRef one at
 *	  least was redacted: it holds "[redacted:<category>]".  All other members are
 *	  those of the record;
 *	- `erased` says that the content is gone: there is no payload, or null, and no salt;
 *	- a payload is there with the salt that proves it, unless the document leaves
 *	  out personal data; a salt is nowhere without a payload,
 *	  nor either of them without a payloadHash.
 *
 * Whoever has the record itself compares the rest as well, with shown_record_is_of().
 */
#ifndef REASON_CORE_SHOWN_RECORD_H
#define REASON_CORE_SHOWN_RECORD_H

#include "core/shown_value.h"

/* What may stand beside the members of a record, ended by NULL. */
extern const char *const shown_companions[];

/* Whether a name is one of a list that ends in NULL. */
extern bool shown_name_is_among(const char *name, size_t length, const char *const *names);

/* What is wrong with it by itself, to be read after what it is called; NULL: nothing. */
extern const char *shown_record_fault(const JsonDocument *document, const JsonNode *record);

/* It has a payload, and no salt to prove it by. */
extern bool shown_payload_is_unproved(const JsonDocument *document, const JsonNode *record);

/*
 * Whether the record shows `whole`; both are canonical, and only a document that
 * may redact shows it redacted.  What it may take: see shown_value.h.
 */
extern bool shown_record_is_of(ShownWork *work, const JsonDocument *document, const JsonNode *record,
							   const JsonDocument *whole_document, const JsonNode *whole, bool may_redact);

#endif							/* REASON_CORE_SHOWN_RECORD_H */
