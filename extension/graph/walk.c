/*
 * walk.c
 *		Walks the leaf pages of a covering index for a sorted set of keys.
 *
 * A scan for each key would descend the tree, and set itself up, once a key.
 * Here one pass serves a whole frontier: leaf pages are visited in order, each
 * once, and the way to the next one is known from hints (graph/leaf_hints.h) or a copy of the page above
 * (graph/descend.h).
 *
 * Matches are copied while the page is share-locked and judged afterwards.  As
 * in an index-only scan the pin is kept until the visibility map was asked, so
 * that VACUUM cannot give a heap slot to another row in between.  Where the map
 * does not vouch for the page, rows are checked in the heap, block by block.
 *
 * Pages that a call comes back to are read from copies instead (graph/leaf_copies.h).
 */
#include "postgres.h"

#include "graph/walk.h"

#include "graph/entry.h"
#include "graph/heap.h"
#include "graph/index.h"
#include "graph/memory.h"
#include "graph/page.h"
#include "graph/search.h"
#include "port/prefetch.h"

#include "access/visibilitymap.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/rel.h"

/* Rows to be checked in the heap are gathered up to so many, to be visited in order. */
#define PENDING_ENTRIES 32768
/* Within a page. */
#define KEYS_AHEAD 4

typedef struct Walk
{
	Graph	   *graph;
	GraphIndex *index;
	const int64 *keys;
	GraphPrefilter prefilter;	/* NULL: all entries may make a difference */
	GraphRowCheck row_check;
	GraphSink	sink;
	void	   *argument;
} Walk;

/* ---------------------------------------------------------------- finding the leaf */

/* The leaf where the last walk ended, when entries of the key begin there; its pin is given up otherwise. */
static Buffer
last_leaf(GraphIndex *index, int64 key, int64 *low)
{
	Buffer		buffer = index->leaf;

	if (!BufferIsValid(buffer))
		return InvalidBuffer;
	index->leaf = InvalidBuffer;
	if (key > index->leaf_low)
	{
		Page		page = BufferGetPage(buffer);
		BTPageOpaque opaque = BTPageGetOpaque(page);

		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		if (!P_IGNORE(opaque) && (P_RIGHTMOST(opaque) || key <= graph_key_at(page, P_HIKEY)))
		{
			*low = index->leaf_low;
			return buffer;
		}
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	}
	ReleaseBuffer(buffer);
	return InvalidBuffer;
}

/*
 * As graph_descend(), by way of the last leaf or the hint, if there is one.  *hint is NULL
 * afterwards unless it led there.
 */
static Buffer
find_leaf(Graph *graph, GraphIndex *index, GraphLeafHint **hint, int64 key, int64 *low)
{
	bool		stale = true;
	Buffer		buffer = last_leaf(index, key, low);

	if (BufferIsValid(buffer))
	{
		if (*hint && (*hint)->block != BufferGetBlockNumber(buffer))
			*hint = NULL;
		return buffer;
	}
	if (*hint)
	{
		buffer = graph_leaf_hints_read(index->index, *hint, key, low, &stale);
		if (BufferIsValid(buffer))
			return buffer;
	}
	*hint = NULL;
	if (stale)
	{
		graph_leaf_hints_missed(index->kind, index->index);
		index->leaves = graph_leaf_hints_of(index->kind, index->index);
	}
	return graph_descend(graph, index->index, &index->fences, key, low);
}

/* ---------------------------------------------------------------- reading a leaf */

static inline int64
key_on_page(const void *page, int offset)
{
	return graph_key_at((Page) page, offset);
}

/* Pages are fetched ahead for the first keys on them (graph/leaf_hints.h); this is for those after them. */
static inline void
fetch_item(Page page, OffsetNumber last, double guess)
{
	if (guess <= last)
		prefetch_line(graph_tuple_at(page, (OffsetNumber) guess));
}

/*
 * Copies the entries of the keys from *next on that lie on this page, and moves
 * *next on.  True when entries of key *next may go on in the page to the right.
 */
