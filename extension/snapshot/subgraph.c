/*
 * subgraph.c
 *		The records of a snapshot: what is within some edges of its roots.
 */
#include "postgres.h"

#include "snapshot/subgraph.h"

#include "access/stratnum.h"
#include "miscadmin.h"

/* Keys that go to one walk of the index. */
#define WALK_KEYS 16384

static void
take_neighbours(void *argument, const GraphEntry *entries, int count)
{
	Subgraph   *subgraph = argument;

	for (int i = 0; i < count; i++)
	{
		if (subgraph->hides(subgraph->argument, entries[i].link.edge_no) || subgraph->hides(subgraph->argument, entries[i].link.other_no))
			continue;
		if (number_set_add(&subgraph->nodes, entries[i].link.other_no))
			number_set_add(subgraph->next_level, entries[i].link.other_no);
	}
}

static void
take_inner_edges(void *argument, const GraphEntry *entries, int count)
{
	Subgraph   *subgraph = argument;

	for (int i = 0; i < count; i++)
	{
		if (number_set_contains(&subgraph->nodes, entries[i].link.other_no) &&
			!subgraph->hides(subgraph->argument, entries[i].link.edge_no))
			number_set_add(&subgraph->edges, entries[i].link.edge_no);
	}
}

void
subgraph_walk(Subgraph *subgraph, NumberSet *set, GraphIndexKind kind, GraphSink sink, void *argument)
{
	int			count;

	number_set_rewind(set);
	while ((count = number_set_next(set, subgraph->keys, WALK_KEYS)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		graph_walk(subgraph->graph, kind, subgraph->keys, count, NULL, sink, argument);
	}
}

void
subgraph_collect(Subgraph *subgraph, Graph *graph, const int64 *roots, int root_count, int depth, GraphDirection direction,
				 SubgraphHides hides, void *argument)
{
	NumberSet	next;

	memset(subgraph, 0, sizeof(*subgraph));
	subgraph->graph = graph;
	subgraph->hides = hides;
	subgraph->argument = argument;
	subgraph->onward = direction == GRAPH_ANCESTORS ? GRAPH_LINKS_TO : GRAPH_LINKS_FROM;
	subgraph->keys = palloc(WALK_KEYS * sizeof(int64));
	number_set_init(&subgraph->nodes);
	number_set_init(&subgraph->edges);
	number_set_init(&subgraph->last_level);
	for (int i = 0; i < root_count; i++)
	{
		number_set_add(&subgraph->nodes, roots[i]);
		number_set_add(&subgraph->last_level, roots[i]);
	}
	for (int reached = 0; reached < depth && subgraph->last_level.count > 0; reached++)
	{
		number_set_init(&next);
		/* cppcheck-suppress autoVariables ; used by the walk below only */
		subgraph->next_level = &next;
		subgraph_walk(subgraph, &subgraph->last_level, subgraph->onward, take_neighbours, subgraph);
		number_set_free(&subgraph->last_level);
		subgraph->last_level = next;
	}
	subgraph_walk(subgraph, &subgraph->nodes, GRAPH_LINKS_TO, take_inner_edges, subgraph);
}

void
subgraph_annotations(Subgraph *subgraph, SubgraphAnnotation take, void *argument)
{
	RowScan		scan;
	int			count;

	row_scan_open(&scan, "annotation", "annotation_target_idx", 1, subgraph->graph->snapshot);
	number_set_rewind(&subgraph->nodes);
	while ((count = number_set_next(&subgraph->nodes, subgraph->keys, WALK_KEYS)) > 0)
	{
		for (int i = 0; i < count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			row_scan_int8(&scan, 0, BTEqualStrategyNumber, subgraph->keys[i]);
			row_scan_start(&scan);
			while (row_scan_next(&scan))
				take(argument, &scan);
		}
	}
	row_scan_close(&scan);
}
