/*
 * safe_mode.c
 *		Tells a database that was restored or promoted from the one it was, and
 *		refuses writes where that is known to have forgotten something.
 *
 * Recovery to an earlier point, and promotion, begin a new timeline; a copy has
 * another system identifier.  Which ones the chains were last compared in stands in
 * table safe_mode (sql/safe_mode.sql).  A session looks there once, and again
 * after the row was changed, which is announced as a change of the table.
 */
#include "postgres.h"

#include "write/safe_mode.h"

#include "record/schema.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"

PG_FUNCTION_INFO_V1(reason_incarnation);
PG_FUNCTION_INFO_V1(reason_announce_safe_mode);

static Oid	safe_mode_table = InvalidOid;
static bool found_none = false;

static void
forget(Datum argument, Oid relation)
{
	if (relation == InvalidOid || relation == safe_mode_table)
		found_none = false;
}

static Oid
table_oid(void)
{
	return schema_relation_oid("safe_mode");
}

/* The fault in the caller's memory, or NULL. */
static char *
read_fault(void)
{
	MemoryContext caller = CurrentMemoryContext;
	char	   *fault;

	SPI_connect();
	if (SPI_execute("SELECT reason.safe_mode_fault()", true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read the safe mode");
	fault = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (fault != NULL)
		fault = MemoryContextStrdup(caller, fault);
	SPI_finish();
	return fault;
}

void
refuse_write_in_safe_mode(void)
{
	static bool registered = false;
	char	   *fault;

	if (found_none)
		return;
	if (!registered)
		CacheRegisterRelcacheCallback(forget, (Datum) 0);
	registered = true;
	safe_mode_table = table_oid();
	/*
	 * Before the row is read: a change that comes meanwhile is not to be missed.  A snapshot that is kept may be of
	 * before a change whose announcement came already.
	 */
	found_none = !IsolationUsesXactSnapshot();
	fault = read_fault();
	if (fault == NULL)
		return;
	found_none = false;
	ereport(ERROR,
			(errcode(ERRCODE_CANNOT_CONNECT_NOW),
			 errmsg("nothing is written in safe mode: %s", fault),
			 errhint("See the runbook ReasonSafeMode.")));
}

/* incarnation() → text: system identifier and timeline */
Datum
reason_incarnation(PG_FUNCTION_ARGS)
{
	if (RecoveryInProgress())
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(psprintf(UINT64_FORMAT "/%u", GetSystemIdentifier(), GetWALInsertionTimeLine())));
}

/* announce_safe_mode(): other sessions look again, once this transaction has committed */
Datum
reason_announce_safe_mode(PG_FUNCTION_ARGS)
{
	CacheInvalidateRelcacheByRelid(table_oid());
	PG_RETURN_VOID();
}
