/*
 * read.c
 *		Rows of node, edge and annotation as the records that their digests cover.
 */
#include "postgres.h"

#include "record/read.h"

#include "canonical/backend.h"
#include "canonical/jsonb.h"
#include "core/sha256.h"

#include <math.h>

#include "access/stratnum.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

const char *const record_kind_names[RECORD_KINDS] = {"node", "edge", "annotation"};

/* Columns that all three tables have come first. */
enum
{
	COLUMN_NO,
	COLUMN_ID,
	COLUMN_DIVISION,
	COLUMN_TYPE,
	COLUMN_METADATA,
	COLUMN_CREATED_AT,
	COLUMN_DIGEST,
	COLUMN_AUDIT_EVENT_ID,
	COLUMN_COMMON,

	/* node and annotation */
	COLUMN_AUTHOR = COLUMN_COMMON,
	COLUMN_PAYLOAD,
	COLUMN_SALT,
	COLUMN_PAYLOAD_HASH,
	COLUMN_CONTENT,

	NODE_COLUMN_OCCURRED_AT = COLUMN_CONTENT,
	NODE_COLUMN_VERSION,
	NODE_COLUMN_MANIFEST_SIGNATURE_ID,
	NODE_COLUMN_PAYLOAD_REF,

	ANNOTATION_COLUMN_TARGET_NO = COLUMN_CONTENT,

	EDGE_COLUMN_FROM_NO = COLUMN_COMMON,
	EDGE_COLUMN_TO_NO,
	EDGE_COLUMN_WEIGHT
};

static const char *const column_names[RECORD_KINDS][RECORD_MAX_COLUMNS] = {
	{"no", "id", "division", "type", "metadata", "created_at", "digest", "audit_event_id",
	 "author", "payload", "salt", "payload_hash", "occurred_at", "version", "manifest_signature_id", "payload_ref"},
	{"no", "id", "division", "type", "metadata", "created_at", "digest", "audit_event_id",
	 "from_no", "to_no", "weight"},
	{"no", "id", "division", "type", "metadata", "created_at", "digest", "audit_event_id",
	 "author", "payload", "salt", "payload_hash", "target_no"}
};

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

		audit_scan_open(&table->by_no, record_kind_names[kind], no_indexes[kind], 1, snapshot);
		audit_scan_seek_by(&table->by_no, "no");
		audit_scan_open(&table->by_id, record_kind_names[kind], id_indexes[kind], 1, snapshot);
		audit_scan_seek_by(&table->by_id, "id");
		for (int i = 0; i < RECORD_MAX_COLUMNS && column_names[kind][i]; i++)
			table->columns[i] = audit_scan_column(table->by_no.heap, column_names[kind][i]);
	}
	audit_scan_open(&reader->references, "node", "node_pkey", 2, snapshot);
	audit_scan_text(&reader->references, 1, division);
	reader->recent = palloc0(REFERENCE_CACHE_SIZE * sizeof(NodeReference));
}

