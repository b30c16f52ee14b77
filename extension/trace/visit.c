/*
 * visit.c
 *		Visits to the rows of a trace.
 */
#include "postgres.h"

#include "trace/visit.h"

#include "graph/memory.h"

#include "miscadmin.h"

void
trace_visit_nodes(Trace *trace, GraphVisitor visitor, void *argument)
{
	Size		size = Max((Size) trace->node_count, 1) * sizeof(GraphEntry);
	GraphEntry *entries = graph_alloc(trace->graph, size);

	for (uint32 i = 0; i < trace->node_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		entries[i].position = i;
		entries[i].tid = trace->nodes[i].tid;
	}
	graph_visit_rows(trace->graph, trace->graph->node, entries, trace->node_count, visitor, argument);
	graph_grow(trace->graph, entries, size, 0);
}

void
trace_visit_edges(Trace *trace, GraphVisitor visitor, void *argument)
{
	Size		size = Max((Size) trace->edges_kept, 1) * sizeof(GraphEntry);
	GraphEntry *entries = graph_alloc(trace->graph, size);

	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		entries[i].position = i;
		entries[i].tid = trace->edges[i].tid;
	}
	graph_visit_rows(trace->graph, trace->graph->edge, entries, trace->edges_kept, visitor, argument);
	graph_grow(trace->graph, entries, size, 0);
}
