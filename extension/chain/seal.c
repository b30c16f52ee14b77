/*
 * seal.c
 *		Gives events their place in the chain of their division: seal_events().
 *
 * Writers insert events in any order and commit in another; one sealer orders
 * what it sees.  Where it need not look again, its mark says (mark.c).
 *
 * An event that cannot be read, or is not what a writer can have left, is never
 * sealed, and what comes after it rests on it: the chain of its division halts
 * there (table halted_chain says where and why), and the others go on.  Each
 * pass looks whether the event has been mended.
 *
 * Lock order: the lease's row, then sealer_state's row; the latter keeps two
 * sealers apart even under one token.
 */
#include "postgres.h"

#include "chain/event_read.h"
#include "chain/mark.h"
#include "core/sha256.h"
#include "record/row_scan.h"
#include "record/insert.h"
#include "record/schema.h"

#include "access/relation.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_seal_events);

/* The last seal of a division's chain, which the next continues. */
typedef struct ChainHead
{
	uint8		key[SHA256_LENGTH]; /* of the division's name */
	bool		halted;			/* at an event that cannot be sealed */
	int64		seq;			/* -1: the chain is empty */
	uint8		hash[SHA256_LENGTH];
	TimestampTz created_at;
} ChainHead;

/* Rows in the order of their numbers, one ahead. */
typedef struct NumberedScan
{
	RowScan		scan;
	AttrNumber	no_column;
	bool		at_row;			/* scan.slot holds a row */
	int64		no;
} NumberedScan;

typedef struct Sealer
{
	Snapshot	snapshot;
	NumberedScan events;
	NumberedScan seals;
	EventColumns columns;		/* of events */
	AuditChecker checker;		/* of what an event says of itself */
	HTAB	   *heads;
	List	   *resumed;		/* text *: divisions whose chains had halted, and go on in this pass */
	SPIPlanPtr	head_plan;
	RecordInsert inserts;
	MemoryContext batch_context;	/* values of rows kept back */
	int			sealed;
} Sealer;

static const char *const seal_columns[] = {"division", "seq", "event_no", "prev_hash", "hash", "created_at"};

#define SEAL_COLUMN_COUNT lengthof(seal_columns)

/* ---------------------------------------------------------------- rows in order of their numbers */

static void
next_row(NumberedScan *numbered)
{
	numbered->at_row = row_scan_next(&numbered->scan);
	if (numbered->at_row)
		numbered->no = DatumGetInt64(row_scan_value(numbered->scan.slot, numbered->no_column));
}

static void
open_scan(NumberedScan *numbered, const char *table, const char *index, const char *no_column, int64 after, Snapshot snapshot)
{
	row_scan_open(&numbered->scan, table, index, 1, snapshot);
	numbered->no_column = row_scan_column(numbered->scan.heap, no_column);
	row_scan_int8(&numbered->scan, 0, BTGreaterStrategyNumber, after);
	row_scan_start(&numbered->scan);
	next_row(numbered);
}

/*
 * Whether the event that is next has its seal; moves the seals along.  Numbers
 * are drawn from one sequence, so there is one seal of a number.
 */
static bool
is_sealed(Sealer *sealer)
{
	while (sealer->seals.at_row && sealer->seals.no < sealer->events.no)
		next_row(&sealer->seals);
	return sealer->seals.at_row && sealer->seals.no == sealer->events.no;
}

/* ---------------------------------------------------------------- heads */

