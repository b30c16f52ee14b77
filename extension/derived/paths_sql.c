/*
 * paths_sql.c
 *		strongest_paths(): the graph between two nodes, and its paths as rows.
 *
 * The causes of the effect are found, or what the cause leads to, whichever are fewer; of these what lies between
 * the two is kept, and only that has its rows read.
 */
#include "postgres.h"

#include "graph/columns.h"
#include "graph/graph.h"
#include "graph/heap.h"
#include "graph/memory.h"
#include "record/text.h"
#include "trace/arguments.h"
#include "derived/paths.h"
#include "derived/strength.h"
#include "derived/support.h"
#include "trace/trace.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(reason_strongest_paths);

#define MOST_PATHS 1000
#define LEFT_OUT PG_UINT32_MAX

enum
{
	COLUMN_PATH,
	COLUMN_STEP,
	COLUMN_NODE_ID,
	COLUMN_EDGE_ID,
	COLUMN_EDGE_STRENGTH,
	COLUMN_STRENGTH,
	COLUMNS
};

/* strongest_paths(from_node, to_node, k, edge_types, as_of, division, as_of_seq) */
static const TraceArguments path_arguments = {
	.max_depth = -1, .types = -1, .edge_types = 3, .min_weight = -1, .min_confidence = -1, .as_of = 4, .max_nodes = -1, .as_of_seq = 6
};

/* ---------------------------------------------------------------- what lies between */

static uint32
position_of(const Trace *trace, int64 no)
{
	for (uint32 i = 0; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (trace->nodes[i].no == no)
			return i;
	}
	return LEFT_OUT;
}

/* A trace from one of the two with all its edges; it is given up when that from the other is much smaller. */
static Trace *
trace_smaller_side(Graph *graph, const GraphNode *cause, const GraphNode *effect, const GraphFilter *filter)
{
	GraphFilter limited = *filter;

	for (limited.max_nodes = 4096; limited.max_nodes < 1000000; limited.max_nodes *= 8)
	{
		Trace	   *trace = trace_run(graph, effect, GRAPH_ANCESTORS, &limited, TRACE_EDGES, 0);

		if (trace->node_count < limited.max_nodes)
			return trace;
		trace = trace_run(graph, cause, GRAPH_DESCENDANTS, &limited, TRACE_EDGES, 0);
		if (trace->node_count < limited.max_nodes)
			return trace;
	}
	return trace_run(graph, effect, GRAPH_ANCESTORS, filter, TRACE_EDGES, 0);
}

/* By position, from which nodes of the trace a way leads on to the other end; that is, against its edges, from there to them. */
static bool *
find_between(const Trace *trace, uint32 other)
{
	Graph	   *graph = trace->graph;
	bool	   *is_between = graph_alloc(graph, trace->node_count);
	uint32	   *first = graph_alloc(graph, (Size) trace->node_count * sizeof(uint32));
	uint32	   *next = graph_alloc(graph, Max((Size) trace->edges_kept, 1) * sizeof(uint32));
	uint32	   *stack = graph_alloc(graph, (Size) trace->node_count * sizeof(uint32));
	uint32		count = 0;

	memset(is_between, 0, trace->node_count);
	memset(first, 0, (Size) trace->node_count * sizeof(uint32));
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		next[i] = first[trace->edges[i].target];
		first[trace->edges[i].target] = i + 1;
	}
	is_between[other] = true;
	stack[count++] = other;
	while (count > 0)
	{
		uint32		node = stack[--count];

		CHECK_FOR_INTERRUPTS();
		for (uint32 k = first[node]; k != 0; k = next[k - 1])
		{
			uint32		source = trace->edges[k - 1].source;

			GRAPH_CHECK_NOW_AND_THEN(k);
			if (is_between[source])
				continue;
			is_between[source] = true;
			stack[count++] = source;
		}
	}
	return is_between;
}

