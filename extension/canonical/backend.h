/*
 * backend.h
 *		Canonical JSON inside PostgreSQL: memory, errors and limits.
 */
#ifndef REASON_CANONICAL_BACKEND_H
#define REASON_CANONICAL_BACKEND_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "core/buffer.h"
#include "core/json_reader.h"

/* PostgreSQL 18 has no pg_attribute_noreturn() any more, and 15 has nothing else. */
#define REASON_NORETURN __attribute__((noreturn))

/* reason.max_json_depth: nesting that the write path accepts. */
extern int	reason_max_json_depth;

/* reason.max_canonical_depth: nesting that canonical_json() and digest() accept. */
extern int	reason_max_canonical_depth;

/* Called by _PG_init(). */
extern void canonical_define_parameters(void);

/*
 * Memory hook: palloc() in `context`, a MemoryContext, or in the current one when
 * NULL.  Checks for interrupts and raises an error when there is no memory.
 */
extern void *canonical_realloc(void *context, void *old, size_t size);

/* Raises the reader's error with SQLSTATE, and the place as DETAIL. */
extern REASON_NORETURN void canonical_report(const JsonError *error);

/* The limits of the write path: depth by configuration, inexact numbers refused. */
extern JsonLimits canonical_write_limits(void);

#endif							/* REASON_CANONICAL_BACKEND_H */