void
record_reader_close(RecordReader *reader)
{
	for (int kind = 0; kind < RECORD_KINDS; kind++)
	{
		audit_scan_close(&reader->tables[kind].by_no);
		audit_scan_close(&reader->tables[kind].by_id);
	}
	audit_scan_close(&reader->references);
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

		/* Only what the value itself is to blame for; the writer holds nothing that must be given back. */
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

/* Recorded times lie in the years that RFC 3339 can write. */
static TimestampTz
timestamp_of(TupleTableSlot *slot, AttrNumber column, const char *name, StoredRecord *stored)
{
	TimestampTz ts = DatumGetTimestampTz(audit_scan_value(slot, column));
	const TimestampTz year_1 = (INT64CONST(1721426) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;
	const TimestampTz year_10000 = (INT64CONST(5373485) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;

	if (ts >= year_1 && ts < year_10000)
		return ts;
	stored->unreadable = name;
	return 0;
}

static void
hash_of(uint8 *hash, TupleTableSlot *slot, AttrNumber column)
{
	bytea	   *bytes = DatumGetByteaPP(audit_scan_value(slot, column));

	if (VARSIZE_ANY_EXHDR(bytes) == REASON_DIGEST_LENGTH)
		memcpy(hash, VARDATA_ANY(bytes), REASON_DIGEST_LENGTH);
}

/* Id and digest of a node that an edge or annotation refers to; zeroes when it is missing. */
static void
read_reference(RecordReader *reader, int64 no, pg_uuid_t *id, uint8 *digest)
{
	const AttrNumber *columns = reader->tables[RECORD_NODE].columns;
	NodeReference *reference = &reader->recent[(uint64) no % REFERENCE_CACHE_SIZE];

	if (reference->no != no || no == 0)
	{
		audit_scan_int8(&reader->references, 0, BTEqualStrategyNumber, no);
		if (!audit_scan_find(&reader->references))
			return;
		reference->no = no;
		reference->id = *DatumGetUUIDP(audit_scan_value(reader->references.slot, columns[COLUMN_ID]));
		hash_of(reference->digest, reader->references.slot, columns[COLUMN_DIGEST]);
	}
	*id = reference->id;
	memcpy(digest, reference->digest, REASON_DIGEST_LENGTH);
}

static void
read_content(TupleTableSlot *slot, const AttrNumber *columns, StoredRecord *stored)
{
	bool		isnull;
	Datum		payload = slot_getattr(slot, columns[COLUMN_PAYLOAD], &isnull);

	stored->payload = isnull ? NULL : DatumGetJsonbP(payload);
	stored->salt = audit_scan_text_value(slot, columns[COLUMN_SALT]);
	hash_of(stored->payload_hash, slot, columns[COLUMN_PAYLOAD_HASH]);
}

static void
read_node(TupleTableSlot *slot, const AttrNumber *columns, StoredRecord *stored)
{
	NodeRecord *node = &stored->record.node;

	node->id = stored->id;
	node->division = audit_scan_text_value(slot, columns[COLUMN_DIVISION]);
	node->type = audit_scan_text_value(slot, columns[COLUMN_TYPE]);
	node->author = audit_scan_text_value(slot, columns[COLUMN_AUTHOR]);
	node->metadata = jsonb_text(slot, columns[COLUMN_METADATA], "metadata", stored);
	node->created_at = timestamp_of(slot, columns[COLUMN_CREATED_AT], "created_at", stored);
	node->has_occurred_at = !slot_attisnull(slot, columns[NODE_COLUMN_OCCURRED_AT]);
	if (node->has_occurred_at)
		node->occurred_at = timestamp_of(slot, columns[NODE_COLUMN_OCCURRED_AT], "occurred_at", stored);
	node->version = audit_scan_text_value(slot, columns[NODE_COLUMN_VERSION]);
	node->manifest_signature_id = audit_scan_text_value(slot, columns[NODE_COLUMN_MANIFEST_SIGNATURE_ID]);
	node->payload_ref = jsonb_text(slot, columns[NODE_COLUMN_PAYLOAD_REF], "payload_ref", stored);
	read_content(slot, columns, stored);
	memcpy(node->payload_hash, stored->payload_hash, REASON_DIGEST_LENGTH);
}

static void
read_edge(RecordReader *reader, TupleTableSlot *slot, const AttrNumber *columns, StoredRecord *stored)
{
	EdgeRecord *edge = &stored->record.edge;

	edge->id = stored->id;
	edge->division = audit_scan_text_value(slot, columns[COLUMN_DIVISION]);
	edge->type = audit_scan_text_value(slot, columns[COLUMN_TYPE]);
	edge->metadata = jsonb_text(slot, columns[COLUMN_METADATA], "metadata", stored);
	edge->created_at = timestamp_of(slot, columns[COLUMN_CREATED_AT], "created_at", stored);
	edge->weight = DatumGetFloat8(audit_scan_value(slot, columns[EDGE_COLUMN_WEIGHT]));
	if (!isfinite(edge->weight))
	{
		stored->unreadable = "weight";
		edge->weight = 0;
	}
	stored->ends[0] = DatumGetInt64(audit_scan_value(slot, columns[EDGE_COLUMN_FROM_NO]));
	stored->ends[1] = DatumGetInt64(audit_scan_value(slot, columns[EDGE_COLUMN_TO_NO]));
	read_reference(reader, stored->ends[0], &edge->from, edge->from_digest);
	read_reference(reader, stored->ends[1], &edge->to, edge->to_digest);
}

static void
read_annotation(RecordReader *reader, TupleTableSlot *slot, const AttrNumber *columns, StoredRecord *stored)
{
	AnnotationRecord *annotation = &stored->record.annotation;

	annotation->id = stored->id;
	annotation->division = audit_scan_text_value(slot, columns[COLUMN_DIVISION]);
	annotation->type = audit_scan_text_value(slot, columns[COLUMN_TYPE]);
	annotation->author = audit_scan_text_value(slot, columns[COLUMN_AUTHOR]);
	annotation->metadata = jsonb_text(slot, columns[COLUMN_METADATA], "metadata", stored);
	annotation->created_at = timestamp_of(slot, columns[COLUMN_CREATED_AT], "created_at", stored);
	stored->ends[0] = DatumGetInt64(audit_scan_value(slot, columns[ANNOTATION_COLUMN_TARGET_NO]));
	read_reference(reader, stored->ends[0], &annotation->target, annotation->target_digest);
	read_content(slot, columns, stored);
	memcpy(annotation->payload_hash, stored->payload_hash, REASON_DIGEST_LENGTH);
}

void
record_read_slot(RecordReader *reader, RecordKind kind, TupleTableSlot *slot, StoredRecord *stored)
{
	const AttrNumber *columns = reader->tables[kind].columns;

	memset(stored, 0, sizeof(*stored));
	slot_getallattrs(slot);
	stored->kind = kind;
	stored->no = DatumGetInt64(audit_scan_value(slot, columns[COLUMN_NO]));
	stored->id = *DatumGetUUIDP(audit_scan_value(slot, columns[COLUMN_ID]));
	stored->audit_event_id = *DatumGetUUIDP(audit_scan_value(slot, columns[COLUMN_AUDIT_EVENT_ID]));
	hash_of(stored->digest, slot, columns[COLUMN_DIGEST]);
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
	AuditScan  *scan = &reader->tables[kind].by_no;

	if (!audit_scan_seek(scan, no, reader->division))
		return false;
	record_read_slot(reader, kind, scan->slot, stored);
	return true;
}

bool
record_read_by_id(RecordReader *reader, RecordKind kind, const pg_uuid_t *id, StoredRecord *stored)
{
	AuditScan  *scan = &reader->tables[kind].by_id;

	if (!audit_scan_seek_id(scan, id, reader->division))
		return false;
	record_read_slot(reader, kind, scan->slot, stored);
	return true;
}

/* ---------------------------------------------------------------- writing */

void
record_write(ByteBuffer *out, const StoredRecord *stored)
{
	switch (stored->kind)
	{
		case RECORD_NODE:
			record_write_node(out, &stored->record.node);
			break;
		case RECORD_EDGE:
			record_write_edge(out, &stored->record.edge);
			break;
		case RECORD_ANNOTATION:
			record_write_annotation(out, &stored->record.annotation);
			break;
	}
}

bool
record_content_matches(const StoredRecord *stored, ByteBuffer *scratch)
{
	uint8		hash[SHA256_LENGTH];

	scratch->length = 0;
	if (stored->payload == NULL || stored->salt.data == NULL || !record_write_jsonb(scratch, stored->payload))
		return false;
	sha256_of_two(hash, stored->salt.data, stored->salt.length, scratch->data, scratch->length);
	return memcmp(hash, stored->payload_hash, SHA256_LENGTH) == 0;
}
