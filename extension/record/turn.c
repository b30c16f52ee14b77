/*
 * turn.c
 *		How many transactions of one client work at a time, on what takes long.
 */
#include "postgres.h"

#include "record/turn.h"

#include "record/private_lock.h"
#include "record/text.h"

#include <unistd.h>

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

/* What is done within so many milliseconds is quick. */
#define QUICK_MS 20

#if PG_VERSION_NUM >= 170000
#define PRESENT_TRANSACTION (MyProc->vxid.lxid)
#else
#define PRESENT_TRANSACTION (MyProc->lxid)
#endif

PG_FUNCTION_INFO_V1(reason_take_turn);
PG_FUNCTION_INFO_V1(reason_turn_when_long);

static int	client_heavy_reads = 0;

/* The client that is to wait, in which transaction, and since when that has been at work. */
static NameData waiter;
static LocalTransactionId waits_in = InvalidLocalTransactionId;
static TimestampTz began;

void
turn_define(void)
{
	DefineCustomIntVariable("reason.client_heavy_reads",
							"Sets how many reads of one client of the gateway that take long work at a time.",
							"Further ones wait. 0 takes half of the processors, and one at least.",
							&client_heavy_reads, 0, 0, 10000,
							PGC_SUSET, 0, NULL, NULL, NULL);
}

/*
 * Each place is a lock.  A transaction that finds no place free waits for one of
 * them, first come, first served.  Clients whose names agree in their first 63
 * bytes share their places.
 */
static void
take_turn(const char *client, size_t length)
{
	long		processors = sysconf(_SC_NPROCESSORS_ONLN);
	int			places = client_heavy_reads > 0 ? client_heavy_reads : Max(1, (int) (processors / 2));
	StringInfoData name;

	waits_in = InvalidLocalTransactionId;
	initStringInfo(&name);
	for (int i = 0; i <= places; i++)
	{
		bool		waits = i == places;
		LOCKTAG		tag;

		resetStringInfo(&name);
		appendStringInfo(&name, "turn %d ", waits ? MyProcPid % places : i);
		appendBinaryStringInfo(&name, client, length);
		tag = private_lock_tag(name.data, name.len);
		if (LockAcquire(&tag, ExclusiveLock, false, !waits) != LOCKACQUIRE_NOT_AVAIL)
			break;
	}
	pfree(name.data);
}

void
turn_if_long(void)
{
	if (waits_in != InvalidLocalTransactionId && waits_in == PRESENT_TRANSACTION &&
		TimestampDifferenceExceeds(began, GetCurrentTimestamp(), QUICK_MS))
		take_turn(NameStr(waiter), strlen(NameStr(waiter)));
}

/* take_turn(client text): at once */
Datum
reason_take_turn(PG_FUNCTION_ARGS)
{
	RecordText	client = record_text_argument(fcinfo, 0);

	take_turn(client.data, Min(client.length, NAMEDATALEN - 1));
	PG_RETURN_VOID();
}

/* turn_when_long(client text): for what is quick most of the time */
Datum
reason_turn_when_long(PG_FUNCTION_ARGS)
{
	RecordText	client = record_text_argument(fcinfo, 0);

	memset(&waiter, 0, sizeof(waiter));
	memcpy(NameStr(waiter), client.data, Min(client.length, NAMEDATALEN - 1));
	waits_in = PRESENT_TRANSACTION;
	began = GetCurrentTimestamp();
	PG_RETURN_VOID();
}
