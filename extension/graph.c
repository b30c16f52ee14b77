/*
 * graph.c
 *		Opening the graph, finding where a walk starts.
 */
#include "postgres.h"

#include "caller.h"
#include "graph.h"
#include "quarantine.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

int			reason_trace_memory_limit_kb = 1024 * 1024;

void
graph_define_parameters(void)
{
	DefineCustomIntVariable("reason.trace_memory_limit",
							"Sets the memory that one trace may take.",
							"A trace that needs more ends with an error.",
							&reason_trace_memory_limit_kb, 1024 * 1024, 1024, INT_MAX,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
}

GraphDirection
graph_direction_of(const char *name)
{
	if (strcmp(name, "ancestors") == 0)
		return GRAPH_ANCESTORS;
	if (strcmp(name, "descendants") == 0)
		return GRAPH_DESCENDANTS;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("direction must be \"ancestors\" or \"descendants\", not \"%s\"", name)));
}

/* ---------------------------------------------------------------- tables */

static Relation
open_table(Oid schema, const char *name, int columns)
{
	Oid			oid = get_relname_relid(name, schema);
	Relation	table;

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table reason.%s does not exist", name),
				 errhint("Create the extension reasoning_graph in this database.")));
	table = table_open(oid, AccessShareLock);
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
	graph->schema = get_namespace_oid("reason", false);
	graph->hides_quarantined = !caller_sees_quarantined(GetUserId());
	graph->node = open_table(graph->schema, "node", NODE_COLUMNS);
	graph->edge = open_table(graph->schema, "edge", EDGE_COLUMNS);
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
	table_close(graph->edge, AccessShareLock);
	table_close(graph->node, AccessShareLock);
}

void
graph_close(Graph *graph)
{
	graph_close_tables(graph);
	MemoryContextDelete(graph->context);
}

/* ---------------------------------------------------------------- divisions */

/*
 * What reason.visible_divisions() gives, without the cost of planning it: the
 * owner of the tables sees all, others what division_grant gives the roles
 * whose privileges they have (sql/20_roles.sql).
 */
GraphDivisions
graph_divisions_of_user(Graph *graph)
{
	GraphDivisions divisions = {0};
	Oid			user = GetUserId();
	int			capacity = 0;
	Relation	grants;
	TableScanDesc scan;
	TupleTableSlot *slot;

	/* Superusers have the privileges of every role. */
	if (has_privs_of_role(user, graph->node->rd_rel->relowner))
	{
		divisions.all = true;
		return divisions;
	}
	grants = open_table(graph->schema, "division_grant", 2);
	slot = table_slot_create(grants, NULL);
	scan = table_beginscan(grants, graph->snapshot, 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Name		grantee = DatumGetName(slot_getattr(slot, 1, &isnull));
		text	   *division = DatumGetTextPP(slot_getattr(slot, 2, &isnull));
		Oid			role = get_role_oid(NameStr(*grantee), true);

		if (!OidIsValid(role) || !has_privs_of_role(user, role))
			continue;
		if (VARSIZE_ANY_EXHDR(division) == 1 && *VARDATA_ANY(division) == '*')
			divisions.all = true;
		graph_reserve(graph, divisions.names, divisions.count, capacity);
		divisions.names[divisions.count].length = VARSIZE_ANY_EXHDR(division);
		divisions.names[divisions.count].data = pnstrdup(VARDATA_ANY(division), VARSIZE_ANY_EXHDR(division));
		divisions.count++;
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(grants, AccessShareLock);
	return divisions;
}

GraphDivisions
graph_divisions_of_array(Datum array)
{
	GraphDivisions divisions = {0};
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	divisions.names = palloc(Max(count, 1) * sizeof(RecordText));
	for (int i = 0; i < count; i++)
	{
		text	   *name;

		if (nulls[i])
			continue;
		name = DatumGetTextPP(elements[i]);
		if (VARSIZE_ANY_EXHDR(name) == 1 && *VARDATA_ANY(name) == '*')
			divisions.all = true;
		else if (divisions.own.data == NULL)
			divisions.own = (RecordText) {VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)};
		divisions.names[divisions.count].data = VARDATA_ANY(name);
		divisions.names[divisions.count].length = VARSIZE_ANY_EXHDR(name);
		divisions.count++;
	}
	return divisions;
}

static bool
is_visible(const GraphDivisions *divisions, const char *name, size_t length)
{
	if (divisions->all)
		return true;
	for (int i = 0; i < divisions->count; i++)
	{
		if (divisions->names[i].length == length && memcmp(divisions->names[i].data, name, length) == 0)
			return true;
	}
	return false;
}

/* ---------------------------------------------------------------- the start */

static bool
is_name(RecordText name, const char *data, size_t length)
{
	return name.length == length && memcmp(name.data, data, length) == 0;
}

static void
store_tid(void *argument, const GraphEntry *entries, int count)
{
	((GraphNode *) argument)->tid = entries[0].tid;
}

/* What has the id of the node that is looked for, a division each. */
typedef struct Candidates
{
	GraphNode **nodes;
	int			count;
	int			capacity;
} Candidates;

