/*
 * graph_leaves.c
 *		Hints where the leaf pages of an index are.
 */
#include "postgres.h"

#include "graph_leaves.h"
#include "graph_page.h"

#include "miscadmin.h"
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Indexes with more leaves are walked without hints: 8 MB an index and backend is enough. */
#define MAX_LEAVES (512 * 1024)
/* Descents after which reading the upper levels pays. */
#define FIRST_LOAD_AFTER 8

#if PG_VERSION_NUM >= 160000
typedef RelFileLocator FileIdentity;
#define file_of(relation) ((relation)->rd_locator)
#define same_file(a, b) RelFileLocatorEquals(a, b)
#else
typedef RelFileNode FileIdentity;
#define file_of(relation) ((relation)->rd_node)
#define same_file(a, b) RelFileNodeEquals(a, b)
#endif

typedef struct Leaf
{
	BlockNumber block;
	Buffer		recent;			/* where the block was last */
} Leaf;

struct GraphLeaves
{
	MemoryContext context;
	FileIdentity file;
	uint32		count;			/* 0: not loaded */
	int64	   *low;			/* ascending */
	Leaf	   *leaves;
	uint32		hint;			/* where the last search ended */
	uint32		ahead;			/* the same, for fetching ahead */
	uint32		missed;			/* descents since the hints were read */
	uint32		capacity;
};

static GraphLeaves known[GRAPH_INDEX_KINDS];

/* ---------------------------------------------------------------- reading the upper levels */

static void
add_leaf(GraphLeaves *leaves, int64 low, BlockNumber block)
{
	if (leaves->count == leaves->capacity)
	{
		uint32		capacity = Max(leaves->capacity * 2, 256);

		leaves->low = leaves->low ? repalloc_huge(leaves->low, capacity * sizeof(int64)) :
			MemoryContextAllocHuge(leaves->context, capacity * sizeof(int64));
		leaves->leaves = leaves->leaves ? repalloc_huge(leaves->leaves, capacity * sizeof(Leaf)) :
			MemoryContextAllocHuge(leaves->context, capacity * sizeof(Leaf));
		leaves->capacity = capacity;
	}
	leaves->low[leaves->count] = low;
	leaves->leaves[leaves->count].block = block;
	leaves->leaves[leaves->count].recent = InvalidBuffer;
	leaves->count++;
}

/* From the root to the leftmost page of level 1, share-locked; Invalid when the root is a leaf. */
static Buffer
leftmost_parent(Relation index)
{
#if PG_VERSION_NUM >= 160000
	Buffer		buffer = _bt_getroot(index, NULL, BT_READ);
#else
	Buffer		buffer = _bt_getroot(index, BT_READ);
#endif

	while (BufferIsValid(buffer))
	{
		Page		page = BufferGetPage(buffer);
		BTPageOpaque opaque = BTPageGetOpaque(page);

		if (P_ISLEAF(opaque))
		{
			_bt_relbuf(index, buffer);
			return InvalidBuffer;
		}
		if (opaque->btpo_level == 1)
			return buffer;
		buffer = _bt_relandgetbuf(index, buffer,
								  BTreeTupleGetDownLink(graph_tuple_at(page, P_FIRSTDATAKEY(opaque))), BT_READ);
	}
	return InvalidBuffer;
}

static void
load(GraphLeaves *leaves, Relation index)
{
	Buffer		buffer = leftmost_parent(index);
	int64		low = PG_INT64_MIN;

	leaves->count = 0;
	leaves->hint = 0;
	leaves->ahead = 0;
	leaves->missed = 0;
	while (BufferIsValid(buffer))
	{
		Page		page = BufferGetPage(buffer);
		BTPageOpaque opaque = BTPageGetOpaque(page);
		BlockNumber next = opaque->btpo_next;

		if (!P_IGNORE(opaque))
		{
			OffsetNumber first = P_FIRSTDATAKEY(opaque);
			OffsetNumber last = PageGetMaxOffsetNumber(page);

			for (OffsetNumber offset = first; offset <= last; offset++)
			{
				IndexTuple	tuple = graph_tuple_at(page, offset);

				/* The first item has no key: it begins where the page before ended. */
				add_leaf(leaves, offset == first ? low : graph_key_of(tuple), BTreeTupleGetDownLink(tuple));
			}
			if (!P_RIGHTMOST(opaque))
				low = graph_key_at(page, P_HIKEY);
		}
		if (P_RIGHTMOST(opaque) || leaves->count > MAX_LEAVES)
		{
			_bt_relbuf(index, buffer);
			break;
		}
		_bt_unlockbuf(index, buffer);
		CHECK_FOR_INTERRUPTS();
		buffer = ReleaseAndReadBuffer(buffer, index, next);
		_bt_lockbuf(index, buffer, BT_READ);
		_bt_checkpage(index, buffer);
	}
	if (leaves->count > MAX_LEAVES)
		leaves->count = 0;
}