static bool
collect(Walk *walk, Page page, uint32 *next, uint32 count)
{
	GraphIndex *index = walk->index;
	BTPageOpaque opaque = BTPageGetOpaque(page);
	OffsetNumber offset = P_FIRSTDATAKEY(opaque);
	OffsetNumber last = PageGetMaxOffsetNumber(page);
	bool		rightmost = P_RIGHTMOST(opaque);
	int64		high = rightmost ? PG_INT64_MAX : graph_key_at(page, P_HIKEY);
	int64		most = rightmost && last >= offset ? graph_key_at(page, last) : high;
	int64		previous = walk->keys[*next];	/* whose item is at `offset`, or after it */
	double		items_a_key = last > offset ? (last - offset) / ((double) most - (double) graph_key_at(page, offset) + 1) : 0;

	while (*next < count)
	{
		int64		key = walk->keys[*next];

		if (!rightmost && key > high)
			return false;
		if (count - *next > KEYS_AHEAD)
			fetch_item(page, last, offset + items_a_key * ((double) walk->keys[*next + KEYS_AHEAD] - (double) previous));
		previous = key;
		offset = graph_search(page, key_on_page, offset, last, key, most);
		for (; offset <= last; offset++)
		{
			ItemId		item = PageGetItemId(page, offset);
			IndexTuple	tuple = (IndexTuple) PageGetItem(page, item);
			GraphEntry *entry = &index->found[index->found_count];

			if (graph_key_of(tuple) != key)
				break;
			if (walk->graph->ignore_dead && ItemIdIsDead(item))
				continue;
			if (graph_read_entry(walk->graph, index, tuple, entry))
			{
				entry->position = *next;
				index->found_count++;
			}
		}
		if (offset > last)
		{
			/* All entries of the page are less than the keys that are left. */
			if (rightmost)
			{
				*next = count;
				return false;
			}
			if (key == high)
				return true;
		}
		(*next)++;
	}
	return false;
}

/* Reads all of a page. */
static void
read_page(Walk *walk, Page page)
{
	GraphIndex *index = walk->index;
	BTPageOpaque opaque = BTPageGetOpaque(page);
	OffsetNumber first = P_FIRSTDATAKEY(opaque);
	OffsetNumber last = PageGetMaxOffsetNumber(page);

	index->page_count = 0;
	index->page_right = opaque->btpo_next;
	/*
	 * If the page begins with a key, it cannot tell whether the one before has entries of it too; an
	 * empty one cannot tell anything.
	 */
	if (P_LEFTMOST(opaque))
		index->page_low = PG_INT64_MIN;
	else
		index->page_low = last < first ? PG_INT64_MAX : graph_key_at(page, first);
	index->page_high = P_RIGHTMOST(opaque) ? (last < first ? PG_INT64_MIN : graph_key_at(page, last)) : graph_key_at(page, P_HIKEY);
	for (OffsetNumber offset = first; offset <= last; offset++)
	{
		ItemId		item = PageGetItemId(page, offset);
		IndexTuple	tuple = (IndexTuple) PageGetItem(page, item);

		if (walk->graph->ignore_dead && ItemIdIsDead(item))
			continue;
		if (!graph_read_entry(walk->graph, index, tuple, &index->page[index->page_count]))
			continue;
		index->page_keys[index->page_count++] = graph_key_of(tuple);
	}
}

/* ---------------------------------------------------------------- reading a copy */

static inline int64
key_in_copy(const void *keys, int i)
{
	return ((const int64 *) keys)[i];
}

/* Copies the entries of key *next from item `at` of a leaf on; where they end. */
static pg_attribute_always_inline int
take_copied(Walk *walk, const GraphLeafCopy *leaf, int at, uint32 next)
{
	GraphIndex *index = walk->index;
	int64		key = walk->keys[next];

	at = graph_search(leaf->keys, key_in_copy, at, leaf->count - 1, key, leaf->high);
	for (; at < leaf->count && leaf->keys[at] == key; at++)
	{
		GraphEntry *entry = &index->found[index->found_count++];

		graph_leaf_copies_read(leaf, at, entry);
		entry->position = next;
	}
	return at;
}

/*
 * Copies the entries of the keys from *next on as far as they are in copies of the leaf or of that
 * and the one after it, and moves *next on.  False: those of key *next are not.
 */
