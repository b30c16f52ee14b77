/*
 * build.c
 *		Builds a generation of the adjacency cache.
 *
 * Both tables are read once, block by block, and what is all-visible is written straight
 * into shared memory: nodes, then edges, then the links in both directions
 * (cache/sort.c).  A block is left out, to be read by each trace, when it is
 * not all-visible, or has an edge whose ends are not both among the nodes: nodes
 * may have been vacuumed less far than edges.
 *
 * Visibility maps are copied first.  A block whose bit was set when it was read, and is set when a
 * trace looks, has not changed in between if no bit of its map page was set in
 * between, which the map page's LSN tells.
 */
#include "postgres.h"

#include "cache/build.h"

#include "cache/attributes.h"
#include "cache/cycles.h"
#include "cache/layout.h"
#include "cache/shared.h"
#include "cache/sort.h"
#include "cache/visibility.h"
#include "graph/columns.h"
#include "graph/graph.h"
#include "graph/heap_block.h"
#include "graph/map.h"
#include "graph/memory.h"

#include "graph/sort.h"
#include "access/heapam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#define MAX_DIVISIONS 65535
/* Only changes by a superuser give two nodes the same number, or exceed these limits. */
#define MAX_RECORDS (PG_UINT32_MAX / 2)

typedef struct Build
{
	GraphCacheGeneration *generation;
	Size		used;
	Size		room;
	MemoryContext context;
	Graph	   *graph;

	/* While a table is read */
	GraphCacheNode *nodes;
	GraphCacheEdge *edges;
	bool		unresolved;		/* an edge of this block has an end that is not known */

	GraphMap	numbers;		/* node number → place + 1 */
	GraphCacheEnds *ends;			/* of each edge */
	uint32		ends_capacity;

	GraphCacheNames divisions;
	GraphCacheAttributeSet attribute_set[GRAPH_CACHE_TABLES];
	GraphCachePlacedAttribute *node_attributes;
	uint32		node_attributes_capacity;
	GraphCacheAttribute *edge_attributes;
	uint32		edge_attributes_capacity;
	TimestampTz latest;			/* of the edges of this block */
	TimestampTz earliest;
} Build;

/* ---------------------------------------------------------------- room */

static void
ensure_fits(const Build *build, Size size)
{
	if (size > build->room - build->used)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("the adjacency of the graph does not fit into reason.adjacency_cache_size"),
				 errdetail("%zu MB were free.", build->room / (1024 * 1024)),
				 errhint("Raise reason.adjacency_cache_size: about 50 bytes an edge and 85 a node. Until then traces walk the indexes.")));
}

static Size
take(Build *build, Size size)
{
	Size		place = build->used;

	ensure_fits(build, MAXALIGN(size));
	build->used += MAXALIGN(size);
	return place;
}

static void
report_irregular(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("cannot cache the adjacency of this graph: %s", what)));
}

/* ---------------------------------------------------------------- divisions and attributes */

static uint16
division_index(Build *build, Datum name)
{
	uint32		place = graph_cache_place_of_name(build->graph, &build->divisions, name, MAX_DIVISIONS);

	/* No name that the write functions accept is so long that it would be compressed. */
	if (place == MAX_DIVISIONS)
		report_irregular("it has too many divisions, or the name of one is too long");
	return (uint16) place;
}

static Size
write_names(Build *build, const GraphCacheNames *names)
{
	Size		place = take(build, graph_cache_names_size(names));

	graph_cache_write_names(names, graph_cache_at(build->generation, char, place));
	return place;
}

static void
write_divisions(Build *build)
{
	build->generation->division_count = build->divisions.count;
	build->generation->divisions = write_names(build, &build->divisions);
}

/* The attributes themselves are there. */
static void
write_attributes(Build *build, GraphCacheTableKind kind)
{
	GraphCacheAttributes *attributes = &build->generation->attributes[kind];
	const GraphCacheAttributeSet *set = &build->attribute_set[kind];

	attributes->type_count = set->types.count;
	attributes->types = write_names(build, &set->types);
	attributes->value_count = set->value_count;
	attributes->values = take(build, set->value_count * sizeof(double));
	memcpy(graph_cache_at(build->generation, double, attributes->values), set->values, set->value_count * sizeof(double));
	attributes->other_types = set->other_types;
	attributes->other_numbers = set->other_numbers;
}

/* ---------------------------------------------------------------- tables */

static inline bool
is_held(const GraphCacheMap *maps, BlockNumber block)
{
	return graph_cache_bit(maps[block / GRAPH_CACHE_BLOCKS_PER_MAP].held, block % GRAPH_CACHE_BLOCKS_PER_MAP);
}

