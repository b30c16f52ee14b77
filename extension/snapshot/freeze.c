/*
 * freeze.c
 *		Freezes a subgraph: freeze_subgraph().
 *
 * One pass over what one MVCC snapshot sees: the walk collects numbers, sorts
 * put the records in the order of their ids, and each is read, written and
 * forgotten.  Memory: bitmaps of numbers, one sort at a time within work_mem,
 * one chunk.
 */
#include "postgres.h"

#include "graph/graph.h"
#include "graph/quarantine.h"
#include "graph/start.h"
#include "record/number.h"
#include "record/text.h"
#include "record/uuid.h"
#include "snapshot/document.h"
#include "snapshot/number_set.h"
#include "snapshot/subgraph.h"

#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(reason_freeze_subgraph);

typedef struct Freezer
{
	Graph	   *graph;
	RecordReader reader;
	SnapshotWriter writer;
	Subgraph	subgraph;
	NumberSet	frontier;		/* nodes of the last level from which the walk would have gone on */
	Tuplesortstate *sort;		/* (id, row's place) */
	TupleTableSlot *sort_slot;
	MemoryContext record_context;
} Freezer;

/* ---------------------------------------------------------------- the walk */

static bool
is_hidden(void *argument, int64 no)
{
	return quarantine_hides(argument, no);
}

static void
take_frontier(void *argument, const GraphEntry *entries, int count)
{
	Freezer    *freezer = argument;

	for (int i = 0; i < count; i++)
	{
		if (!quarantine_hides(freezer->graph, entries[i].link.edge_no) && !quarantine_hides(freezer->graph, entries[i].link.other_no) &&
			!number_set_contains(&freezer->subgraph.nodes, entries[i].link.other_no))
			number_set_add(&freezer->frontier, freezer->subgraph.keys[entries[i].position]);
	}
}

/* ---------------------------------------------------------------- order */

static void
begin_sort(Freezer *freezer)
{
	TupleDesc	desc = CreateTemplateTupleDesc(2);
	AttrNumber	columns[] = {1};
	Oid			operators[] = {lookup_type_cache(UUIDOID, TYPECACHE_LT_OPR)->lt_opr};
	Oid			collations[] = {InvalidOid};
	bool		nulls_first[] = {false};

	TupleDescInitEntry(desc, 1, "id", UUIDOID, -1, 0);
	TupleDescInitEntry(desc, 2, "tid", INT8OID, -1, 0);
	freezer->sort = tuplesort_begin_heap(desc, 1, columns, operators, collations, nulls_first, work_mem, NULL, TUPLESORT_NONE);
	freezer->sort_slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
}

static void
put_sort(Freezer *freezer, const pg_uuid_t *id, const ItemPointerData *tid)
{
	TupleTableSlot *slot = freezer->sort_slot;

	ExecClearTuple(slot);
	slot->tts_values[0] = UUIDPGetDatum(id);
	slot->tts_values[1] = Int64GetDatum(((int64) ItemPointerGetBlockNumber(tid) << 16) | ItemPointerGetOffsetNumber(tid));
	slot->tts_isnull[0] = slot->tts_isnull[1] = false;
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(freezer->sort, slot);
}

static void
sort_records(void *argument, const GraphEntry *entries, int count)
{
	for (int i = 0; i < count; i++)
		put_sort(argument, &entries[i].record.id, &entries[i].tid);
}

static void
sort_annotation(void *argument, RowScan *scan)
{
	Freezer    *freezer = argument;

	if (!quarantine_hides(freezer->graph, DatumGetInt64(row_scan_value(scan->slot, row_scan_column(scan->heap, "no")))))
		put_sort(freezer, DatumGetUUIDP(row_scan_value(scan->slot, row_scan_column(scan->heap, "id"))), &scan->slot->tts_tid);
}

/* ---------------------------------------------------------------- records */

