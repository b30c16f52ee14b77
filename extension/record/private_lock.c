/*
 * private_lock.c
 *		Locks that no session can take but through this library.
 */
#include "postgres.h"

#include "record/private_lock.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

PG_FUNCTION_INFO_V1(reason_lock_until_commit);

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