static inline void
leave_out(GraphCacheMap *maps, BlockNumber block)
{
	graph_cache_clear_bit(maps[block / GRAPH_CACHE_BLOCKS_PER_MAP].held, block % GRAPH_CACHE_BLOCKS_PER_MAP);
}

static void
begin_table(Build *build, GraphCacheTableKind kind, Relation heap)
{
	GraphCacheTable *table = &build->generation->table[kind];
	GraphCacheMap *maps;

	table->relation = RelationGetRelid(heap);
	table->file = relation_file_of(heap);
	table->blocks = RelationGetNumberOfBlocks(heap);
	table->map_count = (table->blocks + GRAPH_CACHE_BLOCKS_PER_MAP - 1) / GRAPH_CACHE_BLOCKS_PER_MAP;
	table->maps = take(build, table->map_count * sizeof(GraphCacheMap));
	table->lsns = take(build, table->blocks * sizeof(XLogRecPtr));
	maps = graph_cache_at(build->generation, GraphCacheMap, table->maps);
	for (uint32 i = 0; i < table->map_count; i++)
		maps[i].lsn = graph_cache_read_map(heap, i, maps[i].held);
	/* The table may have grown since its blocks were counted. */
	for (BlockNumber block = table->blocks; block < table->map_count * GRAPH_CACHE_BLOCKS_PER_MAP; block++)
		leave_out(maps, block);
}

static void
end_table(Build *build, GraphCacheTableKind kind)
{
	GraphCacheTable *table = &build->generation->table[kind];
	GraphCacheMap *maps = graph_cache_at(build->generation, GraphCacheMap, table->maps);

	for (uint32 i = 0; i < table->map_count; i++)
		memcpy(maps[i].covered, maps[i].held, GRAPH_CACHE_MAP_BYTES);
}

/* ---------------------------------------------------------------- nodes */

static void
add_node(void *argument, HeapTuple tuple, const Datum *values)
{
	Build	   *build = argument;
	GraphCacheGeneration *generation = build->generation;
	GraphCacheNode *node = &build->nodes[generation->node_count];

	ensure_fits(build, ((Size) generation->node_count + 1) * sizeof(GraphCacheNode));
	if (generation->node_count >= MAX_RECORDS)
		report_irregular("it has too many nodes");
	node->no = DatumGetInt64(values[NODE_NO - 1]);
	node->created_at = DatumGetTimestampTz(values[NODE_CREATED_AT - 1]);
	node->id = *DatumGetUUIDP(values[NODE_ID - 1]);
	node->tid = tuple->t_self;
	node->division = division_index(build, values[NODE_DIVISION - 1]);
	graph_reserve(build->graph, build->node_attributes, generation->node_count, build->node_attributes_capacity);
	build->node_attributes[generation->node_count].tid = tuple->t_self;
	build->node_attributes[generation->node_count].attribute =
		graph_cache_attribute_of_node(build->graph, &build->attribute_set[GRAPH_CACHE_NODE], values);
	generation->last_no = Max(generation->last_no, node->no);
	generation->node_count++;
}

#define ST_SORT sort_nodes
#define ST_ELEMENT_TYPE GraphCacheNode
#define ST_COMPARE(a, b) graph_compare_records((a)->created_at, &(a)->id, (b)->created_at, &(b)->id)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

#define ST_SORT sort_by_no
#define ST_ELEMENT_TYPE uint32
#define ST_COMPARE(a, b, nodes) (nodes[*(a)].no < nodes[*(b)].no ? -1 : nodes[*(a)].no > nodes[*(b)].no)
#define ST_COMPARE_ARG_TYPE const GraphCacheNode
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

