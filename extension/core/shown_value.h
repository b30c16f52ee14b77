/*
 * shown_value.h
 *		Whether a value is what the redaction of another can have made.
 *
 * Names and texts have "[redacted:<category>]" in place of some of their bytes,
 * and numbers and containers may stand as that alone.  What was put in the place
 * of what cannot be told.  Names of an object stay distinct: the k-th that is
 * redacted, by length and then bytes, ends with " #k" from the second on.
 */
#ifndef REASON_CORE_SHOWN_VALUE_H
#define REASON_CORE_SHOWN_VALUE_H

#include "core/json_document.h"

/*
 * What comparisons may take, and what they need.  Redacted names are found by
 * their numbers.  Only names of the whole that hold such tokens themselves lead
 * to a search among all names of an object, which is quadratic and therefore
 * bounded.
 */
typedef struct ShownWork
{
	uint64_t	left;			/* looks at a redacted name; 0: given up, and false says nothing */
	bool		(*go_on)(void);		/* asked now and then; NULL: always */
	ByteBuffer	members;
} ShownWork;

/* At least one look; realloc == NULL: the C library's, for which shown_work_free() is. */
extern void shown_work_init(ShownWork *work, uint64_t most, bool (*go_on)(void), BufferRealloc realloc, void *context);
extern void shown_work_free(ShownWork *work);

/* A name or text within the value holds a token. */
extern bool shown_holds_token(const JsonDocument *document, const JsonNode *value);

/* Whether the value shows `whole`. */
extern bool shown_value_is_of(ShownWork *work, const JsonDocument *document, const JsonNode *shown,
							  const JsonDocument *whole_document, const JsonNode *whole);

#endif							/* REASON_CORE_SHOWN_VALUE_H */
