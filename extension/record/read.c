/*
 * read.c
 *		Rows of node, edge and annotation as the records that their digests cover.
 */
#include "postgres.h"

#include "record/read.h"

#include "canonical/backend.h"
#include "canonical/jsonb.h"
#include "core/sha256.h"
#include "record/columns.h"

#include <math.h>

#include "access/stratnum.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

static const char *const no_indexes[RECORD_KINDS] = {"node_pkey", "edge_pkey", "annotation_pkey"};
static const char *const id_indexes[RECORD_KINDS] = {"node_id_key", "edge_id_key", "annotation_id_key"};

/* ---------------------------------------------------------------- columns */

/* Where the columns of a table are; found by their names once, until the table changes. */
typedef struct KnownColumns
{
	Oid			table;			/* InvalidOid: not known */
	AttrNumber	columns[RECORD_MAX_COLUMNS];
} KnownColumns;

static KnownColumns known_columns[RECORD_KINDS];

static void
forget_columns(Datum argument, Oid table)
{
	for (int kind = 0; kind < RECORD_KINDS; kind++)
	{
		if (table == InvalidOid || table == known_columns[kind].table)
			known_columns[kind].table = InvalidOid;
	}
}

static const AttrNumber *
columns_of(RecordKind kind, Relation table)
{
	static bool registered = false;
	KnownColumns found = {.table = RelationGetRelid(table)};

	if (known_columns[kind].table == found.table)
		return known_columns[kind].columns;
	if (!registered)
		CacheRegisterRelcacheCallback(forget_columns, (Datum) 0);
	registered = true;
	for (int i = 0; record_column_names[kind][i]; i++)
		found.columns[i] = row_scan_column(table, record_column_names[kind][i]);
	known_columns[kind] = found;
	return known_columns[kind].columns;
}

/* ---------------------------------------------------------------- readers */

static void
begin(RecordReader *reader, Snapshot snapshot, text *division)
{
	memset(reader, 0, sizeof(*reader));
	reader->snapshot = snapshot;
	reader->division = division;
	reader->turn = 1;
}

static void
open_by_no(RecordReader *reader, RecordKind kind)
{
	RecordTable *table = &reader->tables[kind];

	row_scan_open(&table->by_no, record_kind_names[kind], no_indexes[kind], 1, reader->snapshot);
	row_scan_seek_by(&table->by_no, "no");
	memcpy(table->columns, columns_of(kind, table->by_no.heap), sizeof(table->columns));
}

static void
open_by_id(RecordReader *reader, RecordKind kind)
{
	RecordTable *table = &reader->tables[kind];

	row_scan_open(&table->by_id, record_kind_names[kind], id_indexes[kind], 1, reader->snapshot);
	row_scan_seek_by(&table->by_id, "id");
}

static void
open_references(RecordReader *reader, int recent_count)
{
	row_scan_open(&reader->references, "node", "node_pkey", 2, reader->snapshot);
	row_scan_text(&reader->references, 1, reader->division);
	reader->reference_id = columns_of(RECORD_NODE, reader->references.heap)[COLUMN_ID];
	reader->reference_digest = columns_of(RECORD_NODE, reader->references.heap)[COLUMN_DIGEST];
	reader->recent = palloc0(recent_count * sizeof(RecentReference));
	reader->recent_count = recent_count;
}

void
record_reader_open(RecordReader *reader, Snapshot snapshot, text *division)
{
	begin(reader, snapshot, division);
	for (int kind = 0; kind < RECORD_KINDS; kind++)
	{
		open_by_no(reader, kind);
		open_by_id(reader, kind);
	}
	open_references(reader, REFERENCE_CACHE_SIZE);
}

void
record_reader_open_kind(RecordReader *reader, RecordKind kind, Snapshot snapshot, text *division)
{
	RecordTable *table = &reader->tables[kind];

	begin(reader, snapshot, division);
	row_scan_open(&table->by_no, record_kind_names[kind], no_indexes[kind], 2, snapshot);
	row_scan_text(&table->by_no, 1, division);
	memcpy(table->columns, columns_of(kind, table->by_no.heap), sizeof(table->columns));
	if (kind != RECORD_NODE)
		open_references(reader, 1);
}

void
record_reader_turn_to(RecordReader *reader, RecordText division)
{
	text	   *old = reader->division;

	if (VARSIZE_ANY_EXHDR(old) == division.length && memcmp(VARDATA_ANY(old), division.data, division.length) == 0)
		return;
	reader->division = cstring_to_text_with_len(division.data, division.length);
	row_scan_text(&reader->references, 1, reader->division);
	reader->turn++;
	pfree(old);
}

