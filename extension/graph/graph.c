/*
 * graph.c
 *		Opening and closing the graph.
 */
#include "postgres.h"

#include "graph/graph.h"

#include "graph/columns.h"
#include "graph/index.h"
#include "graph/memory.h"
#include "graph/sealed.h"
#include "record/caller.h"
#include "record/schema.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

Relation
graph_open_table(const char *name, int columns)
{
	Relation	table = schema_open_table(name, AccessShareLock);

	if (table->rd_rel->relkind != RELKIND_RELATION || table->rd_tableam != GetHeapamTableAmRoutine())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table reason.%s is not an ordinary table", name),
				 errdetail("Traces read heap tables of this database; partitioned, foreign and distributed tables hold their rows elsewhere.")));
	if (RelationGetNumberOfAttributes(table) < columns)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table reason.%s has fewer columns than this version of the library expects", name),
				 errhint("Run ALTER EXTENSION reasoning_graph UPDATE.")));
	return table;
}

Graph *
graph_open(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "reasoning graph", ALLOCSET_DEFAULT_SIZES);
	Graph	   *graph = MemoryContextAllocZero(context, sizeof(Graph));

	graph->context = context;
	graph->limit_bytes = (Size) reason_trace_memory_limit_kb * 1024;
	graph_memory_begin(graph);
	graph->snapshot = GetActiveSnapshot();
	Assert(IsMVCCSnapshot(graph->snapshot));
	graph->serializable = IsolationIsSerializable();
	/* On a standby the marks may come from the primary, whose snapshots are not ours. */
	graph->ignore_dead = !TransactionStartedDuringRecovery();
	graph->hides_quarantined = !caller_sees_quarantined(GetUserId());
	graph->node = graph_open_table("node", NODE_COLUMNS);
	graph->edge = graph_open_table("edge", EDGE_COLUMNS);
	return graph;
}

void
graph_close_tables(Graph *graph)
{
	for (int kind = 0; kind < GRAPH_INDEX_KINDS; kind++)
	{
		if (graph->index[kind])
			graph_index_close(graph, graph->index[kind]);
	}
	graph_sealed_close(graph);
	table_close(graph->edge, AccessShareLock);
	table_close(graph->node, AccessShareLock);
}

void
graph_close(Graph *graph)
{
	graph_close_tables(graph);
	MemoryContextDelete(graph->context);
}
