/*
 * hashes.c
 *		Hashes of a chain or of a level of its tree, one after another: log_hashes().
 *
 * The sidecar reads a whole log with it, again and again, and makes the roots itself.
 * A value that is no hash ends the answer, as a gap does: the sidecar then finds that
 * a row was altered, where an error would keep it from looking.
 */
#include "postgres.h"

#include "log/tree.h"

#include "access/stratnum.h"
#include "fmgr.h"
#include "miscadmin.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

PG_FUNCTION_INFO_V1(reason_log_hashes);

#define MOST_HASHES 65536

typedef struct HashScan
{
	RowScan    *rows;
	AttrNumber	place;
	AttrNumber	hash;
} HashScan;

/* Copies the hash of the row that is next, if it is the one at `place`. */
static bool
next_hash(const HashScan *scan, int64 place, uint8_t *out)
{
	bool		isnull;
	Datum		value;
	bytea	   *hash;

	CHECK_FOR_INTERRUPTS();
	if (!row_scan_next(scan->rows) || DatumGetInt64(row_scan_value(scan->rows->slot, scan->place)) != place)
		return false;
	value = slot_getattr(scan->rows->slot, scan->hash, &isnull);
	hash = isnull ? NULL : DatumGetByteaPP(value);
	if (hash == NULL || VARSIZE_ANY_EXHDR(hash) != MERKLE_HASH_LENGTH)
		return false;
	memcpy(out, VARDATA_ANY(hash), MERKLE_HASH_LENGTH);
	return true;
}

/* log_hashes(division text, level integer, first bigint, count integer) → bytea, NULL where there is none */
Datum
reason_log_hashes(PG_FUNCTION_ARGS)
{
	int			level = PG_GETARG_INT32(1);
	int64		first = PG_GETARG_INT64(2);
	int			count = Min(PG_GETARG_INT32(3), MOST_HASHES);
	LogTree		tree;
	HashScan	scan;
	bytea	   *result;
	int			found = 0;

	if (level < 0 || level > LOG_MAX_LEVEL || first < 0 || count < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("hashes have a level of 0 to %d, a first one that is not negative, and a count", LOG_MAX_LEVEL)));
	result = palloc(VARHDRSZ + (size_t) count * MERKLE_HASH_LENGTH);
	log_tree_open(&tree, PG_GETARG_TEXT_PP(0));
	if (level == 0)
	{
		scan = (HashScan) {&tree.seals, tree.seal_seq, tree.seal_hash};
		row_scan_int8(scan.rows, 1, BTGreaterEqualStrategyNumber, first);
	}
	else
	{
		scan = (HashScan) {&tree.subtrees, tree.subtree_index, tree.subtree_hash};
		row_scan_int2(scan.rows, 1, (int16) level);
		row_scan_int8(scan.rows, 2, BTGreaterEqualStrategyNumber, first);
	}
	row_scan_start(scan.rows);
	while (found < count && next_hash(&scan, first + found, (uint8_t *) VARDATA(result) + (size_t) found * MERKLE_HASH_LENGTH))
		found++;
	log_tree_close(&tree);
	if (found == 0)
		PG_RETURN_NULL();
	SET_VARSIZE(result, VARHDRSZ + (size_t) found * MERKLE_HASH_LENGTH);
	PG_RETURN_BYTEA_P(result);
}
