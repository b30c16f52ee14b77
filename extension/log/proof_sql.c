/*
 * proof_sql.c
 *		Roots, proofs and tiles for SQL: tree_size(), tree_root(), inclusion_proof(),
 *		consistency_proof(), tile(), tile_entries().
 *
 * The functions run with their owner's rights and ask first whether the role that
 * called may see the division.  Numbers that no tree has are 22023, and what is
 * beyond the end of this one P0002: it may be there later.
 */
#include "postgres.h"

#include "log/tree.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

PG_FUNCTION_INFO_V1(reason_require_log);
PG_FUNCTION_INFO_V1(reason_tree_size);
PG_FUNCTION_INFO_V1(reason_tree_root);
PG_FUNCTION_INFO_V1(reason_tree_root_of);
PG_FUNCTION_INFO_V1(reason_inclusion_proof);
PG_FUNCTION_INFO_V1(reason_consistency_proof);
PG_FUNCTION_INFO_V1(reason_tile);
PG_FUNCTION_INFO_V1(reason_tile_entries);

/* ---------------------------------------------------------------- arguments */

static void
open_tree(FunctionCallInfo fcinfo, LogTree *tree)
{
	text	   *division = PG_GETARG_TEXT_PP(0);

	log_require_division(division, GetOuterUserId());
	log_tree_open(tree, division);
}

static void
not_yet(const LogTree *tree)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("the tree of division \"%s\" has " UINT64_FORMAT " leaves", text_to_cstring(tree->division), tree->size),
			 errhint("An event is a leaf once it is signed.")));
}

/* A size of the tree: the present one for NULL. */
static uint64
size_argument(FunctionCallInfo fcinfo, int place, const char *name, const LogTree *tree)
{
	int64		size = PG_ARGISNULL(place) ? (int64) tree->size : PG_GETARG_INT64(place);

	if (size < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be negative", name)));
	if ((uint64) size > tree->size)
		not_yet(tree);
	return (uint64) size;
}

/* The place in a tile's level of its first hash, all of which are there. */
static uint64
tile_start(const LogTree *tree, int level, int64 n, int width)
{
	uint64		first;

	if (level < 0 || level > LOG_MAX_LEVEL || n < 0 || n > PG_INT64_MAX / LOG_TILE_WIDTH - 1 || width < 1 || width > LOG_TILE_WIDTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a tile has a level of 0 to %d, an index that is not negative, and a width of 1 to %d", LOG_MAX_LEVEL, LOG_TILE_WIDTH)));
	first = (uint64) n * LOG_TILE_WIDTH;
	if (first + (uint64) width > tree->size >> (level * LOG_TILE_BITS))
		not_yet(tree);
	return first;
}

/* ---------------------------------------------------------------- results */

static bytea *
bytes_of(const void *data, size_t length)
{
	bytea	   *result = palloc(VARHDRSZ + length);

	SET_VARSIZE(result, VARHDRSZ + length);
	memcpy(VARDATA(result), data, length);
	return result;
}

static ArrayType *
array_of(MerkleHash *hashes, int count)
{
	Datum		elements[MERKLE_MAX_HASHES];

	for (int i = 0; i < count; i++)
		elements[i] = PointerGetDatum(bytes_of(hashes[i], MERKLE_HASH_LENGTH));
	return construct_array(elements, count, BYTEAOID, -1, false, TYPALIGN_INT);
}

/* ---------------------------------------------------------------- functions */

/* require_log(division text): raises 42501 unless its log may be seen */
Datum
reason_require_log(PG_FUNCTION_ARGS)
{
	log_require_division(PG_GETARG_TEXT_PP(0), GetOuterUserId());
	PG_RETURN_VOID();
}

/* tree_size(division text) → bigint */
Datum
reason_tree_size(PG_FUNCTION_ARGS)
{
	LogTree		tree;

	open_tree(fcinfo, &tree);
	log_tree_close(&tree);
	PG_RETURN_INT64((int64) tree.size);
}

/* tree_root(division text, size bigint) → bytea */
Datum
reason_tree_root(PG_FUNCTION_ARGS)
{
	LogTree		tree;
	MerkleHash	root;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	open_tree(fcinfo, &tree);
	log_tree_root(&tree, size_argument(fcinfo, 1, "size", &tree), root);
	log_tree_close(&tree);
	PG_RETURN_BYTEA_P(bytes_of(root, MERKLE_HASH_LENGTH));
}

/* tree_root_of(division text, size bigint) → bytea: for functions that have decided already who may see it */
Datum
reason_tree_root_of(PG_FUNCTION_ARGS)
{
	LogTree		tree;
	MerkleHash	root;

	log_tree_open(&tree, PG_GETARG_TEXT_PP(0));
	log_tree_root(&tree, size_argument(fcinfo, 1, "size", &tree), root);
	log_tree_close(&tree);
	PG_RETURN_BYTEA_P(bytes_of(root, MERKLE_HASH_LENGTH));
}

/* inclusion_proof(division text, seq bigint, size bigint) → bytea[] */
Datum
reason_inclusion_proof(PG_FUNCTION_ARGS)
{
	LogTree		tree;
	uint64		size;
	int64		seq;
	MerkleHash	proof[MERKLE_MAX_HASHES];
	int			count;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	seq = PG_GETARG_INT64(1);
	open_tree(fcinfo, &tree);
	size = size_argument(fcinfo, 2, "size", &tree);
	if (seq < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("seq must not be negative")));
	if ((uint64) seq >= tree.size)
		not_yet(&tree);
	if ((uint64) seq >= size)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("event " INT64_FORMAT " is not in a tree of " UINT64_FORMAT " leaves", seq, size)));
	merkle_inclusion_proof(size, (uint64) seq, log_tree_node, &tree, proof, &count);
	log_tree_close(&tree);
	PG_RETURN_ARRAYTYPE_P(array_of(proof, count));
}