#define ST_SORT sort_by_tid
#define ST_ELEMENT_TYPE uint32
#define ST_COMPARE(a, b, nodes) ItemPointerCompare((ItemPointer) &nodes[*(a)].tid, (ItemPointer) &nodes[*(b)].tid)
#define ST_COMPARE_ARG_TYPE const GraphCacheNode
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void
read_nodes(Build *build, BufferAccessStrategy strategy)
{
	GraphCacheGeneration *generation = build->generation;
	GraphCacheTable *table = &generation->table[GRAPH_CACHE_NODE];
	GraphCacheMap *maps = graph_cache_at(generation, GraphCacheMap, table->maps);
	XLogRecPtr *lsns = graph_cache_at(generation, XLogRecPtr, table->lsns);
	GraphHeapBlockReader reader;
	uint32	   *by_no;
	uint32	   *by_tid;

	build->nodes = graph_cache_at(generation, GraphCacheNode, build->used);
	generation->nodes = build->used;
	graph_heap_block_begin(&reader, build->graph->node, strategy, add_node, build);
	for (BlockNumber block = 0; block < table->blocks; block++)
	{
		CHECK_FOR_INTERRUPTS();
		if (is_held(maps, block) && !graph_heap_block_visit_all_visible(&reader, block, &lsns[block]))
			leave_out(maps, block);
	}
	graph_heap_block_end(&reader);
	end_table(build, GRAPH_CACHE_NODE);
	take(build, (Size) generation->node_count * sizeof(GraphCacheNode));
	sort_nodes(build->nodes, generation->node_count);

	generation->by_no = take(build, (Size) generation->node_count * sizeof(uint32));
	generation->by_tid = take(build, (Size) generation->node_count * sizeof(uint32));
	by_no = graph_cache_at(generation, uint32, generation->by_no);
	by_tid = graph_cache_at(generation, uint32, generation->by_tid);
	for (uint32 i = 0; i < generation->node_count; i++)
		by_no[i] = by_tid[i] = i;
	sort_by_no(by_no, generation->node_count, build->nodes);
	sort_by_tid(by_tid, generation->node_count, build->nodes);
	generation->attributes[GRAPH_CACHE_NODE].attributes = take(build, (Size) generation->node_count * sizeof(GraphCacheAttribute));
	graph_cache_place_attributes(build->node_attributes, generation->node_count, by_tid,
								 graph_cache_at(generation, GraphCacheAttribute, generation->attributes[GRAPH_CACHE_NODE].attributes));
	graph_map_init(&build->numbers, build->graph);
	for (uint32 i = 0; i < generation->node_count; i++)
	{
		uint32	   *slot = graph_map_slot(&build->numbers, build->nodes[by_no[i]].no);

		if (*slot != 0)
			report_irregular("two nodes have the same number");
		*slot = by_no[i] + 1;
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

/* ---------------------------------------------------------------- edges */

static void
add_edge(void *argument, HeapTuple tuple, const Datum *values)
{
	Build	   *build = argument;
	GraphCacheGeneration *generation = build->generation;
	uint32		count = generation->edge_count;
	GraphCacheEdge *edge = &build->edges[count];
	uint32		from = graph_map_get(&build->numbers, DatumGetInt64(values[EDGE_FROM_NO - 1]));
	uint32		to = graph_map_get(&build->numbers, DatumGetInt64(values[EDGE_TO_NO - 1]));
	uint16		division;

	ensure_fits(build, ((Size) count + 1) * sizeof(GraphCacheEdge));
	if (count >= MAX_RECORDS)
		report_irregular("it has too many edges");
	division = division_index(build, values[EDGE_DIVISION - 1]);
	if (from == 0 || to == 0 || build->nodes[from - 1].division != division || build->nodes[to - 1].division != division)
	{
		build->unresolved = true;
		return;
	}
	edge->no = DatumGetInt64(values[EDGE_NO - 1]);
	edge->id = *DatumGetUUIDP(values[EDGE_ID - 1]);
	edge->tid = tuple->t_self;
	graph_reserve(build->graph, build->ends, count, build->ends_capacity);
	build->ends[count].from = from - 1;
	build->ends[count].to = to - 1;
	build->ends[count].created_at = DatumGetTimestampTz(values[EDGE_CREATED_AT - 1]);
	build->latest = Max(build->latest, build->ends[count].created_at);
	build->earliest = Min(build->earliest, build->ends[count].created_at);
	graph_reserve(build->graph, build->edge_attributes, count, build->edge_attributes_capacity);
	build->edge_attributes[count] = graph_cache_attribute_of_edge(build->graph, &build->attribute_set[GRAPH_CACHE_EDGE], values);
	generation->last_no = Max(generation->last_no, edge->no);
	generation->edge_count++;
}

static void
read_edges(Build *build, BufferAccessStrategy strategy)
{
	GraphCacheGeneration *generation = build->generation;
	GraphCacheTable *table = &generation->table[GRAPH_CACHE_EDGE];
	GraphCacheMap *maps = graph_cache_at(generation, GraphCacheMap, table->maps);
	XLogRecPtr *lsns = graph_cache_at(generation, XLogRecPtr, table->lsns);
	GraphHeapBlockReader reader;
	uint32	   *first_edge;
	TimestampTz *latest;
	TimestampTz *earliest;
	Size		attributes_size;

	generation->latest = take(build, table->blocks * sizeof(TimestampTz));
	generation->earliest = take(build, table->blocks * sizeof(TimestampTz));
	latest = graph_cache_at(generation, TimestampTz, generation->latest);
	earliest = graph_cache_at(generation, TimestampTz, generation->earliest);
	generation->first_edge = take(build, ((Size) table->blocks + 1) * sizeof(uint32));
	first_edge = graph_cache_at(generation, uint32, generation->first_edge);
	build->edges = graph_cache_at(generation, GraphCacheEdge, build->used);
	generation->edges = build->used;
	graph_heap_block_begin(&reader, build->graph->edge, strategy, add_edge, build);
	for (BlockNumber block = 0; block < table->blocks; block++)
	{
		CHECK_FOR_INTERRUPTS();
		first_edge[block] = generation->edge_count;
		latest[block] = PG_INT64_MIN;
		earliest[block] = PG_INT64_MAX;
		if (!is_held(maps, block))
			continue;
		build->unresolved = false;
		build->latest = PG_INT64_MIN;
		build->earliest = PG_INT64_MAX;
		if (!graph_heap_block_visit_all_visible(&reader, block, &lsns[block]) || build->unresolved)
		{
			leave_out(maps, block);
			generation->edge_count = first_edge[block];
			continue;
		}
		latest[block] = build->latest;
		earliest[block] = build->earliest;
	}
	for (BlockNumber block = 1; block < table->blocks; block++)
	{
		BlockNumber mirrored = table->blocks - 1 - block;

		latest[block] = Max(latest[block], latest[block - 1]);
		earliest[mirrored] = Min(earliest[mirrored], earliest[mirrored + 1]);
	}
	first_edge[table->blocks] = generation->edge_count;
	graph_heap_block_end(&reader);
	end_table(build, GRAPH_CACHE_EDGE);
	take(build, (Size) generation->edge_count * sizeof(GraphCacheEdge));
	attributes_size = (Size) generation->edge_count * sizeof(GraphCacheAttribute);
	generation->attributes[GRAPH_CACHE_EDGE].attributes = take(build, attributes_size);
	if (attributes_size > 0)
		memcpy(graph_cache_at(generation, char, generation->attributes[GRAPH_CACHE_EDGE].attributes), build->edge_attributes,
			   attributes_size);
}

/* ---------------------------------------------------------------- links */

static void
make_links(Build *build)
{
	GraphCacheGeneration *generation = build->generation;
	Size		heads_size = ((Size) generation->node_count + 1) * sizeof(GraphCacheHead);
	Size		links_size = 2 * (Size) generation->edge_count * sizeof(uint32);

	/* None of the heads lies across two lines of the processor's caches. */
	take(build, TYPEALIGN(sizeof(GraphCacheHead), build->used) - build->used);
	for (int direction = 0; direction < 2; direction++)
		generation->heads[direction] = take(build, heads_size);
	for (int direction = 0; direction < 2; direction++)
		generation->links[direction] = take(build, links_size);
	graph_cache_sort_links(build->graph, generation, build->ends);
}

static void
make_cyclic_nodes(Build *build)
{
	GraphCacheGeneration *generation = build->generation;
	Size		size = ((Size) generation->node_count + 63) / 64 * sizeof(uint64);
	Size		place;

	/* Every cycle has such an edge. */
	if (generation->against_time == 0)
		return;
	place = take(build, size);
	memset(graph_cache_at(generation, char, place), 0, size);
	if (graph_cache_find_cyclic_nodes(build->graph, generation, graph_cache_at(generation, uint64, place)))
		generation->cyclic_nodes = place;
}

/* ---------------------------------------------------------------- all of it */

void
graph_cache_build(const GraphCacheReservation *reservation)
{
	TimestampTz began = GetCurrentTimestamp();
	MemoryContext caller = CurrentMemoryContext;
	Build		build = {0};
	BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);

	build.graph = graph_open();
	/* What a build takes besides the room is in proportion to it. */
	build.graph->limit_bytes = SIZE_MAX;
	build.context = build.graph->context;
	build.generation = (GraphCacheGeneration *) reservation->begin;
	build.room = reservation->size;
	MemoryContextSwitchTo(build.context);

	if (!graph_cache_is_logged(build.graph))
		report_irregular("its tables are not logged");
	take(&build, sizeof(GraphCacheGeneration));
	memset(build.generation, 0, sizeof(GraphCacheGeneration));
	begin_table(&build, GRAPH_CACHE_NODE, build.graph->node);
	begin_table(&build, GRAPH_CACHE_EDGE, build.graph->edge);
	read_nodes(&build, strategy);
	read_edges(&build, strategy);
	make_links(&build);
	make_cyclic_nodes(&build);
	write_divisions(&build);
	write_attributes(&build, GRAPH_CACHE_NODE);
	write_attributes(&build, GRAPH_CACHE_EDGE);
	build.generation->size = build.used;
	graph_cache_publish(reservation, build.used, TimestampDifferenceMilliseconds(began, GetCurrentTimestamp()));

	MemoryContextSwitchTo(caller);
	FreeAccessStrategy(strategy);
	graph_close(build.graph);
}
