/*
 * graph_walk.c
 *		Walks the leaf pages of a covering index for a sorted set of keys.
 *
 * A scan for each key would descend the tree, and set itself up, once a key.
 * Here one pass serves a whole frontier: leaf pages are visited in order, each
 * once, and the way to the next one is known from hints (graph_leaves.h) or a copy of the page above
 * (graph_descend.h).
 *
 * Matches are copied while the page is share-locked and judged afterwards.  As
 * in an index-only scan the pin is kept until the visibility map was asked, so
 * that VACUUM cannot give a heap slot to another row in between.  Where the map
 * does not vouch for the page, rows are checked in the heap, block by block.
 */
#include "postgres.h"

#include "graph.h"
#include "graph_descend.h"
#include "graph_heap.h"
#include "graph_leaves.h"
#include "graph_page.h"

#include "access/genam.h"
#include "access/visibilitymap.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Rows to be checked in the heap are gathered up to so many, to be visited in order. */
#define PENDING_ENTRIES 32768

struct GraphIndex
{
	GraphIndexKind kind;
	Relation	heap;
	Relation	index;
	Buffer		map_buffer;		/* of the visibility map */

	GraphFences fences;
	/* The leaf where the last walk ended: pinned, not locked. */
	Buffer		leaf;
	int64		leaf_low;

	GraphLeaves *leaves;		/* hints; NULL: none */

	GraphEntry *pending;
	uint32		pending_count;
	uint32		pending_capacity;

	int			found_count;
	GraphEntry	found[MaxIndexTuplesPerPage];
};

typedef struct Walk
{
	Graph	   *graph;
	GraphIndex *index;
	const int64 *keys;
	GraphFilter filter;
	GraphSink	sink;
	void	   *argument;
} Walk;

/* ---------------------------------------------------------------- opening */

typedef struct IndexLayout
{
	const char *name;
	bool		on_node;
	int			key_columns;
	int			columns;
	AttrNumber	attnums[4];
} IndexLayout;

static const IndexLayout layouts[GRAPH_INDEX_KINDS] = {
	[GRAPH_LINKS_TO] = {"edge_to_idx", false, 1, 3, {EDGE_TO_NO, EDGE_FROM_NO, EDGE_NO}},
	[GRAPH_LINKS_FROM] = {"edge_from_idx", false, 1, 3, {EDGE_FROM_NO, EDGE_TO_NO, EDGE_NO}},
	[GRAPH_NODES] = {"node_pkey", true, 2, 4, {NODE_NO, NODE_DIVISION, NODE_ID, NODE_CREATED_AT}},
	[GRAPH_EDGES] = {"edge_pkey", false, 2, 3, {EDGE_NO, EDGE_DIVISION, EDGE_ID}},
};

/* The walk reads keys and included columns without asking the catalog each time. */
static void
check_layout(Relation index, const IndexLayout *layout)
{
	Form_pg_index form = index->rd_index;
	bool		fits = index->rd_rel->relam == BTREE_AM_OID && form->indisvalid &&
		form->indnatts == layout->columns && form->indnkeyatts == layout->key_columns &&
		index->rd_opfamily[0] == INTEGER_BTREE_FAM_OID && index->rd_opcintype[0] == INT8OID &&
		(index->rd_indoption[0] & INDOPTION_DESC) == 0 &&
		RelationGetIndexPredicate(index) == NIL;

	for (int i = 0; fits && i < layout->columns; i++)
		fits = form->indkey.values[i] == layout->attnums[i];
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index reason.%s is not as this version of the library expects it", layout->name),
				 errhint("Recreate the index as the extension's script defines it.")));
}

static GraphIndex *
open_index(Graph *graph, GraphIndexKind kind)
{
	const IndexLayout *layout = &layouts[kind];
	Oid			oid = get_relname_relid(layout->name, graph->schema);
	GraphIndex *index = graph->index[kind];

	if (index)
		return index;
	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index reason.%s does not exist", layout->name)));
	index = graph_alloc(graph, sizeof(GraphIndex));
	index->kind = kind;
	index->heap = layout->on_node ? graph->node : graph->edge;
	index->index = index_open(oid, AccessShareLock);
	check_layout(index->index, layout);
	index->map_buffer = InvalidBuffer;
	index->leaf = InvalidBuffer;
	index->fences.count = 0;
	graph_leaves_open(kind, index->index);
	index->leaves = graph_leaves_of(kind, index->index);
	index->pending = NULL;
	index->pending_count = 0;
	index->pending_capacity = 0;
	index->found_count = 0;
	graph->index[kind] = index;
	return index;
}

void
graph_index_close(Graph *graph, GraphIndex *index)
{
	if (BufferIsValid(index->leaf))
		ReleaseBuffer(index->leaf);
	if (BufferIsValid(index->map_buffer))
		ReleaseBuffer(index->map_buffer);
	index_close(index->index, AccessShareLock);
}

/* ---------------------------------------------------------------- finding the leaf */

