/*
 * sort.c
 *		Sorting the edges of a generation of the adjacency cache into links, when it is built.
 *
 * Three stable counting sorts: edges by their cause; those by their effect, which gives the
 * links of each effect by cause; those by cause again, which gives the links of each cause by effect.
 */
#include "postgres.h"

#include "cache/sort.h"

#include "graph/memory.h"

#include "graph/sort.h"
#include "miscadmin.h"

typedef struct Sort
{
	Graph	   *graph;
	GraphCacheGeneration *generation;
	const GraphCacheEnds *ends;
	const GraphCacheEdge *edges;
} Sort;

/* The links of all nodes, one after the other. */
typedef struct Links
{
	uint32	   *start;			/* of each node, and one more */
	GraphCacheLink *links;
} Links;

static Size
start_size(const Sort *sort)
{
	return ((Size) sort->generation->node_count + 1) * sizeof(uint32);
}

static Size
links_size(const Sort *sort)
{
	return Max((Size) sort->generation->edge_count, 1) * sizeof(GraphCacheLink);
}

static void
make_room(const Sort *sort, Links *links)
{
	links->start = memset(graph_alloc(sort->graph, start_size(sort)), 0, start_size(sort));
	links->links = graph_alloc(sort->graph, links_size(sort));
}

static void
free_room(const Sort *sort, Links *links)
{
	graph_grow(sort->graph, links->links, links_size(sort), 0);
	graph_grow(sort->graph, links->start, start_size(sort), 0);
}

/* ---------------------------------------------------------------- counting */

/* Makes counts of nodes n at start[n + 1] into places where their links begin. */
static void
sum_up(uint32 *start, uint32 node_count)
{
	for (uint32 i = 0; i < node_count; i++)
		start[i + 1] += start[i];
}

/* After links were placed with start[n]++, start[n] is where those of n end: moves all by one. */
static void
shift_back(uint32 *start, uint32 node_count)
{
	memmove(start + 1, start, (Size) node_count * sizeof(uint32));
	start[0] = 0;
}

static void
count_links(const Sort *sort, Links *to, Links *from)
{
	GraphCacheGeneration *generation = sort->generation;

	for (uint32 edge = 0; edge < generation->edge_count; edge++)
	{
		GRAPH_CHECK_NOW_AND_THEN(edge);
		from->start[sort->ends[edge].from + 1]++;
		to->start[sort->ends[edge].to + 1]++;
		generation->against_time += sort->ends[edge].from >= sort->ends[edge].to;
	}
	sum_up(from->start, generation->node_count);
	sum_up(to->start, generation->node_count);
}

static void
sort_by_effect(const Sort *sort, Links *to, Links *from)
{
	uint32		edge_count = sort->generation->edge_count;
	Size		size = Max((Size) edge_count, 1) * sizeof(uint32);
	uint32	   *by_from = graph_alloc(sort->graph, size);

	for (uint32 edge = 0; edge < edge_count; edge++)
	{
		GRAPH_CHECK_NOW_AND_THEN(edge);
		by_from[from->start[sort->ends[edge].from]++] = edge;
	}
	shift_back(from->start, sort->generation->node_count);
	for (uint32 i = 0; i < edge_count; i++)
	{
		uint32		edge = by_from[i];
		GraphCacheLink *link = &to->links[to->start[sort->ends[edge].to]++];

		GRAPH_CHECK_NOW_AND_THEN(i);
		link->node = sort->ends[edge].from;
		link->edge = edge;
	}
	shift_back(to->start, sort->generation->node_count);
	graph_grow(sort->graph, by_from, size, 0);
}

static void
sort_by_cause(const Sort *sort, const Links *to, Links *from)
{
	uint32		node_count = sort->generation->node_count;

	for (uint32 node = 0; node < node_count; node++)
	{
		GRAPH_CHECK_NOW_AND_THEN(node);
		for (uint32 i = to->start[node]; i < to->start[node + 1]; i++)
		{
			GraphCacheLink *link = &from->links[from->start[to->links[i].node]++];

			link->node = node;
			link->edge = to->links[i].edge;
		}
	}
	shift_back(from->start, node_count);
}

/* ---------------------------------------------------------------- parallel edges */

static inline int
compare_parallel(const GraphCacheLink *a, const GraphCacheLink *b, const Sort *sort)
{
	return graph_compare_records(sort->ends[a->edge].created_at, &sort->edges[a->edge].id,
								 sort->ends[b->edge].created_at, &sort->edges[b->edge].id);
}

#define ST_SORT sort_parallel
#define ST_ELEMENT_TYPE GraphCacheLink
#define ST_COMPARE(a, b, sort) compare_parallel(a, b, sort)
#define ST_COMPARE_ARG_TYPE const Sort
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* Edges between the same two nodes, by (created_at, id). */
static void
order_parallel(const Sort *sort, Links *all)
{
	GraphCacheLink *links = all->links;

	for (uint32 node = 0; node < sort->generation->node_count; node++)
	{
		uint32		last = all->start[node + 1];

		GRAPH_CHECK_NOW_AND_THEN(node);
		for (uint32 i = all->start[node], end; i < last; i = end)
		{
			for (end = i + 1; end < last && links[end].node == links[i].node;)
				end++;
			if (end - i > 1)
				sort_parallel(links + i, end - i, sort);
		}
	}
}

/* ---------------------------------------------------------------- as they are kept */

static void
write_head(GraphCacheHead *head, uint32 node, const GraphCacheLink *links, uint32 count)
{
	bool		is_many = count > GRAPH_CACHE_HEAD_LINKS;

	for (uint32 i = 0; i < GRAPH_CACHE_HEAD_LINKS; i++)
	{
		head->node[i] = i < count ? links[i].node : node;
		is_many |= i < count && links[i].node == node;
	}
	if (is_many)
		head->node[0] = GRAPH_CACHE_MANY;
}

static void
write_links(const Sort *sort, const Links *all, GraphDirection direction)
{
	GraphCacheGeneration *generation = sort->generation;
	GraphCacheHead *heads = graph_cache_at(generation, GraphCacheHead, generation->heads[direction]);
	uint32	   *kept = graph_cache_at(generation, uint32, generation->links[direction]);

	for (uint32 node = 0; node < generation->node_count; node++)
	{
		const GraphCacheLink *links = all->links + all->start[node];
		uint32		count = all->start[node + 1] - all->start[node];

		GRAPH_CHECK_NOW_AND_THEN(node);
		heads[node].begin = all->start[node];
		write_head(&heads[node], node, links, count);
		for (uint32 i = 0; i < count; i++)
		{
			GRAPH_CHECK_NOW_AND_THEN(i);
			kept[i] = links[i].node;
			kept[count + i] = links[i].edge;
		}
		kept += 2 * (Size) count;
	}
	heads[generation->node_count].begin = all->start[generation->node_count];
}

void
graph_cache_sort_links(Graph *graph, GraphCacheGeneration *generation, const GraphCacheEnds *ends)
{
	Sort		sort = {graph, generation, ends, graph_cache_at(generation, GraphCacheEdge, generation->edges)};
	Links		to;
	Links		from;

	make_room(&sort, &to);
	make_room(&sort, &from);
	count_links(&sort, &to, &from);
	sort_by_effect(&sort, &to, &from);
	sort_by_cause(&sort, &to, &from);
	order_parallel(&sort, &to);
	order_parallel(&sort, &from);
	write_links(&sort, &to, GRAPH_ANCESTORS);
	write_links(&sort, &from, GRAPH_DESCENDANTS);
	free_room(&sort, &from);
	free_room(&sort, &to);
}
