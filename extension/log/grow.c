/*
 * grow.c
 *		Stores the nodes of the tree that new events complete: grow_tree().
 *
 * How far a tree was grown its own rows say: the last one of level 1.  All rows
 * that come of a leaf are stored in one transaction, so that none is missing at a
 * higher level when those below it are there.
 *
 * A chain that was there before the log is grown the same way, from its
 * beginning, in as many calls as it takes.
 */
#include "postgres.h"

#include "log/tree.h"

#include "record/attempt.h"
#include "record/insert.h"
#include "record/private_lock.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

PG_FUNCTION_INFO_V1(reason_grow_tree);

static const char *const subtree_columns[] = {"division", "level", "index", "hash"};

typedef struct Grower
{
	LogTree		tree;
	RecordInsert inserts;
	MemoryContext batch_context;	/* values of rows kept back */
	/* For each level: what is known of the next node above it, and how many nodes are complete. */
	MerkleRange pending[LOG_MAX_LEVEL + 1];
	uint64		complete[LOG_MAX_LEVEL + 1];
} Grower;

/* ---------------------------------------------------------------- storing */

static void
store(Grower *grower, int level, uint64 index, const uint8 *hash)
{
	MemoryContext old_context = MemoryContextSwitchTo(grower->batch_context);
	bytea	   *bytes = palloc(VARHDRSZ + MERKLE_HASH_LENGTH);
	Datum		values[lengthof(subtree_columns)];
	bool		nulls[lengthof(subtree_columns)] = {0};

	SET_VARSIZE(bytes, VARHDRSZ + MERKLE_HASH_LENGTH);
	memcpy(VARDATA(bytes), hash, MERKLE_HASH_LENGTH);
	values[0] = PointerGetDatum(grower->tree.division);
	values[1] = Int16GetDatum((int16) level);
	values[2] = Int64GetDatum((int64) index);
	values[3] = PointerGetDatum(bytes);
	record_insert_row(&grower->inserts, values, nulls);
	MemoryContextSwitchTo(old_context);
	if (grower->inserts.kept == RECORD_INSERT_BATCH)
	{
		record_insert_flush(&grower->inserts);
		MemoryContextReset(grower->batch_context);
	}
}

/* A node of a level is complete; true if so is the one above it, whose hash is in `node` then. */
static bool
completes(Grower *grower, int level, MerkleHash node)
{
	MerkleRange *pending = &grower->pending[level];

	grower->complete[level]++;
	merkle_range_append(pending, node);
	if (pending->size < LOG_TILE_WIDTH)
		return false;
	merkle_range_root(pending, node);
	merkle_range_init(pending);
	return true;
}

static void
add_leaf(Grower *grower, MerkleHash node)
{
	bool		more = completes(grower, 0, node);

	for (int level = 1; more && level <= LOG_MAX_LEVEL; level++)
	{
		store(grower, level, grower->complete[level], node);
		more = completes(grower, level, node);
	}
}

/* ---------------------------------------------------------------- a division */

/* Where the rows leave off: at each level the nodes whose parent is not complete. */
static void
resume(Grower *grower, uint64 leaves)
{
	grower->complete[0] = leaves;
	for (int level = 0; level <= LOG_MAX_LEVEL; level++)
	{
		MerkleHash	hashes[LOG_TILE_WIDTH];
		int			count;

		if (level > 0)
			grower->complete[level] = grower->complete[level - 1] / LOG_TILE_WIDTH;
		count = (int) (grower->complete[level] % LOG_TILE_WIDTH);
		if (count > 0)
			log_tree_hashes(&grower->tree, level, grower->complete[level] - count, count, hashes);
		merkle_range_init(&grower->pending[level]);
		for (int i = 0; i < count; i++)
			merkle_range_append(&grower->pending[level], hashes[i]);
	}
}

static void
add_leaves(Grower *grower, uint64 first, uint64 end)
{
	log_leaves_start(&grower->tree, first);
	for (uint64 seq = first; seq < end; seq++)
	{
		MerkleHash	leaf;
		int64		found;

		if (!log_leaves_next(&grower->tree, &found, leaf) || (uint64) found != seq)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("audit_seal: the seal of " UINT64_FORMAT " of division \"%s\" is missing", seq, text_to_cstring(grower->tree.division)),
					 errhint("See what reason.verify_audit() says of the division.")));
		add_leaf(grower, leaf);
	}
}

/* Whole tiles, no more than make up `most` leaves; returns the leaves. */
static int64
grow(Grower *grower, text *division, int64 most)
{
	LogTree    *tree = &grower->tree;
	uint64		first;
	uint64		end;

	log_tree_open(tree, division);
	first = log_subtrees_count(tree, 1) * LOG_TILE_WIDTH;
	if (first > tree->size)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("audit_subtree: the tree of division \"%s\" has " UINT64_FORMAT " leaves, and " UINT64_FORMAT " events are signed",
						text_to_cstring(division), first, tree->size),
				 errhint("See what reason.verify_audit() says of the division.")));
	resume(grower, first);
	end = Min(tree->size, first + (uint64) most) / LOG_TILE_WIDTH * LOG_TILE_WIDTH;
	if (end > first)
	{
		record_insert_begin(&grower->inserts, "audit_subtree", subtree_columns, lengthof(subtree_columns), NULL, NULL);
		add_leaves(grower, first, end);
		record_insert_end(&grower->inserts);
		MemoryContextReset(grower->batch_context);
	}
	log_tree_close(tree);
	return end > first ? (int64) (end - first) : 0;
}

