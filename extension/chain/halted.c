/*
 * halted.c
 *		Chains that have halted: the rows of table halted_chain.
 */
#include "postgres.h"

#include "chain/halted.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

/*
 * A look at a broken page costs an error, and with checksums a line in the
 * server's log.
 */
#define NEXT_LOOK "pg_catalog.clock_timestamp() + interval '10 seconds'"

List *
halted_chains(void)
{
	List	   *chains = NIL;
	MemoryContext context = CurrentMemoryContext;

	if (SPI_execute("SELECT division, event_no, coalesce(look_at > pg_catalog.clock_timestamp(), false) FROM reason.halted_chain", true, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read which chains halt");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		MemoryContext old_context = MemoryContextSwitchTo(context);
		HaltedChain *chain = palloc(sizeof(HaltedChain));
		bool		isnull;

		chain->division = DatumGetTextPCopy(SPI_getbinval(tuple, desc, 1, &isnull));
		chain->event_no = DatumGetInt64(SPI_getbinval(tuple, desc, 2, &isnull));
		chain->waits = DatumGetBool(SPI_getbinval(tuple, desc, 3, &isnull));
		chains = lappend(chains, chain);
		MemoryContextSwitchTo(old_context);
	}
	SPI_freetuptable(SPI_tuptable);
	return chains;
}

static void
warn(const EventRow *row, int64 event_no, const char *fault)
{
	char	   *division = pnstrdup(row->division.data, row->division.length);
	char	   *event = row->event_type.data ? psprintf("\"%s\"", audit_uuid_text(&row->id)) : psprintf("number " INT64_FORMAT, event_no);

	ereport(WARNING,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the chain of division \"%s\" halts at event %s: %s", division, event, fault),
			 errhint("Other divisions are sealed. See the runbook ReasonChainHalted.")));
}

void
halted_chain_note(const EventRow *row, int64 event_no, const char *fault, bool hidden)
{
	Oid			types[] = {TEXTOID, INT8OID, UUIDOID, TEXTOID, TEXTOID, BOOLOID};
	char		nulls[] = "      ";
	Datum		values[] = {PointerGetDatum(cstring_to_text_with_len(row->division.data, row->division.length)), Int64GetDatum(event_no),
							UUIDPGetDatum(&row->id), (Datum) 0, CStringGetTextDatum(fault), BoolGetDatum(hidden)};

	if (row->event_type.data)
		values[3] = PointerGetDatum(cstring_to_text_with_len(row->event_type.data, row->event_type.length));
	else
		nulls[2] = nulls[3] = 'n';
	if (SPI_execute_with_args("INSERT INTO reason.halted_chain (division, event_no, event_id, event_type, fault, look_at)"
							  " VALUES ($1, $2, $3, $4, $5, CASE WHEN $6 THEN " NEXT_LOOK " END)"
							  " ON CONFLICT ON CONSTRAINT halted_chain_pkey DO UPDATE SET event_no = excluded.event_no,"
							  " event_id = excluded.event_id, event_type = excluded.event_type, fault = excluded.fault, since = excluded.since,"
							  " look_at = excluded.look_at",
							  lengthof(types), types, values, nulls, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not note that a chain halts");
	warn(row, event_no, fault);
}

void
halted_chain_wait(text *division)
{
	Oid			type = TEXTOID;
	Datum		value = PointerGetDatum(division);

	if (SPI_execute_with_args("UPDATE reason.halted_chain SET look_at = " NEXT_LOOK " WHERE division = $1", 1, &type, &value, NULL, false, 0) !=
		SPI_OK_UPDATE)
		elog(ERROR, "could not note that a chain halts");
}

void
halted_chain_resume(text *division, int64 done_no)
{
	Oid			types[] = {TEXTOID, INT8OID};
	Datum		values[] = {PointerGetDatum(division), Int64GetDatum(done_no)};

	if (done_no == PG_INT64_MAX)
		SPI_execute_with_args("DELETE FROM reason.halted_chain WHERE division = $1", 1, types, values, NULL, false, 0);
	else
		SPI_execute_with_args("UPDATE reason.halted_chain SET event_no = $2 + 1 WHERE division = $1", 2, types, values, NULL, false, 0);
}
