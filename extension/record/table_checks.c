/*
 * table_checks.c
 *		Check constraints of a table, read and planned once a session.
 *
 * What was planned holds for the text that it was made from: each use compares the
 * two.  What else a plan rests on are functions, operators and types; when one of those changes, all is
 * made anew.
 */
#include "postgres.h"

#include "record/table_checks.h"

#include "access/tupdesc.h"
#include "executor/executor.h"
#include "nodes/nodes.h"
#include "optimizer/optimizer.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* From 18 on constraints need not be enforced, and what is not null may be computed: that is left to PostgreSQL. */
#if PG_VERSION_NUM < 180000

/* Node, edge, annotation, audit_event, audit_seal, audit_subtree and snapshot_chunk are what rows are put into, in one database. */
#define TABLES_KEPT 7

typedef struct TableChecks
{
	Oid			table;			/* InvalidOid: nothing is kept */
	MemoryContext context;
	int			count;
	char	  **texts;
	Expr	  **planned;
} TableChecks;

static TableChecks kept[TABLES_KEPT];
static int	next_replaced = 0;
static uint64 forgotten = 0;	/* how often something changed that plans rest on */

static void
forget(TableChecks *checks)
{
	if (checks->context)
		MemoryContextDelete(checks->context);
	memset(checks, 0, sizeof(*checks));
}

/* Not at once: a plan may be in use. */
static void
forget_all(Datum argument, int cache, uint32 hash)
{
	forgotten++;
	for (int i = 0; i < TABLES_KEPT; i++)
		kept[i].table = InvalidOid;
}

static bool
is_current(const TableChecks *checks, const TupleConstr *constraints)
{
	if (checks->count != constraints->num_check)
		return false;
	for (int i = 0; i < checks->count; i++)
	{
		if (strcmp(checks->texts[i], constraints->check[i].ccbin) != 0)
			return false;
	}
	return true;
}

static void
plan_checks(TableChecks *checks, Relation table)
{
	const TupleConstr *constraints = RelationGetDescr(table)->constr;
	uint64		before = forgotten;
	MemoryContext caller;

	forget(checks);
	checks->context = AllocSetContextCreate(TopMemoryContext, "reason table checks", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(checks->context);
	checks->texts = palloc(constraints->num_check * sizeof(char *));
	checks->planned = palloc(constraints->num_check * sizeof(Expr *));
	for (int i = 0; i < constraints->num_check; i++)
	{
		checks->texts[i] = pstrdup(constraints->check[i].ccbin);
		checks->planned[i] = expression_planner(stringToNode(checks->texts[i]));
	}
	checks->count = constraints->num_check;
	/* Only now, for planning may raise an error.  What was planned while something changed holds for this use alone. */
	if (forgotten == before)
		checks->table = RelationGetRelid(table);
	MemoryContextSwitchTo(caller);
}

static TableChecks *
checks_of(Relation table)
{
	static bool registered = false;
	TableChecks *checks = NULL;

	if (!registered)
	{
		CacheRegisterSyscacheCallback(PROCOID, forget_all, (Datum) 0);
		CacheRegisterSyscacheCallback(OPEROID, forget_all, (Datum) 0);
		CacheRegisterSyscacheCallback(TYPEOID, forget_all, (Datum) 0);
	}
	registered = true;
	for (int i = 0; i < TABLES_KEPT && checks == NULL; i++)
	{
		if (kept[i].table == RelationGetRelid(table))
			checks = &kept[i];
	}
	if (checks && is_current(checks, RelationGetDescr(table)->constr))
		return checks;
	if (checks == NULL)
	{
		checks = &kept[next_replaced];
		next_replaced = (next_replaced + 1) % TABLES_KEPT;
	}
	plan_checks(checks, table);
	return checks;
}

#endif

void
table_checks_provide(ResultRelInfo *result, EState *estate)
{
#if PG_VERSION_NUM < 180000
	const TupleConstr *constraints = RelationGetDescr(result->ri_RelationDesc)->constr;
	const TableChecks *checks;
	MemoryContext caller;

	if (constraints == NULL || constraints->num_check == 0)
		return;
	checks = checks_of(result->ri_RelationDesc);
	caller = MemoryContextSwitchTo(estate->es_query_cxt);
	result->ri_ConstraintExprs = palloc(checks->count * sizeof(ExprState *));
	/* The state points into the expression, which may be forgotten before the rows are in. */
	for (int i = 0; i < checks->count; i++)
		result->ri_ConstraintExprs[i] = ExecInitExpr(copyObject(checks->planned[i]), NULL);
	MemoryContextSwitchTo(caller);
#endif
}
