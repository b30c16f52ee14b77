/*
 * tree.c
 *		The Merkle tree over the chain of a division, as the tables have it.
 */
#include "postgres.h"

#include "log/tree.h"

#include "record/caller.h"

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* ---------------------------------------------------------------- who may see it */

static bool
is_among(text *division, ArrayType *divisions)
{
	Datum	   *names;
	int			count;

	deconstruct_array(divisions, TEXTOID, -1, false, TYPALIGN_INT, &names, NULL, &count);
	for (int i = 0; i < count; i++)
	{
		text	   *name = DatumGetTextPP(names[i]);
		size_t		length = VARSIZE_ANY_EXHDR(name);

		if ((length == 1 && *VARDATA_ANY(name) == '*') ||
			(length == VARSIZE_ANY_EXHDR(division) && memcmp(VARDATA_ANY(name), VARDATA_ANY(division), length) == 0))
			return true;
	}
	return false;
}

void
log_require_division(text *division, Oid role)
{
	if (has_privs_of_role(role, get_role_oid("reason_sidecar", false)) ||
		has_privs_of_role(role, get_role_oid("reason_gateway", false)) ||
		is_among(division, caller_visible_divisions(role)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("division \"%s\" does not exist or is not granted", text_to_cstring(division))));
}

/* ---------------------------------------------------------------- opening */

static int64
last_seq(RowScan *scan, AttrNumber seq)
{
	row_scan_int8(scan, 1, BTGreaterEqualStrategyNumber, 0);
	return row_scan_find_last(scan) ? DatumGetInt64(row_scan_value(scan->slot, seq)) : -1;
}

/* Signatures of a chain have no gaps, so that the last one says how many there are. */
static uint64
signed_size(LogTree *tree)
{
	RowScan		signatures;
	int64		last;

	row_scan_open(&signatures, "audit_signature", "audit_signature_pkey", 2, tree->snapshot);
	row_scan_text(&signatures, 0, tree->division);
	last = last_seq(&signatures, row_scan_column(signatures.heap, "seq"));
	row_scan_close(&signatures);
	return (uint64) (Min(last, last_seq(&tree->seals, tree->seal_seq)) + 1);
}

void
log_tree_open(LogTree *tree, text *division)
{
	tree->division = division;
	tree->snapshot = RegisterSnapshot(GetActiveSnapshot());
	row_scan_open(&tree->seals, "audit_seal", "audit_seal_pkey", 2, tree->snapshot);
	row_scan_text(&tree->seals, 0, division);
	tree->seal_seq = row_scan_column(tree->seals.heap, "seq");
	tree->seal_hash = row_scan_column(tree->seals.heap, "hash");
	row_scan_open(&tree->subtrees, "audit_subtree", "audit_subtree_pkey", 3, tree->snapshot);
	row_scan_text(&tree->subtrees, 0, division);
	tree->subtree_index = row_scan_column(tree->subtrees.heap, "index");
	tree->subtree_hash = row_scan_column(tree->subtrees.heap, "hash");
	tree->size = signed_size(tree);
}

void
log_tree_close(LogTree *tree)
{
	row_scan_close(&tree->subtrees);
	row_scan_close(&tree->seals);
	UnregisterSnapshot(tree->snapshot);
}

/* ---------------------------------------------------------------- one after another */

/* A constraint fixes the length of hashes, but whoever can alter rows can drop it. */
static void
copy_hash(LogTree *tree, RowScan *scan, AttrNumber column, int64 place, uint8_t *out)
{
	bool		isnull;
	Datum		value = slot_getattr(scan->slot, column, &isnull);
	bytea	   *hash = isnull ? NULL : DatumGetByteaPP(value);

	if (hash == NULL || VARSIZE_ANY_EXHDR(hash) != MERKLE_HASH_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("%s: column hash of " INT64_FORMAT " of division \"%s\" is no hash", RelationGetRelationName(scan->heap), place,
						text_to_cstring(tree->division)),
				 errhint("See what reason.verify_audit() says of the division.")));
	memcpy(out, VARDATA_ANY(hash), MERKLE_HASH_LENGTH);
}

static bool
next_entry(LogTree *tree, int64 *seq, uint8_t *out)
{
	CHECK_FOR_INTERRUPTS();
	if (!row_scan_next(&tree->seals))
		return false;
	*seq = DatumGetInt64(row_scan_value(tree->seals.slot, tree->seal_seq));
	copy_hash(tree, &tree->seals, tree->seal_hash, *seq, out);
	return true;
}

void
log_leaves_start(LogTree *tree, uint64 first)
{
	row_scan_int8(&tree->seals, 1, BTGreaterEqualStrategyNumber, (int64) first);
	row_scan_start(&tree->seals);
}