static bool
collect_copied(Walk *walk, GraphLeafHint *hint, uint32 *next, uint32 count)
{
	GraphIndex *index = walk->index;
	uint32		begin = *next;
	const GraphLeafCopy *leaf = graph_leaf_copies_find(&index->copies, hint->note);
	const GraphLeafCopy *right;
	int			at = 0;

	if (!leaf || walk->keys[begin] <= leaf->low)
		return false;
	while (*next < count && (walk->keys[*next] < leaf->high || leaf->is_last))
	{
		at = take_copied(walk, leaf, at, *next);
		(*next)++;
	}
	if (*next < count && walk->keys[*next] == leaf->high)
	{
		hint = graph_leaf_hints_after(index->leaves, hint, index->call);
		right = hint ? graph_leaf_copies_find(&index->copies, hint->note) : NULL;
		if (right && right->block == leaf->right && (walk->keys[*next] < right->high || right->is_last))
		{
			take_copied(walk, leaf, at, *next);
			take_copied(walk, right, 0, *next);
			(*next)++;
		}
	}
	return *next > begin;
}

/* ---------------------------------------------------------------- visibility */

static inline int64
number_of(const Walk *walk, const GraphEntry *entry)
{
	if (graph_index_has_links(walk->index))
		return entry->link.edge_no;
	return walk->keys[entry->position];
}

static void
hand_on(Walk *walk)
{
	GraphIndex *index = walk->index;
	int			count = index->found_count;

	index->found_count = 0;
	if (count > 0)
		walk->sink(walk->argument, index->found, count);
}

static void
accept_row(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	Walk	   *walk = argument;
	GraphIndex *index = walk->index;

	if (walk->graph->horizon &&
		!graph_horizon_sees(walk->graph, index->heap, number_of(walk, entry), tuple))
		return;
	if (walk->row_check && !walk->row_check(walk->argument, tuple, desc))
		return;
	index->found[index->found_count++] = *entry;
	if (index->found_count >= FOUND_ENOUGH)
		hand_on(walk);
}

static void
check_pending(Walk *walk)
{
	GraphIndex *index = walk->index;

	if (index->pending_count == 0)
		return;
	graph_visit_rows(walk->graph, index->heap, index->pending, index->pending_count, accept_row, walk);
	index->pending_count = 0;
	hand_on(walk);
}

/* The page that the entries are from must still be pinned. */
static void
ask_map(GraphIndex *index, GraphEntry *entries, int count)
{
	BlockNumber known = InvalidBlockNumber;
	bool		known_visible = false;

	for (int i = 0; i < count; i++)
	{
		BlockNumber block = ItemPointerGetBlockNumber(&entries[i].tid);

		/* Records that were written together lie together. */
		if (block != known)
		{
			known = block;
			known_visible = VM_ALL_VISIBLE(index->heap, block, &index->map_buffer);
		}
		entries[i].all_visible = known_visible;
	}
}

/* Hands on what was found and is visible to everybody, and sets aside what must be looked up. */
static void
judge(Walk *walk)
{
	Graph	   *graph = walk->graph;
	GraphIndex *index = walk->index;
	const GraphHorizon *horizon = graph->horizon;
	uint32		pending = index->pending_count;
	int			visible = 0;

	for (int i = 0; i < index->found_count; i++)
	{
		GraphEntry *entry = &index->found[i];
		bool		look_up = walk->row_check != NULL || !entry->all_visible;

		if (horizon)
		{
			int64		no = number_of(walk, entry);

			if (no > horizon->last_no)
				continue;
			look_up |= no > horizon->decided_no;
		}
		if (!look_up)
		{
			if (graph->serializable)
				PredicateLockPage(index->heap, ItemPointerGetBlockNumber(&entry->tid), graph->snapshot);
			if (visible < i)
				index->found[visible] = *entry;
			visible++;
			continue;
		}
		graph_reserve(graph, index->pending, index->pending_count, index->pending_capacity);
		index->pending[index->pending_count++] = *entry;
	}
	index->found_count = visible;
	hand_on(walk);
	if (walk->prefilter && pending < index->pending_count)
		index->pending_count = pending + walk->prefilter(walk->argument, index->pending + pending, index->pending_count - pending);
	if (index->pending_count >= PENDING_ENTRIES)
		check_pending(walk);
}

/* ---------------------------------------------------------------- the walk */

/* What read_page() read of the page, which is pinned and not locked. */
static void
keep_page(GraphIndex *index, GraphLeafHint *hint)
{
	GraphLeafCopy *leaf;

	ask_map(index, index->page, index->page_count);
	leaf = graph_leaf_copies_add(&index->copies, &hint->note, index->page_keys, index->page, index->page_count);
	leaf->block = hint->block;
	leaf->right = index->page_right;
	leaf->low = index->page_low;
	leaf->high = index->page_high;
	leaf->is_last = index->page_right == P_NONE;
}

