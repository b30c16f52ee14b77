/*
 * paths.c
 *		The strongest paths between two nodes.
 */
#include "postgres.h"

#include "derived/paths.h"

#include <math.h>

#include "graph/memory.h"

#include "miscadmin.h"

#define NOT_REACHED PG_UINT32_MAX

/* Edges that a path of a set may not take where the set leaves its parent; sets share what they have in common. */
typedef struct ExcludedEdge
{
	uint32		edge;
	const struct ExcludedEdge *next;
} ExcludedEdge;

/* The paths that begin like their parent up to an edge, and go on with another than the excluded ones. */
typedef struct PathSet
{
	FoundPath	best;			/* once it was searched; before, strength and length of the parent: no path is better */
	bool		is_searched;
	const uint32 *parent;		/* its edges */
	uint32		common;			/* how many of them the paths begin with */
	const ExcludedEdge *excluded;
} PathSet;

typedef struct Search
{
	const PathGraph *paths;
	uint32	   *out;			/* edges by source, in order: those of node n from out_begin[n] on */
	uint32	   *out_begin;
	uint32	   *in;				/* by target */
	uint32	   *in_begin;
	uint32	   *strongest;		/* all edges, the strongest first */
	uint8	   *is_passed;		/* nodes that the common part has visited */
	uint8	   *is_excluded;	/* edges */
	uint8	   *is_reached;		/* scratch, by node */
	uint32	   *first;			/* scratch, by node: index + 1 of the edge from there that was put in last */
	uint32	   *next;			/* scratch, by edge */
	uint32	   *distance;		/* scratch, by node: edges to the end */
	uint32	   *queue;			/* scratch */
	PathSet   **heap;
	uint32		heap_count;
	uint32		heap_capacity;
} Search;

/* ---------------------------------------------------------------- adjacency */

static void
index_edges(Search *search, bool by_source, uint32 **begin, uint32 **list)
{
	const PathGraph *paths = search->paths;
	uint32	   *starts = graph_alloc(paths->graph, ((Size) paths->node_count + 2) * sizeof(uint32));
	uint32	   *edges = graph_alloc(paths->graph, Max((Size) paths->edge_count, 1) * sizeof(uint32));

	memset(starts, 0, ((Size) paths->node_count + 2) * sizeof(uint32));
	for (uint32 i = 0; i < paths->edge_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		starts[(by_source ? paths->edges[i].from : paths->edges[i].to) + 2]++;
	}
	for (uint32 i = 0; i < paths->node_count; i++)
		starts[i + 2] += starts[i + 1];
	/* One further than meant: filling in moves each to where it belongs. */
	for (uint32 i = 0; i < paths->edge_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		edges[starts[(by_source ? paths->edges[i].from : paths->edges[i].to) + 1]++] = i;
	}
	*begin = starts;
	*list = edges;
}

#define ST_SORT sort_strongest_first
#define ST_ELEMENT_TYPE uint32
#define ST_COMPARE(a, b, edges) (edges[*(a)].strength > edges[*(b)].strength ? -1 : edges[*(a)].strength < edges[*(b)].strength)
#define ST_COMPARE_ARG_TYPE const PathEdge
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void
prepare(Search *search)
{
	const PathGraph *paths = search->paths;
	Size		nodes = Max((Size) paths->node_count, 1);
	Size		edges = Max((Size) paths->edge_count, 1);

	index_edges(search, true, &search->out_begin, &search->out);
	index_edges(search, false, &search->in_begin, &search->in);
	search->strongest = graph_alloc(paths->graph, edges * sizeof(uint32));
	for (uint32 i = 0; i < paths->edge_count; i++)
		search->strongest[i] = i;
	sort_strongest_first(search->strongest, paths->edge_count, paths->edges);
	search->is_passed = memset(graph_alloc(paths->graph, nodes), 0, nodes);
	search->is_excluded = memset(graph_alloc(paths->graph, edges), 0, edges);
	search->is_reached = graph_alloc(paths->graph, nodes);
	search->first = graph_alloc(paths->graph, nodes * sizeof(uint32));
	search->next = graph_alloc(paths->graph, edges * sizeof(uint32));
	search->distance = graph_alloc(paths->graph, nodes * sizeof(uint32));
	search->queue = graph_alloc(paths->graph, nodes * sizeof(uint32));
}

/* ---------------------------------------------------------------- the best path of a set */

static inline bool
may_take(const Search *search, uint32 edge)
{
	const PathEdge *taken = &search->paths->edges[edge];

	return !search->is_excluded[edge] && !search->is_passed[taken->from] && !search->is_passed[taken->to];
}

