/*
 * delta.c
 *		Reads from the tables what the generation of the adjacency cache does not have, or what is no longer so.
 */
#include "postgres.h"

#include "cache/delta.h"

#include "cache/filter.h"
#include "cache/nodes.h"
#include "cache/recheck.h"
#include "cache/shared.h"
#include "cache/visibility.h"
#include "graph/bits.h"
#include "graph/columns.h"
#include "graph/heap.h"
#include "graph/heap_block.h"
#include "graph/quarantine.h"
#include "graph/sort.h"
#include "graph/walk.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lwlock.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

static uint64 *
make_bits(Graph *graph, uint32 count)
{
	Size		size = BIT_WORDS(Max(count, 1)) * sizeof(uint64);

	return memset(graph_alloc(graph, size), 0, size);
}

/* ---------------------------------------------------------------- suspect pages */

static XLogRecPtr
lsn_of_block(Relation heap, BlockNumber block)
{
	Buffer		buffer = ReadBuffer(heap, block);
	XLogRecPtr	lsn;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	lsn = PageGetLSN(BufferGetPage(buffer));
	UnlockReleaseBuffer(buffer);
	return lsn;
}

/* Tells all readers what was found out about a page of a map. */
static void
publish_suspect_page(const GraphCacheView *view, const GraphCacheSuspectPage *page)
{
	const GraphCacheTable *table = &view->generation->table[page->kind];
	GraphCacheMap *shared = graph_cache_at(view->generation, GraphCacheMap, table->maps) + page->number;

	LWLockAcquire(graph_cache_lock(), LW_EXCLUSIVE);
	/* Another session may have noted a later state, which stays. */
	if (shared->lsn < page->lsn)
	{
		shared->lsn = page->lsn;
		for (int i = 0; i < GRAPH_CACHE_MAP_BYTES; i++)
			shared->covered[i] &= page->covered[i];
	}
	LWLockRelease(graph_cache_lock());
}

static void
settle_suspect_page(GraphCacheView *view, const GraphCacheSuspectPage *page)
{
	const GraphCacheTable *table = &view->generation->table[page->kind];
	const XLogRecPtr *lsns = graph_cache_at(view->generation, XLogRecPtr, table->lsns);
	Relation	heap = page->kind == GRAPH_CACHE_NODE ? view->graph->node : view->graph->edge;
	BlockNumber first = page->number * GRAPH_CACHE_BLOCKS_PER_MAP;
	BlockNumber end = Min(first + GRAPH_CACHE_BLOCKS_PER_MAP, table->blocks);

	for (BlockNumber block = first; block < end; block++)
	{
		if (!graph_cache_bit(page->covered, block - first))
			continue;
		CHECK_FOR_INTERRUPTS();
		if (lsn_of_block(heap, block) == lsns[block])
			continue;
		graph_cache_clear_bit(page->covered, block - first);
		graph_cache_add_block(view, &view->invalidated[page->kind], block);
		if (page->kind == GRAPH_CACHE_EDGE)
			graph_cache_add_block(view, &view->uncovered, block);
		view->blocks_coverable++;
	}
	publish_suspect_page(view, page);
}

/* ---------------------------------------------------------------- quarantine */

/* The edge at that place in the heap; there is one. */
static uint32
edge_at(const GraphCacheView *view, const ItemPointerData *tid)
{
	const GraphCacheTable *table = &view->generation->table[GRAPH_CACHE_EDGE];
	const uint32 *first_edge = graph_cache_at(view->generation, uint32, view->generation->first_edge);
	BlockNumber block = ItemPointerGetBlockNumber(tid);

	if (block < table->blocks)
	{
		for (uint32 edge = first_edge[block]; edge < first_edge[block + 1]; edge++)
		{
			if (ItemPointerEquals((ItemPointer) &view->edges[edge].tid, (ItemPointer) tid))
				return edge;
		}
	}
	return PG_UINT32_MAX;
}

static void
hide_edges_of_entries(void *argument, const GraphEntry *entries, int count)
{
	GraphCacheView *view = argument;

	for (int i = 0; i < count; i++)
	{
		uint32		edge = edge_at(view, &entries[i].tid);

		/* Others are extra edges, or will not be read: see add_extra_edge(). */
		if (edge != PG_UINT32_MAX)
			(void) bit_set(view->hidden, edge);
	}
}