typedef struct GrowOne
{
	Grower	   *grower;
	text	   *division;
	int64		most;
	int64		grown;
} GrowOne;

static void
grow_one(void *argument)
{
	GrowOne    *one = argument;

	one->grown = grow(one->grower, one->division, one->most);
}

/*
 * The same, but what is wrong with one chain is a warning and keeps no other
 * from growing: verify_all() names it.
 */
static int64
grow_apart(Grower *grower, text *division, int64 most)
{
	GrowOne		one = {grower, division, most, 0};
	char	   *fault = attempt(grow_one, &one);

	if (fault == NULL)
		return one.grown;
	ereport(WARNING,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the tree of division \"%s\" does not grow: %s", text_to_cstring(division), fault),
			 errhint("The trees of other divisions do. See what reason.verify_all() says.")));
	pfree(fault);
	MemoryContextReset(grower->batch_context);
	return 0;
}

/* ---------------------------------------------------------------- all of them */

/* Small trees are grown often: what is asked each time is planned once a session. */
static SPIPlanPtr
kept_plan(SPIPlanPtr *plan, const char *query, int argument_count, Oid *types)
{
	if (*plan == NULL)
	{
		SPIPlanPtr	made = SPI_prepare(query, argument_count, types);

		if (made == NULL || SPI_keepplan(made) != 0)
			elog(ERROR, "could not prepare \"%s\": %s", query, SPI_result_code_string(SPI_result));
		*plan = made;
	}
	return *plan;
}

static void
check_lease(int64 token)
{
	static SPIPlanPtr plan;
	Oid			type = INT8OID;
	Datum		value = Int64GetDatum(token);

	if (SPI_execute_plan(kept_plan(&plan, "SELECT reason.check_lease('seal', $1)", 1, &type), &value, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not check the lease");
}

/* Until the end of the transaction: whoever grew before has committed what the snapshot is to see. */
static void
lock_growing(void)
{
	LOCKTAG		tag = private_lock_tag("grow_tree", strlen("grow_tree"));

	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

/* text * of each division with events enough for another tile. */
static List *
divisions_to_grow(void)
{
	/* One index descent for the signed end of each chain, and one for that of its tree. */
	static const char growing[] =
		"WITH RECURSIVE chain AS ("
		" (SELECT g.division FROM reason.audit_signature g ORDER BY g.division LIMIT 1)"
		" UNION ALL"
		" SELECT (SELECT g.division FROM reason.audit_signature g WHERE g.division > c.division ORDER BY g.division LIMIT 1)"
		" FROM chain c WHERE c.division IS NOT NULL)"
		" SELECT c.division FROM chain c WHERE c.division IS NOT NULL AND"
		" (SELECT g.seq FROM reason.audit_signature g WHERE g.division = c.division ORDER BY g.seq DESC LIMIT 1) >="
		" 255 + 256 * (1 + coalesce((SELECT s.index FROM reason.audit_subtree s WHERE s.division = c.division AND s.level = 1"
		" ORDER BY s.index DESC LIMIT 1), -1))";
	static SPIPlanPtr plan;
	List	   *divisions = NIL;

	if (SPI_execute_plan(kept_plan(&plan, growing, 0, NULL), NULL, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read which trees can grow");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;

		divisions = lappend(divisions, DatumGetTextPP(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull)));
	}
	return divisions;
}

/* grow_tree(lease_token bigint, division text, max integer) → bigint */
Datum
reason_grow_tree(PG_FUNCTION_ARGS)
{
	Grower	   *grower;
	int64		most;
	int64		grown = 0;
	ListCell   *cell;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	most = PG_GETARG_INT32(2);
	if (most < LOG_TILE_WIDTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max must be at least %d", LOG_TILE_WIDTH),
				 errdetail("A tree grows by whole tiles.")));
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("trees are grown in transactions of isolation level READ COMMITTED")));

	SPI_connect();
	check_lease(PG_GETARG_INT64(0));
	lock_growing();
	PushActiveSnapshot(GetTransactionSnapshot());
	grower = palloc0(sizeof(Grower));
	grower->batch_context = AllocSetContextCreate(CurrentMemoryContext, "subtrees", ALLOCSET_DEFAULT_SIZES);
	if (!PG_ARGISNULL(1))
		grown = grow(grower, PG_GETARG_TEXT_PP(1), most);
	else
	{
		foreach(cell, divisions_to_grow())
		{
			if (most - grown < LOG_TILE_WIDTH)
				break;
			grown += grow_apart(grower, lfirst(cell), most - grown);
		}
	}
	PopActiveSnapshot();
	SPI_finish();
	PG_RETURN_INT64(grown);
}