/* As graph_descend(), by way of the hints. */
static Buffer
find_leaf(Graph *graph, GraphIndex *index, int64 key, int64 *low)
{
	bool		stale = true;

	if (index->leaves)
	{
		Buffer		buffer = graph_leaves_find(index->leaves, index->index, key, low, &stale);

		if (BufferIsValid(buffer))
			return buffer;
	}
	if (stale)
	{
		graph_leaves_missed(index->kind, index->index);
		index->leaves = graph_leaves_of(index->kind, index->index);
	}
	return graph_descend(graph, index->index, &index->fences, key, low);
}

/* As find_leaf(), by way of the leaf where the last walk ended when that is the place. */
static Buffer
first_leaf(Graph *graph, GraphIndex *index, int64 key, int64 *low)
{
	Buffer		buffer = index->leaf;
	Page		page;
	BTPageOpaque opaque;

	if (!BufferIsValid(buffer))
		return find_leaf(graph, index, key, low);
	index->leaf = InvalidBuffer;
	if (key > index->leaf_low)
	{
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		page = BufferGetPage(buffer);
		opaque = BTPageGetOpaque(page);
		if (!P_IGNORE(opaque) && (P_RIGHTMOST(opaque) || key <= graph_key_at(page, P_HIKEY)))
		{
			*low = index->leaf_low;
			return buffer;
		}
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	}
	ReleaseBuffer(buffer);
	return find_leaf(graph, index, key, low);
}

/* ---------------------------------------------------------------- reading a leaf */

static inline bool
read_link(IndexTuple tuple, GraphEntry *entry)
{
	const int64 *columns = (const int64 *) ((const char *) tuple + MAXALIGN(sizeof(IndexTupleData)));

	entry->link.other_no = columns[1];
	entry->link.edge_no = columns[2];
	return true;
}

/* Key, division, id and, for nodes, created_at.  False for a record of another division. */
static inline bool
read_record(const Graph *graph, GraphIndexKind kind, IndexTuple tuple, GraphEntry *entry)
{
	const char *start = (const char *) tuple + MAXALIGN(sizeof(IndexTupleData));
	uintptr_t	offset = sizeof(int64);
	const char *division;

	offset = att_align_pointer(offset, TYPALIGN_INT, -1, start + offset);
	division = start + offset;
	if (VARATT_IS_COMPRESSED(division) ? false :
		VARSIZE_ANY_EXHDR(division) != graph->division.length ||
		memcmp(VARDATA_ANY(division), graph->division.data, graph->division.length) != 0)
		return false;
	offset += VARSIZE_ANY(division);
	memcpy(&entry->record.id, start + offset, UUID_LEN);
	offset += UUID_LEN;
	if (kind == GRAPH_NODES)
	{
		offset = TYPEALIGN(ALIGNOF_DOUBLE, offset);
		entry->record.created_at = *(const TimestampTz *) (start + offset);
	}
	return true;
}

