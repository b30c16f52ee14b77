/*
 * leaf_hints.c
 *		Hints where the leaf pages of an index are.
 */
#include "postgres.h"

#include "graph/leaf_hints.h"
#include "port/prefetch.h"
#include "port/relation_file.h"
#include "graph/leaf_copies.h"
#include "graph/page.h"
#include "graph/search.h"

#include "miscadmin.h"
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Indexes with more leaves are walked without hints: 8 MB an index and backend is enough. */
#define MAX_LEAVES (512 * 1024)
/* Descents after which reading the upper levels pays. */
#define FIRST_LOAD_AFTER 8

/*
 * A page is fetched in three steps, each of which needs what the one before
 * brought: its header, the item where the key probably lies, the tuple of that item.
 */
#define FETCH_RING 32
#define FETCH_PAGES 24
#define FETCH_ITEMS 16
#define FETCH_TUPLES 8

typedef struct Fetch
{
	uint32		leaf;
	const char *page;			/* NULL: not known */
	double		part;			/* of the page's keys that are less */
	uint32		item;
} Fetch;

struct GraphLeafHints
{
	MemoryContext context;
	RelationFile file;
	uint32		count;			/* 0: not loaded */
	int64	   *low;			/* ascending */
	GraphLeafHint *leaves;
	uint32		hint;			/* where the last search ended */
	BlockNumber last_block;		/* the highest of all */
	uint32		missed;			/* descents since the hints were read */
	uint32		capacity;

	/* Fetching ahead, for keys in the order of the walk. */
	uint32		ahead;			/* where the last search ended */
	uint32		pages_fetched;	/* keys that went through the first step */
	uint32		items_fetched;	/* ... the second */
	uint32		tuples_fetched; /* ... the third */
	Fetch		fetch[FETCH_RING];	/* by number of the key */
};

static GraphLeafHints known[GRAPH_INDEX_KINDS];

/* ---------------------------------------------------------------- reading the upper levels */

