/*
 * trace_side.c
 *		A trace as one of two that are compared.
 */
#include "postgres.h"

#include "compare/side.h"

#include "graph/columns.h"
#include "graph/heap.h"
#include "graph/memory.h"
#include "record/types.h"
#include "trace/frontier.h"
#include "trace/trace.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* ---------------------------------------------------------------- rows */

static void
read_node(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	Side	   *side = argument;
	SideNode   *node = &side->nodes[entry->position];
	bool		isnull;
	bytea	   *digest = DatumGetByteaPP(heap_getattr(tuple, NODE_DIGEST, desc, &isnull));

	memcpy(node->digest, VARDATA_ANY(digest), Min(VARSIZE_ANY_EXHDR(digest), REASON_DIGEST_LENGTH));
	(void) heap_getattr(tuple, NODE_PAYLOAD, desc, &node->is_erased);
}

static void
read_edge(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	Side	   *side = argument;
	SideEdge   *edge = &side->edges[entry->position];
	bool		isnull;
	text	   *type = DatumGetTextPP(heap_getattr(tuple, EDGE_TYPE, desc, &isnull));

	edge->id = *DatumGetUUIDP(heap_getattr(tuple, EDGE_ID, desc, &isnull));
	edge->created_at = DatumGetTimestampTz(heap_getattr(tuple, EDGE_CREATED_AT, desc, &isnull));
	/* The names of the types live for ever. */
	edge->type = record_type_asked(RECORD_EDGE, VARDATA_ANY(type), VARSIZE_ANY_EXHDR(type));
	edge->weight = DatumGetFloat8(heap_getattr(tuple, EDGE_WEIGHT, desc, &isnull));
	edge->has_confidence = graph_confidence(heap_getattr(tuple, EDGE_METADATA, desc, &isnull), &edge->confidence);
}

static void
read_rows(Side *side)
{
	Trace	   *trace = side->trace;
	Graph	   *graph = side->graph;
	Size		count = Max((Size) Max(trace->node_count, trace->edges_kept), 1);
	GraphEntry *entries = graph_alloc(graph, count * sizeof(GraphEntry));

	side->nodes = graph_alloc(graph, (Size) trace->node_count * sizeof(SideNode));
	side->edges = graph_alloc(graph, Max((Size) trace->edges_kept, 1) * sizeof(SideEdge));
	memset(side->nodes, 0, (Size) trace->node_count * sizeof(SideNode));
	memset(side->edges, 0, Max((Size) trace->edges_kept, 1) * sizeof(SideEdge));
	for (uint32 i = 0; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		side->nodes[i].id = trace->nodes[i].id;
		side->nodes[i].source = i;
		entries[i].position = i;
		entries[i].tid = trace->nodes[i].tid;
	}
	graph_visit_rows(graph, graph->node, entries, trace->node_count, read_node, side);
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		const TraceEdge *edge = &trace->edges[i];
		bool		upwards = trace->direction == GRAPH_ANCESTORS;

		GRAPH_CHECK_NOW_AND_THEN(i);
		side->edges[i].from = trace->nodes[upwards ? edge->target : edge->source].id;
		side->edges[i].to = trace->nodes[upwards ? edge->source : edge->target].id;
		entries[i].position = i;
		entries[i].tid = edge->tid;
	}
	graph_visit_rows(graph, graph->edge, entries, trace->edges_kept, read_edge, side);
	graph_grow(graph, entries, count * sizeof(GraphEntry), 0);
	side->node_count = trace->node_count;
	side->edge_count = trace->edges_kept;
}

/* ---------------------------------------------------------------- erasures that came later */

/* Which of these contents were erased only after what the filter asks for. */
static void
take_back_erasures(Side *side, Datum *ids, uint32 count)
{
	const GraphFilter *filter = &side->trace->filter;
	Oid			types[] = {TEXTOID, UUIDARRAYOID, TIMESTAMPTZOID, INT8OID};
	Datum		values[4];
	char		nulls[] = "    ";

	values[0] = PointerGetDatum(cstring_to_text_with_len(side->graph->division.data, side->graph->division.length));
	values[1] = PointerGetDatum(construct_array(ids, (int) count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	values[2] = TimestampTzGetDatum(filter->as_of);
	values[3] = Int64GetDatum(filter->as_of_seq);
	nulls[2] = filter->has_as_of ? ' ' : 'n';
	nulls[3] = filter->has_as_of_seq ? ' ' : 'n';
	SPI_connect();
	if (SPI_execute_with_args("SELECT i FROM unnest($2) i, LATERAL reason.erasure($1, i) r"
							  " JOIN reason.audit_event e ON e.id = r.event_id AND e.division = $1"
							  " LEFT JOIN reason.audit_seal s ON s.event_no = e.no AND s.division = $1"
							  " WHERE r.at > $3 OR s.seq > $4 OR (s.seq IS NULL AND $4 IS NOT NULL)",
							  lengthof(types), types, values, nulls, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look for erasures");
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		bool		isnull;
		SideNode   *node = side_node(side, DatumGetUUIDP(SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1, &isnull)));

		CHECK_FOR_INTERRUPTS();
		if (node)
			node->is_erased = false;
	}
	SPI_finish();
}

/* So many ids are asked for at once. */
#define IDS_A_QUERY 1000

static void
find_later_erasures(Side *side)
{
	const GraphFilter *filter = &side->trace->filter;
	Datum	   *ids;
	uint32		count = 0;

	if (!filter->has_as_of && !filter->has_as_of_seq)
		return;
	ids = palloc(IDS_A_QUERY * sizeof(Datum));
	for (uint32 i = 0; i < side->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (side->nodes[i].is_erased)
			ids[count++] = UUIDPGetDatum(&side->nodes[i].id);
		if (count == IDS_A_QUERY || (count > 0 && i == side->node_count - 1))
		{
			take_back_erasures(side, ids, count);
			count = 0;
		}
	}
	pfree(ids);
}

void
side_of_trace(Side *side, const TraceRequest *request)
{
	TraceFrontier frontier;

	memset(side, 0, sizeof(*side));
	side->graph = request->graph;
	side->id = request->start->id;
	side->trace = trace_run(request->graph, request->start, request->direction, &request->filter, TRACE_EDGES, 0);
	side->json = node_json_begin(request->graph, request->redact);
	trace_frontier_find(&frontier, side->trace);
	side->frontier_count = frontier.count;
	read_rows(side);
	side_finish(side);
	find_later_erasures(side);
}
