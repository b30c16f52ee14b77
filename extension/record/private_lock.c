/*
 * private_lock.c
 *		Locks that no session can take but through this library.
 */
#include "postgres.h"

#include "record/private_lock.h"

#include <unistd.h>

#include "common/hashfn.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/guc.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

PG_FUNCTION_INFO_V1(reason_lock_until_commit);
PG_FUNCTION_INFO_V1(reason_take_turn);

static int	client_heavy_reads = 0;

void
private_lock_define(void)
{
	DefineCustomIntVariable("reason.client_heavy_reads",
							"Sets how many heavy reads of one client of the gateway work at a time.",
							"Further ones wait. 0 takes half of the processors, and one at least.",
							&client_heavy_reads, 0, 0, 10000,
							PGC_SUSET, 0, NULL, NULL, NULL);
}

LOCKTAG
private_lock_tag(const char *name, size_t length)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) name, (int) length, 0);
	LOCKTAG		tag = {
		.locktag_field1 = MyDatabaseId,
		.locktag_field2 = (uint32) (hash >> 32),
		.locktag_field3 = (uint32) hash,
		.locktag_type = LOCKTAG_USERLOCK,
		.locktag_lockmethodid = USER_LOCKMETHOD
	};

	return tag;
}

/* lock_until_commit(name text): waits for it, as long as lock_timeout allows */
Datum
reason_lock_until_commit(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(0);
	LOCKTAG		tag = private_lock_tag(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));

	(void) LockAcquire(&tag, ExclusiveLock, false, false);
	PG_RETURN_VOID();
}

/*
 * take_turn(client text): waits, until the transaction may be one of those of
 * the client that work.  A lock is a place; who finds none free waits for one of
 * them, in the order of coming.
 */
Datum
reason_take_turn(PG_FUNCTION_ARGS)
{
	text	   *client = PG_GETARG_TEXT_PP(0);
	long		processors = sysconf(_SC_NPROCESSORS_ONLN);
	int			places = client_heavy_reads > 0 ? client_heavy_reads : Max(1, (int) (processors / 2));
	StringInfoData name;
	LOCKTAG		tag;

	initStringInfo(&name);
	for (int i = 0; i <= places; i++)
	{
		bool		waits = i == places;

		resetStringInfo(&name);
		appendStringInfo(&name, "turn %d ", waits ? MyProcPid % places : i);
		appendBinaryStringInfo(&name, VARDATA_ANY(client), VARSIZE_ANY_EXHDR(client));
		tag = private_lock_tag(name.data, name.len);
		if (LockAcquire(&tag, ExclusiveLock, false, !waits) != LOCKACQUIRE_NOT_AVAIL)
			break;
	}
	pfree(name.data);
	PG_RETURN_VOID();
}