static void
add_leaf(GraphLeafHints *leaves, int64 low, BlockNumber block)
{
	if (leaves->count == leaves->capacity)
	{
		uint32		capacity = Max(leaves->capacity * 2, 256);

		leaves->low = leaves->low ? repalloc_huge(leaves->low, capacity * sizeof(int64)) :
			MemoryContextAllocHuge(leaves->context, capacity * sizeof(int64));
		leaves->leaves = leaves->leaves ? repalloc_huge(leaves->leaves, capacity * sizeof(GraphLeafHint)) :
			MemoryContextAllocHuge(leaves->context, capacity * sizeof(GraphLeafHint));
		leaves->capacity = capacity;
	}
	leaves->low[leaves->count] = low;
	leaves->leaves[leaves->count].block = block;
	leaves->leaves[leaves->count].recent = InvalidBuffer;
	leaves->leaves[leaves->count].call = 0;
	leaves->last_block = Max(leaves->last_block, block);
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
load(GraphLeafHints *leaves, Relation index)
{
	Buffer		buffer = leftmost_parent(index);
	int64		low = PG_INT64_MIN;

	leaves->count = 0;
	leaves->last_block = 0;
	leaves->hint = 0;
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

/*
 * TRUNCATE empties the same file when the table is as young as the transaction:
 * a hint must not lead beyond its end.
 */
void
graph_leaf_hints_open(GraphIndexKind kind, Relation index)
{
	GraphLeafHints *leaves = &known[kind];

	if (leaves->count > 0 && relation_file_equals(leaves->file, relation_file_of(index)) &&
		leaves->last_block >= RelationGetNumberOfBlocks(index))
		leaves->count = 0;
}

GraphLeafHints *
graph_leaf_hints_of(GraphIndexKind kind, Relation index)
{
	GraphLeafHints *leaves = &known[kind];

	if (leaves->count == 0 || !relation_file_equals(leaves->file, relation_file_of(index)))
		return NULL;
	leaves->hint = 0;
	leaves->ahead = PG_UINT32_MAX;
	leaves->pages_fetched = 0;
	leaves->items_fetched = 0;
	leaves->tuples_fetched = 0;
	return leaves;
}

void
graph_leaf_hints_missed(GraphIndexKind kind, Relation index)
{
	GraphLeafHints *leaves = &known[kind];

	if (!relation_file_equals(leaves->file, relation_file_of(index)))
	{
		/* Another database's, or the index was rebuilt. */
		leaves->file = relation_file_of(index);
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

static void
fetch_page(GraphLeafHints *leaves, uint32 call, Fetch *fetch, int64 key)
{
	uint32		found = graph_last_fence(leaves->low, leaves->count, leaves->ahead == PG_UINT32_MAX ? leaves->hint : leaves->ahead, key);
	const GraphLeafHint *leaf = &leaves->leaves[found];
	Buffer		buffer = leaf->recent;

	fetch->leaf = found;
	fetch->page = NULL;
	if (!BufferIsValid(buffer) || (leaf->call == call && leaf->note >= GRAPH_LEAF_COPIES_FIRST))
		return;
	fetch->page = BufferBlocks + (Size) (buffer - 1) * BLCKSZ;
	fetch->part = found + 1 == leaves->count ? 1.0 :
		((double) key - (double) leaves->low[found]) /
		((double) leaves->low[found + 1] - (double) leaves->low[found]);
	if (found == leaves->ahead)
		return;					/* on its way already */
	leaves->ahead = found;
	prefetch_line(GetBufferDescriptor(buffer - 1));
	prefetch_line(fetch->page);
	prefetch_line(fetch->page + BLCKSZ - sizeof(BTPageOpaqueData));
	prefetch_line(fetch->page + BLCKSZ - sizeof(BTPageOpaqueData) - 64);
}

/*
 * The page is neither pinned nor locked here: what is read may be anything, and
 * serves only to guess addresses within the page.
 */
static void
fetch_item(Fetch *fetch)
{
	int			items;

	if (fetch->page == NULL)
		return;
	items = ((int) ((const PageHeaderData *) fetch->page)->pd_lower - (int) SizeOfPageHeaderData) / (int) sizeof(ItemIdData);
	if (items < 2 || items > MaxIndexTuplesPerPage)
	{
		fetch->page = NULL;
		return;
	}
	/* As graph_search() guesses; the first item is the high key. */
	fetch->item = fetch->part >= 0 && fetch->part <= 1 ? 1 + (uint32) (fetch->part * (items - 2)) : 0;
	prefetch_line(&((const PageHeaderData *) fetch->page)->pd_linp[fetch->item]);
}

static void
fetch_tuple(Fetch *fetch)
{
	uint32		offset;

	if (fetch->page == NULL)
		return;
	offset = ((const PageHeaderData *) fetch->page)->pd_linp[fetch->item].lp_off;
	if (offset < BLCKSZ)
	{
		/* Entries are added at the end, which is below: some more of the key may follow, and one of another. */
		prefetch_line(fetch->page + offset + 32);
		prefetch_line(fetch->page + offset - 32);
		prefetch_line(fetch->page + offset - 96);
	}
}

void
graph_leaf_hints_fetch_ahead(GraphLeafHints *leaves, uint32 call, const int64 *keys, uint32 next, uint32 count)
{
	uint32		pages = Min(count, next + FETCH_PAGES);
	uint32		items = Min(count, next + FETCH_ITEMS);
	uint32		tuples = Min(count, next + FETCH_TUPLES);

	leaves->pages_fetched = Max(leaves->pages_fetched, next);
	leaves->items_fetched = Max(leaves->items_fetched, next);
	leaves->tuples_fetched = Max(leaves->tuples_fetched, next);
	for (; leaves->pages_fetched < pages; leaves->pages_fetched++)
		fetch_page(leaves, call, &leaves->fetch[leaves->pages_fetched % FETCH_RING], keys[leaves->pages_fetched]);
	for (; leaves->items_fetched < items; leaves->items_fetched++)
		fetch_item(&leaves->fetch[leaves->items_fetched % FETCH_RING]);
	for (; leaves->tuples_fetched < tuples; leaves->tuples_fetched++)
		fetch_tuple(&leaves->fetch[leaves->tuples_fetched % FETCH_RING]);
}

/* Whether entries of the key begin on this share-locked page; *stale when the hint is to blame if they do not. */
static bool
begins_here(Page page, int64 key, int64 *low, bool *stale)
{
	BTPageOpaque opaque;
	OffsetNumber first;

	*stale = true;
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
	/* If the page begins with the key, it cannot tell whether the one before has entries of it too. */
	*low = graph_key_at(page, first);
	*stale = *low > key;
	return *low < key;
}

static inline GraphLeafHint *
for_call(GraphLeafHint *leaf, uint32 call)
{
	if (leaf->call != call)
	{
		leaf->call = call;
		leaf->note = 0;
	}
	return leaf;
}

GraphLeafHint *
graph_leaf_hints_at(GraphLeafHints *leaves, const int64 *keys, uint32 next, uint32 call)
{
	/* Often it was looked for already, to be fetched ahead. */
	if (next < leaves->pages_fetched && next + FETCH_PAGES >= leaves->pages_fetched)
		leaves->hint = leaves->fetch[next % FETCH_RING].leaf;
	else
		leaves->hint = graph_last_fence(leaves->low, leaves->count, leaves->hint, keys[next]);
	return for_call(&leaves->leaves[leaves->hint], call);
}

GraphLeafHint *
graph_leaf_hints_after(GraphLeafHints *leaves, GraphLeafHint *leaf, uint32 call)
{
	return leaf + 1 < leaves->leaves + leaves->count ? for_call(leaf + 1, call) : NULL;
}

Buffer
graph_leaf_hints_pin(Relation index, GraphLeafHint *leaf)
{
	if (!BufferIsValid(leaf->recent) || !ReadRecentBuffer(relation_file_of(index), MAIN_FORKNUM, leaf->block, leaf->recent))
		leaf->recent = ReadBuffer(index, leaf->block);
	return leaf->recent;
}

Buffer
graph_leaf_hints_read(Relation index, GraphLeafHint *leaf, int64 key, int64 *low, bool *stale)
{
	Buffer		buffer = graph_leaf_hints_pin(index, leaf);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	if (likely(begins_here(BufferGetPage(buffer), key, low, stale)))
		return buffer;
	UnlockReleaseBuffer(buffer);
	return InvalidBuffer;
}