static void
add_candidate(Graph *graph, Candidates *candidates, const pg_uuid_t *id, TupleTableSlot *slot)
{
	MemoryContext caller = MemoryContextSwitchTo(graph->context);
	GraphNode  *node = palloc(sizeof(GraphNode));
	bool		isnull;
	text	   *division = DatumGetTextPP(slot_getattr(slot, NODE_DIVISION, &isnull));

	node->no = DatumGetInt64(slot_getattr(slot, NODE_NO, &isnull));
	node->id = *id;
	node->created_at = DatumGetTimestampTz(slot_getattr(slot, NODE_CREATED_AT, &isnull));
	node->tid = slot->tts_tid;
	/* Rows are visited by the tid that an index gives; the slot has that of the version. */
	node->has_moved = HeapTupleIsHeapOnly(ExecFetchSlotHeapTuple(slot, false, NULL));
	node->division.data = pnstrdup(VARDATA_ANY(division), VARSIZE_ANY_EXHDR(division));
	node->division.length = VARSIZE_ANY_EXHDR(division);
	graph_reserve(graph, candidates->nodes, candidates->count, candidates->capacity);
	candidates->nodes[candidates->count++] = node;
	MemoryContextSwitchTo(caller);
}

static void
find_candidates(Graph *graph, const pg_uuid_t *id, const GraphDivisions *divisions, RecordText division, Candidates *candidates)
{
	Oid			index_oid = get_relname_relid("node_id_key", graph->schema);
	Relation	index;
	TupleTableSlot *slot;
	IndexScanDesc scan;
	ScanKeyData key;

	if (!OidIsValid(index_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index reason.node_id_key does not exist")));
	index = index_open(index_oid, AccessShareLock);
	slot = table_slot_create(graph->node, NULL);
#if PG_VERSION_NUM >= 180000
	scan = index_beginscan(graph->node, index, graph->snapshot, NULL, 1, 0);
#else
	scan = index_beginscan(graph->node, index, graph->snapshot, 1, 0);
#endif
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(id));
	index_rescan(scan, &key, 1, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		text	   *candidate = DatumGetTextPP(slot_getattr(slot, NODE_DIVISION, &isnull));
		const char *name = VARDATA_ANY(candidate);
		size_t		length = VARSIZE_ANY_EXHDR(candidate);

		CHECK_FOR_INTERRUPTS();
		if (is_visible(divisions, name, length) && (division.data == NULL || is_name(division, name, length)))
			add_candidate(graph, candidates, id, slot);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
}

/* A node that the caller may not see makes nothing ambiguous. */
static void
drop_quarantined(Graph *graph, Candidates *candidates)
{
	int			kept = 0;

	for (int i = 0; i < candidates->count; i++)
	{
		graph->division = candidates->nodes[i]->division;
		quarantine_load(graph);
		if (!quarantine_hides(graph, candidates->nodes[i]->no))
			candidates->nodes[kept++] = candidates->nodes[i];
	}
	candidates->count = kept;
}

static GraphNode *
candidate_of_division(const Candidates *candidates, const char *division, size_t length)
{
	for (int i = 0; i < candidates->count; i++)
	{
		if (is_name(candidates->nodes[i]->division, division, length))
			return candidates->nodes[i];
	}
	return NULL;
}

static void
report_ambiguous(const pg_uuid_t *id, const Candidates *candidates)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < candidates->count; i++)
	{
		if (i > 0)
			appendStringInfoString(&names, ", ");
		escape_json(&names, candidates->nodes[i]->division.data);
	}
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("node \"%s\" exists in several divisions",
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)))),
			 errdetail_internal("{\"divisions\": [%s]}", names.data),
			 errhint("Name the one that is meant with the parameter division.")));
}

/* Of several. */
static GraphNode *
choose_candidate(const Candidates *candidates, const pg_uuid_t *id, const GraphDivisions *divisions)
{
	GraphNode  *chosen = candidate_of_division(candidates, "default", strlen("default"));

	if (chosen == NULL && divisions->own.data)
		chosen = candidate_of_division(candidates, divisions->own.data, divisions->own.length);
	if (chosen == NULL)
		report_ambiguous(id, candidates);
	return chosen;
}

GraphNode *
graph_find_node(Graph *graph, const pg_uuid_t *id, const GraphDivisions *divisions, RecordText division)
{
	Candidates	candidates = {0};
	GraphNode  *found;

	find_candidates(graph, id, divisions, division, &candidates);
	if (candidates.count > 1)
		drop_quarantined(graph, &candidates);
	if (candidates.count == 0)
		return NULL;
	found = candidates.count == 1 ? candidates.nodes[0] : choose_candidate(&candidates, id, divisions);
	graph->division = found->division;
	if (found->has_moved)
		graph_walk(graph, GRAPH_NODES, &found->no, 1, NULL, store_tid, found);
	return found;
}

void
graph_report_no_node(const pg_uuid_t *id)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("node \"%s\" does not exist",
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id))))));
}
