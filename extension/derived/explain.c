/*
 * explain.c
 *		Sorts the ancestors of a node into what it rests on and what it does not.
 */
#include "postgres.h"

#include "derived/explain.h"

#include "graph/columns.h"
#include "graph/memory.h"
#include "graph/sort.h"
#include "trace/trace.h"
#include "trace/visit.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* ---------------------------------------------------------------- edges */

/* Types are few: each is kept once. */
static RecordText
kept_type(Graph *graph, RecordText *known, int *count, int most, text *type)
{
	RecordText	given = {VARDATA_ANY(type), VARSIZE_ANY_EXHDR(type)};
	char	   *copy;

	for (int i = 0; i < *count; i++)
	{
		if (known[i].length == given.length && memcmp(known[i].data, given.data, given.length) == 0)
			return known[i];
	}
	copy = graph_alloc(graph, given.length);
	memcpy(copy, given.data, given.length);
	given.data = copy;
	if (*count < most)
		known[(*count)++] = given;
	return given;
}

typedef struct EdgeReading
{
	Explanation *explanation;
	RecordText	known[16];
	int			known_count;
} EdgeReading;

static void
read_edge(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	EdgeReading *reading = argument;
	ExplainEdge *edge = &reading->explanation->edges[entry->position];
	bool		isnull;

	edge->created_at = DatumGetTimestampTz(heap_getattr(tuple, EDGE_CREATED_AT, desc, &isnull));
	edge->id = *DatumGetUUIDP(heap_getattr(tuple, EDGE_ID, desc, &isnull));
	edge->weight = DatumGetFloat8(heap_getattr(tuple, EDGE_WEIGHT, desc, &isnull));
	edge->type = kept_type(reading->explanation->trace->graph, reading->known, &reading->known_count, lengthof(reading->known),
						   DatumGetTextPP(heap_getattr(tuple, EDGE_TYPE, desc, &isnull)));
	edge->corrects = edge->type.length == strlen("corrects") && memcmp(edge->type.data, "corrects", edge->type.length) == 0;
}

static void
read_edges(Explanation *explanation)
{
	Trace	   *trace = explanation->trace;
	Graph	   *graph = trace->graph;
	Size		count = Max((Size) trace->edges_kept, 1);
	EdgeReading reading = {.explanation = explanation};

	explanation->edges = graph_alloc(graph, count * sizeof(ExplainEdge));
	memset(explanation->edges, 0, count * sizeof(ExplainEdge));
	trace_visit_edges(trace, read_edge, &reading);
}

/* ---------------------------------------------------------------- the reasoning */

/* Whether the cause at the edge's end counts, should its effect do. */
static inline bool
carries(const Explanation *explanation, uint32 edge)
{
	const Trace *trace = explanation->trace;

	return !explanation->edges[edge].corrects &&
		trace->nodes[trace->edges[edge].target].created_at <= trace->nodes[0].created_at;
}

/* Edges grouped by their effect: those of node i from start[i] to start[i + 1]. */
typedef struct ByEffect
{
	uint32	   *start;
	uint32	   *edges;
} ByEffect;

static ByEffect
group_by_effect(Trace *trace)
{
	Size		nodes = trace->node_count;
	ByEffect	grouped;

	grouped.start = graph_alloc(trace->graph, (nodes + 2) * sizeof(uint32));
	grouped.edges = graph_alloc(trace->graph, Max((Size) trace->edges_kept, 1) * sizeof(uint32));
	memset(grouped.start, 0, (nodes + 2) * sizeof(uint32));
	/* Counted two further than meant, so that after placing start[i] is where i begins. */
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		grouped.start[trace->edges[i].source + 2]++;
	}
	for (Size i = 2; i < nodes + 2; i++)
		grouped.start[i] += grouped.start[i - 1];
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		grouped.edges[grouped.start[trace->edges[i].source + 1]++] = i;
	}
	return grouped;
}

