/*
 * shared_memory.h
 *		Shared memory of the extension: each part asks for its own when the library is preloaded.
 */
#ifndef REASON_RECORD_SHARED_MEMORY_H
#define REASON_RECORD_SHARED_MEMORY_H

#include "postgres.h"

#include "storage/lwlock.h"

/*
 * The memory is zero when it is new; after a crash of a backend it is new again,
 * while the postmaster has what it had.  The lock is the part's own.
 */
typedef void (*SharedMemorySetUp) (void *memory, bool is_new, LWLock *lock);

/*
 * Asks for memory, at the server's start; where the library is not preloaded,
 * nothing happens.  The name is that of the lock's tranche, and of the memory in
 * pg_shmem_allocations.
 */
extern void shared_memory_define(const char *name, Size size, SharedMemorySetUp set_up);

#endif							/* REASON_RECORD_SHARED_MEMORY_H */
