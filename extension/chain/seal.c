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
 * A page of a table that cannot be read ends the whole pass by an error.  The
 * pass is then made anew, carefully, row by row in subtransactions: what stands
 * on the page is known by the index alone, number and division, and halts the
 * chains of these divisions in the same way.
 *
 * Lock order: the lease's row, then sealer_state's row; the latter keeps two
 * sealers apart even under one token.
 */
#include "postgres.h"

#include "chain/chain_head.h"
#include "chain/event_read.h"
#include "chain/halted.h"
#include "chain/mark.h"
#include "core/sha256.h"
#include "record/attempt.h"
#include "record/event_text.h"
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
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_seal_events);

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
	EventTexts	texts;			/* of events */
	AuditChecker checker;		/* of what an event says of itself */
	ChainHeads *heads;
	List	   *resumed;		/* text *: divisions whose chains had halted, and go on in this pass */
	RecordInsert inserts;
	MemoryContext batch_context;	/* values of rows kept back */
	int64		after;			/* the number behind which the pass begins, ... */
	int			max_events;		/* ... and how many it seals */
	bool		careful;		/* a row could not be read */
	char	   *hidden;			/* why it cannot be told whether the event that is next has its seal */
	int64		done_no;		/* up to there everything visible has its place */
	int			sealed;
} Sealer;

static const char *const seal_columns[] = {"division", "seq", "event_no", "hash", "created_at"};

#define SEAL_COLUMN_COUNT lengthof(seal_columns)

/* ---------------------------------------------------------------- rows in order of their numbers */

static void
next_row(NumberedScan *numbered)
{
	numbered->at_row = row_scan_next(&numbered->scan);
	if (!numbered->at_row)
		return;
	numbered->no = DatumGetInt64(numbered->scan.fault ? row_scan_key(&numbered->scan, 0) :
								 row_scan_value(numbered->scan.slot, numbered->no_column));
}

static void
open_scan(NumberedScan *numbered, const char *table, const char *index, const char *no_column, int64 after, const Sealer *sealer)
{
	row_scan_open(&numbered->scan, table, index, 1, sealer->snapshot);
	if (sealer->careful)
		row_scan_careful(&numbered->scan);
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
	/* One that cannot be read may be what a sealer left that was rolled back. */
	sealer->hidden = NULL;
	for (; sealer->seals.at_row && sealer->seals.no == sealer->events.no && sealer->seals.scan.fault; next_row(&sealer->seals))
		sealer->hidden = psprintf("its seal cannot be read: %s", sealer->seals.scan.fault);
	return sealer->seals.at_row && sealer->seals.no == sealer->events.no;
}

/* ---------------------------------------------------------------- chains that halt */

/* Reads the row of a scan, its payload whole; false, with checker.fault, unless it can be sealed as it is. */
static bool
read_event(Sealer *sealer, EventTexts *texts, TupleTableSlot *slot, EventRow *row)
{
	char	   *unreadable;

	resetStringInfo(sealer->checker.fault);
	if (event_read(slot, &sealer->columns, row, &unreadable) && event_text_complete(texts, row, &unreadable))
		return audit_check_form(&sealer->checker, row);
	return audit_fault(&sealer->checker, "%s", unreadable);
}

/* The same where a page may be broken: what is opened for it is closed again. */
typedef struct Reading
{
	Sealer	   *sealer;
	TupleTableSlot *slot;
	EventRow   *row;
	bool		good;
} Reading;

static void
read_afresh(void *argument)
{
	Reading    *reading = argument;
	EventTexts	texts;

	event_texts_begin(&texts, reading->sealer->snapshot, NULL);
	reading->good = read_event(reading->sealer, &texts, reading->slot, reading->row);
	event_texts_end(&texts);
}

/* As read_event(); *broken when the record's row cannot be read. */
static bool
read_carefully(Sealer *sealer, TupleTableSlot *slot, EventRow *row, bool *broken)
{
	Reading		reading = {sealer, slot, row, false};
	char	   *unreadable = attempt(read_afresh, &reading);

	*broken = unreadable != NULL;
	if (!*broken)
		return reading.good;
	resetStringInfo(sealer->checker.fault);
	return audit_fault(&sealer->checker, "its record cannot be read: %s", unreadable);
}

