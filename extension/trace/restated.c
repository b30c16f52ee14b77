/*
 * restated.c
 *		Edges whose weight was stated anew.
 */
#include "postgres.h"

#include "trace/restated.h"

#include "graph/columns.h"
#include "graph/heap.h"
#include "graph/memory.h"
#include "record/text.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* An edge beside others. */
typedef struct Statement
{
	const TraceEdge *edge;
	RecordText	type;
	TimestampTz created_at;
	pg_uuid_t	id;
} Statement;

typedef struct Reading
{
	Graph	   *graph;
	Statement  *statements;
} Reading;

static inline int
compare_ends(const TraceEdge *a, const TraceEdge *b)
{
	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	return a->target < b->target ? -1 : a->target > b->target;
}

static int
compare_links(const Statement *a, const Statement *b)
{
	int			result = compare_ends(a->edge, b->edge);

	if (result != 0)
		return result;
	if (a->type.length != b->type.length)
		return a->type.length < b->type.length ? -1 : 1;
	return memcmp(a->type.data, b->type.data, a->type.length);
}

/* The newest of a link first. */
static inline int
compare_statements(const Statement *a, const Statement *b)
{
	int			result = compare_links(a, b);

	if (result != 0)
		return result;
	if (a->created_at != b->created_at)
		return a->created_at > b->created_at ? -1 : 1;
	return -memcmp(&a->id, &b->id, UUID_LEN);
}

#define ST_SORT sort_by_ends
#define ST_ELEMENT_TYPE uint32
#define ST_COMPARE(a, b, edges) compare_ends(&edges[*(a)], &edges[*(b)])
#define ST_COMPARE_ARG_TYPE const TraceEdge
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

#define ST_SORT sort_statements
#define ST_ELEMENT_TYPE Statement
#define ST_COMPARE(a, b) compare_statements(a, b)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void
read_statement(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	Reading    *reading = argument;
	Statement  *statement = &reading->statements[entry->position];
	bool		isnull;
	text	   *type = DatumGetTextPP(heap_getattr(tuple, EDGE_TYPE, desc, &isnull));
	char	   *copy = graph_alloc(reading->graph, Max(VARSIZE_ANY_EXHDR(type), 1));

	statement->type.length = VARSIZE_ANY_EXHDR(type);
	statement->type.data = memcpy(copy, VARDATA_ANY(type), statement->type.length);
	statement->created_at = DatumGetTimestampTz(heap_getattr(tuple, EDGE_CREATED_AT, desc, &isnull));
	statement->id = *DatumGetUUIDP(heap_getattr(tuple, EDGE_ID, desc, &isnull));
}

/* Those of the edges, in the order of their ends, that have others beside them; returns how many. */
static uint32
keep_beside_others(const TraceEdge *edges, uint32 *order, uint32 count)
{
	uint32		kept = 0;
	bool		joined = false;

	for (uint32 i = 0; i < count; i++)
	{
		bool		joins = i + 1 < count && compare_ends(&edges[order[i]], &edges[order[i + 1]]) == 0;

		GRAPH_CHECK_NOW_AND_THEN(i);
		if (joined || joins)
			order[kept++] = order[i];
		joined = joins;
	}
	return kept;
}

bool *
restated_edges(Trace *trace)
{
	Graph	   *graph = trace->graph;
	Size		size = Max((Size) trace->edges_kept, 1);
	bool	   *is_restated = memset(graph_alloc(graph, size), 0, size);
	uint32	   *order = graph_alloc(graph, size * sizeof(uint32));
	Reading		reading = {.graph = graph};
	GraphEntry *entries;
	uint32		count;

	for (uint32 i = 0; i < trace->edges_kept; i++)
		order[i] = i;
	sort_by_ends(order, trace->edges_kept, trace->edges);
	count = keep_beside_others(trace->edges, order, trace->edges_kept);
	if (count > 0)
	{
		reading.statements = graph_alloc(graph, (Size) count * sizeof(Statement));
		entries = graph_alloc(graph, (Size) count * sizeof(GraphEntry));
		memset(entries, 0, (Size) count * sizeof(GraphEntry));
		for (uint32 i = 0; i < count; i++)
		{
			reading.statements[i].edge = &trace->edges[order[i]];
			entries[i].position = i;
			entries[i].tid = trace->edges[order[i]].tid;
		}
		graph_visit_rows(graph, graph->edge, entries, count, read_statement, &reading);
		sort_statements(reading.statements, count);
		for (uint32 i = 1; i < count; i++)
		{
			if (compare_links(&reading.statements[i - 1], &reading.statements[i]) == 0)
				is_restated[reading.statements[i].edge - trace->edges] = true;
		}
	}
	return is_restated;
}
