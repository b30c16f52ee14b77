/*
 * view.c
 *		What changed since a generation of the adjacency cache was built.
 *
 * A covered block is as it was if its bit in the visibility map is set and no
 * bit of that page of the map was set since: any change clears the bit, and
 * setting one, as VACUUM does, moves the LSN of the map's page.  If that LSN moved, the LSN of
 * the block itself decides; then all readers are told.
 */
#include "postgres.h"

#include "cache/view.h"

#include "cache/attributes.h"
#include "cache/shared.h"
#include "cache/visibility.h"
#include "cache/worker.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/bufmgr.h"
#include "storage/lwlock.h"
#include "utils/rel.h"

/* With more blocks than this to be read first, no trace gains. */
#define MOST_BLOCKS 16384
/* Looking at a page's LSN costs this much less than reading its rows. */
#define SUSPECTS_PER_BLOCK 16
/* Rows that a later page of a trace must look up one by one: more than this, and the indexes are faster. */
#define MOST_UNDECIDED 100000

#define BLOCKS_PER_WORD ((int) sizeof(uint64) * GRAPH_CACHE_BLOCKS_PER_BYTE)
#define ALL_BLOCKS GRAPH_CACHE_ALL_VISIBLE_WORD

/* ---------------------------------------------------------------- whether it is of this graph */

static Relation
heap_of(const Graph *graph, GraphCacheTableKind kind)
{
	return kind == GRAPH_CACHE_NODE ? graph->node : graph->edge;
}

static bool
is_same_table(const Graph *graph, const GraphCacheGeneration *generation, GraphCacheTableKind kind)
{
	Relation	heap = heap_of(graph, kind);

	return generation->table[kind].relation == RelationGetRelid(heap) &&
		relation_file_equals(generation->table[kind].file, relation_file_of(heap));
}

static bool
find_division(GraphCacheView *view)
{
	const GraphCacheGeneration *generation = view->generation;
	const RecordText *wanted = &view->graph->division;
	Size		place = generation->divisions;

	for (uint32 i = 0; i < generation->division_count; i++)
	{
		RecordText	name = graph_cache_next_name(generation, &place);

		if (name.length == wanted->length && memcmp(name.data, wanted->data, name.length) == 0)
		{
			view->division = (uint16) i;
			return true;
		}
	}
	return false;
}

/* ---------------------------------------------------------------- comparing maps */

static void
add_blocks(GraphCacheView *view, GraphCacheBlocks *blocks, BlockNumber first, uint64 bits)
{
	for (; bits != 0; bits &= bits - 1)
		graph_cache_add_block(view, blocks, first + pg_rightmost_one_pos64(bits) / 2);
}

static inline uint64
word_of(const uint8 *bits, int word)
{
	uint64		result;

	memcpy(&result, bits + word * sizeof(uint64), sizeof(uint64));
	return result;
}

static void
add_suspect_page(GraphCacheView *view, GraphCacheTableKind kind, uint32 number, XLogRecPtr lsn, const uint8 *covered)
{
	GraphCacheSuspectPage *page;

	graph_reserve(view->graph, view->suspect_pages, view->suspect_page_count, view->suspect_page_capacity);
	page = &view->suspect_pages[view->suspect_page_count++];
	page->kind = kind;
	page->number = number;
	page->lsn = lsn;
	page->covered = memcpy(graph_alloc(view->graph, GRAPH_CACHE_MAP_BYTES), covered, GRAPH_CACHE_MAP_BYTES);
}

/*
 * Compares a page of the map, of LSN `lsn` and with these all-visible bits, with
 * what is known of a table of `known_blocks`; leaves in bits[] what is covered.
 */
static void
compare_map(GraphCacheView *view, GraphCacheTableKind kind, uint32 number, XLogRecPtr lsn, uint8 *bits,
			const GraphCacheMap *known, BlockNumber known_blocks, BlockNumber blocks)
{
	BlockNumber first = number * GRAPH_CACHE_BLOCKS_PER_MAP;
	BlockNumber end = Max(known_blocks, blocks);
	uint32		kept = 0;

	for (int word = 0; word < GRAPH_CACHE_MAP_BYTES / (int) sizeof(uint64) && first < end; word++, first += BLOCKS_PER_WORD)
	{
		uint64		existing = first < blocks ? graph_cache_first_blocks(blocks - first) : 0;
		uint64		visible = word_of(bits, word);
		uint64		held = known ? word_of(known->held, word) : 0;
		uint64		covered = known ? word_of(known->covered, word) & visible : 0;

		/* A whole word of blocks that are as they were */
		if (likely(covered == ALL_BLOCKS && existing == ALL_BLOCKS))
		{
			kept += BLOCKS_PER_WORD;
			continue;
		}
		memcpy(bits + word * sizeof(uint64), &covered, sizeof(uint64));
		kept += pg_popcount64(covered);
		add_blocks(view, &view->invalidated[kind], first, held & ~covered);
		if (kind == GRAPH_CACHE_EDGE)
		{
			add_blocks(view, &view->uncovered, first, existing & ~covered);
			view->blocks_coverable += pg_popcount64(existing & visible & ~covered);
		}
	}
	if (known && known->lsn != lsn && kept > 0)
	{
		add_suspect_page(view, kind, number, lsn, bits);
		view->blocks_to_read += kept / SUSPECTS_PER_BLOCK;
	}
}

