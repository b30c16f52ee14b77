/*
 * orphans.c
 *		Rows that no event records, and events that have no place in the chain.
 *
 * Each table is read once from front to back; for each row of the division an
 * index tells whether its counterpart is there.
 */
#include "postgres.h"

#include "chain/orphans.h"

#include "chain/verify.h"

#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

typedef struct StrayScan
{
	TableScanDesc scan;
	TupleTableSlot *slot;
	AttrNumber	no;
	AttrNumber	id;
	AttrNumber	division;
} StrayScan;

static void
open_table(StrayScan *stray, Relation table, Snapshot snapshot)
{
	stray->scan = table_beginscan(table, snapshot, 0, NULL);
	stray->slot = table_slot_create(table, NULL);
	stray->no = row_scan_column(table, "no");
	stray->id = row_scan_column(table, "id");
	stray->division = row_scan_column(table, "division");
}

static void
close_table(StrayScan *stray)
{
	table_endscan(stray->scan);
	ExecDropSingleTupleTableSlot(stray->slot);
}

/* The next row of the division. */
static bool
next_row(StrayScan *stray, text *division)
{
	while (table_scan_getnextslot(stray->scan, ForwardScanDirection, stray->slot))
	{
		RecordText	candidate;

		CHECK_FOR_INTERRUPTS();
		candidate = row_scan_text_value(stray->slot, stray->division);
		if (candidate.length == VARSIZE_ANY_EXHDR(division) &&
			memcmp(candidate.data, VARDATA_ANY(division), candidate.length) == 0)
			return true;
	}
	return false;
}

/* Rows of one kind: the event of the same number must be of that kind. */
static bool
check_records(AuditChecker *checker, RecordKind kind, RowScan *events, text *division)
{
	char		expected[NAMEDATALEN];
	size_t		length = snprintf(expected, sizeof(expected), "%s.created", record_kind_names[kind]);
	AttrNumber	event_type = row_scan_column(events->heap, "event_type");
	StrayScan	stray;
	bool		good = true;

	open_table(&stray, checker->reader->tables[kind].by_no.heap, checker->reader->snapshot);
	while (good && next_row(&stray, division))
	{
		RecordText	found = {NULL, 0};

		if (row_scan_seek(events, DatumGetInt64(row_scan_value(stray.slot, stray.no)), division))
			found = row_scan_text_value(events->slot, event_type);
		if (found.data == NULL || found.length != length || memcmp(found.data, expected, length) != 0)
			good = audit_fault(checker, "%s \"%s\": no event records it", record_kind_names[kind],
							   audit_uuid_text(DatumGetUUIDP(row_scan_value(stray.slot, stray.id))));
	}
	close_table(&stray);
	return good;
}

/* Up to which number the division's events must be sealed. */
static int64
sealed_no(text *division)
{
	bool		isnull;
	Oid			type = TEXTOID;
	Datum		value = PointerGetDatum(division);

	if (SPI_execute_with_args("SELECT reason.sealed_no($1)", 1, &type, &value, NULL, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read the state of the sealer");
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

/* Events up to the sealer's mark must be sealed: the sealer never looks at them again. */
static bool
check_events(AuditChecker *checker, RowScan *events, RowScan *seals, text *division)
{
	StrayScan	stray;
	int64		sealed = sealed_no(division);
	bool		good = true;

	open_table(&stray, events->heap, checker->reader->snapshot);
	while (good && next_row(&stray, division))
	{
		int64		no = DatumGetInt64(row_scan_value(stray.slot, stray.no));

		if (no > sealed)
			continue;
		if (!row_scan_seek(seals, no, division))
			good = audit_fault(checker, "audit_event \"%s\": it has no place in the chain",
							   audit_uuid_text(DatumGetUUIDP(row_scan_value(stray.slot, stray.id))));
	}
	close_table(&stray);
	return good;
}

/* Tables of rules and of the quarantine must hold nothing that no event explains. */
static bool
check_tables(AuditChecker *checker, text *division)
{
	Oid			type = TEXTOID;
	Datum		value = PointerGetDatum(division);
	bool		good;

	if (SPI_execute_with_args("SELECT fault FROM reason.stray_fault($1) fault WHERE fault IS NOT NULL", 1, &type, &value,
							  NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look for rows that no event records");
	good = SPI_processed == 0;
	if (!good)
		audit_fault(checker, "%s", SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	SPI_freetuptable(SPI_tuptable);
	return good;
}

bool
audit_check_strays(Verifier *verifier, int part)
{
	AuditChecker *checker = &verifier->checker;
	text	   *division = verifier->division;
	RowScan		events;
	RowScan		seals;
	bool		good;

	row_scan_open(&events, "audit_event", "audit_event_pkey", 1, verifier->snapshot);
	row_scan_open(&seals, "audit_seal", "audit_seal_event_key", 1, verifier->snapshot);
	row_scan_seek_by(&events, "no");
	row_scan_seek_by(&seals, "event_no");
	if (part < RECORD_KINDS)
		good = check_records(checker, part, &events, division);
	else if (part == RECORD_KINDS)
		good = check_events(checker, &events, &seals, division);
	else
		good = check_tables(checker, division);
	row_scan_close(&seals);
	row_scan_close(&events);
	verifier->stray = !good;
	return good;
}