/* Collects from the share-locked page of a hint, if one led there, and unlocks it; as collect(). */
static bool
visit_page(Walk *walk, Buffer buffer, GraphLeafHint *hint, uint32 *next, uint32 count)
{
	GraphIndex *index = walk->index;
	Page		page = BufferGetPage(buffer);
	int			begin = index->found_count;
	bool		is_copied = hint && !graph_leaf_copies_find(&index->copies, hint->note) &&
		graph_leaf_copies_visit(&index->copies, &hint->note);
	bool		goes_on;

	if (walk->graph->serializable)
		PredicateLockPage(index->index, BufferGetBlockNumber(buffer), walk->graph->snapshot);
	goes_on = collect(walk, page, next, count);
	if (is_copied)
		read_page(walk, page);
	if (index->leaves && *next < count)
		graph_leaf_hints_fetch_ahead(index->leaves, index->call, walk->keys, *next, count);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);

	ask_map(index, index->found + begin, index->found_count - begin);
	if (is_copied)
		keep_page(index, hint);
	if (index->found_count >= FOUND_ENOUGH)
		judge(walk);
	CHECK_FOR_INTERRUPTS();
	return goes_on;
}

/*
 * Collects the entries of the keys from *next on from the page where those of the first begin, and
 * from pages right of it as far as entries of one key fill them.  Moves *next on.
 */
static void
collect_pages(Walk *walk, GraphLeafHint *hint, uint32 *next, uint32 count)
{
	GraphIndex *index = walk->index;
	int64		low;
	Buffer		buffer = find_leaf(walk->graph, index, &hint, walk->keys[*next], &low);

	if (!BufferIsValid(buffer))
	{
		/* The index is empty. */
		*next = count;
		return;
	}
	for (;;)
	{
		Page		page = BufferGetPage(buffer);
		BTPageOpaque opaque = BTPageGetOpaque(page);
		BlockNumber right = opaque->btpo_next;
		int64		high = P_RIGHTMOST(opaque) ? PG_INT64_MAX : graph_key_at(page, P_HIKEY);

		if (!visit_page(walk, buffer, hint, next, count))
			break;
		low = high;
		hint = hint ? graph_leaf_hints_after(index->leaves, hint, index->call) : NULL;
		if (hint && hint->block != right)
			hint = NULL;
		ReleaseBuffer(buffer);
		buffer = hint ? graph_leaf_hints_pin(index->index, hint) : ReadBuffer(index->index, right);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		_bt_checkpage(index->index, buffer);
		buffer = graph_move_right(index->index, buffer, walk->keys[*next], &low);
		if (hint && hint->block != BufferGetBlockNumber(buffer))
			hint = NULL;
	}
	index->leaf = buffer;
	index->leaf_low = low;
}

void
graph_walk_prefiltered(Graph *graph, GraphIndexKind kind, const int64 *keys, uint32 count,
					   GraphPrefilter prefilter, GraphRowCheck row_check, GraphSink sink, void *argument)
{
	GraphIndex *index;
	Walk		walk;
	uint32		next = 0;

	if (count == 0)
		return;
	index = graph_index_open(graph, kind);
	walk = (Walk) {graph, index, keys, prefilter, row_check, sink, argument};
	pgstat_count_index_scan(index->index);
	index->leaves = graph_leaf_hints_of(kind, index->index);
	index->found_count = 0;
	while (next < count)
	{
		GraphLeafHint *hint = index->leaves ? graph_leaf_hints_at(index->leaves, keys, next, index->call) : NULL;

		if (!hint || !collect_copied(&walk, hint, &next, count))
			collect_pages(&walk, hint, &next, count);
		else if (index->found_count >= FOUND_ENOUGH)
			judge(&walk);
		CHECK_FOR_INTERRUPTS();
	}
	judge(&walk);
	check_pending(&walk);
}

void
graph_walk(Graph *graph, GraphIndexKind kind, const int64 *keys, uint32 count,
		   GraphRowCheck row_check, GraphSink sink, void *argument)
{
	graph_walk_prefiltered(graph, kind, keys, count, NULL, row_check, sink, argument);
}
