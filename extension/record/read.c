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
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

static const char *const no_indexes[RECORD_KINDS] = {"node_pkey", "edge_pkey", "annotation_pkey"};
static const char *const id_indexes[RECORD_KINDS] = {"node_id_key", "edge_id_key", "annotation_id_key"};

void
record_reader_open(RecordReader *reader, Snapshot snapshot, text *division)
{
	reader->snapshot = snapshot;
	reader->division = division;
	for (int kind = 0; kind < RECORD_KINDS; kind++)
	{
		RecordTable *table = &reader->tables[kind];

		row_scan_open(&table->by_no, record_kind_names[kind], no_indexes[kind], 1, snapshot);
		row_scan_seek_by(&table->by_no, "no");
		row_scan_open(&table->by_id, record_kind_names[kind], id_indexes[kind], 1, snapshot);
		row_scan_seek_by(&table->by_id, "id");
		for (int i = 0; record_column_names[kind][i]; i++)
			table->columns[i] = row_scan_column(table->by_no.heap, record_column_names[kind][i]);
	}
	row_scan_open(&reader->references, "node", "node_pkey", 2, snapshot);
	row_scan_text(&reader->references, 1, division);
	reader->recent = palloc0(REFERENCE_CACHE_SIZE * sizeof(NodeReference));
}

void
record_reader_close(RecordReader *reader)
{
	for (int kind = 0; kind < RECORD_KINDS; kind++)
	{
		row_scan_close(&reader->tables[kind].by_no);
		row_scan_close(&reader->tables[kind].by_id);
	}
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
	const AttrNumber *columns = reader->tables[RECORD_NODE].columns;
	NodeReference *reference = &reader->recent[(uint64) no % REFERENCE_CACHE_SIZE];

	end->no = no;
	if (reference->no != no || no == 0)
	{
		row_scan_int8(&reader->references, 0, BTEqualStrategyNumber, no);
		if (!row_scan_find(&reader->references))
			return;
		reference->no = no;
		reference->id = *DatumGetUUIDP(row_scan_value(reader->references.slot, columns[COLUMN_ID]));
		hash_of(reference->digest, reader->references.slot, columns[COLUMN_DIGEST]);
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

void
record_read_slot(RecordReader *reader, RecordKind kind, TupleTableSlot *slot, StoredRecord *stored)
{
	const AttrNumber *columns = reader->tables[kind].columns;
	Record	   *record = &stored->record;

	memset(stored, 0, sizeof(*stored));
	slot_getallattrs(slot);
	record->kind = kind;
	stored->no = DatumGetInt64(row_scan_value(slot, columns[COLUMN_NO]));
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
