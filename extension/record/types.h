/*
 * types.h
 *		The types that nodes and edges may have.
 */
#ifndef REASON_RECORD_TYPES_H
#define REASON_RECORD_TYPES_H

#include "postgres.h"

#include "record/record.h"

typedef enum RecordKind
{
	RECORD_NODE,
	RECORD_EDGE
} RecordKind;

/* The type as it is recorded, matched without regard to ASCII case; data is NULL when there is none of that name. */
extern RecordText record_type_of(RecordKind kind, const char *name, size_t length);

/* "node" or "edge", for messages. */
extern const char *record_kind_name(RecordKind kind);

/* "Types are observation, … and annotation.", in the current memory context */
extern char *record_types_hint(RecordKind kind);

/* As record_type_of(), but raises 22023 for what is no type. */
extern RecordText record_type_asked(RecordKind kind, const char *name, size_t length);

#endif							/* REASON_RECORD_TYPES_H */