#define ST_SORT sort_edges
#define ST_ELEMENT_TYPE TraceEdge
#define ST_COMPARE(a, b) ((a)->no < (b)->no ? -1 : (a)->no > (b)->no)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* The trace without what no path between its start and the other end may go through, edges in the order in which they were recorded. */
static Trace
keep_between(const Trace *trace, uint32 *other)
{
	Graph	   *graph = trace->graph;
	bool	   *is_between = find_between(trace, *other);
	uint32	   *places = graph_alloc(graph, (Size) trace->node_count * sizeof(uint32));
	Trace		kept = *trace;

	kept.node_count = kept.edges_kept = 0;
	kept.nodes = graph_alloc(graph, (Size) trace->node_count * sizeof(TraceNode));
	kept.edges = graph_alloc(graph, Max((Size) trace->edges_kept, 1) * sizeof(TraceEdge));
	for (uint32 i = 0; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		places[i] = is_between[i] ? kept.node_count : LEFT_OUT;
		if (is_between[i])
			kept.nodes[kept.node_count++] = trace->nodes[i];
	}
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		TraceEdge	edge = trace->edges[i];

		GRAPH_CHECK_NOW_AND_THEN(i);
		/* No path comes back to its begin, goes on from its end, or visits a node twice. */
		if (!is_between[edge.source] || !is_between[edge.target] || edge.source == *other || edge.target == 0 || edge.source == edge.target)
			continue;
		edge.source = places[edge.source];
		edge.target = places[edge.target];
		kept.edges[kept.edges_kept++] = edge;
	}
	sort_edges(kept.edges, kept.edges_kept);
	*other = places[*other];
	return kept;
}

/* ---------------------------------------------------------------- rows */

typedef struct EdgeIds
{
	const uint32 *edges;
	pg_uuid_t  *ids;			/* by index of the edge */
} EdgeIds;

static void
read_id(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	EdgeIds    *edge_ids = argument;
	bool		isnull;

	edge_ids->ids[edge_ids->edges[entry->position]] = *DatumGetUUIDP(heap_getattr(tuple, EDGE_ID, desc, &isnull));
}

/* The ids of the edges that are on paths, by index. */
static pg_uuid_t *
ids_of_edges(const Trace *trace, const FoundPath *paths, uint32 path_count)
{
	Graph	   *graph = trace->graph;
	Size		size = Max((Size) trace->edges_kept, 1);
	bool	   *is_used = memset(graph_alloc(graph, size), 0, size);
	uint32	   *used = graph_alloc(graph, size * sizeof(uint32));
	pg_uuid_t  *ids = graph_alloc(graph, size * sizeof(pg_uuid_t));
	EdgeIds		edge_ids = {used, ids};
	GraphEntry *entries;
	uint32		count = 0;

	for (uint32 i = 0; i < path_count; i++)
	{
		for (uint32 j = 0; j < paths[i].length; j++)
		{
			GRAPH_CHECK_NOW_AND_THEN(j);
			if (!is_used[paths[i].edges[j]])
				used[count++] = paths[i].edges[j];
			is_used[paths[i].edges[j]] = true;
		}
	}
	entries = graph_alloc(graph, Max((Size) count, 1) * sizeof(GraphEntry));
	for (uint32 i = 0; i < count; i++)
	{
		entries[i].position = i;
		entries[i].tid = trace->edges[used[i]].tid;
	}
	graph_visit_rows(graph, graph->edge, entries, count, read_id, &edge_ids);
	return ids;
}

