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

#include "record/insert.h"
#include "record/private_lock.h"

#include "access/xact.h"
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
	/* Of each level: what is known of the next node above it, and how many nodes are complete. */
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

/* A node of a level is complete; so may be the one above it. */
static void
add(Grower *grower, int level, const uint8 *hash)
{
	MerkleHash	node;

	memcpy(node, hash, MERKLE_HASH_LENGTH);
	for (;; level++)
	{
		MerkleRange *pending = &grower->pending[level];

		if (level > 0)
			store(grower, level, grower->complete[level], node);
		grower->complete[level]++;
		merkle_range_append(pending, node);
		if (pending->size < LOG_TILE_WIDTH || level == LOG_MAX_LEVEL)
			return;
		merkle_range_root(pending, node);
		merkle_range_init(pending);
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
	log_leaves_start(tree, first);
	for (uint64 seq = first; seq < end; seq++)
	{
		MerkleHash	leaf;
		int64		found;

		if (!log_leaves_next(tree, &found, leaf) || (uint64) found != seq)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("audit_seal: the seal of " UINT64_FORMAT " of division \"%s\" is missing", seq, text_to_cstring(division)),
					 errhint("See what reason.verify_audit() says of the division.")));
		add(grower, 0, leaf);
	}
	record_insert_flush(&grower->inserts);
	MemoryContextReset(grower->batch_context);
	log_tree_close(tree);
	return end > first ? (int64) (end - first) : 0;
}

/* ---------------------------------------------------------------- all of them */

static void
check_lease(int64 token)
{
	Oid			type = INT8OID;
	Datum		value = Int64GetDatum(token);

	if (SPI_execute_with_args("SELECT reason.check_lease('seal', $1)", 1, &type, &value, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not check the lease");
}

/* Until the end of the transaction: whoever grew before has committed what the snapshot is to see. */
static void
lock_growing(void)
{
	LOCKTAG		tag = private_lock_tag("grow_tree", strlen("grow_tree"));

	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

/* text * of each division with a signed event, or of the one that was asked for. */
static List *
divisions_to_grow(text *division)
{
	List	   *divisions = NIL;

	if (division)
		return list_make1(division);
	if (SPI_execute("SELECT division FROM reason.signed_chains()", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read which chains there are");
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
	grower = palloc(sizeof(Grower));
	grower->batch_context = AllocSetContextCreate(CurrentMemoryContext, "subtrees", ALLOCSET_DEFAULT_SIZES);
	record_insert_begin(&grower->inserts, "audit_subtree", subtree_columns, lengthof(subtree_columns), NULL, NULL);
	foreach(cell, divisions_to_grow(PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1)))
	{
		if (most - grown < LOG_TILE_WIDTH)
			break;
		grown += grow(grower, lfirst(cell), most - grown);
	}
	record_insert_end(&grower->inserts);
	PopActiveSnapshot();
	SPI_finish();
	PG_RETURN_INT64(grown);
}
