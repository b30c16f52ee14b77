/*
 * private_lock.h
 *		Locks that no session can take but through this library.
 *
 * Advisory locks are open to every login of the database, which reads in
 * pg_locks what to hold.  These locks differ from them in their type alone
 * (locktype userlock in pg_locks), which no function of PostgreSQL takes: how
 * long they live, waiting, timeouts and PREPARE TRANSACTION are the same.
 */
#ifndef REASON_RECORD_PRIVATE_LOCK_H
#define REASON_RECORD_PRIVATE_LOCK_H

#include "postgres.h"

#include "storage/lock.h"

/* The lock of this database that is called so. */
extern LOCKTAG private_lock_tag(const char *name, size_t length);

#endif							/* REASON_RECORD_PRIVATE_LOCK_H */