/* Writes the sorted records of one kind as the elements of an array; returns how many. */
static int64
write_records(Freezer *freezer, RecordKind kind)
{
	Relation	heap = freezer->reader.tables[kind].by_no.heap;
	IndexFetchTableData *fetch = table_index_fetch_begin(heap);
	TupleTableSlot *slot = table_slot_create(heap, NULL);
	ByteBuffer *out = &freezer->writer.bytes;
	int64		count = 0;

	tuplesort_performsort(freezer->sort);
	while (tuplesort_gettupleslot(freezer->sort, true, false, freezer->sort_slot, NULL))
	{
		MemoryContext old_context = MemoryContextSwitchTo(freezer->record_context);
		bool		isnull;
		int64		place = DatumGetInt64(slot_getattr(freezer->sort_slot, 2, &isnull));
		ItemPointerData tid;
		bool		call_again = false;
		StoredRecord stored;

		CHECK_FOR_INTERRUPTS();
		ItemPointerSet(&tid, (BlockNumber) (place >> 16), (OffsetNumber) (place & 0xFFFF));
		/* Annotations were found by their version, the others where their index begins to look for it. */
		if (!(kind == RECORD_ANNOTATION ? table_tuple_fetch_row_version(heap, &tid, freezer->graph->snapshot, slot) :
			  table_index_fetch_tuple(fetch, &tid, freezer->graph->snapshot, slot, &call_again, NULL)))
			elog(ERROR, "a row of \"%s\" is not where its index says", RelationGetRelationName(heap));
		record_read_slot(&freezer->reader, kind, slot, &stored);
		if (count++ > 0)
			buffer_append_char(out, ',');
		snapshot_write_record(&freezer->writer, &stored);
		snapshot_write_flush(&freezer->writer);
		MemoryContextSwitchTo(old_context);
		MemoryContextReset(freezer->record_context);
	}
	table_index_fetch_end(fetch);
	ExecDropSingleTupleTableSlot(slot);
	ExecDropSingleTupleTableSlot(freezer->sort_slot);
	tuplesort_end(freezer->sort);
	return count;
}

/* Nodes or edges of the set; what the walk came to must be there. */
static void
write_set(Freezer *freezer, NumberSet *set, GraphIndexKind index, RecordKind kind)
{
	begin_sort(freezer);
	subgraph_walk(&freezer->subgraph, set, index, sort_records, freezer);
	if (write_records(freezer, kind) != set->count)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("an edge refers to a %s that is missing", record_kind_names[kind]),
				 errhint("Run reason.verify_audit().")));
}

/* Ids of the frontier, as the elements of an array. */
static void
write_frontier(void *argument)
{
	Freezer    *freezer = argument;
	ByteBuffer *out = &freezer->writer.bytes;
	bool		first = true;

	begin_sort(freezer);
	subgraph_walk(&freezer->subgraph, &freezer->frontier, GRAPH_NODES, sort_records, freezer);
	tuplesort_performsort(freezer->sort);
	while (tuplesort_gettupleslot(freezer->sort, true, false, freezer->sort_slot, NULL))
	{
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		if (!first)
			buffer_append_char(out, ',');
		first = false;
		record_write_uuid(out, DatumGetUUIDP(slot_getattr(freezer->sort_slot, 1, &isnull)));
		snapshot_write_flush(&freezer->writer);
	}
	ExecDropSingleTupleTableSlot(freezer->sort_slot);
	tuplesort_end(freezer->sort);
}

/* One kind of records, as the document asks for them. */
static void
write_kind(void *argument, RecordKind kind)
{
	Freezer    *freezer = argument;

	switch (kind)
	{
		case RECORD_ANNOTATION:
			begin_sort(freezer);
			subgraph_annotations(&freezer->subgraph, sort_annotation, freezer);
			(void) write_records(freezer, RECORD_ANNOTATION);
			break;
		case RECORD_EDGE:
			write_set(freezer, &freezer->subgraph.edges, GRAPH_EDGES, RECORD_EDGE);
			break;
		case RECORD_NODE:
			write_set(freezer, &freezer->subgraph.nodes, GRAPH_NODES, RECORD_NODE);
			break;
	}
}

/* ---------------------------------------------------------------- the function */

static void
put_times(Datum *values, const WorkTime *times)
{
	values[0] = TimestampTzGetDatum(times->began);
	values[1] = TimestampTzGetDatum(times->ended);
	values[2] = Int64GetDatum((int64) INSTR_TIME_GET_MICROSEC(times->worked));
}

