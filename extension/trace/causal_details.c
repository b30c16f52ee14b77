/*
 * causal_details.c
 *		Seals and annotations of the entries of an ordered trace, read through SPI.
 */
#include "postgres.h"

#include "trace/causal_details.h"

#include "canonical/backend.h"
#include "canonical/jsonb.h"
#include "graph/memory.h"
#include "graph/quarantine.h"
#include "graph/sealed.h"
#include "graph/sort.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* So many numbers are asked for at once: a query sorts them, and does not stop when told while it does. */
#define NUMBERS_A_QUERY 10000

struct CausalDetail
{
	int64		no;
	size_t		offset;
	size_t		length;
};

/* The numbers of nodes and, if asked for, edges: ascending. */
static GraphKey *
numbers_of(const CausalOrder *order, bool with_edges, uint32 *count)
{
	Trace	   *trace = order->trace;
	Size		size;
	GraphKey   *numbers;
	GraphKey   *scratch;

	*count = trace->node_count + (with_edges ? trace->edges_kept : 0);
	size = (Size) *count * sizeof(GraphKey);
	numbers = graph_alloc(trace->graph, size);
	scratch = graph_alloc(trace->graph, size);
	for (uint32 i = 0; i < *count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		numbers[i].no = i < trace->node_count ? trace->nodes[i].no : trace->edges[i - trace->node_count].no;
	}
	graph_sort_keys(numbers, scratch, *count);
	graph_grow(trace->graph, scratch, size, 0);
	return numbers;
}

static void
query(const char *sql, const GraphKey *numbers, uint32 count, RecordText division)
{
	Datum	   *elements = palloc(count * sizeof(Datum));
	Oid			types[] = {INT8ARRAYOID, TEXTOID};
	Datum		values[2];

	for (uint32 i = 0; i < count; i++)
		elements[i] = Int64GetDatum(numbers[i].no);
	values[0] = PointerGetDatum(construct_array(elements, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[1] = PointerGetDatum(cstring_to_text_with_len(division.data, division.length));
	if (SPI_execute_with_args(sql, 2, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "query failed: %s", sql);
	pfree(DatumGetPointer(values[1]));
	pfree(DatumGetPointer(values[0]));
	pfree(elements);
}

static Datum
column(uint64 row, int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, isnull);
}

/* Makes text of a row. */
typedef void (*RowWriter) (ByteBuffer *out, const CausalOrder *order, NodeJson *json, uint64 row);

/* The query gives the number of the entry first, and in that order. */
static void
read_attached(CausalDetails *details, const CausalOrder *order, NodeJson *json, bool with_edges,
			  const char *sql, RowWriter write)
{
	Graph	   *graph = order->trace->graph;
	uint32		capacity = 0;
	uint32		count;
	GraphKey   *numbers = numbers_of(order, with_edges, &count);

	memset(details, 0, sizeof(*details));
	buffer_init(&details->texts, canonical_realloc, CurrentMemoryContext);
	SPI_connect();
	for (uint32 begin = 0; begin < count; begin += NUMBERS_A_QUERY)
	{
		query(sql, numbers + begin, Min(NUMBERS_A_QUERY, count - begin), graph->division);
		for (uint64 row = 0; row < SPI_processed; row++)
		{
			bool		isnull;
			int64		no = DatumGetInt64(column(row, 1, &isnull));
			size_t		offset = details->texts.length;
			CausalDetail *item;

			CHECK_FOR_INTERRUPTS();
			write(&details->texts, order, json, row);
			if (details->texts.length == offset)
				continue;
			item = details->count == 0 ? NULL : &details->items[details->count - 1];
			if (!item || item->no != no)
			{
				graph_reserve(graph, details->items, details->count, capacity);
				item = &details->items[details->count++];
				item->no = no;
				item->offset = offset;
			}
			item->length = details->texts.length - item->offset;
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_finish();
	graph_grow(graph, numbers, (Size) count * sizeof(GraphKey), 0);
}

/* The rest of auditRef: ,"hash":…,"prevHash":… */
static void
write_seal(ByteBuffer *out, const CausalOrder *order, NodeJson *json, uint64 row)
{
	bool		isnull;
	Datum		hash;

	buffer_append_literal(out, ",\"hash\":");
	node_json_hex(out, column(row, 2, &isnull));
	buffer_append_literal(out, ",\"prevHash\":");
	hash = column(row, 3, &isnull);
	if (isnull)
		buffer_append_literal(out, "null");
	else
		node_json_hex(out, hash);
}

/* After a comma. */
static void
write_annotation(ByteBuffer *out, const CausalOrder *order, NodeJson *json, uint64 row)
{
	bool		isnull;
	Datum		payload;
	Graph	   *graph = order->trace->graph;
	int64		no = DatumGetInt64(column(row, 9, &isnull));

	if (quarantine_hides(graph, no) || (graph->sealed && !graph_sealed_shows(graph->sealed, no)))
		return;
	buffer_append_literal(out, ",{\"auditEventId\":");
	record_write_uuid(out, DatumGetUUIDP(column(row, 8, &isnull)));
	buffer_append_literal(out, ",\"author\":");
	node_json_author(json, out, column(row, 4, &isnull));
	buffer_append_literal(out, ",\"createdAt\":");
	record_write_timestamp(out, DatumGetTimestampTz(column(row, 7, &isnull)));
	buffer_append_literal(out, ",\"id\":");
	record_write_uuid(out, DatumGetUUIDP(column(row, 2, &isnull)));
	buffer_append_literal(out, ",\"metadata\":");
	node_json_content(json, out, column(row, 5, &isnull), false);
	buffer_append_literal(out, ",\"payload\":");
	payload = column(row, 6, &isnull);
	node_json_content(json, out, payload, isnull);
	buffer_append_literal(out, ",\"type\":");
	node_json_text_member(out, column(row, 3, &isnull));
	buffer_append_char(out, '}');
}

void
causal_details_seals(CausalDetails *seals, const CausalOrder *order)
{
	read_attached(seals, order, NULL, true,
				  "SELECT event_no, hash, prev_hash FROM reason.audit_seal"
				  " WHERE event_no = ANY ($1) AND division = $2 ORDER BY event_no", write_seal);
}

void
causal_details_annotations(CausalDetails *annotations, const CausalOrder *order, NodeJson *json)
{
	read_attached(annotations, order, json, false,
				  "SELECT target_no, id, type, author, metadata, payload, created_at, audit_event_id, no FROM reason.annotation"
				  " WHERE target_no = ANY ($1) AND division = $2 ORDER BY target_no, created_at, id", write_annotation);
	annotations->skip = 1;
}

static int
compare_item(const void *key, const void *item)
{
	int64		a = *(const int64 *) key;
	int64		b = ((const CausalDetail *) item)->no;

	return a < b ? -1 : a > b;
}

void
causal_details_write(ByteBuffer *out, const CausalDetails *details, int64 no, const char *otherwise)
{
	CausalDetail *item = details->count == 0 ? NULL :
		bsearch(&no, details->items, details->count, sizeof(CausalDetail), compare_item);

	if (item)
		buffer_append(out, details->texts.data + item->offset + details->skip, item->length - details->skip);
	else
		buffer_append(out, otherwise, strlen(otherwise));
}
