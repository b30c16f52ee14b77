/*
 * doorbell.c
 *		Wakes the sidecar, if it sleeps.
 *
 * NOTIFY takes a lock on the whole cluster's queue at commit and makes all
 * committing writers wait in line, so a busy system must not use it.  The
 * sidecar holds an advisory lock while it sleeps.  A writer tries to share it:
 * if it can, the sidecar is awake, and cannot fall asleep before this
 * transaction has ended; only if it cannot does it notify.
 */
#include "postgres.h"

#include "write/doorbell.h"

#include "commands/async.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lock.h"

PG_FUNCTION_INFO_V1(reason_ring);
PG_FUNCTION_INFO_V1(reason_doorbell_key);

void
doorbell_ring(void)
{
	LOCKTAG		tag;

	/* As pg_advisory_lock(bigint) does. */
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (REASON_DOORBELL_KEY >> 32), (uint32) REASON_DOORBELL_KEY, 1);
	if (LockAcquire(&tag, ShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		Async_Notify(REASON_DOORBELL_CHANNEL, "");
}

Datum
reason_ring(PG_FUNCTION_ARGS)
{
	doorbell_ring();
	PG_RETURN_VOID();
}

Datum
reason_doorbell_key(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(REASON_DOORBELL_KEY);
}
