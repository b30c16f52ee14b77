/*
 * verify.c
 *		Compares all that is stored of a tree with the chain: verify_log().
 *
 * One pass along the chain carries the tree with it, and gives the root at the
 * size of each checkpoint and the stored nodes of level 1.  Each higher level is
 * then compared with the one below, which is good by then.  Memory does not grow
 * with the chain.
 *
 * Whether seals are what they should be is for verify_audit(), which calls this
 * when the chain itself is good.
 */
#include "postgres.h"

#include "log/tree.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/portal.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

PG_FUNCTION_INFO_V1(reason_verify_log);

/* Checkpoints that are read at once. */
#define CHECKPOINT_BATCH 1000

typedef struct LogVerifier
{
	LogTree		tree;
	StringInfo	fault;

	/* checkpoints by size, one ahead */
	Portal		checkpoints;
	SPITupleTable *batch;
	uint64		place;			/* in the batch; batch->numvals: none is left */
	int64		checkpoint_size;	/* of the one that is next; PG_INT64_MAX: none */
	int64		checkpoint_count;
	int64		last_checkpoint;	/* size of the largest so far */

	int64		compared;		/* rows of audit_subtree */
} LogVerifier;

static bool
fault(LogVerifier *verifier, const char *format, ...) pg_attribute_printf(2, 3);

static bool
fault(LogVerifier *verifier, const char *format, ...)
{
	for (;;)
	{
		va_list		arguments;
		int			needed;

		va_start(arguments, format);
		needed = appendStringInfoVA(verifier->fault, format, arguments);
		va_end(arguments);
		if (needed == 0)
			return false;
		enlargeStringInfo(verifier->fault, needed);
	}
}

/* ---------------------------------------------------------------- checkpoints */

static void
next_checkpoint(LogVerifier *verifier)
{
	bool		isnull;

	if (verifier->batch == NULL || ++verifier->place == verifier->batch->numvals)
	{
		if (verifier->batch)
			SPI_freetuptable(verifier->batch);
		SPI_cursor_fetch(verifier->checkpoints, true, CHECKPOINT_BATCH);
		verifier->batch = SPI_tuptable;
		verifier->place = 0;
	}
	verifier->checkpoint_size = verifier->place == verifier->batch->numvals ? PG_INT64_MAX :
		DatumGetInt64(SPI_getbinval(verifier->batch->vals[verifier->place], verifier->batch->tupdesc, 1, &isnull));
}

static void
open_checkpoints(LogVerifier *verifier)
{
	Oid			type = TEXTOID;
	Datum		division = PointerGetDatum(verifier->tree.division);

	verifier->checkpoints = SPI_cursor_open_with_args(NULL,
													  "SELECT c.size, coalesce(c.root, ''), c.origin FROM reason.audit_checkpoint c"
													  " WHERE c.division = $1 ORDER BY c.size, c.origin", 1, &type, &division, NULL, true, 0);
	next_checkpoint(verifier);
}

/* The checkpoints of the size that the tree has now. */
static bool
check_checkpoints(LogVerifier *verifier, const MerkleRange *range)
{
	MerkleHash	root;

	merkle_range_root(range, root);
	for (; verifier->checkpoint_size == (int64) range->size; next_checkpoint(verifier))
	{
		HeapTuple	tuple = verifier->batch->vals[verifier->place];
		TupleDesc	desc = verifier->batch->tupdesc;
		bool		isnull;
		bytea	   *stored = DatumGetByteaPP(SPI_getbinval(tuple, desc, 2, &isnull));

		if (VARSIZE_ANY_EXHDR(stored) != MERKLE_HASH_LENGTH || memcmp(VARDATA_ANY(stored), root, MERKLE_HASH_LENGTH) != 0)
			return fault(verifier, "audit_checkpoint: the root of size " INT64_FORMAT " of \"%s\" is not that of the tree",
						 verifier->checkpoint_size, SPI_getvalue(tuple, desc, 3));
		verifier->last_checkpoint = verifier->checkpoint_size;
		verifier->checkpoint_count++;
	}
	return true;
}

/* ---------------------------------------------------------------- stored nodes */

/*
 * The row that is next at a level must be that of this index, with this hash.
 * `ended`, once the rows have, says that they did: a tree may lag at its end.
 */
static bool
compare_row(LogVerifier *verifier, int level, int64 index, const uint8 *expected, bool *ended)
{
	int64		found;
	MerkleHash	hash;

	if (*ended)
		return true;
	if (!log_subtrees_next(&verifier->tree, &found, hash))
	{
		*ended = true;
		return true;
	}
	if (found > index)
		return fault(verifier, "audit_subtree: the row of level %d, index " INT64_FORMAT " is missing", level, index);
	if (found < index || memcmp(hash, expected, MERKLE_HASH_LENGTH) != 0)
		return fault(verifier, "audit_subtree: column hash of level %d, index " INT64_FORMAT " is not as the chain has it", level, found);
	verifier->compared++;
	return true;
}

/* Nothing may be stored behind what there is. */
static bool
check_beyond(LogVerifier *verifier, int level, bool ended)
{
	int64		found;
	MerkleHash	hash;

	if (ended || !log_subtrees_next(&verifier->tree, &found, hash))
		return true;
	return fault(verifier, "audit_subtree: the row of level %d, index " INT64_FORMAT " is of events that are not signed", level, found);
}