/* All that the edges lead to which were put in. */
static void
reach(Search *search, uint32 node)
{
	uint32		count = 0;

	search->is_reached[node] = true;
	search->queue[count++] = node;
	while (count > 0)
	{
		CHECK_FOR_INTERRUPTS();
		node = search->queue[--count];
		for (uint32 k = search->first[node]; k != 0; k = search->next[k - 1])
		{
			uint32		target = search->paths->edges[k - 1].to;

			GRAPH_CHECK_NOW_AND_THEN(k);
			if (search->is_reached[target])
				continue;
			search->is_reached[target] = true;
			search->queue[count++] = target;
		}
	}
}

/*
 * The weakest edge of the strongest way from a node to the end; -Infinity: there is none.  Edges are put in one by
 * one, the strongest first: that with which the end comes to be reached is it.
 */
static double
widest(Search *search, uint32 start)
{
	const PathGraph *paths = search->paths;

	memset(search->is_reached, 0, paths->node_count);
	memset(search->first, 0, (Size) paths->node_count * sizeof(uint32));
	search->is_reached[start] = true;
	for (uint32 i = 0; i < paths->edge_count; i++)
	{
		uint32		index = search->strongest[i];
		const PathEdge *edge = &paths->edges[index];

		GRAPH_CHECK_NOW_AND_THEN(i);
		if (!may_take(search, index))
			continue;
		search->next[index] = search->first[edge->from];
		search->first[edge->from] = index + 1;
		if (search->is_reached[edge->from] && !search->is_reached[edge->to])
			reach(search, edge->to);
		if (search->is_reached[paths->to])
			return edge->strength;
	}
	return -INFINITY;
}

/* How many edges that are strong enough lead from each node to the end, as far as the node `until`. */
static void
measure_distances(Search *search, double least, uint32 until)
{
	const PathGraph *paths = search->paths;
	uint32		head = 0;
	uint32		count = 0;

	memset(search->distance, 0xFF, (Size) paths->node_count * sizeof(uint32));
	search->distance[paths->to] = 0;
	search->queue[count++] = paths->to;
	while (head < count && search->distance[until] == NOT_REACHED)
	{
		uint32		node = search->queue[head++];

		CHECK_FOR_INTERRUPTS();
		for (uint32 i = search->in_begin[node]; i < search->in_begin[node + 1]; i++)
		{
			uint32		edge = search->in[i];
			uint32		source = paths->edges[edge].from;

			GRAPH_CHECK_NOW_AND_THEN(i);
			if (search->distance[source] != NOT_REACHED || paths->edges[edge].strength < least || !may_take(search, edge))
				continue;
			search->distance[source] = search->distance[node] + 1;
			search->queue[count++] = source;
		}
	}
}

/* The edge with the smallest index that leads a step nearer to the end. */
static uint32
next_edge(const Search *search, uint32 node, double least)
{
	const PathEdge *edges = search->paths->edges;

	for (uint32 i = search->out_begin[node]; i < search->out_begin[node + 1]; i++)
	{
		uint32		edge = search->out[i];

		if (edges[edge].strength >= least && may_take(search, edge) && search->distance[edges[edge].to] != NOT_REACHED &&
			search->distance[edges[edge].to] == search->distance[node] - 1)
			return edge;
	}
	elog(ERROR, "a path has come to an end on its way");
}

/* The nodes of the common part are passed, or are not any more; where it ends, and how strong it is. */
static uint32
pass_common(Search *search, const PathSet *set, bool passed, double *strength)
{
	const PathGraph *paths = search->paths;
	uint32		node = paths->from;

	*strength = INFINITY;
	for (uint32 i = 0; i < set->common; i++)
	{
		const PathEdge *edge = &paths->edges[set->parent[i]];

		GRAPH_CHECK_NOW_AND_THEN(i);
		search->is_passed[node] = passed;
		*strength = Min(*strength, edge->strength);
		node = edge->to;
	}
	for (const ExcludedEdge *excluded = set->excluded; excluded; excluded = excluded->next)
		search->is_excluded[excluded->edge] = passed;
	return node;
}

/* False: the set is empty. */
static bool
search_set(Search *search, PathSet *set)
{
	const PathGraph *paths = search->paths;
	double		common_strength;
	uint32		node = pass_common(search, set, true, &common_strength);
	double		rest_strength = widest(search, node);
	double		strength = Min(common_strength, rest_strength);

	if (rest_strength > -INFINITY)
	{
		uint32	   *edges;

		measure_distances(search, strength, node);
		set->best.strength = strength;
		set->best.length = set->common + search->distance[node];
		edges = graph_alloc(paths->graph, (Size) set->best.length * sizeof(uint32));
		if (set->common > 0)
			memcpy(edges, set->parent, (Size) set->common * sizeof(uint32));
		for (uint32 i = set->common; i < set->best.length; i++)
		{
			GRAPH_CHECK_NOW_AND_THEN(i);
			edges[i] = next_edge(search, node, strength);
			node = paths->edges[edges[i]].to;
		}
		set->best.edges = edges;
		set->is_searched = true;
	}
	(void) pass_common(search, set, false, &common_strength);
	return set->is_searched;
}