/* consistency_proof(division text, old_size bigint, new_size bigint) → bytea[] */
Datum
reason_consistency_proof(PG_FUNCTION_ARGS)
{
	LogTree		tree;
	uint64		old_size;
	uint64		new_size;
	MerkleHash	proof[MERKLE_MAX_HASHES];
	int			count;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	open_tree(fcinfo, &tree);
	old_size = size_argument(fcinfo, 1, "old_size", &tree);
	new_size = size_argument(fcinfo, 2, "new_size", &tree);
	if (old_size > new_size)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("old_size must not be greater than new_size")));
	merkle_consistency_proof(old_size, new_size, log_tree_node, &tree, proof, &count);
	log_tree_close(&tree);
	PG_RETURN_ARRAYTYPE_P(array_of(proof, count));
}

/* tile(division text, level integer, n bigint, width integer) → bytea */
Datum
reason_tile(PG_FUNCTION_ARGS)
{
	LogTree		tree;
	int			level = PG_GETARG_INT32(1);
	int			width = PG_GETARG_INT32(3);
	MerkleHash	hashes[LOG_TILE_WIDTH];
	uint64		first;

	open_tree(fcinfo, &tree);
	first = tile_start(&tree, level, PG_GETARG_INT64(2), width);
	log_tree_hashes(&tree, level, first, width, hashes);
	log_tree_close(&tree);
	PG_RETURN_BYTEA_P(bytes_of(hashes, (size_t) width * MERKLE_HASH_LENGTH));
}

/* tile_entries(division text, n bigint, width integer) → bytea */
Datum
reason_tile_entries(PG_FUNCTION_ARGS)
{
	LogTree		tree;
	int			width = PG_GETARG_INT32(2);
	MerkleHash	entries[LOG_TILE_WIDTH];
	uint8		bundle[LOG_TILE_WIDTH][2 + MERKLE_HASH_LENGTH];
	uint64		first;

	open_tree(fcinfo, &tree);
	first = tile_start(&tree, 0, PG_GETARG_INT64(1), width);
	log_tree_entries(&tree, first, width, entries);
	log_tree_close(&tree);
	for (int i = 0; i < width; i++)
	{
		/* Each after its length, big end first. */
		bundle[i][0] = 0;
		bundle[i][1] = MERKLE_HASH_LENGTH;
		memcpy(bundle[i] + 2, entries[i], MERKLE_HASH_LENGTH);
	}
	PG_RETURN_BYTEA_P(bytes_of(bundle, (size_t) width * sizeof(bundle[0])));
}
