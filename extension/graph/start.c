/*
 * start.c
 *		Finding where a walk starts, and the divisions it may start in.
 */
#include "postgres.h"

#include "graph/start.h"

#include "graph/columns.h"
#include "graph/graph.h"
#include "graph/memory.h"
#include "graph/quarantine.h"
#include "graph/types.h"
#include "graph/walk.h"
#include "record/placement.h"
#include "record/row_scan.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
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
 * whose privileges they have (sql/roles.sql).
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
	grants = graph_open_table("division_grant", 2);
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
	RecordText	division = row_scan_text_value(slot, NODE_DIVISION);

	node->no = DatumGetInt64(row_scan_value(slot, NODE_NO));
	node->id = *id;
	node->created_at = DatumGetTimestampTz(row_scan_value(slot, NODE_CREATED_AT));
	node->tid = slot->tts_tid;
	/* Rows are visited by the tid that an index gives; the slot has that of the version. */
	node->has_moved = HeapTupleIsHeapOnly(ExecFetchSlotHeapTuple(slot, false, NULL));
	node->division.data = pnstrdup(division.data, division.length);
	node->division.length = division.length;
	graph_reserve(graph, candidates->nodes, candidates->count, candidates->capacity);
	candidates->nodes[candidates->count++] = node;
	MemoryContextSwitchTo(caller);
}

static void
find_candidates(Graph *graph, const pg_uuid_t *id, const GraphDivisions *divisions, RecordText division, Candidates *candidates)
{
	RowScan		scan;

	row_scan_open(&scan, "node", "node_id_key", 1, graph->snapshot);
	row_scan_uuid(&scan, 0, BTEqualStrategyNumber, id);
	row_scan_start(&scan);
	while (row_scan_next(&scan))
	{
		RecordText	candidate = row_scan_text_value(scan.slot, NODE_DIVISION);

		CHECK_FOR_INTERRUPTS();
		if (is_visible(divisions, candidate.data, candidate.length) &&
			(division.data == NULL || is_name(division, candidate.data, candidate.length)))
			add_candidate(graph, candidates, id, scan.slot);
	}
	row_scan_close(&scan);
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

/* Where there are several. */
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
	{
		/* It may have come after the division had moved. */
		if (division.data && is_visible(divisions, division.data, division.length))
			placement_require_here(division);
		return NULL;
	}
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
