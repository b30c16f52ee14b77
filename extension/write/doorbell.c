/*
 * doorbell.c
 *		Wakes the sidecar, if it sleeps.
 *
 * NOTIFY takes a lock on the whole cluster's queue at commit and makes all
 * committing writers wait in line, so a busy system must not use it.  The
 * sidecar holds a lock while it sleeps.  A writer that commits tries to share
 * it: if it can, the sidecar is awake, and cannot fall asleep before this
 * transaction has ended; only if it cannot does it notify.
 *
 * A transaction that is prepared must not have notified (PREPARE TRANSACTION
 * refuses it), and makes no work until it is committed.  So nothing is done
 * before the commit, and COMMIT PREPARED rings in its place.
 */
#include "postgres.h"

#include "write/doorbell.h"

#include "record/private_lock.h"
#include "record/schema.h"

#include "access/xact.h"
#include "commands/async.h"
#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"

PG_FUNCTION_INFO_V1(reason_ring);
PG_FUNCTION_INFO_V1(reason_lock_doorbell);
PG_FUNCTION_INFO_V1(reason_unlock_doorbell);

/* The current transaction is to ring when it commits. */
static bool is_to_ring = false;

static ProcessUtility_hook_type next_utility = NULL;

static void
wake_sidecar(void)
{
	LOCKTAG		tag = private_lock_tag("doorbell", strlen("doorbell"));

	if (LockAcquire(&tag, ShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		Async_Notify(REASON_DOORBELL_CHANNEL, "");
}

static void
at_transaction_end(XactEvent event, void *argument)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (is_to_ring)
				wake_sidecar();
			is_to_ring = false;
			break;
		case XACT_EVENT_PRE_PREPARE:
		case XACT_EVENT_ABORT:
			is_to_ring = false;
			break;
		default:
			break;
	}
}

void
doorbell_ring(void)
{
	is_to_ring = true;
}

/* What was prepared has been committed: whether by a writer of ours is not known any more. */
static void
after_utility(PlannedStmt *statement, const char *query, bool read_only_tree, ProcessUtilityContext context,
			  ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver, QueryCompletion *completion)
{
	bool		commits_prepared = IsA(statement->utilityStmt, TransactionStmt) &&
		castNode(TransactionStmt, statement->utilityStmt)->kind == TRANS_STMT_COMMIT_PREPARED;

	if (next_utility)
		next_utility(statement, query, read_only_tree, context, parameters, environment, receiver, completion);
	else
		standard_ProcessUtility(statement, query, read_only_tree, context, parameters, environment, receiver, completion);
	if (commits_prepared && schema_exists())
		doorbell_ring();
}

void
doorbell_define(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	next_utility = ProcessUtility_hook;
	ProcessUtility_hook = after_utility;
}

Datum
reason_ring(PG_FUNCTION_ARGS)
{
	doorbell_ring();
	PG_RETURN_VOID();
}

/* lock_doorbell() → boolean: from now on, if true, writers notify */
Datum
reason_lock_doorbell(PG_FUNCTION_ARGS)
{
	LOCKTAG		tag = private_lock_tag("doorbell", strlen("doorbell"));

	PG_RETURN_BOOL(LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL);
}

/* unlock_doorbell() → boolean: whether this session held it */
Datum
reason_unlock_doorbell(PG_FUNCTION_ARGS)
{
	LOCKTAG		tag = private_lock_tag("doorbell", strlen("doorbell"));

	PG_RETURN_BOOL(LockRelease(&tag, ExclusiveLock, true));
}