static void
hide_quarantined(GraphCacheView *view)
{
	Graph	   *graph = view->graph;

	if (!graph->hides_quarantined || graph->quarantine_count == 0)
		return;
	view->hidden_nodes = make_bits(graph, view->node_count);
	for (uint32 i = 0; i < graph->quarantine_count; i++)
	{
		uint32		node = graph_cache_find(view, graph->quarantine[i]);

		if (node != GRAPH_CACHE_NO_NODE)
			(void) bit_set(view->hidden_nodes, node);
	}
	view->hidden = make_bits(graph, view->edge_count);
	graph_walk(graph, GRAPH_EDGES, graph->quarantine, graph->quarantine_count, NULL, hide_edges_of_entries, view);
}

/* ---------------------------------------------------------------- edges that the generation does not have */

static void
hide_edges(GraphCacheView *view)
{
	const GraphCacheBlocks *invalidated = &view->invalidated[GRAPH_CACHE_EDGE];
	const uint32 *first_edge = graph_cache_at(view->generation, uint32, view->generation->first_edge);

	if (invalidated->count == 0)
		return;
	if (!view->hidden)
		view->hidden = make_bits(view->graph, view->edge_count);
	for (uint32 i = 0; i < invalidated->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 edge = first_edge[invalidated->blocks[i]]; edge < first_edge[invalidated->blocks[i] + 1]; edge++)
			(void) bit_set(view->hidden, edge);
	}
}

static void
add_extra_edge(void *argument, HeapTuple tuple, const Datum *values)
{
	GraphCacheView *view = argument;
	Graph	   *graph = view->graph;
	const char *division = DatumGetPointer(values[EDGE_DIVISION - 1]);
	GraphCacheExtraEdge *extra;

	if (graph->horizon &&
		!graph_horizon_sees(graph, graph->edge, DatumGetInt64(values[EDGE_NO - 1]), tuple))
		return;
	if (quarantine_hides(graph, DatumGetInt64(values[EDGE_NO - 1])) ||
		quarantine_hides(graph, DatumGetInt64(values[EDGE_FROM_NO - 1])) ||
		quarantine_hides(graph, DatumGetInt64(values[EDGE_TO_NO - 1])))
		return;
	if (view->filter && !graph_filter_accepts_edge(view->filter->asked, tuple))
		return;
	graph_reserve(graph, view->extra_edges, view->extra_edge_count, view->extra_edge_capacity);
	extra = &view->extra_edges[view->extra_edge_count++];
	extra->edge.no = DatumGetInt64(values[EDGE_NO - 1]);
	extra->edge.id = *DatumGetUUIDP(values[EDGE_ID - 1]);
	extra->edge.tid = tuple->t_self;
	extra->created_at = DatumGetTimestampTz(values[EDGE_CREATED_AT - 1]);
	extra->from_no = DatumGetInt64(values[EDGE_FROM_NO - 1]);
	extra->to_no = DatumGetInt64(values[EDGE_TO_NO - 1]);
	extra->from = extra->to = GRAPH_CACHE_NO_NODE;
	extra->is_foreign = (VARATT_IS_EXTENDED(division) && !VARATT_IS_SHORT(division)) ||
		VARSIZE_ANY_EXHDR(division) != graph->division.length ||
		memcmp(VARDATA_ANY(division), graph->division.data, graph->division.length) != 0;
}

static void
read_uncovered_blocks(GraphCacheView *view)
{
	GraphHeapBlockReader reader;

	graph_heap_block_begin(&reader, view->graph->edge, NULL, add_extra_edge, view);
	for (uint32 i = 0; i < view->uncovered.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		graph_heap_block_visit(&reader, view->uncovered.blocks[i], view->graph->snapshot);
	}
	graph_heap_block_end(&reader);
}

/* ---------------------------------------------------------------- their ends */

typedef struct Unknown
{
	GraphCacheView *view;
	const int64 *numbers;		/* of nodes that the generation does not have */
	uint32	   *places;			/* of each; GRAPH_CACHE_NO_NODE: there is none */
} Unknown;

