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

/* One of the queries below, and its plan once the session has asked it. */
typedef struct DetailQuery
{
	const char *sql;
	SPIPlanPtr	plan;
} DetailQuery;

/*
 * The plan is for any array: for a given one, the planner would look at each of
 * its numbers, which takes as long as reading the rows.
 */
static SPIPlanPtr
plan_of(DetailQuery *query)
{
	Oid			types[] = {INT8ARRAYOID, TEXTOID, TIMESTAMPTZOID, INT8OID};
	SPIPlanPtr	plan;

	if (query->plan == NULL)
	{
		plan = SPI_prepare_cursor(query->sql, lengthof(types), types, CURSOR_OPT_GENERIC_PLAN);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "cannot prepare: %s", query->sql);
		query->plan = plan;
	}
	return query->plan;
}

static void
ask(DetailQuery *query, const GraphKey *numbers, uint32 count, RecordText division, TimestampTz until, int64 last_no)
{
	Datum	   *elements = palloc(count * sizeof(Datum));
	Datum		values[4];

	for (uint32 i = 0; i < count; i++)
		elements[i] = Int64GetDatum(numbers[i].no);
	values[0] = PointerGetDatum(construct_array(elements, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[1] = PointerGetDatum(cstring_to_text_with_len(division.data, division.length));
	values[2] = TimestampTzGetDatum(until);
	values[3] = Int64GetDatum(last_no);
	if (SPI_execute_plan(plan_of(query), values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "query failed: %s", query->sql);
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
typedef void (*RowWriter) (ByteBuffer *out, const Graph *graph, NodeJson *json, uint64 row);

/* The query gives the number of the entry first, and in that order. */
static void
read_attached(CausalDetails *details, Graph *graph, const GraphKey *numbers, uint32 count, TimestampTz until,
			  NodeJson *json, DetailQuery *query, RowWriter write)
{
	int64		last_no = graph->horizon ? graph->horizon->last_no : PG_INT64_MAX;
	uint32		capacity = 0;

	memset(details, 0, sizeof(*details));
	buffer_init(&details->texts, canonical_realloc, CurrentMemoryContext);
	SPI_connect();
	for (uint32 begin = 0; begin < count; begin += NUMBERS_A_QUERY)
	{
		ask(query, numbers + begin, Min(NUMBERS_A_QUERY, count - begin), graph->division, until, last_no);
		for (uint64 row = 0; row < SPI_processed; row++)
		{
			bool		isnull;
			int64		no = DatumGetInt64(column(row, 1, &isnull));
			size_t		offset = details->texts.length;
			CausalDetail *item;

			CHECK_FOR_INTERRUPTS();
			write(&details->texts, graph, json, row);
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
			details->row_count++;
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_finish();
}

/* The rest of auditRef: ,"hash":…,"prevHash":… */
static void
write_seal(ByteBuffer *out, const Graph *graph, NodeJson *json, uint64 row)
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
write_annotation(ByteBuffer *out, const Graph *graph, NodeJson *json, uint64 row)
{
	bool		isnull;
	Datum		payload;

	int64		no = DatumGetInt64(column(row, 9, &isnull));

	if (quarantine_hides(graph, no) || (graph->sealed && !graph_sealed_shows(graph->sealed, no)))
		return;
	buffer_append_literal(out, ",{\"auditEventId\":");
	record_write_uuid(out, DatumGetUUIDP(column(row, 8, &isnull)));
	buffer_append_literal(out, ",\"author\":");
	node_json_author(json, out, column(row, 4, &isnull));
	buffer_append_literal(out, ",\"createdAt\":");
	record_write_timestamp(out, DatumGetTimestampTz(column(row, 7, &isnull)));
	payload = column(row, 6, &isnull);
	if (isnull)
		buffer_append_literal(out, ",\"erased\":true");
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
causal_details_seals(CausalDetails *seals, Graph *graph, const GraphKey *numbers, uint32 count)
{
	static DetailQuery query = {
		.sql = "SELECT event_no, hash, coalesce(prev_hash, (SELECT p.hash FROM reason.audit_seal p WHERE p.division = s.division AND p.seq = s.seq - 1))"
			" FROM reason.audit_seal s WHERE event_no = ANY ($1) AND division = $2 AND $3 IS NOT NULL AND $4 IS NOT NULL ORDER BY event_no"
	};

	read_attached(seals, graph, numbers, count, DT_NOEND, NULL, &query, write_seal);
}

void
causal_details_annotations(CausalDetails *annotations, Graph *graph, const GraphKey *numbers, uint32 count,
						   const GraphFilter *filter, NodeJson *json)
{
	static DetailQuery query = {
		.sql = "SELECT target_no, id, type, author, metadata, payload, created_at, audit_event_id, no FROM reason.annotation"
			" WHERE target_no = ANY ($1) AND division = $2 AND created_at <= $3 AND no <= $4"
			" ORDER BY target_no, created_at, id"
	};

	read_attached(annotations, graph, numbers, count, filter->has_as_of ? filter->as_of : DT_NOEND, json, &query, write_annotation);
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