GraphLeaves *
graph_leaves_of(GraphIndexKind kind, Relation index)
{
	GraphLeaves *leaves = &known[kind];

	if (leaves->count == 0 || !same_file(leaves->file, file_of(index)))
		return NULL;
	leaves->hint = 0;
	leaves->ahead = 0;
	return leaves;
}

void
graph_leaves_missed(GraphIndexKind kind, Relation index)
{
	GraphLeaves *leaves = &known[kind];

	if (!same_file(leaves->file, file_of(index)))
	{
		/* Another database's, or the index was rebuilt. */
		leaves->file = file_of(index);
		leaves->count = 0;
		leaves->missed = 0;
	}
	/* Hints that miss often are old; reading them again costs as much as so many descents. */
	if (++leaves->missed < Max(FIRST_LOAD_AFTER, leaves->count / 64))
		return;
	if (leaves->context == NULL)
		leaves->context = AllocSetContextCreate(TopMemoryContext, "reasoning graph leaves", ALLOCSET_DEFAULT_SIZES);
	load(leaves, index);
}

/* ---------------------------------------------------------------- finding a leaf */

/* The last leaf whose lower fence is less than the key, from near `hint` on. */
static inline uint32
search(const GraphLeaves *leaves, uint32 hint, int64 key)
{
	uint32		low = leaves->low[hint] < key ? hint : 0;
	uint32		high = low + 1;
	uint32		step = 1;

	while (high < leaves->count && leaves->low[high] < key)
	{
		low = high;
		high += step;
		step *= 2;
	}
	high = Min(high, leaves->count);
	/* low[low] < key <= low[high] */
	while (high - low > 1)
	{
		uint32		middle = low + (high - low) / 2;

		if (leaves->low[middle] < key)
			low = middle;
		else
			high = middle;
	}
	return low;
}

void
graph_leaves_fetch_ahead(GraphLeaves *leaves, int64 key)
{
	uint32		found = search(leaves, leaves->ahead, key);
	Buffer		buffer = leaves->leaves[found].recent;
	char	   *page;

	if (found == leaves->ahead && found != 0)
		return;
	leaves->ahead = found;
	if (!BufferIsValid(buffer))
		return;
	page = BufferBlocks + (Size) (buffer - 1) * BLCKSZ;
	__builtin_prefetch(GetBufferDescriptor(buffer - 1), 1);
	__builtin_prefetch(page);
	__builtin_prefetch(page + BLCKSZ - sizeof(BTPageOpaqueData));
	if (found + 1 < leaves->count)
	{
		/* Items of a page mostly lie in key order, from its end downwards. */
		double		part = ((double) key - (double) leaves->low[found]) /
			((double) leaves->low[found + 1] - (double) leaves->low[found]);

		__builtin_prefetch(page + BLCKSZ - sizeof(BTPageOpaqueData) - 32 -
						   (Size) (part * (BLCKSZ * 7 / 8)));
		__builtin_prefetch(page + SizeOfPageHeaderData + (Size) (part * (BLCKSZ / 10)));
	}
}

/* Whether entries of the key begin on this share-locked page. */
static bool
begins_here(Page page, int64 key, int64 *low)
{
	BTPageOpaque opaque;
	OffsetNumber first;

	if (PageIsNew(page) || PageGetSpecialSize(page) != MAXALIGN(sizeof(BTPageOpaqueData)))
		return false;
	opaque = BTPageGetOpaque(page);
	if (!P_ISLEAF(opaque) || P_IGNORE(opaque) || P_ISMETA(opaque))
		return false;
	if (!P_RIGHTMOST(opaque) && key > graph_key_at(page, P_HIKEY))
		return false;
	if (P_LEFTMOST(opaque))
	{
		*low = PG_INT64_MIN;
		return true;
	}
	first = P_FIRSTDATAKEY(opaque);
	if (PageGetMaxOffsetNumber(page) < first)
		return false;
	*low = graph_key_at(page, first);
	return *low < key;
}

Buffer
graph_leaves_find(GraphLeaves *leaves, Relation index, int64 key, int64 *low)
{
	Leaf	   *leaf;
	Buffer		buffer;

	leaves->hint = search(leaves, leaves->hint, key);
	leaf = &leaves->leaves[leaves->hint];
	if (BufferIsValid(leaf->recent) && ReadRecentBuffer(file_of(index), MAIN_FORKNUM, leaf->block, leaf->recent))
		buffer = leaf->recent;
	else
		buffer = leaf->recent = ReadBuffer(index, leaf->block);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	if (likely(begins_here(BufferGetPage(buffer), key, low)))
		return buffer;
	UnlockReleaseBuffer(buffer);
	return InvalidBuffer;
}
