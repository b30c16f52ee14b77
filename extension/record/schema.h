/*
 * schema.h
 *		Tables, indexes and sequences of schema reason, found by name.
 *
 * A name may come to mean another relation between looking it up and having its
 * lock: REINDEX CONCURRENTLY builds a second index, then exchanges the names.
 * Whoever opens one does it here, where the name is looked up again.
 *
 * An index is opened after its table and closed before it: while the table is
 * locked, an index that has lost its name is still complete and kept up to date.
 */
#ifndef REASON_RECORD_SCHEMA_H
#define REASON_RECORD_SCHEMA_H

#include "postgres.h"

#include "access/attnum.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"

extern Oid	schema_oid(void);

/* Whether the extension is in this database. */
extern bool schema_exists(void);

/* Not locked, so that it may be gone when it is used; errors as below. */
extern Oid	schema_relation_oid(const char *name);

/* Raise an error when there is none of that name, or when it is of another kind. */
extern Relation schema_open_table(const char *name, LOCKMODE lockmode);
extern Relation schema_open_sequence(const char *name, LOCKMODE lockmode);
extern Relation schema_open_index(const char *name, Relation table, LOCKMODE lockmode);

/* InvalidAttrNumber when the table has no column of that name. */
extern AttrNumber schema_column(Relation table, const char *name);

#endif							/* REASON_RECORD_SCHEMA_H */