static RecordText
text_of(text *value)
{
	RecordText	result = {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};

	return result;
}

/* An event at which a chain has halted, looked at again. */
typedef struct Look
{
	Sealer	   *sealer;
	text	   *division;
	int64		no;
	bool		goes_on;
} Look;

/* What was hidden by a broken page is the event, its record, its seal or the head of its chain: all must be there to be read. */
static void
look_again(void *argument)
{
	Look	   *look = argument;
	Snapshot	snapshot = look->sealer->snapshot;
	ChainHead	head;
	RowScan		scan;
	EventRow	row;
	Reading		reading = {look->sealer, NULL, &row, false};

	row_scan_open(&scan, "audit_event", "audit_event_pkey", 1, snapshot);
	row_scan_seek_by(&scan, "no");
	look->goes_on = !row_scan_seek(&scan, look->no, look->division);
	if (!look->goes_on)
	{
		reading.slot = scan.slot;
		read_afresh(&reading);
		look->goes_on = reading.good;
	}
	row_scan_close(&scan);
	row_scan_open(&scan, "audit_seal", "audit_seal_event_key", 1, snapshot);
	row_scan_seek_by(&scan, "event_no");
	(void) row_scan_seek(&scan, look->no, look->division);
	row_scan_close(&scan);
	chain_head_read(&head, text_of(look->division), snapshot);
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
	ListCell   *cell;

	foreach(cell, halted_chains())
	{
		HaltedChain *halted = lfirst(cell);
		Look		look = {sealer, halted->division, halted->event_no, false};
		bool		broken = false;

		if (!halted->waits)
			broken = attempt(look_again, &look) != NULL;
		if (look.goes_on && !broken)
		{
			sealer->resumed = lappend(sealer->resumed, halted->division);
			after = Min(after, halted->event_no - 1);
			continue;
		}
		chain_heads_halt(sealer->heads, text_of(halted->division));
		if (broken)
			halted_chain_wait(halted->division);
	}
	return after;
}

/* Chains that went on do so to their end, or, when the pass had enough, in the next from where it stopped. */
static void
note_resumed(Sealer *sealer)
{
	ListCell   *cell;

	foreach(cell, sealer->resumed)
	{
		text	   *division = lfirst(cell);

		if (!chain_heads_find(sealer->heads, text_of(division))->halted)
			halted_chain_resume(division, sealer->done_no);
	}
}

/* ---------------------------------------------------------------- sealing */

static Datum
text_datum(RecordText value)
{
	return PointerGetDatum(cstring_to_text_with_len(value.data, value.length));
}

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

	sha256_of_two(head->hash, row->payload.data, row->payload.length, head->hash, first ? 0 : SHA256_LENGTH);
	head->created_at = first || row->ts > head->created_at ? row->ts : head->created_at + 1;
	head->seq++;

	values[1] = Int64GetDatum(head->seq);
	values[3] = hash_datum(head->hash);
	values[4] = TimestampTzGetDatum(head->created_at);
	record_insert_row(&sealer->inserts, values, nulls);
	sealer->sealed++;
}

/* Why the event that is next cannot be sealed for what a broken page hides; NULL when nothing is hidden. */
static char *
hidden_fault(const Sealer *sealer, const ChainHead *head)
{
	if (sealer->events.scan.fault)
		return psprintf("it cannot be read: %s", sealer->events.scan.fault);
	return sealer->hidden ? sealer->hidden : head->fault;
}

static void
halt(Sealer *sealer, ChainHead *head, const EventRow *row, const char *fault, bool hidden)
{
	head->halted = true;
	halted_chain_note(row, sealer->events.no, fault, hidden);
}

