/*
 * uuid.h
 *		UUIDs: version 7 (RFC 9562, section 5.7), the random bytes they need, and finding one among many.
 */
#ifndef REASON_RECORD_UUID_H
#define REASON_RECORD_UUID_H

#include "postgres.h"

#include "utils/uuid.h"

/*
 * Time-ordered: 48 bits of Unix milliseconds, 12 bits of the fraction of the
 * millisecond (section 6.2, method 3), 62 random bits.  UUIDs of one backend
 * strictly increase.
 */
extern void uuid_generate_v7(pg_uuid_t *uuid);

/* The element of sorted ones that begins with this id; NULL if none does. */
extern void *uuid_search(const pg_uuid_t *id, const void *elements, size_t count, size_t size);

/* Strong random bytes, drawn from the system in larger pieces. */
extern void random_bytes(void *out, size_t length);

#endif							/* REASON_RECORD_UUID_H */