/* ---------------------------------------------------------------- sets, the most promising first */

static int
compare_sets(const PathSet *a, const PathSet *b)
{
	if (a->best.strength != b->best.strength)
		return a->best.strength > b->best.strength ? -1 : 1;
	if (a->best.length != b->best.length)
		return a->best.length < b->best.length ? -1 : 1;
	/* What was not searched yet may hold a path that comes first. */
	if (!a->is_searched || !b->is_searched)
		return (int) a->is_searched - (int) b->is_searched;
	for (uint32 i = 0; i < a->best.length; i++)
	{
		if (a->best.edges[i] != b->best.edges[i])
			return a->best.edges[i] < b->best.edges[i] ? -1 : 1;
	}
	return 0;
}

static void
push(Search *search, PathSet *set)
{
	uint32		at = search->heap_count;

	graph_reserve(search->paths->graph, search->heap, search->heap_count, search->heap_capacity);
	search->heap_count++;
	for (; at > 0 && compare_sets(set, search->heap[(at - 1) / 2]) < 0; at = (at - 1) / 2)
		search->heap[at] = search->heap[(at - 1) / 2];
	search->heap[at] = set;
}

static PathSet *
pop(Search *search)
{
	PathSet    *result = search->heap[0];
	PathSet    *last = search->heap[--search->heap_count];
	uint32		at = 0;

	for (;;)
	{
		uint32		child = 2 * at + 1;

		if (child >= search->heap_count)
			break;
		if (child + 1 < search->heap_count && compare_sets(search->heap[child + 1], search->heap[child]) < 0)
			child++;
		if (compare_sets(last, search->heap[child]) <= 0)
			break;
		search->heap[at] = search->heap[child];
		at = child;
	}
	search->heap[at] = last;
	return result;
}

/* Whether a path may leave the node by another edge than `taken`. */
static bool
has_other_edge(const Search *search, uint32 node, uint32 taken)
{
	const PathEdge *edges = search->paths->edges;

	for (uint32 i = search->out_begin[node]; i < search->out_begin[node + 1]; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (search->out[i] != taken && edges[search->out[i]].to != node && may_take(search, search->out[i]))
			return true;
	}
	return false;
}

/*
 * What is left of a set without its best path: sets that leave that path after each of its edges.  Where nothing
 * else leads on there is none: a path may be long, and to search each would take as many steps as it has edges.
 */
static void
divide(Search *search, const PathSet *set)
{
	const PathGraph *paths = search->paths;
	Graph	   *graph = paths->graph;
	double		strength;
	uint32		node = pass_common(search, set, true, &strength);

	for (uint32 i = set->common; i < set->best.length; i++)
	{
		PathSet    *rest;
		ExcludedEdge *excluded;
		bool		has_others = has_other_edge(search, node, set->best.edges[i]);

		GRAPH_CHECK_NOW_AND_THEN(i);
		search->is_passed[node] = true;
		node = paths->edges[set->best.edges[i]].to;
		if (!has_others)
			continue;
		rest = graph_alloc(graph, sizeof(PathSet));
		excluded = graph_alloc(graph, sizeof(ExcludedEdge));
		excluded->edge = set->best.edges[i];
		excluded->next = i == set->common ? set->excluded : NULL;
		rest->best = set->best;
		rest->is_searched = false;
		rest->parent = set->best.edges;
		rest->common = i;
		rest->excluded = excluded;
		push(search, rest);
	}
	(void) pass_common(search, set, false, &strength);
	for (uint32 i = set->common; i < set->best.length; i++)
		search->is_passed[paths->edges[set->best.edges[i]].from] = false;
}

uint32
paths_find(const PathGraph *paths, uint32 most, FoundPath **found)
{
	Search		search = {.paths = paths};
	PathSet    *all = graph_alloc(paths->graph, sizeof(PathSet));
	uint32		count = 0;
	uint32		capacity = 0;

	*found = NULL;
	prepare(&search);
	memset(all, 0, sizeof(*all));
	all->best.strength = INFINITY;
	push(&search, all);
	while (search.heap_count > 0 && count < most)
	{
		PathSet    *set = pop(&search);

		CHECK_FOR_INTERRUPTS();
		if (!set->is_searched)
		{
			if (search_set(&search, set))
				push(&search, set);
			continue;
		}
		graph_reserve(paths->graph, *found, count, capacity);
		(*found)[count++] = set->best;
		if (count < most)
			divide(&search, set);
	}
	return count;
}
