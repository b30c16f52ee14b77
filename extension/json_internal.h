/*
 * json_internal.h
 *		What the files of the reader share among themselves.
 */
#ifndef REASON_JSON_INTERNAL_H
#define REASON_JSON_INTERNAL_H

#include "json_reader.h"

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

/* One step of a JSON Pointer. */
extern void json_write_pointer_index(ByteBuffer *out, uint32_t index);
extern void json_write_pointer_name(ByteBuffer *out, const char *name, size_t length);

/* Copies the pointer into an error, shortened at a step if need be. */
extern void json_set_pointer(JsonError *error, const ByteBuffer *pointer);

#endif							/* REASON_JSON_INTERNAL_H */