/* The event that is next, unless its chain halts: gives it its place, or halts its chain there. */
static void
seal(Sealer *sealer)
{
	MemoryContext old_context = MemoryContextSwitchTo(sealer->batch_context);
	const NumberedScan *events = &sealer->events;
	TupleTableSlot *slot = events->scan.slot;
	EventRow	row = {0};
	ChainHead  *head;
	char	   *hidden;
	bool		broken = false;

	row.division = events->scan.fault ? text_of(DatumGetTextPP(row_scan_key(&sealer->events.scan, 1))) :
		row_scan_text_value(slot, sealer->columns.division);
	head = chain_heads_find(sealer->heads, row.division);
	hidden = hidden_fault(sealer, head);
	if (head->halted)
		;						/* until somebody mends it */
	else if (hidden)
	{
		if (!events->scan.fault)
			event_read_name(slot, &sealer->columns, &row);
		halt(sealer, head, &row, hidden, true);
	}
	else if (sealer->careful ? read_carefully(sealer, slot, &row, &broken) : read_event(sealer, &sealer->texts, slot, &row))
		append(sealer, head, &row);
	else
		halt(sealer, head, &row, sealer->checker.fault->data, broken);
	MemoryContextSwitchTo(old_context);
	if (sealer->inserts.kept == RECORD_INSERT_BATCH)
		flush(sealer);
}

static void
begin(Sealer *sealer)
{
	Relation	events = schema_open_table("audit_event", AccessShareLock);
	int64		after;

	event_columns_find(&sealer->columns, events);
	table_close(events, NoLock);
	event_texts_begin(&sealer->texts, sealer->snapshot, NULL);
	audit_checker_init(&sealer->checker, NULL);
	sealer->heads = chain_heads_create(sealer->snapshot, sealer->careful);
	sealer->batch_context = AllocSetContextCreate(CurrentMemoryContext, "seals", ALLOCSET_DEFAULT_SIZES);
	after = Min(sealer->after, resume_halted(sealer));
	open_scan(&sealer->events, "audit_event", "audit_event_pkey", "no", after, sealer);
	open_scan(&sealer->seals, "audit_seal", "audit_seal_event_key", "event_no", after, sealer);
	record_insert_begin(&sealer->inserts, "audit_seal", seal_columns, SEAL_COLUMN_COUNT, NULL, NULL);
}

static void
finish(Sealer *sealer)
{
	record_insert_end(&sealer->inserts);
	row_scan_close(&sealer->seals.scan);
	row_scan_close(&sealer->events.scan);
	chain_heads_destroy(sealer->heads);
	event_texts_end(&sealer->texts);
	MemoryContextDelete(sealer->batch_context);
	CommandCounterIncrement();
}

/* Seals up to max_events. */
static void
pass(void *argument)
{
	Sealer	   *sealer = argument;

	sealer->done_no = PG_INT64_MAX;
	begin(sealer);
	while (sealer->events.at_row)
	{
		CHECK_FOR_INTERRUPTS();
		if (!is_sealed(sealer))
		{
			if (sealer->sealed >= sealer->max_events)
			{
				sealer->done_no = sealer->events.no - 1;
				break;
			}
			seal(sealer);
		}
		next_row(&sealer->events);
	}
	note_resumed(sealer);
	finish(sealer);
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
	Sealer		sealer;
	Sealer		careful;
	SealerMark	mark;
	Relation	sequence;
	Watermark	began;
	Snapshot	snapshot;

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
	snapshot = RegisterSnapshot(GetActiveSnapshot());
	sealer_mark_read(&mark, sequence, snapshot);
	sealer = (Sealer) {.snapshot = snapshot, .after = mark.sealed_no, .max_events = max_events};
	careful = sealer;
	careful.careful = true;
	if (attempt(pass, &sealer) != NULL)
	{
		pass(&careful);
		sealer = careful;
	}
	UnregisterSnapshot(snapshot);
	PopActiveSnapshot();
	sealer_mark_move(&mark, sequence, began, sealer.done_no);
	relation_close(sequence, AccessShareLock);
	SPI_finish();
	PG_RETURN_INT32(sealer.sealed);
}