/* Breadth first again, along what carries; nodes one level too deep get their depth too. */
static void
find_reasoning(Explanation *explanation, const ByEffect *causes, uint32 deepest)
{
	Trace	   *trace = explanation->trace;
	uint32	   *queue = graph_alloc(trace->graph, (Size) trace->node_count * sizeof(uint32));
	uint32		queued = 0;

	explanation->depth = graph_alloc(trace->graph, (Size) trace->node_count * sizeof(uint32));
	memset(explanation->depth, 0xFF, (Size) trace->node_count * sizeof(uint32));
	explanation->depth[0] = 0;
	queue[queued++] = 0;
	for (uint32 i = 0; i < queued; i++)
	{
		uint32		node = queue[i];

		CHECK_FOR_INTERRUPTS();
		if (explanation->depth[node] > deepest)
			continue;
		for (uint32 k = causes->start[node]; k < causes->start[node + 1]; k++)
		{
			uint32		cause = trace->edges[causes->edges[k]].target;

			GRAPH_CHECK_NOW_AND_THEN(k);
			if (explanation->depth[cause] != EXPLAIN_NOT_COUNTED || !carries(explanation, causes->edges[k]))
				continue;
			explanation->depth[cause] = explanation->depth[node] + 1;
			queue[queued++] = cause;
		}
	}
}

static inline void
put(Explanation *explanation, ExplainKind kind, uint32 entry)
{
	explanation->entries[kind][explanation->counts[kind]++] = entry;
}

static inline bool
counts(const Explanation *explanation, uint32 node, uint32 deepest)
{
	return explanation->depth[node] != EXPLAIN_NOT_COUNTED && explanation->depth[node] <= deepest;
}

/* Whether the edges that carry close a cycle among what counts: some node is left when those without causes are taken away. */
static bool
has_cycle(const Explanation *explanation, const ByEffect *causes, uint32 deepest)
{
	Trace	   *trace = explanation->trace;
	Size		size = Max((Size) trace->node_count, 1) * sizeof(uint32);
	uint32	   *waiting = graph_alloc(trace->graph, size);
	uint32	   *ready = graph_alloc(trace->graph, size);
	uint32	   *effects_start = graph_alloc(trace->graph, size + 2 * sizeof(uint32));
	uint32	   *effects = graph_alloc(trace->graph, Max((Size) trace->edges_kept, 1) * sizeof(uint32));
	uint32		ready_count = 0;
	uint32		left = 0;

	memset(waiting, 0, size);
	memset(effects_start, 0, size + 2 * sizeof(uint32));
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (!counts(explanation, trace->edges[i].source, deepest) || !counts(explanation, trace->edges[i].target, deepest) ||
			!carries(explanation, i))
			continue;
		waiting[trace->edges[i].source]++;
		effects_start[trace->edges[i].target + 2]++;
	}
	for (Size i = 2; i < (Size) trace->node_count + 2; i++)
		effects_start[i] += effects_start[i - 1];
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (counts(explanation, trace->edges[i].source, deepest) && counts(explanation, trace->edges[i].target, deepest) &&
			carries(explanation, i))
			effects[effects_start[trace->edges[i].target + 1]++] = trace->edges[i].source;
	}
	for (uint32 i = 0; i < trace->node_count; i++)
	{
		left += counts(explanation, i, deepest);
		if (counts(explanation, i, deepest) && waiting[i] == 0)
			ready[ready_count++] = i;
	}
	for (uint32 i = 0; i < ready_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		left--;
		for (uint32 k = effects_start[ready[i]]; k < effects_start[ready[i] + 1]; k++)
		{
			if (--waiting[effects[k]] == 0)
				ready[ready_count++] = effects[k];
		}
	}
	return left > 0;
}

/* ---------------------------------------------------------------- entries */

static inline int
compare_weight(const uint32 *a, const uint32 *b, const ExplainEdge *edges)
{
	if (edges[*a].weight != edges[*b].weight)
		return edges[*a].weight > edges[*b].weight ? -1 : 1;
	return graph_compare_records(edges[*a].created_at, &edges[*a].id, edges[*b].created_at, &edges[*b].id);
}

#define ST_SORT sort_by_weight
#define ST_ELEMENT_TYPE uint32
#define ST_COMPARE(a, b, edges) compare_weight(a, b, edges)
#define ST_COMPARE_ARG_TYPE const ExplainEdge
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static inline int
compare_time(const uint32 *a, const uint32 *b, const ExplainEdge *edges)
{
	return graph_compare_records(edges[*a].created_at, &edges[*a].id, edges[*b].created_at, &edges[*b].id);
}

