/*
 * human_circles.c
 *		Finds circles, and says them in words.
 */
#include "postgres.h"

#include "derived/human_circles.h"

#include "core/canonical.h"
#include "record/record.h"
#include "trace/circles.h"

#include "miscadmin.h"

/* A sentence names so many nodes. */
#define NAMED_NODES 20

/* ---------------------------------------------------------------- finding */

/* Edges between nodes of these numbers, grouped by where they begin. */
typedef struct Links
{
	uint32		nodes;
	uint32		count;
	uint32	   *from;
	uint32	   *to;
} Links;

static void
links_begin(Links *links, uint32 nodes, size_t most)
{
	links->nodes = nodes;
	links->count = 0;
	links->from = human_room(most, sizeof(uint32));
	links->to = human_room(most, sizeof(uint32));
}

static void
links_add(Links *links, uint32 from, uint32 to)
{
	links->from[links->count] = from;
	links->to[links->count++] = to;
}

/* The circle of each node; ends the links. */
static uint32
find_circles(Links *links, uint32 *circle)
{
	uint32	   *start = human_room((size_t) links->nodes + 2, sizeof(uint32));
	uint32	   *next = human_room(links->count, sizeof(uint32));
	CircleEdges edges = {links->nodes, start, next, NULL};
	void	   *room = human_room(circles_room(links->nodes), 1);
	uint32		count;

	memset(start, 0, ((size_t) links->nodes + 2) * sizeof(uint32));
	/* Counted two further than meant, so that after placing start[i] is where i begins. */
	for (uint32 i = 0; i < links->count; i++)
		start[links->from[i] + 2]++;
	for (uint32 i = 2; i < links->nodes + 2; i++)
		start[i] += start[i - 1];
	for (uint32 i = 0; i < links->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		next[start[links->from[i] + 1]++] = links->to[i];
	}
	count = circles_find(&edges, circle, room);
	pfree(room);
	pfree(next);
	pfree(start);
	pfree(links->to);
	pfree(links->from);
	return count;
}

/* Room for the ids of each circle, which are added in the order of the nodes. */
static void
circles_begin(HumanCircles *circles, uint32 count, const uint32 *circle, uint32 nodes)
{
	uint32		members = 0;

	circles->count = count;
	circles->start = human_room((size_t) count + 2, sizeof(uint32));
	memset(circles->start, 0, ((size_t) count + 2) * sizeof(uint32));
	for (uint32 i = 0; i < nodes; i++)
	{
		if (circle[i] == CIRCLE_NONE)
			continue;
		circles->start[circle[i] + 2]++;
		members++;
	}
	for (uint32 i = 2; i < count + 2; i++)
		circles->start[i] += circles->start[i - 1];
	circles->ids = human_room(members, sizeof(pg_uuid_t));
}

static void
circles_add(HumanCircles *circles, uint32 circle, const pg_uuid_t *id)
{
	if (circle != CIRCLE_NONE)
		circles->ids[circles->start[circle + 1]++] = *id;
}

void
human_circles_of_trace(HumanGraph *graph, const Trace *trace, uint32 begin)
{
	uint32	   *circle = human_room(trace->node_count, sizeof(uint32));
	Links		links;

	links_begin(&links, trace->node_count, trace->edges_kept);
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		CHECK_FOR_INTERRUPTS();
		links_add(&links, trace->edges[i].source, trace->edges[i].target);
	}
	circles_begin(&graph->circles, find_circles(&links, circle), circle, trace->node_count);
	for (uint32 i = 0; i < trace->node_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		circles_add(&graph->circles, circle[i], &trace->nodes[i].id);
	}
	for (uint32 i = 0; i < graph->node_count; i++)
		graph->nodes[i].circle = circle[begin + i];
	pfree(circle);
}

void
human_circles_of_graph(HumanGraph *graph)
{
	uint32	   *circle = human_room(graph->node_count, sizeof(uint32));
	HumanIndex *index = human_index(graph);
	Links		links;

	links_begin(&links, graph->node_count, graph->edge_count);
	for (uint32 i = 0; i < graph->edge_count; i++)
	{
		uint32		from = human_find(index, &graph->edges[i].from);
		uint32		to = human_find(index, &graph->edges[i].to);

		CHECK_FOR_INTERRUPTS();
		if (from != HUMAN_NONE && to != HUMAN_NONE)
			links_add(&links, from, to);
	}
	circles_begin(&graph->circles, find_circles(&links, circle), circle, graph->node_count);
	for (uint32 i = 0; i < graph->node_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		graph->nodes[i].circle = circle[i];
		circles_add(&graph->circles, circle[i], &graph->nodes[i].id);
	}
	pfree(circle);
}

/* ---------------------------------------------------------------- words */

bool *
human_circles_here(const HumanGraph *graph)
{
	bool	   *here = human_room(graph->circles.count, sizeof(bool));

	memset(here, 0, graph->circles.count * sizeof(bool));
	for (uint32 i = 0; i < graph->node_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (graph->nodes[i].circle != HUMAN_NONE)
			here[graph->nodes[i].circle] = true;
	}
	return here;
}

void
human_write_circle(ByteBuffer *out, const HumanGraph *graph, uint32 circle)
{
	uint32		begin = graph->circles.start[circle];
	uint32		count = graph->circles.start[circle + 1] - begin;
	ByteBuffer	quoted;

	buffer_init(&quoted, NULL, NULL);
	canonical_write_integer(out, count);
	if (count == 1)
		buffer_append_literal(out, " node leads to itself: ");
	else
		buffer_append_literal(out, " nodes lead to each other: ");
	for (uint32 i = 0; i < Min(count, NAMED_NODES); i++)
	{
		if (i > 0)
			buffer_append_literal(out, ", ");
		quoted.length = 0;
		record_write_uuid(&quoted, &graph->circles.ids[begin + i]);
		buffer_append(out, quoted.data + 1, quoted.length - 2);
	}
	if (count > NAMED_NODES)
	{
		buffer_append_literal(out, " and ");
		canonical_write_integer(out, count - NAMED_NODES);
		buffer_append_literal(out, " more");
	}
	buffer_free(&quoted);
}