/* The first item from `offset` on whose key is not less than `key`; no key on the page exceeds `most`. */
static inline OffsetNumber
skip_to(Page page, OffsetNumber offset, OffsetNumber last, int64 key, int64 most)
{
	int			low = offset;	/* everything before is less */
	int			high = last + 1;	/* nothing from here on is */
	int			probe = low;
	int			step = 1;

	if (low > last || graph_key_at(page, low) >= key)
		return offset;
	low++;
	/* Numbers come from a sequence: guess where the key would lie, then search around. */
	if (last - low > 16)
	{
		int64		least = graph_key_at(page, offset);

		if (most < key)
			return last + 1;
		probe = offset + (int) ((double) (last - offset) * ((double) key - (double) least) /
								((double) most - (double) least));
		probe = Max(low, Min(probe, (int) last));
		if (graph_key_at(page, probe) < key)
			low = probe + 1;
		else
		{
			high = probe;
			while (high > low && graph_key_at(page, Max(low, high - step)) >= key)
			{
				high = Max(low, high - step);
				step *= 2;
			}
			low = Max(low, high - step);
		}
	}
	step = 1;
	while (low + step - 1 < high && graph_key_at(page, low + step - 1) < key)
	{
		low += step;
		step *= 2;
	}
	high = Min(low + step - 1, high);
	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (graph_key_at(page, middle) < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
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
	bool		is_link = index->kind == GRAPH_LINKS_TO || index->kind == GRAPH_LINKS_FROM;

	index->found_count = 0;
	while (*next < count)
	{
		int64		key = walk->keys[*next];

		if (!rightmost && key > high)
			return false;
		offset = skip_to(page, offset, last, key, most);
		for (; offset <= last; offset++)
		{
			ItemId		item = PageGetItemId(page, offset);
			IndexTuple	tuple = (IndexTuple) PageGetItem(page, item);
			GraphEntry *entry = &index->found[index->found_count];

			if (graph_key_of(tuple) != key)
				break;
			if (walk->graph->ignore_dead && ItemIdIsDead(item))
				continue;
			if (unlikely(BTreeTupleIsPosting(tuple)))
				ereport(ERROR,
						(errcode(ERRCODE_INDEX_CORRUPTED),
						 errmsg("index \"%s\" has a posting list, although it has included columns",
								RelationGetRelationName(index->index))));
			if (is_link ? read_link(tuple, entry) : read_record(walk->graph, index->kind, tuple, entry))
			{
				entry->position = *next;
				entry->tid = tuple->t_tid;
				index->found_count++;
			}
		}
		if (offset > last)
		{
			/* Nothing but entries less than the keys that are left. */
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

/* ---------------------------------------------------------------- visibility */

static inline int64
number_of(const Walk *walk, const GraphEntry *entry)
{
	if (walk->index->kind == GRAPH_LINKS_TO || walk->index->kind == GRAPH_LINKS_FROM)
		return entry->link.edge_no;
	return walk->keys[entry->position];
}

static void
accept_row(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	Walk	   *walk = argument;

	if (walk->graph->horizon &&
		!graph_horizon_sees(walk->graph, walk->index->heap, number_of(walk, entry), tuple))
		return;
	if (walk->filter && !walk->filter(walk->argument, tuple, desc))
		return;
	walk->sink(walk->argument, entry, 1);
}

static void
check_pending(Walk *walk)
{
	GraphIndex *index = walk->index;

	if (index->pending_count == 0)
		return;
	graph_visit_rows(walk->graph, index->heap, index->pending, index->pending_count, accept_row, walk);
	index->pending_count = 0;
}

/*
 * Hands on what was found on a page and is visible to everybody, and sets aside what must
 * be looked up.  The page must still be pinned.
 */
static void
judge(Walk *walk)
{
	Graph	   *graph = walk->graph;
	GraphIndex *index = walk->index;
	const GraphHorizon *horizon = graph->horizon;
	BlockNumber known = InvalidBlockNumber;
	bool		known_visible = false;
	int			visible = 0;

	for (int i = 0; i < index->found_count; i++)
	{
		GraphEntry *entry = &index->found[i];
		BlockNumber block = ItemPointerGetBlockNumber(&entry->tid);
		bool		look_up = walk->filter != NULL;

		if (horizon)
		{
			int64		no = number_of(walk, entry);

			if (no > horizon->last_no)
				continue;
			look_up |= no > horizon->decided_no;
		}
		/* Records that were written together lie together. */
		if (block != known)
		{
			known = block;
			known_visible = VM_ALL_VISIBLE(index->heap, block, &index->map_buffer);
		}
		if (!look_up && known_visible)
		{
			if (graph->serializable)
				PredicateLockPage(index->heap, block, graph->snapshot);
			if (visible < i)
				index->found[visible] = *entry;
			visible++;
			continue;
		}
		graph_reserve(graph, index->pending, index->pending_count, index->pending_capacity);
		index->pending[index->pending_count++] = *entry;
	}
	if (visible > 0)
		walk->sink(walk->argument, index->found, visible);
	if (index->pending_count >= PENDING_ENTRIES)
		check_pending(walk);
}

/* ---------------------------------------------------------------- the walk */

void
graph_walk(Graph *graph, GraphIndexKind kind, const int64 *keys, uint32 count,
		   GraphFilter filter, GraphSink sink, void *argument)
{
	GraphIndex *index = open_index(graph, kind);
	Walk		walk = {graph, index, keys, filter, sink, argument};
	uint32		next = 0;
	int64		low;
	Buffer		buffer;

	if (count == 0)
		return;
	pgstat_count_index_scan(index->index);
	index->leaves = graph_leaves_of(kind, index->index);
	buffer = first_leaf(graph, index, keys[0], &low);
	while (BufferIsValid(buffer))
	{
		Page		page = BufferGetPage(buffer);
		BTPageOpaque opaque = BTPageGetOpaque(page);
		BlockNumber right = opaque->btpo_next;
		bool		goes_on;
		int64		high = P_RIGHTMOST(opaque) ? PG_INT64_MAX : graph_key_at(page, P_HIKEY);

		if (graph->serializable)
			PredicateLockPage(index->index, BufferGetBlockNumber(buffer), graph->snapshot);
		goes_on = collect(&walk, page, &next, count);
		if (index->leaves && next < count)
			graph_leaves_fetch_ahead(index->leaves, keys, next, count);
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);

		judge(&walk);
		CHECK_FOR_INTERRUPTS();
		if (goes_on)
		{
			/* Entries of one key may fill many pages. */
			low = high;
			buffer = ReleaseAndReadBuffer(buffer, index->index, right);
			LockBuffer(buffer, BUFFER_LOCK_SHARE);
			_bt_checkpage(index->index, buffer);
			buffer = graph_move_right(index->index, buffer, keys[next], &low);
		}
		else if (next < count)
		{
			ReleaseBuffer(buffer);
			buffer = find_leaf(graph, index, keys[next], &low);
		}
		else
		{
			index->leaf = buffer;
			index->leaf_low = low;
			break;
		}
	}
	check_pending(&walk);
}
