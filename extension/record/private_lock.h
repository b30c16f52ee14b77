/*
 * private_lock.h
 *		Locks that no session can take but through this library.
 *
 * Advisory locks are open to every login of the database, which reads in
 * pg_locks what to hold.  These differ from them in the type alone: they live
 * as long, are seen in pg_locks (locktype userlock), are waited for, time out
 * and are prepared as they are.  No function of PostgreSQL takes one.
 */
#ifndef REASON_RECORD_PRIVATE_LOCK_H
#define REASON_RECORD_PRIVATE_LOCK_H

#include "postgres.h"

#include "storage/lock.h"

/* The lock of this database that is called so. */
extern LOCKTAG private_lock_tag(const char *name, size_t length);

#endif							/* REASON_RECORD_PRIVATE_LOCK_H */
