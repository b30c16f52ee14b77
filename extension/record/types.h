/*
 * types.h
 *		The types that nodes and edges may have; those of annotations are free.
 */
#ifndef REASON_RECORD_TYPES_H
#define REASON_RECORD_TYPES_H

#include "postgres.h"

#include "record/record.h"

/* The type as it is recorded, matched without regard to ASCII case; data is NULL when there is none of that name. */
extern RecordText record_type_of(RecordKind kind, const char *name, size_t length);

/* "Types are observation, … and annotation.", in the current memory context */
extern char *record_types_hint(RecordKind kind);

/* As record_type_of(), but raises 22023 for what is no type. */
extern RecordText record_type_asked(RecordKind kind, const char *name, size_t length);

#endif							/* REASON_RECORD_TYPES_H */