static void
read_head(Sealer *sealer, ChainHead *head, RecordText division)
{
	Datum		argument = PointerGetDatum(cstring_to_text_with_len(division.data, division.length));
	bool		isnull;

	if (sealer->head_plan == NULL)
	{
		Oid			type = TEXTOID;

		sealer->head_plan = SPI_prepare("SELECT seq, hash, created_at FROM reason.audit_seal"
										" WHERE division = $1 ORDER BY division DESC, seq DESC LIMIT 1", 1, &type);
		if (sealer->head_plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	}
	if (SPI_execute_snapshot(sealer->head_plan, &argument, NULL, sealer->snapshot, InvalidSnapshot, true, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the head of a chain");
	head->halted = false;
	head->seq = -1;
	if (SPI_processed == 1)
	{
		HeapTuple	tuple = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;

		head->seq = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		memcpy(head->hash, VARDATA_ANY(DatumGetByteaPP(SPI_getbinval(tuple, desc, 2, &isnull))), SHA256_LENGTH);
		head->created_at = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 3, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
}

static ChainHead *
head_of(Sealer *sealer, RecordText division)
{
	uint8		key[SHA256_LENGTH];
	bool		found;
	ChainHead  *head;

	sha256_of(key, division.data, division.length);
	head = hash_search(sealer->heads, key, HASH_ENTER, &found);
	if (!found)
		read_head(sealer, head, division);
	return head;
}

/* ---------------------------------------------------------------- chains that halt */

/* Reads the row of a scan; false, with checker.fault, unless it can be sealed as it is. */
static bool
read_event(Sealer *sealer, TupleTableSlot *slot, EventRow *row)
{
	char	   *unreadable;

	resetStringInfo(sealer->checker.fault);
	if (event_read(slot, &sealer->columns, row, &unreadable))
		return audit_check_form(&sealer->checker, row);
	return audit_fault(&sealer->checker, "%s", unreadable);
}

static Datum
text_datum(RecordText value)
{
	return PointerGetDatum(cstring_to_text_with_len(value.data, value.length));
}

static void
halt(Sealer *sealer, ChainHead *head, int64 no, const EventRow *row)
{
	Oid			types[] = {TEXTOID, INT8OID, UUIDOID, TEXTOID, TEXTOID};
	Datum		values[] = {text_datum(row->division), Int64GetDatum(no), UUIDPGetDatum(&row->id), text_datum(row->event_type),
							PointerGetDatum(cstring_to_text_with_len(sealer->checker.fault->data, sealer->checker.fault->len))};

	head->halted = true;
	if (SPI_execute_with_args("INSERT INTO reason.halted_chain (division, event_no, event_id, event_type, fault) VALUES ($1, $2, $3, $4, $5)"
							  " ON CONFLICT ON CONSTRAINT halted_chain_pkey DO UPDATE SET event_no = excluded.event_no,"
							  " event_id = excluded.event_id, event_type = excluded.event_type, fault = excluded.fault, since = excluded.since",
							  lengthof(types), types, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not note that a chain halts");
	ereport(WARNING,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the chain of division \"%.*s\" halts at event \"%s\": %s", (int) row->division.length, row->division.data,
					audit_uuid_text(&row->id), sealer->checker.fault->data),
			 errhint("Other divisions are sealed. See the runbook ReasonChainHalted.")));
}

/*
 * Looks whether the events at which chains halt can be sealed by now, or are
 * gone.  Returns the number from which such a chain goes on, less one;
 * PG_INT64_MAX without any.
 */
static int64
resume_halted(Sealer *sealer)
{
	int64		after = PG_INT64_MAX;
	SPITupleTable *halted;
	RowScan		events;

	if (SPI_execute("SELECT division, event_no FROM reason.halted_chain", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read which chains halt");
	halted = SPI_tuptable;
	if (SPI_processed == 0)
		return after;
	row_scan_open(&events, "audit_event", "audit_event_pkey", 1, sealer->snapshot);
	row_scan_seek_by(&events, "no");
	for (uint64 i = 0; i < halted->numvals; i++)
	{
		bool		isnull;
		int64		no = DatumGetInt64(SPI_getbinval(halted->vals[i], halted->tupdesc, 2, &isnull));
		text	   *division = DatumGetTextPP(SPI_getbinval(halted->vals[i], halted->tupdesc, 1, &isnull));
		RecordText	key = {VARDATA_ANY(division), VARSIZE_ANY_EXHDR(division)};
		EventRow	row;

		if (row_scan_seek(&events, no, division) && !read_event(sealer, events.slot, &row))
		{
			head_of(sealer, key)->halted = true;
			continue;
		}
		sealer->resumed = lappend(sealer->resumed, division);
		after = Min(after, no - 1);
	}
	row_scan_close(&events);
	return after;
}

/* Chains that went on do so to their end, or, when the pass had enough, in the next from where it stopped. */
static void
note_resumed(Sealer *sealer, int64 done_no)
{
	Oid			types[] = {TEXTOID, INT8OID};
	ListCell   *cell;

	foreach(cell, sealer->resumed)
	{
		text	   *division = lfirst(cell);
		RecordText	name = {VARDATA_ANY(division), VARSIZE_ANY_EXHDR(division)};
		Datum		values[] = {PointerGetDatum(division), Int64GetDatum(done_no)};

		if (head_of(sealer, name)->halted)
			continue;
		if (done_no == PG_INT64_MAX)
			SPI_execute_with_args("DELETE FROM reason.halted_chain WHERE division = $1", 1, types, values, NULL, false, 0);
		else
			SPI_execute_with_args("UPDATE reason.halted_chain SET event_no = $2 + 1 WHERE division = $1", 2, types, values, NULL, false, 0);
	}
}

/* ---------------------------------------------------------------- sealing */

static Datum
hash_datum(const uint8 *hash)
{
	bytea	   *result = palloc(VARHDRSZ + SHA256_LENGTH);

	SET_VARSIZE(result, VARHDRSZ + SHA256_LENGTH);
	memcpy(VARDATA(result), hash, SHA256_LENGTH);
	return PointerGetDatum(result);
}

static void
flush(Sealer *sealer)
{
	record_insert_flush(&sealer->inserts);
	MemoryContextReset(sealer->batch_context);
}

/* Puts an event at the end of its division's chain. */
static void
append(Sealer *sealer, ChainHead *head, const EventRow *row)
{
	Datum		values[SEAL_COLUMN_COUNT];
	bool		nulls[SEAL_COLUMN_COUNT] = {0};
	bool		first = head->seq < 0;

	values[0] = text_datum(row->division);
	values[2] = Int64GetDatum(sealer->events.no);
	nulls[3] = first;
	values[3] = first ? (Datum) 0 : hash_datum(head->hash);

	sha256_of_two(head->hash, row->payload.data, row->payload.length, head->hash, first ? 0 : SHA256_LENGTH);
	head->created_at = first || row->ts > head->created_at ? row->ts : head->created_at + 1;
	head->seq++;

	values[1] = Int64GetDatum(head->seq);
	values[4] = hash_datum(head->hash);
	values[5] = TimestampTzGetDatum(head->created_at);
	record_insert_row(&sealer->inserts, values, nulls);
	sealer->sealed++;
}

/* The event that is next, unless its chain halts: gives it its place, or halts its chain there. */
static void
seal(Sealer *sealer)
{
	MemoryContext old_context = MemoryContextSwitchTo(sealer->batch_context);
	TupleTableSlot *slot = sealer->events.scan.slot;
	ChainHead  *head = head_of(sealer, row_scan_text_value(slot, sealer->columns.division));

	if (!head->halted)
	{
		EventRow	row;

		if (read_event(sealer, slot, &row))
			append(sealer, head, &row);
		else
			halt(sealer, head, sealer->events.no, &row);
	}
	MemoryContextSwitchTo(old_context);
	if (sealer->inserts.kept == RECORD_INSERT_BATCH)
		flush(sealer);
}

static void
begin(Sealer *sealer, int64 after)
{
	HASHCTL		control = {.keysize = SHA256_LENGTH, .entrysize = sizeof(ChainHead), .hcxt = CurrentMemoryContext};
	Relation	events = schema_open_table("audit_event", AccessShareLock);

	event_columns_find(&sealer->columns, events);
	table_close(events, NoLock);
	audit_checker_init(&sealer->checker, NULL);
	sealer->heads = hash_create("chain heads", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	sealer->batch_context = AllocSetContextCreate(CurrentMemoryContext, "seals", ALLOCSET_DEFAULT_SIZES);
	after = Min(after, resume_halted(sealer));
	open_scan(&sealer->events, "audit_event", "audit_event_pkey", "no", after, sealer->snapshot);
	open_scan(&sealer->seals, "audit_seal", "audit_seal_event_key", "event_no", after, sealer->snapshot);
	record_insert_begin(&sealer->inserts, "audit_seal", seal_columns, SEAL_COLUMN_COUNT, NULL, NULL);
}

static void
finish(Sealer *sealer)
{
	record_insert_end(&sealer->inserts);
	row_scan_close(&sealer->seals.scan);
	row_scan_close(&sealer->events.scan);
	hash_destroy(sealer->heads);
	MemoryContextDelete(sealer->batch_context);
	CommandCounterIncrement();
}

/*
 * Seals up to max_events and returns the number up to which everything visible
 * has its place.
 */
static int64
seal_from(Sealer *sealer, int64 after, int max_events)
{
	int64		done_no = PG_INT64_MAX;

	begin(sealer, after);
	while (sealer->events.at_row)
	{
		CHECK_FOR_INTERRUPTS();
		if (!is_sealed(sealer))
		{
			if (sealer->sealed >= max_events)
			{
				done_no = sealer->events.no - 1;
				break;
			}
			seal(sealer);
		}
		next_row(&sealer->events);
	}
	note_resumed(sealer, done_no);
	finish(sealer);
	return done_no;
}

/* ---------------------------------------------------------------- state */

static void
execute(const char *command, int expected)
{
	int			result = SPI_execute(command, false, 0);

	if (result != expected)
		elog(ERROR, "\"%s\" failed: %s", command, SPI_result_code_string(result));
}

static void
check_lease(int64 token)
{
	Oid			type = INT8OID;
	Datum		value = Int64GetDatum(token);

	if (SPI_execute_with_args("SELECT reason.check_lease('seal', $1)", 1, &type, &value, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not check the lease");
}

/* Takes the row's lock, so that whatever another sealer did is committed when the snapshot is taken. */
static void
lock_state(void)
{
	execute("INSERT INTO reason.sealer_state DEFAULT VALUES ON CONFLICT DO NOTHING", SPI_OK_INSERT);
	execute("SELECT FROM reason.sealer_state FOR UPDATE", SPI_OK_SELECT);
}

/* seal_events(lease_token bigint, max_events integer) → integer */
Datum
reason_seal_events(PG_FUNCTION_ARGS)
{
	int64		token = PG_GETARG_INT64(0);
	int			max_events = PG_GETARG_INT32(1);
	Sealer		sealer = {0};
	SealerMark	mark;
	Relation	sequence;
	Watermark	began;
	int64		done_no;

	if (max_events < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_events must be at least 1")));
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("events are sealed in transactions of isolation level READ COMMITTED")));

	sequence = schema_open_sequence("record_no", AccessShareLock);
	began = watermarks_note(sequence);
	SPI_connect();
	check_lease(token);
	lock_state();
	PushActiveSnapshot(GetTransactionSnapshot());
	sealer.snapshot = RegisterSnapshot(GetActiveSnapshot());
	sealer_mark_read(&mark, sequence, sealer.snapshot);
	done_no = seal_from(&sealer, mark.sealed_no, max_events);
	UnregisterSnapshot(sealer.snapshot);
	PopActiveSnapshot();
	sealer_mark_move(&mark, sequence, began, done_no);
	relation_close(sequence, AccessShareLock);
	SPI_finish();
	PG_RETURN_INT32(sealer.sealed);
}