bool
log_leaves_next(LogTree *tree, int64 *seq, uint8_t out[MERKLE_HASH_LENGTH])
{
	MerkleHash	entry;

	if (!next_entry(tree, seq, entry))
		return false;
	merkle_leaf_hash(entry, MERKLE_HASH_LENGTH, out);
	return true;
}

void
log_subtrees_start(LogTree *tree, int level, int64 first)
{
	row_scan_int2(&tree->subtrees, 1, (int16) level);
	row_scan_int8(&tree->subtrees, 2, BTGreaterEqualStrategyNumber, first);
	row_scan_start(&tree->subtrees);
}

bool
log_subtrees_next(LogTree *tree, int64 *index, uint8_t out[MERKLE_HASH_LENGTH])
{
	CHECK_FOR_INTERRUPTS();
	if (!row_scan_next(&tree->subtrees))
		return false;
	*index = DatumGetInt64(row_scan_value(tree->subtrees.slot, tree->subtree_index));
	copy_hash(tree, &tree->subtrees, tree->subtree_hash, *index, out);
	return true;
}

uint64
log_subtrees_count(LogTree *tree, int level)
{
	row_scan_int2(&tree->subtrees, 1, (int16) level);
	row_scan_int8(&tree->subtrees, 2, BTGreaterEqualStrategyNumber, 0);
	return row_scan_find_last(&tree->subtrees) ?
		(uint64) DatumGetInt64(row_scan_value(tree->subtrees.slot, tree->subtree_index)) + 1 : 0;
}

/* ---------------------------------------------------------------- any node */

void
log_combine(MerkleHash *hashes, int count, uint8_t out[MERKLE_HASH_LENGTH])
{
	MerkleRange range;

	merkle_range_init(&range);
	for (int i = 0; i < count; i++)
		merkle_range_append(&range, hashes[i]);
	merkle_range_root(&range, out);
}

static void
seal_missing(LogTree *tree, int64 seq)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("audit_seal: the seal of " INT64_FORMAT " of division \"%s\" is missing", seq, text_to_cstring(tree->division)),
			 errhint("See what reason.verify_audit() says of the division.")));
}

void
log_tree_entries(LogTree *tree, uint64 first, int count, MerkleHash *out)
{
	log_leaves_start(tree, first);
	for (int i = 0; i < count; i++)
	{
		int64		seq;

		if (!next_entry(tree, &seq, out[i]) || seq != (int64) first + i)
			seal_missing(tree, (int64) first + i);
	}
}

/* From the rows that are there; the others are made from the level below. */
static void
subtree_hashes(LogTree *tree, int level, uint64 first, int count, MerkleHash *out)
{
	bool		present[LOG_TILE_WIDTH] = {0};
	int			missing = count;
	MerkleHash	hash;
	int64		index;

	log_subtrees_start(tree, level, (int64) first);
	while (missing > 0 && log_subtrees_next(tree, &index, hash) && (uint64) index - first < (uint64) count)
	{
		memcpy(out[(uint64) index - first], hash, MERKLE_HASH_LENGTH);
		present[(uint64) index - first] = true;
		missing--;
	}
	for (int i = 0; missing > 0 && i < count; i++)
	{
		MerkleHash	below[LOG_TILE_WIDTH];

		if (present[i])
			continue;
		log_tree_hashes(tree, level - 1, (first + i) * LOG_TILE_WIDTH, LOG_TILE_WIDTH, below);
		log_combine(below, LOG_TILE_WIDTH, out[i]);
		missing--;
	}
}

void
log_tree_hashes(LogTree *tree, int level, uint64 first, int count, MerkleHash *out)
{
	Assert(level >= 0 && level <= LOG_MAX_LEVEL && count >= 0 && count <= LOG_TILE_WIDTH);
	Assert(first + count <= tree->size >> (level * LOG_TILE_BITS));
	if (level > 0)
		subtree_hashes(tree, level, first, count, out);
	else
	{
		log_tree_entries(tree, first, count, out);
		for (int i = 0; i < count; i++)
			merkle_leaf_hash(out[i], MERKLE_HASH_LENGTH, out[i]);
	}
}

bool
log_tree_node(void *context, int level, uint64_t index, uint8_t out[MERKLE_HASH_LENGTH])
{
	LogTree    *tree = context;
	int			branches = 1 << level % LOG_TILE_BITS;
	MerkleHash	hashes[LOG_TILE_WIDTH / 2];

	log_tree_hashes(tree, level / LOG_TILE_BITS, index * branches, branches, hashes);
	log_combine(hashes, branches, out);
	return true;
}

void
log_tree_root(LogTree *tree, uint64 size, uint8_t out[MERKLE_HASH_LENGTH])
{
	MerkleRange range;

	Assert(size <= tree->size);
	merkle_range_load(&range, size, log_tree_node, tree);
	merkle_range_root(&range, out);
}