void
record_reader_close(RecordReader *reader)
{
	for (int kind = 0; kind < RECORD_KINDS; kind++)
	{
		RecordTable *table = &reader->tables[kind];

		if (table->by_no.heap)
			row_scan_close(&table->by_no);
		if (table->by_id.heap)
			row_scan_close(&table->by_id);
	}
	if (reader->recent_count > 0)
		row_scan_close(&reader->references);
}

bool
record_write_jsonb(ByteBuffer *out, Jsonb *value)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool written = true;

	PG_TRY();
	{
		canonical_write_jsonb(out, value);
	}
	PG_CATCH();
	{
		int			category = ERRCODE_TO_CATEGORY(geterrcode());

		/*
		 * Only errors about the value itself are caught; the writer holds nothing that must be given
		 * back.
		 */
		if (category != ERRCODE_DATA_EXCEPTION && category != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		written = false;
	}
	PG_END_TRY();
	return written;
}

/* ---------------------------------------------------------------- reading one row */

static RecordText
jsonb_text(TupleTableSlot *slot, AttrNumber column, const char *name, StoredRecord *stored)
{
	RecordText	result = {NULL, 0};
	ByteBuffer	out;
	bool		isnull;
	Datum		value = slot_getattr(slot, column, &isnull);

	if (isnull)
		return result;
	buffer_init(&out, canonical_realloc, CurrentMemoryContext);
	if (!record_write_jsonb(&out, DatumGetJsonbP(value)))
		stored->unreadable = name;
	result.data = out.data;
	result.length = out.length;
	return result;
}

static TimestampTz
timestamp_of(TupleTableSlot *slot, AttrNumber column, const char *name, StoredRecord *stored)
{
	TimestampTz ts = DatumGetTimestampTz(row_scan_value(slot, column));

	if (record_time_fits(ts))
		return ts;
	stored->unreadable = name;
	return 0;
}

static void
hash_of(uint8 *hash, TupleTableSlot *slot, AttrNumber column)
{
	bytea	   *bytes = DatumGetByteaPP(row_scan_value(slot, column));

	if (VARSIZE_ANY_EXHDR(bytes) == REASON_DIGEST_LENGTH)
		memcpy(hash, VARDATA_ANY(bytes), REASON_DIGEST_LENGTH);
}

/* Id and digest of a node that an edge or annotation refers to; zeroes when it is missing. */
static void
read_reference(RecordReader *reader, int64 no, NodeReference *end)
{
	RecentReference *recent = &reader->recent[(uint64) no % reader->recent_count];
	NodeReference *reference = &recent->node;

	end->no = no;
	if (reference->no != no || recent->turn != reader->turn)
	{
		row_scan_int8(&reader->references, 0, BTEqualStrategyNumber, no);
		if (!row_scan_find(&reader->references))
			return;
		recent->turn = reader->turn;
		reference->no = no;
		reference->id = *DatumGetUUIDP(row_scan_value(reader->references.slot, reader->reference_id));
		hash_of(reference->digest, reader->references.slot, reader->reference_digest);
	}
	*end = *reference;
}

static void
read_content(TupleTableSlot *slot, const AttrNumber *columns, StoredRecord *stored)
{
	bool		isnull;
	Datum		payload = slot_getattr(slot, columns[COLUMN_PAYLOAD], &isnull);

	stored->payload = isnull ? NULL : DatumGetJsonbP(payload);
	stored->salt = row_scan_text_value(slot, columns[COLUMN_SALT]);
	stored->record.author = row_scan_text_value(slot, columns[COLUMN_AUTHOR]);
	hash_of(stored->record.payload_hash, slot, columns[COLUMN_PAYLOAD_HASH]);
}

static void
read_node(TupleTableSlot *slot, const AttrNumber *columns, StoredRecord *stored)
{
	Record	   *node = &stored->record;

	read_content(slot, columns, stored);
	node->has_occurred_at = !slot_attisnull(slot, columns[NODE_COLUMN_OCCURRED_AT]);
	if (node->has_occurred_at)
		node->occurred_at = timestamp_of(slot, columns[NODE_COLUMN_OCCURRED_AT], "occurred_at", stored);
	node->version = row_scan_text_value(slot, columns[NODE_COLUMN_VERSION]);
	node->manifest_signature_id = row_scan_text_value(slot, columns[NODE_COLUMN_MANIFEST_SIGNATURE_ID]);
	node->payload_ref = jsonb_text(slot, columns[NODE_COLUMN_PAYLOAD_REF], "payload_ref", stored);
}

