/*
 * strength.c
 *		Strengths of edges, and the strongest of all paths to each node.
 *
 * Edges are put in one by one, the strongest first.  The edge with which a node
 * comes to be reached is the weakest of the strongest path to it: whatever was
 * put in before is no weaker, and without it no path led there.
 */
#include "postgres.h"

#include "derived/strength.h"

#include <float.h>
#include <math.h>

#include "graph/columns.h"
#include "graph/memory.h"
#include "trace/visit.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/builtins.h"

typedef struct StrengthReading
{
	Trace	   *trace;
	TraceStrengths *strengths;
	double	   *confidence;		/* of nodes, by position */
	RecordText	known[16];		/* types are few: each is kept once */
	int			known_count;
} StrengthReading;

static RecordText
kept_type(StrengthReading *reading, text *type)
{
	RecordText	given = {VARDATA_ANY(type), VARSIZE_ANY_EXHDR(type)};
	char	   *copy;

	for (int i = 0; i < reading->known_count; i++)
	{
		if (reading->known[i].length == given.length && memcmp(reading->known[i].data, given.data, given.length) == 0)
			return reading->known[i];
	}
	copy = graph_alloc(reading->trace->graph, Max(given.length, 1));
	memcpy(copy, given.data, given.length);
	given.data = copy;
	if (reading->known_count < lengthof(reading->known))
		reading->known[reading->known_count++] = given;
	return given;
}

static double
stated_confidence(Datum metadata)
{
	double		confidence;

	return graph_confidence(metadata, &confidence) ? confidence : 1;
}

static void
read_node(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	StrengthReading *reading = argument;
	bool		isnull;

	reading->confidence[entry->position] = stated_confidence(heap_getattr(tuple, NODE_METADATA, desc, &isnull));
	reading->strengths->types[entry->position] = kept_type(reading, DatumGetTextPP(heap_getattr(tuple, NODE_TYPE, desc, &isnull)));
}

static void
read_edge(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	StrengthReading *reading = argument;
	const Trace *trace = reading->trace;
	const TraceEdge *edge = &trace->edges[entry->position];
	uint32		cause = trace->direction == GRAPH_DESCENDANTS ? edge->source : edge->target;
	bool		isnull;
	double		strength = DatumGetFloat8(heap_getattr(tuple, EDGE_WEIGHT, desc, &isnull));

	strength *= stated_confidence(heap_getattr(tuple, EDGE_METADATA, desc, &isnull));
	strength *= reading->confidence[cause];
	/* What was not written by our functions may have no product, or none that is finite; and there is one zero. */
	reading->strengths->edges[entry->position] = isnan(strength) ? 0 : Max(-DBL_MAX, Min(strength, DBL_MAX)) + 0.0;
}

void
strengths_read(TraceStrengths *strengths, Trace *trace)
{
	Graph	   *graph = trace->graph;
	Size		count = Max((Size) trace->edges_kept, 1);
	StrengthReading reading = {.trace = trace, .strengths = strengths};

	strengths->types = graph_alloc(graph, (Size) trace->node_count * sizeof(RecordText));
	strengths->edges = graph_alloc(graph, count * sizeof(double));
	reading.confidence = graph_alloc(graph, (Size) trace->node_count * sizeof(double));
	memset(strengths->types, 0, (Size) trace->node_count * sizeof(RecordText));
	memset(strengths->edges, 0, count * sizeof(double));
	for (uint32 i = 0; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		reading.confidence[i] = 1;
	}
	trace_visit_nodes(trace, read_node, &reading);
	trace_visit_edges(trace, read_edge, &reading);
}

/* ---------------------------------------------------------------- the strongest paths */

#define ST_SORT sort_strongest_first
#define ST_ELEMENT_TYPE uint32
#define ST_COMPARE(a, b, strength) (strength[*(a)] > strength[*(b)] ? -1 : strength[*(a)] < strength[*(b)])
#define ST_COMPARE_ARG_TYPE const double
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

typedef struct WidestSearch
{
	const Trace *trace;
	double	   *widest;			/* -Infinity: not reached */
	uint32	   *first;			/* by position: index + 1 of the edge from there that was put in last */
	uint32	   *next;			/* by edge: the same of the one before */
	uint32	   *stack;
} WidestSearch;

/* All that the edges lead to which were put in. */
static void
reach(WidestSearch *search, uint32 from, double strength)
{
	uint32		count = 0;

	search->widest[from] = strength;
	search->stack[count++] = from;
	while (count > 0)
	{
		uint32		node = search->stack[--count];

		CHECK_FOR_INTERRUPTS();
		for (uint32 k = search->first[node]; k != 0; k = search->next[k - 1])
		{
			uint32		target = search->trace->edges[k - 1].target;

			GRAPH_CHECK_NOW_AND_THEN(k);
			if (search->widest[target] > -INFINITY)
				continue;
			search->widest[target] = strength;
			search->stack[count++] = target;
		}
	}
}

double *
strengths_widest(const TraceStrengths *strengths, const Trace *trace)
{
	Graph	   *graph = trace->graph;
	Size		edges = Max((Size) trace->edges_kept, 1);
	WidestSearch search = {.trace = trace};
	uint32	   *order = graph_alloc(graph, edges * sizeof(uint32));

	search.widest = graph_alloc(graph, (Size) trace->node_count * sizeof(double));
	search.first = graph_alloc(graph, (Size) trace->node_count * sizeof(uint32));
	search.stack = graph_alloc(graph, (Size) trace->node_count * sizeof(uint32));
	search.next = graph_alloc(graph, edges * sizeof(uint32));
	memset(search.first, 0, (Size) trace->node_count * sizeof(uint32));
	for (uint32 i = 0; i < trace->node_count; i++)
		search.widest[i] = i == 0 ? INFINITY : -INFINITY;
	for (uint32 i = 0; i < trace->edges_kept; i++)
		order[i] = i;
	sort_strongest_first(order, trace->edges_kept, strengths->edges);
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		const TraceEdge *edge = &trace->edges[order[i]];

		GRAPH_CHECK_NOW_AND_THEN(i);
		search.next[order[i]] = search.first[edge->source];
		search.first[edge->source] = order[i] + 1;
		if (search.widest[edge->source] > -INFINITY && !(search.widest[edge->target] > -INFINITY))
			reach(&search, edge->target, strengths->edges[order[i]]);
	}
	return search.widest;
}