static void
put_path(ReturnSetInfo *result, const Trace *trace, const PathEdge *edges, const pg_uuid_t *ids, const FoundPath *path, int32 number)
{
	for (uint32 step = 0; step <= path->length; step++)
	{
		uint32		edge = path->edges[step > 0 ? step - 1 : 0];
		uint32		node = step > 0 ? edges[edge].to : edges[edge].from;
		Datum		values[COLUMNS];
		bool		nulls[COLUMNS] = {[COLUMN_EDGE_ID] = step == 0, [COLUMN_EDGE_STRENGTH] = step == 0};

		CHECK_FOR_INTERRUPTS();
		values[COLUMN_PATH] = Int32GetDatum(number);
		values[COLUMN_STEP] = Int32GetDatum((int32) step);
		values[COLUMN_NODE_ID] = UUIDPGetDatum(&trace->nodes[node].id);
		values[COLUMN_EDGE_ID] = UUIDPGetDatum(&ids[edge]);
		values[COLUMN_EDGE_STRENGTH] = Float8GetDatum(edges[edge].strength);
		values[COLUMN_STRENGTH] = Float8GetDatum(path->strength);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/* From a node to itself leads the path without edges. */
static void
put_node(ReturnSetInfo *result, const GraphNode *node)
{
	Datum		values[COLUMNS] = {[COLUMN_PATH] = Int32GetDatum(1), [COLUMN_NODE_ID] = UUIDPGetDatum(&node->id)};
	bool		nulls[COLUMNS] = {[COLUMN_EDGE_ID] = true, [COLUMN_EDGE_STRENGTH] = true, [COLUMN_STRENGTH] = true};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_paths(FunctionCallInfo fcinfo, const Trace *whole, uint32 other, uint32 most)
{
	Graph	   *graph = whole->graph;
	Trace		trace = keep_between(whole, &other);
	bool		is_backwards = trace.direction == GRAPH_ANCESTORS;
	TraceStrengths strengths;
	PathEdge   *edges = graph_alloc(graph, Max((Size) trace.edges_kept, 1) * sizeof(PathEdge));
	PathGraph	between = {
		.graph = graph, .node_count = trace.node_count, .edges = edges, .edge_count = trace.edges_kept,
		.from = is_backwards ? other : 0, .to = is_backwards ? 0 : other
	};
	ReturnSetInfo *result;
	FoundPath  *found;
	uint32		count;
	pg_uuid_t  *ids;

	strengths_read(&strengths, &trace);
	for (uint32 i = 0; i < trace.edges_kept; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		edges[i].from = is_backwards ? trace.edges[i].target : trace.edges[i].source;
		edges[i].to = is_backwards ? trace.edges[i].source : trace.edges[i].target;
		edges[i].strength = strengths.edges[i];
	}
	count = paths_find(&between, most, &found);
	ids = ids_of_edges(&trace, found, count);
	result = trace_begin_rows(fcinfo, graph);
	for (uint32 i = 0; i < count; i++)
		put_path(result, &trace, edges, ids, &found[i], (int32) i + 1);
}

static uint32
number_of_paths(FunctionCallInfo fcinfo)
{
	int32		most = PG_ARGISNULL(2) ? 1 : PG_GETARG_INT32(2);

	if (most < 1 || most > MOST_PATHS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("k must be from 1 to %d", MOST_PATHS)));
	return most;
}

Datum
reason_strongest_paths(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	GraphFilter filter = trace_filter_of(fcinfo, &path_arguments);
	RecordText	division = record_text_argument(fcinfo, 5);
	uint32		most = number_of_paths(fcinfo);
	Graph	   *graph;
	GraphDivisions divisions;
	GraphNode  *cause;
	GraphNode  *effect;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	if (filter.edge_type_count < 0)
		support_filter(&filter);
	graph = graph_open();
	divisions = graph_divisions_of_user(graph);
	cause = trace_start(graph, PG_GETARG_UUID_P(0), &divisions, division, &filter);
	/* The effect may lie in another division. */
	graph_sealed_close(graph);
	effect = trace_start(graph, PG_GETARG_UUID_P(1), &divisions, division, &filter);
	if (cause->no == effect->no)
		put_node(result, effect);
	else
	{
		Trace	   *trace = trace_smaller_side(graph, cause, effect, &filter);
		uint32		position = position_of(trace, trace->direction == GRAPH_ANCESTORS ? cause->no : effect->no);

		if (position != LEFT_OUT)
			put_paths(fcinfo, trace, position, most);
	}
	graph_close(graph);
	return (Datum) 0;
}