static void
add_extra_nodes(void *argument, const GraphEntry *entries, int count)
{
	Unknown    *unknown = argument;
	GraphCacheView *view = unknown->view;

	for (int i = 0; i < count; i++)
	{
		GraphCacheNode *node = &view->extra_nodes[view->extra_node_count];

		if (view->filter && view->filter->asked->has_as_of && entries[i].record.created_at > view->filter->asked->as_of)
			continue;
		if (view->filter && view->filter->asked->sealed &&
			!graph_sealed_shows(view->filter->asked->sealed, unknown->numbers[entries[i].position]))
			continue;
		/* graph_cache_read_delta() made room for all. */
		node->no = unknown->numbers[entries[i].position];
		node->created_at = entries[i].record.created_at;
		node->id = entries[i].record.id;
		node->tid = entries[i].tid;
		node->division = view->division;
		unknown->places[entries[i].position] = view->node_count + view->extra_node_count++;
	}
}

static bool
accept_extra_node(void *argument, HeapTuple tuple, TupleDesc desc)
{
	const GraphCacheFilter *filter = ((Unknown *) argument)->view->filter;
	bool		isnull;

	return DatumGetInt64(heap_getattr(tuple, NODE_NO, desc, &isnull)) == filter->start_no ||
		graph_filter_accepts_node(filter->asked, tuple, desc);
}