/*
 * freeze_subgraph(division, root_nos, root_ids, depth, direction, audience, description,
 *				   manifest_signature_id, include_annotations, pii, log)
 *		→ (no, id, created_at, graph_version, hash, size_bytes, node_count, edge_count,
 *		   canonicalise_began, canonicalise_ended, canonicalise_us, hash_began, hash_ended, hash_us, walk_began)
 */
Datum
reason_freeze_subgraph(PG_FUNCTION_ARGS)
{
	Freezer		freezer = {0};
	SnapshotHeader header = {0};
	static const int required[] = {0, 1, 2, 4, 10};
	ArrayType  *root_nos;
	GraphDirection direction;
	TupleDesc	desc;
	Datum		values[15];
	bool		nulls[15] = {0};
	uint8		hash[SHA256_LENGTH];
	ByteBuffer	hex;
	Datum		result;
	MemoryContext context = CurrentMemoryContext;
	TimestampTz walk_began;
	text	   *division;

	for (int i = 0; i < lengthof(required); i++)
		record_require_argument(fcinfo, required[i]);
	root_nos = PG_GETARG_ARRAYTYPE_P(1);
	direction = graph_direction_of(text_to_cstring(PG_GETARG_TEXT_PP(4)));
	division = DatumGetTextPCopy(PG_GETARG_DATUM(0));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	uuid_generate_v7(&header.id);
	header.created_at = GetCurrentTimestamp();
	header.root_ids = PG_GETARG_ARRAYTYPE_P(2);
	header.depth = PG_GETARG_INT32(3);
	header.direction = record_text_argument(fcinfo, 4);
	header.audience = record_text_argument(fcinfo, 5);
	header.description = record_text_argument(fcinfo, 6);
	header.manifest_signature_id = record_text_argument(fcinfo, 7);
	header.include_annotations = PG_GETARG_BOOL(8);
	header.log = PG_GETARG_JSONB_P(10);

	SPI_connect();
	freezer.graph = graph_open();
	freezer.graph->division.data = VARDATA_ANY(division);
	freezer.graph->division.length = VARSIZE_ANY_EXHDR(division);
	/* Quarantined records are left out even for those who see them: others will read the document. */
	freezer.graph->hides_quarantined = true;
	quarantine_load(freezer.graph);
	record_reader_open(&freezer.reader, freezer.graph->snapshot, division);
	freezer.record_context = AllocSetContextCreate(CurrentMemoryContext, "frozen record", ALLOCSET_DEFAULT_SIZES);
	number_set_init(&freezer.frontier);
	walk_began = GetCurrentTimestamp();
	subgraph_collect(&freezer.subgraph, freezer.graph, (int64 *) ARR_DATA_PTR(root_nos),
					 ArrayGetNItems(ARR_NDIM(root_nos), ARR_DIMS(root_nos)),
					 header.depth, direction, is_hidden, freezer.graph);
	subgraph_walk(&freezer.subgraph, &freezer.subgraph.last_level, freezer.subgraph.onward, take_frontier, &freezer);
	snapshot_writer_open(&freezer.writer, next_record_no(), division, PG_GETARG_BOOL(9));
	snapshot_write_document(&freezer.writer, &header, write_kind, write_frontier, &freezer);
	snapshot_writer_close(&freezer.writer, hash);
	record_reader_close(&freezer.reader);
	graph_close(freezer.graph);

	MemoryContextSwitchTo(context);
	buffer_init(&hex, NULL, NULL);
	record_write_hex(&hex, hash, SHA256_LENGTH);
	values[0] = Int64GetDatum(freezer.writer.snapshot_no);
	values[1] = UUIDPGetDatum(&header.id);
	values[2] = TimestampTzGetDatum(header.created_at);
	values[3] = CStringGetTextDatum(REASON_VERSION);
	values[4] = PointerGetDatum(cstring_to_text_with_len(hex.data + 1, hex.length - 2));
	buffer_free(&hex);
	values[5] = Int64GetDatum(freezer.writer.size_bytes);
	values[6] = Int64GetDatum(freezer.subgraph.nodes.count);
	values[7] = Int64GetDatum(freezer.subgraph.edges.count);
	put_times(&values[8], &freezer.writer.canonicalising);
	put_times(&values[11], &freezer.writer.hashing);
	values[14] = TimestampTzGetDatum(walk_began);
	result = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
	SPI_finish();
	PG_RETURN_DATUM(result);
}
