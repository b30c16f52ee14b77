/*
 * index.c
 *		Opening the covering indexes.
 */
#include "postgres.h"

#include "graph/index.h"

#include "graph/columns.h"
#include "graph/memory.h"
#include "record/schema.h"

#include "access/genam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "nodes/primnodes.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

typedef struct IndexLayout
{
	const char *name;
	bool		on_node;
	int			key_columns;
	int			columns;
	AttrNumber	attnums[4];
	bool		of_back_edges;
} IndexLayout;

static const IndexLayout layouts[GRAPH_INDEX_KINDS] = {
	[GRAPH_LINKS_TO] = {"edge_to_idx", false, 1, 3, {EDGE_TO_NO, EDGE_FROM_NO, EDGE_NO}},
	[GRAPH_LINKS_FROM] = {"edge_from_idx", false, 1, 3, {EDGE_FROM_NO, EDGE_TO_NO, EDGE_NO}},
	[GRAPH_BACK_LINKS_TO] = {"edge_back_to_idx", false, 1, 3, {EDGE_TO_NO, EDGE_FROM_NO, EDGE_NO}, true},
	[GRAPH_BACK_LINKS_FROM] = {"edge_back_from_idx", false, 1, 3, {EDGE_FROM_NO, EDGE_TO_NO, EDGE_NO}, true},
	[GRAPH_NODES] = {"node_pkey", true, 2, 4, {NODE_NO, NODE_DIVISION, NODE_ID, NODE_CREATED_AT}},
	[GRAPH_EDGES] = {"edge_pkey", false, 2, 4, {EDGE_NO, EDGE_DIVISION, EDGE_ID, EDGE_CREATED_AT}},
};

/* from_no >= to_no */
static bool
is_of_back_edges(Relation index)
{
	List	   *predicate = RelationGetIndexPredicate(index);
	OpExpr	   *condition;

	if (list_length(predicate) != 1 || !IsA(linitial(predicate), OpExpr))
		return false;
	condition = linitial_node(OpExpr, predicate);
	return get_opcode(condition->opno) == F_INT8GE &&
		IsA(linitial(condition->args), Var) && linitial_node(Var, condition->args)->varattno == EDGE_FROM_NO &&
		IsA(lsecond(condition->args), Var) && lsecond_node(Var, condition->args)->varattno == EDGE_TO_NO;
}

/* The walk reads keys and included columns without asking the catalog each time. */
static void
check_layout(Relation index, const IndexLayout *layout)
{
	Form_pg_index form = index->rd_index;
	bool		fits = index->rd_rel->relam == BTREE_AM_OID &&
		form->indnatts == layout->columns && form->indnkeyatts == layout->key_columns &&
		index->rd_opfamily[0] == INTEGER_BTREE_FAM_OID && index->rd_opcintype[0] == INT8OID &&
		(index->rd_indoption[0] & INDOPTION_DESC) == 0 &&
		(layout->of_back_edges ? is_of_back_edges(index) : RelationGetIndexPredicate(index) == NIL);

	for (int i = 0; fits && i < layout->columns; i++)
		fits = form->indkey.values[i] == layout->attnums[i];
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index reason.%s is not as this version of the library expects it", layout->name),
				 errhint("Recreate the index as the extension's script defines it.")));
}

/* The last call that opened an index; 0 is none. */
static uint32 last_call = 0;

GraphIndex *
graph_index_open(Graph *graph, GraphIndexKind kind)
{
	const IndexLayout *layout = &layouts[kind];
	GraphIndex *index = graph->index[kind];

	if (index)
		return index;
	index = graph_alloc(graph, sizeof(GraphIndex));
	index->kind = kind;
	index->heap = layout->on_node ? graph->node : graph->edge;
	index->index = schema_open_index(layout->name, index->heap, AccessShareLock);
	check_layout(index->index, layout);
	index->map_buffer = InvalidBuffer;
	index->leaf = InvalidBuffer;
	index->fences.count = 0;
	graph_leaf_hints_open(kind, index->index);
	index->leaves = graph_leaf_hints_of(kind, index->index);
	index->call = ++last_call;
	graph_leaf_copies_init(&index->copies, graph, graph_index_has_links(index));
	index->pending = NULL;
	index->pending_count = 0;
	index->pending_capacity = 0;
	index->found_count = 0;
	graph->index[kind] = index;
	return index;
}

void
graph_index_close(Graph *graph, GraphIndex *index)
{
	if (BufferIsValid(index->leaf))
		ReleaseBuffer(index->leaf);
	if (BufferIsValid(index->map_buffer))
		ReleaseBuffer(index->map_buffer);
	index_close(index->index, AccessShareLock);
}
