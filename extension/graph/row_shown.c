/*
 * row_shown.c
 *		Row security's part of quarantine: whether a row is one that the caller may see.
 *
 * Whoever may read a table may call what its policies call.  The function
 * therefore takes the place of a row and reads the row itself.  It answers
 * alike for a row in quarantine, one in a division that is not granted, and
 * none at all.
 */
#include "postgres.h"

#include "graph/columns.h"
#include "graph/graph.h"
#include "record/caller.h"
#include "record/row_scan.h"

#include "access/heapam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(reason_row_shown);

/* Columns of reason.annotation, in the order of sql/tables.sql. */
#define ANNOTATION_NO 1
#define ANNOTATION_DIVISION 3
#define ANNOTATION_TARGET_NO 4

typedef struct ShownTable
{
	const char *name;
	AttrNumber	division;
	AttrNumber	numbers[3];		/* of the record, and of those it goes with; 0 ends them */
} ShownTable;

static const ShownTable tables[] = {
	{"node", NODE_DIVISION, {NODE_NO, 0, 0}},
	{"edge", EDGE_DIVISION, {EDGE_NO, EDGE_FROM_NO, EDGE_TO_NO}},
	{"annotation", ANNOTATION_DIVISION, {ANNOTATION_NO, ANNOTATION_TARGET_NO, 0}}
};

/* Read once for each place of a query that calls. */
typedef struct RowShown
{
	Oid			oids[lengthof(tables)];
	BlockNumber blocks[lengthof(tables)];	/* asked for once, as it costs more than the row */
	bool		all_divisions;
	int			division_count;
	Datum	   *divisions;		/* text */
	int64	   *held;			/* numbers of records in quarantine, sorted */
	int			held_count;
	int			held_capacity;
} RowShown;

static int
compare_numbers(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return left < right ? -1 : left > right;
}

/* The numbers that are held in one division, or in all. */
static void
add_held(RowShown *shown, Datum division, bool all)
{
	RowScan		scan;
	AttrNumber	record_no;

	row_scan_open(&scan, "quarantine", "quarantine_held_idx", all ? 0 : 1, GetActiveSnapshot());
	record_no = row_scan_column(scan.heap, "record_no");
	if (!all)
		row_scan_text(&scan, 0, DatumGetTextPP(division));
	row_scan_start(&scan);
	while (row_scan_next(&scan))
	{
		CHECK_FOR_INTERRUPTS();
		if (shown->held_count == shown->held_capacity)
		{
			shown->held_capacity = Max(shown->held_capacity * 2, 64);
			shown->held = shown->held ? repalloc_huge(shown->held, shown->held_capacity * sizeof(int64))
				: palloc(shown->held_capacity * sizeof(int64));
		}
		shown->held[shown->held_count++] = DatumGetInt64(row_scan_value(scan.slot, record_no));
	}
	row_scan_close(&scan);
}

static RowShown *
begin(MemoryContext context)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	Oid			schema = get_namespace_oid("reason", false);
	RowShown   *shown = palloc0(sizeof(RowShown));

	for (int i = 0; i < (int) lengthof(tables); i++)
		shown->oids[i] = get_relname_relid(tables[i].name, schema);
	deconstruct_array(caller_visible_divisions(GetUserId()), TEXTOID, -1, false, TYPALIGN_INT,
					  &shown->divisions, NULL, &shown->division_count);
	for (int i = 0; i < shown->division_count; i++)
	{
		text	   *name = DatumGetTextPP(shown->divisions[i]);

		if (VARSIZE_ANY_EXHDR(name) == 1 && *VARDATA_ANY(name) == '*')
			shown->all_divisions = true;
	}
	if (shown->all_divisions)
		add_held(shown, 0, true);
	for (int i = 0; i < shown->division_count && !shown->all_divisions; i++)
		add_held(shown, shown->divisions[i], false);
	if (shown->held_count > 0)
		qsort(shown->held, shown->held_count, sizeof(int64), compare_numbers);
	MemoryContextSwitchTo(caller);
	return shown;
}

static bool
division_granted(const RowShown *shown, Datum division)
{
	text	   *name = DatumGetTextPP(division);

	for (int i = 0; i < shown->division_count && !shown->all_divisions; i++)
	{
		text	   *granted = DatumGetTextPP(shown->divisions[i]);

		if (VARSIZE_ANY_EXHDR(granted) == VARSIZE_ANY_EXHDR(name) &&
			memcmp(VARDATA_ANY(granted), VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) == 0)
			return true;
	}
	return shown->all_divisions;
}

static bool
tuple_shown(const RowShown *shown, const ShownTable *table, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;

	if (!division_granted(shown, heap_getattr(tuple, table->division, desc, &isnull)))
		return false;
	for (int i = 0; i < (int) lengthof(table->numbers) && table->numbers[i] != 0 && shown->held_count > 0; i++)
	{
		int64		no = DatumGetInt64(heap_getattr(tuple, table->numbers[i], desc, &isnull));

		if (bsearch(&no, shown->held, shown->held_count, sizeof(int64), compare_numbers))
			return false;
	}
	return true;
}

/* Asked about a page that is not there, the buffer manager would raise an error that tells how long the table is. */
static bool
page_exists(Relation heap, ItemPointer place, BlockNumber *known_blocks)
{
	BlockNumber block = ItemPointerGetBlockNumber(place);

	if (block >= *known_blocks)
		*known_blocks = RelationGetNumberOfBlocks(heap);
	return block < *known_blocks;
}

static bool
place_shown(RowShown *shown, int table, Relation heap, ItemPointer place)
{
	HeapTupleData tuple;
	Buffer		buffer;
	bool		result;

	tuple.t_self = *place;
	if (!ItemPointerIsValid(place) || !page_exists(heap, place, &shown->blocks[table]) ||
		!heap_fetch(heap, GetActiveSnapshot(), &tuple, &buffer, false))
		return false;
	result = tuple_shown(shown, &tables[table], &tuple, RelationGetDescr(heap));
	ReleaseBuffer(buffer);
	return result;
}

/* row_shown(tableoid, ctid) */
Datum
reason_row_shown(PG_FUNCTION_ARGS)
{
	Oid			oid = PG_GETARG_OID(0);
	RowShown   *shown = fcinfo->flinfo->fn_extra;

	if (shown == NULL)
		fcinfo->flinfo->fn_extra = shown = begin(fcinfo->flinfo->fn_mcxt);
	for (int i = 0; i < (int) lengthof(tables); i++)
	{
		if (shown->oids[i] == oid)
		{
			Relation	heap = table_open(oid, AccessShareLock);
			bool		result = place_shown(shown, i, heap, (ItemPointer) PG_GETARG_POINTER(1));

			table_close(heap, NoLock);
			PG_RETURN_BOOL(result);
		}
	}
	PG_RETURN_BOOL(false);
}
