/*
 * difference.c
 *		Two sides, record by record.
 */
#include "postgres.h"

#include "compare/difference.h"

#include "graph/memory.h"

#include "miscadmin.h"

/* ---------------------------------------------------------------- links */

/* The newest edge of a type between two nodes. */
typedef struct Link
{
	const SideEdge *edge;
} Link;

static int
compare_ends(const SideEdge *a, const SideEdge *b)
{
	int			result = memcmp(&a->from, &b->from, UUID_LEN);

	if (result == 0)
		result = memcmp(&a->to, &b->to, UUID_LEN);
	if (result == 0 && a->type.length != b->type.length)
		return a->type.length < b->type.length ? -1 : 1;
	return result != 0 ? result : memcmp(a->type.data, b->type.data, a->type.length);
}

static inline int
compare_links(const Link *a, const Link *b)
{
	int			result = compare_ends(a->edge, b->edge);

	if (result != 0)
		return result;
	if (a->edge->created_at != b->edge->created_at)
		return a->edge->created_at > b->edge->created_at ? -1 : 1;
	return -memcmp(&a->edge->id, &b->edge->id, UUID_LEN);
}

#define ST_SORT sort_links
#define ST_ELEMENT_TYPE Link
#define ST_COMPARE(a, b) compare_links(a, b)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* The newest edge of each link, by link; returns how many. */
static uint32
newest_of(Graph *graph, const Side *side, Link **links)
{
	uint32		kept = 0;

	*links = graph_alloc(graph, Max((Size) side->edge_count, 1) * sizeof(Link));
	for (uint32 i = 0; i < side->edge_count; i++)
		(*links)[i].edge = &side->edges[i];
	sort_links(*links, side->edge_count);
	for (uint32 i = 0; i < side->edge_count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (kept == 0 || compare_ends((*links)[kept - 1].edge, (*links)[i].edge) != 0)
			(*links)[kept++] = (*links)[i];
	}
	return kept;
}

static bool
weighs_the_same(const SideEdge *a, const SideEdge *b)
{
	return a->weight == b->weight && a->has_confidence == b->has_confidence && (!a->has_confidence || a->confidence == b->confidence);
}

#define NOT_REWEIGHED PG_UINT32_MAX

/* For each edge of b the index of the edge of a that it weighs anew; for each of a whether that was done to it. */
typedef struct Reweighing
{
	uint32	   *of;
	bool	   *is_replaced;
} Reweighing;

static void
find_reweighings(Reweighing *reweighing, Graph *graph, const Side *a, const Side *b)
{
	Link	   *links_a;
	Link	   *links_b;
	uint32		count_a = newest_of(graph, a, &links_a);
	uint32		count_b = newest_of(graph, b, &links_b);
	uint32		i = 0;

	reweighing->of = graph_alloc(graph, Max((Size) b->edge_count, 1) * sizeof(uint32));
	reweighing->is_replaced = graph_alloc(graph, Max((Size) a->edge_count, 1) * sizeof(bool));
	memset(reweighing->of, 0xFF, Max((Size) b->edge_count, 1) * sizeof(uint32));
	memset(reweighing->is_replaced, 0, Max((Size) a->edge_count, 1) * sizeof(bool));
	for (uint32 k = 0; k < count_b; k++)
	{
		const SideEdge *newer = links_b[k].edge;

		GRAPH_CHECK_NOW_AND_THEN(k);
		while (i < count_a && compare_ends(links_a[i].edge, newer) < 0)
			i++;
		if (i == count_a || compare_ends(links_a[i].edge, newer) != 0 || side_edge(a, &newer->id) ||
			weighs_the_same(links_a[i].edge, newer))
			continue;
		reweighing->of[newer - b->edges] = links_a[i].edge - a->edges;
		reweighing->is_replaced[links_a[i].edge - a->edges] = true;
	}
}

/* ---------------------------------------------------------------- records */

static void
add(Differences *differences, DifferenceKind kind, uint32 a, uint32 b)
{
	differences->entries[differences->count++] = (Difference) {kind, a, b};
	differences->counts[kind]++;
}

static bool
is_same_node(const SideNode *a, const SideNode *b)
{
	return a->is_erased == b->is_erased && a->is_corrected == b->is_corrected && memcmp(a->digest, b->digest, REASON_DIGEST_LENGTH) == 0;
}

/* Goes along both, which are sorted, and adds what is of that kind. */
static void
add_nodes(Differences *differences, DifferenceKind kind)
{
	const Side *a = differences->a;
	const Side *b = differences->b;

	for (uint32 i = 0, k = 0; i < a->node_count || k < b->node_count;)
	{
		int			order = i == a->node_count ? 1 : k == b->node_count ? -1 : memcmp(&a->nodes[i].id, &b->nodes[k].id, UUID_LEN);

		GRAPH_CHECK_NOW_AND_THEN(i + k);
		if (order < 0 && kind == DIFFERENCE_REMOVED_NODE)
			add(differences, kind, i, 0);
		else if (order > 0 && kind == DIFFERENCE_ADDED_NODE)
			add(differences, kind, 0, k);
		else if (order == 0 && kind == DIFFERENCE_CHANGED_NODE)
		{
			if (is_same_node(&a->nodes[i], &b->nodes[k]))
				differences->same_nodes++;
			else
				add(differences, kind, i, k);
		}
		i += order <= 0;
		k += order >= 0;
	}
}

static void
add_edges(Differences *differences, DifferenceKind kind, const Reweighing *reweighing)
{
	const Side *a = differences->a;
	const Side *b = differences->b;

	for (uint32 i = 0, k = 0; i < a->edge_count || k < b->edge_count;)
	{
		int			order = i == a->edge_count ? 1 : k == b->edge_count ? -1 : memcmp(&a->edges[i].id, &b->edges[k].id, UUID_LEN);
		bool		is_reweighed = order > 0 && reweighing->of[k] != NOT_REWEIGHED;

		GRAPH_CHECK_NOW_AND_THEN(i + k);
		if (order < 0 && kind == DIFFERENCE_REMOVED_EDGE && !reweighing->is_replaced[i])
			add(differences, kind, i, 0);
		else if (order > 0 && kind == DIFFERENCE_ADDED_EDGE && !is_reweighed)
			add(differences, kind, 0, k);
		else if (is_reweighed && kind == DIFFERENCE_CHANGED_EDGE)
			add(differences, kind, reweighing->of[k], k);
		differences->same_edges += order == 0 && kind == DIFFERENCE_CHANGED_EDGE;
		i += order <= 0;
		k += order >= 0;
	}
}

Differences *
differences_of(const Side *a, const Side *b)
{
	Graph	   *graph = b->graph;
	Differences *differences = graph_alloc(graph, sizeof(Differences));
	Reweighing	reweighing;

	memset(differences, 0, sizeof(*differences));
	differences->a = a;
	differences->b = b;
	differences->entries = graph_alloc(graph, Max((Size) a->node_count + b->node_count + a->edge_count + b->edge_count, 1) *
									   sizeof(Difference));
	find_reweighings(&reweighing, graph, a, b);
	add_nodes(differences, DIFFERENCE_ADDED_NODE);
	add_edges(differences, DIFFERENCE_ADDED_EDGE, &reweighing);
	add_nodes(differences, DIFFERENCE_REMOVED_NODE);
	add_edges(differences, DIFFERENCE_REMOVED_EDGE, &reweighing);
	add_nodes(differences, DIFFERENCE_CHANGED_NODE);
	add_edges(differences, DIFFERENCE_CHANGED_EDGE, &reweighing);
	return differences;
}