static void
read_edge(RecordReader *reader, TupleTableSlot *slot, const AttrNumber *columns, StoredRecord *stored)
{
	Record	   *edge = &stored->record;

	edge->weight = DatumGetFloat8(row_scan_value(slot, columns[EDGE_COLUMN_WEIGHT]));
	if (!isfinite(edge->weight))
	{
		stored->unreadable = "weight";
		edge->weight = 0;
	}
	read_reference(reader, DatumGetInt64(row_scan_value(slot, columns[EDGE_COLUMN_FROM_NO])), &edge->ends[0]);
	read_reference(reader, DatumGetInt64(row_scan_value(slot, columns[EDGE_COLUMN_TO_NO])), &edge->ends[1]);
}

static void
read_annotation(RecordReader *reader, TupleTableSlot *slot, const AttrNumber *columns, StoredRecord *stored)
{
	read_content(slot, columns, stored);
	read_reference(reader, DatumGetInt64(row_scan_value(slot, columns[ANNOTATION_COLUMN_TARGET_NO])), &stored->record.ends[0]);
}

/* A column that a record always has and this row does not; NULL: none. */
static const char *
absent_column(RecordKind kind, TupleTableSlot *slot, const AttrNumber *columns)
{
	const char *const *names = record_column_names[kind];

	for (int i = 0; names[i]; i++)
	{
		if (slot_attisnull(slot, columns[i]) && !record_column_is_optional(kind, i))
			return names[i];
	}
	return NULL;
}

void
record_read_slot(RecordReader *reader, RecordKind kind, TupleTableSlot *slot, StoredRecord *stored)
{
	const AttrNumber *columns = reader->tables[kind].columns;
	Record	   *record = &stored->record;

	memset(stored, 0, sizeof(*stored));
	slot_getallattrs(slot);
	record->kind = kind;
	stored->no = DatumGetInt64(row_scan_value(slot, columns[COLUMN_NO]));
	stored->unreadable = absent_column(kind, slot, columns);
	if (stored->unreadable)
	{
		if (!slot_attisnull(slot, columns[COLUMN_ID]))
			record->id = *DatumGetUUIDP(row_scan_value(slot, columns[COLUMN_ID]));
		return;
	}
	record->id = *DatumGetUUIDP(row_scan_value(slot, columns[COLUMN_ID]));
	stored->audit_event_id = *DatumGetUUIDP(row_scan_value(slot, columns[COLUMN_AUDIT_EVENT_ID]));
	hash_of(stored->digest, slot, columns[COLUMN_DIGEST]);
	record->division = row_scan_text_value(slot, columns[COLUMN_DIVISION]);
	record->type = row_scan_text_value(slot, columns[COLUMN_TYPE]);
	record->metadata = jsonb_text(slot, columns[COLUMN_METADATA], "metadata", stored);
	record->created_at = timestamp_of(slot, columns[COLUMN_CREATED_AT], "created_at", stored);
	switch (kind)
	{
		case RECORD_NODE:
			read_node(slot, columns, stored);
			break;
		case RECORD_EDGE:
			read_edge(reader, slot, columns, stored);
			break;
		case RECORD_ANNOTATION:
			read_annotation(reader, slot, columns, stored);
			break;
	}
}

bool
record_read_by_no(RecordReader *reader, RecordKind kind, int64 no, StoredRecord *stored)
{
	RowScan    *scan = &reader->tables[kind].by_no;

	if (!row_scan_seek(scan, no, reader->division))
		return false;
	record_read_slot(reader, kind, scan->slot, stored);
	return true;
}

bool
record_read_single(RecordReader *reader, RecordKind kind, int64 no, StoredRecord *stored)
{
	RowScan    *scan = &reader->tables[kind].by_no;

	row_scan_int8(scan, 0, BTEqualStrategyNumber, no);
	if (!row_scan_find(scan))
		return false;
	record_read_slot(reader, kind, scan->slot, stored);
	return true;
}

bool
record_read_by_id(RecordReader *reader, RecordKind kind, const pg_uuid_t *id, StoredRecord *stored)
{
	RowScan    *scan = &reader->tables[kind].by_id;

	if (!row_scan_seek_id(scan, id, reader->division))
		return false;
	record_read_slot(reader, kind, scan->slot, stored);
	return true;
}

bool
record_content_matches(const StoredRecord *stored, ByteBuffer *scratch)
{
	uint8		hash[SHA256_LENGTH];

	scratch->length = 0;
	if (stored->payload == NULL || stored->salt.data == NULL || !record_write_jsonb(scratch, stored->payload))
		return false;
	sha256_of_two(hash, stored->salt.data, stored->salt.length, scratch->data, scratch->length);
	return memcmp(hash, stored->record.payload_hash, SHA256_LENGTH) == 0;
}
