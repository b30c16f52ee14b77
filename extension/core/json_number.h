/*
 * json_number.h
 *		Reads the numbers of a JSON text.
 */
#ifndef REASON_CORE_JSON_NUMBER_H
#define REASON_CORE_JSON_NUMBER_H

#include "core/json_document.h"

typedef struct JsonNumber
{
	const char *end;			/* one past the number; after an error, where it stops being one */
	const char *expected;		/* after a syntax error: what should stand there */
	double		value;
	bool		exact;			/* the text's digits are those of the shortest decimal for the double */
	bool		canonical;		/* and it is written as ECMAScript writes it */
} JsonNumber;

/* Reads the number at p, which is before end. */
extern JsonErrorCode json_read_number(const char *p, const char *end, JsonNumber *number);

#endif							/* REASON_CORE_JSON_NUMBER_H */
