/*
 * read.c
 *		Reading a snapshot's document piece by piece.
 */
#include "postgres.h"

#include "snapshot/read.h"

#include "canonical/backend.h"
#include "core/string_scan.h"

#include "access/stratnum.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Records lie at {"payload":{"nodes":[{ */
#define PAYLOAD_DEPTH 2
#define RECORDS_DEPTH 3

/* More than any record that can be written: payload, metadata and reference with every character escaped. */
#define MAX_RECORD_BYTES (64 * 1024 * 1024)
#define MAX_HEADER_BYTES (1024 * 1024)
/* Some 25 million ids. */
#define MAX_FRONTIER_BYTES (1024 * 1024 * 1024)

void
snapshot_reader_init(SnapshotReader *reader, SnapshotRecordSink sink, void *argument)
{
	memset(reader, 0, sizeof(*reader));
	reader->sink = sink;
	reader->argument = argument;
	sha256_init(&reader->hash);
	buffer_init(&reader->header, canonical_realloc, CurrentMemoryContext);
	buffer_init(&reader->record, canonical_realloc, CurrentMemoryContext);
	buffer_init(&reader->frontier, canonical_realloc, CurrentMemoryContext);
}

static bool
ends_with(const ByteBuffer *buffer, const char *tail)
{
	size_t		length = strlen(tail);

	return buffer->length >= length && memcmp(buffer->data + buffer->length - length, tail, length) == 0;
}

/* An array opens in the payload: does it hold records?  The header ends with its name. */
static bool
opens_records(SnapshotReader *reader)
{
	if (reader->depth != PAYLOAD_DEPTH)
		return false;
	if (ends_with(&reader->header, "\"nodes\":"))
		reader->kind = RECORD_NODE;
	else if (ends_with(&reader->header, "\"edges\":"))
		reader->kind = RECORD_EDGE;
	else if (ends_with(&reader->header, "\"annotations\":"))
		reader->kind = RECORD_ANNOTATION;
	else
		return false;
	return true;
}

static void
append(ByteBuffer *buffer, const char *bytes, size_t length, size_t limit)
{
	if (buffer->length + length > limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("this is not the document of a snapshot: a part of it is longer than %zu bytes", limit)));
	buffer_append(buffer, bytes, length);
}

/* The record that ends here: in this piece alone, or begun earlier. */
static void
emit(SnapshotReader *reader, const char *begin, const char *end)
{
	if (reader->record.length > 0)
	{
		append(&reader->record, begin, end - begin, MAX_RECORD_BYTES);
		begin = reader->record.data;
		end = begin + reader->record.length;
	}
	reader->sink(reader->argument, reader->kind, begin, end - begin);
	reader->record.length = 0;
}

static const char *
skip_string(SnapshotReader *reader, const char *p, const char *end)
{
	while (p < end)
	{
		if (reader->escaped)
			reader->escaped = false;
		else
		{
			p = scan_plain(p, end, false);
			if (p == end)
				break;
			if (*p == '"')
			{
				reader->in_string = false;
				return p + 1;
			}
			reader->escaped = *p == '\\';
		}
		p++;
	}
	return p;
}

static void
split(SnapshotReader *reader, const char *p, const char *end)
{
	const char *begin = p;		/* of what was not passed on yet: of the header, or of a record */

	while (p < end)
	{
		if (reader->in_string)
		{
			p = skip_string(reader, p, end);
			continue;
		}
		switch (*p)
		{
			case '"':
				reader->in_string = true;
				reader->stray |= reader->in_records && reader->depth == RECORDS_DEPTH;
				break;
			case '[':
			case '{':
				if (reader->in_records && reader->depth == RECORDS_DEPTH)
					begin = p;
				else if (!reader->in_records && !reader->in_frontier && *p == '[')
				{
					append(&reader->header, begin, p - begin, MAX_HEADER_BYTES);
					begin = p;
					reader->in_records = opens_records(reader);
					reader->in_frontier = reader->depth == PAYLOAD_DEPTH && ends_with(&reader->header, "\"frontier\":");
					if (reader->in_records || reader->in_frontier)
						buffer_append_char(&reader->header, '[');
					if (reader->in_frontier)
						begin = p + 1;
				}
				reader->depth++;
				break;
			case ']':
			case '}':
				reader->depth--;
				if (reader->in_records && reader->depth == RECORDS_DEPTH)
					emit(reader, begin, p + 1);
				else if (reader->in_records && reader->depth == PAYLOAD_DEPTH)
				{
					reader->in_records = false;
					begin = p;
				}
				else if (reader->in_frontier && reader->depth == PAYLOAD_DEPTH)
				{
					append(&reader->frontier, begin, p - begin, MAX_FRONTIER_BYTES);
					reader->in_frontier = false;
					begin = p;
				}
				break;
			case ',':
				break;
			default:
				reader->stray |= reader->in_records && reader->depth == RECORDS_DEPTH;
				break;
		}
		p++;
	}
	if (reader->in_frontier)
		append(&reader->frontier, begin, end - begin, MAX_FRONTIER_BYTES);
	else if (!reader->in_records)
		append(&reader->header, begin, end - begin, MAX_HEADER_BYTES);
	else if (reader->depth > RECORDS_DEPTH)
		append(&reader->record, begin, end - begin, MAX_RECORD_BYTES);
}

void
snapshot_read(SnapshotReader *reader, const char *bytes, size_t length)
{
	CHECK_FOR_INTERRUPTS();
	sha256_update(&reader->hash, bytes, length);
	reader->size_bytes += length;
	split(reader, bytes, bytes + length);
}

bool
snapshot_read_chunks(SnapshotReader *reader, int64 snapshot_no, text *division, Snapshot snapshot)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "snapshot chunk", ALLOCSET_DEFAULT_SIZES);
	RowScan		scan;
	AttrNumber	chunk_column;
	AttrNumber	division_column;
	AttrNumber	bytes_column;
	int32		expected = 0;
	bool		complete = true;

	row_scan_open(&scan, "snapshot_chunk", "snapshot_chunk_pkey", 1, snapshot);
	chunk_column = row_scan_column(scan.heap, "chunk");
	division_column = row_scan_column(scan.heap, "division");
	bytes_column = row_scan_column(scan.heap, "bytes");
	row_scan_int8(&scan, 0, BTEqualStrategyNumber, snapshot_no);
	row_scan_start(&scan);
	while (row_scan_next(&scan))
	{
		MemoryContext old_context = MemoryContextSwitchTo(context);
		RecordText	owner = row_scan_text_value(scan.slot, division_column);
		bytea	   *bytes;

		if (owner.length != VARSIZE_ANY_EXHDR(division) || memcmp(owner.data, VARDATA_ANY(division), owner.length) != 0 ||
			DatumGetInt32(row_scan_value(scan.slot, chunk_column)) != expected++)
			complete = false;
		bytes = DatumGetByteaPP(row_scan_value(scan.slot, bytes_column));
		/* What the sink allocates lives in its own memory. */
		MemoryContextSwitchTo(old_context);
		snapshot_read(reader, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
		MemoryContextReset(context);
	}
	row_scan_close(&scan);
	MemoryContextDelete(context);
	return complete && expected > 0;
}