#define ST_SORT sort_by_time
#define ST_ELEMENT_TYPE uint32
#define ST_COMPARE(a, b, edges) compare_time(a, b, edges)
#define ST_COMPARE_ARG_TYPE const ExplainEdge
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void
sort_edges_out(Explanation *explanation, uint32 deepest)
{
	Trace	   *trace = explanation->trace;
	bool	   *is_cause = graph_alloc(trace->graph, (Size) trace->node_count * sizeof(bool));

	memset(is_cause, 0, (Size) trace->node_count * sizeof(bool));
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		uint32		effect = trace->edges[i].source;
		uint32		cause = trace->edges[i].target;

		GRAPH_CHECK_NOW_AND_THEN(i);
		if (!counts(explanation, effect, deepest))
			continue;
		if (explanation->edges[i].corrects)
			put(explanation, EXPLAIN_CORRECTION, i);
		else if (effect == 0 && cause != 0 && counts(explanation, cause, deepest))
		{
			put(explanation, EXPLAIN_COMPONENT, i);
			explanation->causes += !is_cause[cause];
			is_cause[cause] = true;
		}
	}
	sort_by_weight(explanation->entries[EXPLAIN_COMPONENT], explanation->counts[EXPLAIN_COMPONENT], explanation->edges);
	sort_by_time(explanation->entries[EXPLAIN_CORRECTION], explanation->counts[EXPLAIN_CORRECTION], explanation->edges);
}

static void
sort_node_out(Explanation *explanation, const ByEffect *causes, uint32 node, uint32 deepest, bool in_reach)
{
	Trace	   *trace = explanation->trace;
	bool		has_cause = false;
	bool		leads_on = false;

	if (!counts(explanation, node, deepest))
	{
		if (in_reach && trace->nodes[node].created_at > trace->nodes[0].created_at)
			put(explanation, EXPLAIN_AFTER, node);
		else if (in_reach && explanation->depth[node] == EXPLAIN_NOT_COUNTED)
			explanation->aside++;
		return;
	}
	explanation->reasoning += node != 0;
	for (uint32 k = causes->start[node]; k < causes->start[node + 1]; k++)
	{
		GRAPH_CHECK_NOW_AND_THEN(k);
		if (!carries(explanation, causes->edges[k]))
			continue;
		has_cause = true;
		leads_on |= !counts(explanation, trace->edges[causes->edges[k]].target, deepest);
	}
	if (leads_on)
		put(explanation, EXPLAIN_FRONTIER, node);
	if (!has_cause && node != 0)
		put(explanation, EXPLAIN_EVIDENCE, node);
}

Explanation *
explain_node(const TraceRequest *request)
{
	Graph	   *graph = request->graph;
	Explanation *explanation = graph_alloc(graph, sizeof(Explanation));
	GraphFilter filter = request->filter;
	uint32		deepest = filter.max_depth < 0 ? EXPLAIN_NOT_COUNTED - 1 : filter.max_depth;
	uint32		level = 0;
	ByEffect	causes;
	Trace	   *trace;

	memset(explanation, 0, sizeof(*explanation));
	if (filter.max_depth >= 0)
		filter.max_depth++;
	explanation->trace = trace = trace_run(graph, request->start, GRAPH_ANCESTORS, &filter, TRACE_EDGES, 0);
	read_edges(explanation);
	causes = group_by_effect(trace);
	find_reasoning(explanation, &causes, deepest);
	for (int kind = 0; kind < EXPLAIN_KINDS; kind++)
		explanation->entries[kind] = graph_alloc(graph, Max((Size) (kind == EXPLAIN_COMPONENT || kind == EXPLAIN_CORRECTION ?
																	trace->edges_kept : trace->node_count), 1) * sizeof(uint32));
	sort_edges_out(explanation, deepest);
	for (uint32 i = 0; i < trace->node_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		while (i >= trace->level[level + 1])
			level++;
		sort_node_out(explanation, &causes, i, deepest, level <= deepest);
	}
	explanation->has_cycle = has_cycle(explanation, &causes, deepest);
	return explanation;
}
