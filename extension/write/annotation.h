/*
 * annotation.h
 *		An annotation, from JSON text.
 */
#ifndef REASON_WRITE_ANNOTATION_H
#define REASON_WRITE_ANNOTATION_H

#include "postgres.h"

#include "write/input.h"
#include "write/rows.h"

/* An annotation of a node.  The sink is told of each record, in order. */
extern void annotation_write(WriteInput *input, const pg_uuid_t *node, WriteSink sink, void *sink_argument);

#endif							/* REASON_WRITE_ANNOTATION_H */