/* The place among by_no of the first number that is not less, from `from` on. */
static uint32
gallop(const GraphCacheView *view, const uint32 *by_no, uint32 from, int64 no)
{
	uint32		low = from;
	uint32		high = from;
	uint32		step = 1;

	while (high < view->node_count && view->nodes[by_no[high]].no < no)
	{
		low = high + 1;
		high = step < view->node_count - high ? high + step : view->node_count;
		step *= 2;
	}
	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (view->nodes[by_no[middle]].no < no)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
set_end(GraphCacheView *view, const GraphKey *key, uint32 node)
{
	GraphCacheExtraEdge *extra = &view->extra_edges[key->index / 2];

	if (key->index % 2 == 0)
		extra->from = node;
	else
		extra->to = node;
}

/*
 * Finds the ends of all extra edges: in one pass along the generation's nodes, then what is left in
 * one walk of the index.
 */
static void
find_ends(GraphCacheView *view)
{
	Graph	   *graph = view->graph;
	const uint32 *by_no = graph_cache_at(view->generation, uint32, view->generation->by_no);
	uint32		count = view->extra_edge_count * 2;
	GraphKey   *keys = graph_alloc(graph, count * sizeof(GraphKey));
	GraphKey   *scratch = graph_alloc(graph, count * sizeof(GraphKey));
	int64	   *numbers = graph_alloc(graph, count * sizeof(int64));
	uint32	   *places;
	uint32		left = 0;		/* keys that the generation does not have, in front */
	uint32		number_count = 0;
	uint32		at = 0;
	Unknown		unknown = {view, numbers};

	for (uint32 i = 0; i < count; i++)
	{
		const GraphCacheExtraEdge *extra = &view->extra_edges[i / 2];

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		keys[i].no = i % 2 == 0 ? extra->from_no : extra->to_no;
		keys[i].index = i;
	}
	graph_sort_keys(keys, scratch, count);
	for (uint32 i = 0; i < count; i++)
	{
		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		at = gallop(view, by_no, at, keys[i].no);
		if (at < view->node_count && view->nodes[by_no[at]].no == keys[i].no)
		{
			if (view->nodes[by_no[at]].division == view->division)
				set_end(view, &keys[i], by_no[at]);
			continue;
		}
		if (number_count == 0 || numbers[number_count - 1] != keys[i].no)
			numbers[number_count++] = keys[i].no;
		keys[left++] = keys[i];
	}
	graph_grow(graph, scratch, count * sizeof(GraphKey), 0);
	if (left == 0)
		return;

	places = graph_alloc(graph, number_count * sizeof(uint32));
	for (uint32 i = 0; i < number_count; i++)
		places[i] = GRAPH_CACHE_NO_NODE;
	unknown.places = places;
	/* One more, for the start. */
	view->extra_nodes = graph_alloc(graph, ((Size) number_count + 1) * sizeof(GraphCacheNode));
	graph_walk(graph, GRAPH_NODES, numbers, number_count, graph_cache_filters_nodes(view) ? accept_extra_node : NULL,
			   add_extra_nodes, &unknown);
	for (uint32 i = 0, n = 0; i < left; i++)
	{
		while (numbers[n] != keys[i].no)
			n++;
		set_end(view, &keys[i], places[n]);
	}
}

/* ---------------------------------------------------------------- their order */

static int
compare_extra_links(const GraphCacheExtraLink *a, const GraphCacheExtraLink *b, const GraphCacheView *view)
{
	const GraphCacheExtraEdge *edge_a = &view->extra_edges[a->link.edge - view->edge_count];
	const GraphCacheExtraEdge *edge_b = &view->extra_edges[b->link.edge - view->edge_count];

	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	if (a->link.node != b->link.node)
		return graph_cache_compare(view, a->link.node, b->link.node);
	return graph_compare_records(edge_a->created_at, &edge_a->edge.id, edge_b->created_at, &edge_b->edge.id);
}

#define ST_SORT sort_extra_links
#define ST_ELEMENT_TYPE GraphCacheExtraLink
#define ST_COMPARE(a, b, view) compare_extra_links(a, b, view)
#define ST_COMPARE_ARG_TYPE const GraphCacheView
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* False: an edge of another division leads here, which only a superuser can have made. */
static bool
link_extra_edges(GraphCacheView *view)
{
	view->extra_links = graph_alloc(view->graph, view->extra_edge_count * sizeof(GraphCacheExtraLink));
	view->has_extra = make_bits(view->graph, view->node_count + view->extra_node_count + 1);
	for (uint32 i = 0; i < view->extra_edge_count; i++)
	{
		const GraphCacheExtraEdge *extra = &view->extra_edges[i];
		GraphCacheExtraLink *link = &view->extra_links[view->extra_link_count];
		bool		has_from = extra->from != GRAPH_CACHE_NO_NODE;
		bool		has_to = extra->to != GRAPH_CACHE_NO_NODE;

		if (extra->is_foreign && (has_from || has_to))
			return false;
		/* No trace follows an edge whose other end is not there. */
		if (!has_from || !has_to)
			continue;
		link->source = view->direction == GRAPH_ANCESTORS ? extra->to : extra->from;
		link->link.node = view->direction == GRAPH_ANCESTORS ? extra->from : extra->to;
		if (view->filter && link->link.node < view->node_count && !graph_cache_accepts_node(view, link->link.node))
			continue;
		link->link.edge = view->edge_count + i;
		(void) bit_set(view->has_extra, link->source);
		view->extra_against_time |= graph_cache_compare(view, extra->from, extra->to) >= 0;
		view->extra_link_count++;
	}
	sort_extra_links(view->extra_links, view->extra_link_count, view);
	return true;
}

/* ---------------------------------------------------------------- all of it */

/* A removed edge closes no cycle that the generation does not know of; an added one may. */
static GraphCacheCycles
where_cycles_may_be(const GraphCacheView *view)
{
	const GraphCacheGeneration *generation = view->generation;

	if (view->extra_link_count > 0 && (view->extra_against_time || generation->against_time > 0))
		return GRAPH_CACHE_CYCLES;
	return generation->cyclic_nodes != 0 ? GRAPH_CACHE_CYCLIC_NODES : GRAPH_CACHE_NO_CYCLES;
}

bool
graph_cache_read_delta(GraphCacheView *view)
{
	for (uint32 i = 0; i < view->suspect_page_count; i++)
		settle_suspect_page(view, &view->suspect_pages[i]);
	if (!graph_cache_recheck_nodes(view))
		return false;
	hide_quarantined(view);
	hide_edges(view);
	read_uncovered_blocks(view);
	if (view->extra_edge_count >= PG_INT32_MAX / 2)
		return false;
	if (view->extra_edge_count > 0)
	{
		find_ends(view);
		if (!link_extra_edges(view))
			return false;
	}
	view->cycles = where_cycles_may_be(view);
	if (view->cycles == GRAPH_CACHE_CYCLIC_NODES)
		view->cyclic_nodes = graph_cache_at(view->generation, uint64, view->generation->cyclic_nodes);
	/* A node that the generation does not have has no head there, even if nothing leads to it. */
	view->is_plain = !view->hidden && !view->hidden_nodes && !view->filter && view->extra_link_count == 0 &&
		view->extra_node_count == 0 && !view->ask_horizon;
	return true;
}