/* Along the chain: level 1, and the checkpoints.  *rows are those of level 1. */
static bool
check_leaves(LogVerifier *verifier, int64 *rows)
{
	LogTree    *tree = &verifier->tree;
	MerkleRange range;
	MerkleRange tile;
	bool		ended = false;

	merkle_range_init(&range);
	merkle_range_init(&tile);
	log_leaves_start(tree, 0);
	log_subtrees_start(tree, 1, PG_INT64_MIN);
	if (!check_checkpoints(verifier, &range))
		return false;
	while (range.size < tree->size)
	{
		MerkleHash	leaf;
		int64		seq;

		if (!log_leaves_next(tree, &seq, leaf) || seq != (int64) range.size)
			return fault(verifier, "audit_seal: the seal of " UINT64_FORMAT " is missing", range.size);
		merkle_range_append(&tile, leaf);
		merkle_range_append(&range, leaf);
		if (tile.size == LOG_TILE_WIDTH)
		{
			MerkleHash	node;

			merkle_range_root(&tile, node);
			if (!compare_row(verifier, 1, (int64) (range.size / LOG_TILE_WIDTH) - 1, node, &ended))
				return false;
			merkle_range_init(&tile);
		}
		if (verifier->checkpoint_size <= (int64) range.size && !check_checkpoints(verifier, &range))
			return false;
	}
	*rows = verifier->compared;
	return check_beyond(verifier, 1, ended);
}

/*
 * A level from the one below, `children` of which are there, all of them good.
 * Each parent that is complete must be stored: they were stored together.
 */
static bool
check_level(LogVerifier *verifier, int level, int64 children, int64 *rows)
{
	bool		ended = false;

	*rows = children / LOG_TILE_WIDTH;
	for (int64 index = 0; index < *rows; index++)
	{
		MerkleHash	below[LOG_TILE_WIDTH];
		MerkleHash	node;

		log_tree_hashes(&verifier->tree, level - 1, (uint64) index * LOG_TILE_WIDTH, LOG_TILE_WIDTH, below);
		log_combine(below, LOG_TILE_WIDTH, node);
		log_subtrees_start(&verifier->tree, level, index == 0 ? PG_INT64_MIN : index);
		if (!compare_row(verifier, level, index, node, &ended))
			return false;
		if (ended)
			return fault(verifier, "audit_subtree: the row of level %d, index " INT64_FORMAT " is missing", level, index);
	}
	log_subtrees_start(&verifier->tree, level, *rows == 0 ? PG_INT64_MIN : *rows);
	return check_beyond(verifier, level, false);
}

/* ---------------------------------------------------------------- what SQL knows */

/* A query that says what is wrong with a division's log, or NULL. */
static bool
check_in_sql(LogVerifier *verifier, const char *query)
{
	Oid			type = TEXTOID;
	Datum		division = PointerGetDatum(verifier->tree.division);
	char	   *found;

	if (SPI_execute_with_args(query, 1, &type, &division, NULL, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not check what is stored of a log");
	found = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (found)
		fault(verifier, "%s", found);
	SPI_freetuptable(SPI_tuptable);
	return found == NULL;
}

static int64
stored_rows(LogVerifier *verifier)
{
	Oid			type = TEXTOID;
	Datum		division = PointerGetDatum(verifier->tree.division);
	bool		isnull;
	int64		count;

	if (SPI_execute_with_args("SELECT count(*) FROM reason.audit_subtree WHERE division = $1", 1, &type, &division, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not count what is stored of a tree");
	count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return count;
}

static bool
check_tree(LogVerifier *verifier)
{
	int64		rows = 0;
	bool		good;

	open_checkpoints(verifier);
	good = check_leaves(verifier, &rows);
	SPI_cursor_close(verifier->checkpoints);
	if (!good)
		return false;
	if (verifier->checkpoint_size != PG_INT64_MAX)
		return fault(verifier, "audit_checkpoint: there is a checkpoint of size " INT64_FORMAT ", and " UINT64_FORMAT " events are signed",
					 verifier->checkpoint_size, verifier->tree.size);
	for (int level = 2; level <= LOG_MAX_LEVEL; level++)
	{
		if (!check_level(verifier, level, rows, &rows))
			return false;
	}
	rows = stored_rows(verifier);
	if (rows != verifier->compared)
		return fault(verifier, "audit_subtree: there are " INT64_FORMAT " rows that no tree has", rows - verifier->compared);
	return true;
}

/* verify_log(division text) → (ok boolean, size bigint, detail text) */
Datum
reason_verify_log(PG_FUNCTION_ARGS)
{
	LogVerifier verifier = {0};
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {0};
	MemoryContext context = CurrentMemoryContext;
	bool		good;
	StringInfoData detail;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	log_require_division(PG_GETARG_TEXT_PP(0), GetUserId());
	verifier.fault = makeStringInfo();
	SPI_connect();
	log_tree_open(&verifier.tree, PG_GETARG_TEXT_PP(0));
	good = check_tree(&verifier) &&
		check_in_sql(&verifier, "SELECT reason.checkpoint_fault($1)") &&
		check_in_sql(&verifier, "SELECT CASE WHEN $1 = 'system' THEN reason.log_heads_fault() END");
	log_tree_close(&verifier.tree);

	MemoryContextSwitchTo(context);
	initStringInfo(&detail);
	if (!good)
		appendBinaryStringInfo(&detail, verifier.fault->data, verifier.fault->len);
	else if (verifier.checkpoint_count > 0)
		appendStringInfo(&detail, INT64_FORMAT " checkpoints, the last of size " INT64_FORMAT, verifier.checkpoint_count, verifier.last_checkpoint);
	values[0] = BoolGetDatum(good);
	values[1] = Int64GetDatum((int64) verifier.tree.size);
	nulls[2] = detail.len == 0;
	values[2] = PointerGetDatum(cstring_to_text_with_len(detail.data, detail.len));
	SPI_finish();
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
