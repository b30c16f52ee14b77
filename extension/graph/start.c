/*
 * start.c
 *		Finding where a walk starts, and the divisions it may start in.
 */
#include "postgres.h"

#include "graph/start.h"

#include "graph/columns.h"
#include "graph/graph.h"
#include "graph/memory.h"
#include "graph/types.h"
#include "graph/walk.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

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
	grants = graph_open_table(graph->schema, "division_grant", 2);
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

static void
store_tid(void *argument, const GraphEntry *entries, int count)
{
	((GraphNode *) argument)->tid = entries[0].tid;
}

GraphNode *
graph_find_node(Graph *graph, const pg_uuid_t *id, const GraphDivisions *divisions, RecordText division)
{
	Oid			index_oid = get_relname_relid("node_id_key", graph->schema);
	GraphNode  *found = NULL;
	Relation	index;
	TupleTableSlot *slot;
	IndexScanDesc scan;
	ScanKeyData key;
	bool		has_moved = false;

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

		if (!is_visible(divisions, name, length) ||
			(division.data && (division.length != length || memcmp(division.data, name, length) != 0)))
			continue;
		if (found)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("node \"%s\" exists in several divisions",
							DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)))),
					 errhint("Name the one that is meant with the parameter division.")));
		found = MemoryContextAlloc(graph->context, sizeof(GraphNode));
		found->no = DatumGetInt64(slot_getattr(slot, NODE_NO, &isnull));
		found->id = *id;
		found->created_at = DatumGetTimestampTz(slot_getattr(slot, NODE_CREATED_AT, &isnull));
		found->tid = slot->tts_tid;
		has_moved = HeapTupleIsHeapOnly(ExecFetchSlotHeapTuple(slot, false, NULL));
		found->division.data = memcpy(MemoryContextAlloc(graph->context, length + 1), name, length);
		found->division.length = length;
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	if (found)
	{
		graph->division = found->division;
		/* Rows are visited by the tid that an index gives; the slot has that of the version. */
		if (has_moved)
			graph_walk(graph, GRAPH_NODES, &found->no, 1, NULL, store_tid, found);
	}
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