/* False: too much has changed. */
static bool
compare_table(GraphCacheView *view, GraphCacheTableKind kind)
{
	const GraphCacheTable *table = &view->generation->table[kind];
	const GraphCacheMap *maps = graph_cache_at(view->generation, GraphCacheMap, table->maps);
	Relation	heap = heap_of(view->graph, kind);
	BlockNumber blocks = RelationGetNumberOfBlocks(heap);
	uint32		count = Max(table->map_count, (blocks + GRAPH_CACHE_BLOCKS_PER_MAP - 1) / GRAPH_CACHE_BLOCKS_PER_MAP);
	GraphCacheMap *known = NULL;
	uint8	   *bits = NULL;

	for (uint32 number = 0; number < count; number++)
	{
		bool		was_there = number < table->map_count;
		XLogRecPtr	lsn;

		/* New nodes matter only where an edge leads to them. */
		if (kind == GRAPH_CACHE_NODE && !was_there)
			break;
		CHECK_FOR_INTERRUPTS();
		if (was_there && blocks >= table->blocks &&
			graph_cache_map_stands(heap, number, &maps[number],
								   Min(blocks - number * GRAPH_CACHE_BLOCKS_PER_MAP, GRAPH_CACHE_BLOCKS_PER_MAP)))
			continue;
		if (!known)
		{
			known = graph_alloc(view->graph, sizeof(GraphCacheMap));
			bits = graph_alloc(view->graph, GRAPH_CACHE_MAP_BYTES);
		}
		lsn = graph_cache_read_map(heap, number, bits);
		if (was_there)
		{
			LWLockAcquire(graph_cache_lock(), LW_SHARED);
			*known = maps[number];
			LWLockRelease(graph_cache_lock());
		}
		compare_map(view, kind, number, lsn, bits, was_there ? known : NULL, table->blocks, blocks);
		if (view->uncovered.count + view->invalidated[kind].count > MOST_BLOCKS)
			return false;
	}
	view->blocks_to_read += view->invalidated[kind].count;
	graph_grow(view->graph, bits, bits ? GRAPH_CACHE_MAP_BYTES : 0, 0);
	graph_grow(view->graph, known, known ? sizeof(GraphCacheMap) : 0, 0);
	return true;
}

GraphCacheView *
graph_cache_view(Graph *graph, GraphDirection direction)
{
	const GraphHorizon *horizon = graph->horizon;
	GraphCacheGeneration *generation;
	GraphCacheView *view;

	if (reason_adjacency_cache == GRAPH_CACHE_OFF || graph->serializable || !graph_cache_is_logged(graph))
		return NULL;
	generation = graph_cache_pin(graph->context);
	if (!generation)
		return NULL;
	if (!is_same_table(graph, generation, GRAPH_CACHE_NODE) || !is_same_table(graph, generation, GRAPH_CACHE_EDGE))
	{
		graph_cache_request();
		return NULL;
	}
	view = graph_alloc(graph, sizeof(GraphCacheView));
	memset(view, 0, sizeof(GraphCacheView));
	view->graph = graph;
	view->direction = direction;
	view->generation = generation;
	view->nodes = graph_cache_at(generation, GraphCacheNode, generation->nodes);
	view->edges = graph_cache_at(generation, GraphCacheEdge, generation->edges);
	view->heads = graph_cache_at(generation, GraphCacheHead, generation->heads[direction]);
	view->links = graph_cache_at(generation, uint32, generation->links[direction]);
	view->node_count = generation->node_count;
	view->edge_count = generation->edge_count;
	view->ask_horizon = horizon && generation->last_no > horizon->decided_no;
	if (view->ask_horizon && generation->last_no - horizon->decided_no > MOST_UNDECIDED)
		return NULL;
	if (!find_division(view))
	{
		/* It may be younger than the generation. */
		graph_cache_request();
		return NULL;
	}
	if (!compare_table(view, GRAPH_CACHE_NODE) || !compare_table(view, GRAPH_CACHE_EDGE))
	{
		graph_cache_request();
		return NULL;
	}
	view->blocks_to_read += view->uncovered.count;
	return view;
}
