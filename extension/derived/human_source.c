/*
 * human_source.c
 *		Makes graphs to be drawn of a page of a trace, and of the document of a snapshot.
 */
#include "postgres.h"

#include "derived/human_source.h"

#include "graph/memory.h"
#include "graph/sort.h"
#include "trace/causal_details.h"
#include "derived/human_circles.h"

#include "miscadmin.h"

/* ---------------------------------------------------------------- traces */

HumanGraph *
human_of_page(const TracePage *page, const TraceRequest *request)
{
	Graph	   *graph = request->graph;
	uint32		count = page->end - page->begin;
	GraphKey   *numbers = graph_alloc(graph, Max((Size) count, 1) * sizeof(GraphKey));
	GraphKey   *scratch = graph_alloc(graph, Max((Size) count, 1) * sizeof(GraphKey));
	CausalDetails annotations;
	HumanGraph *human;
	ByteBuffer	array;

	buffer_init(&array, page->texts.realloc, page->texts.context);
	for (uint32 i = 0; i < count; i++)
		numbers[i].no = page->trace->nodes[page->begin + i].no;
	graph_sort_keys(numbers, scratch, count);
	causal_details_annotations(&annotations, graph, numbers, count, &request->filter, page->json);
	human = human_graph(request->direction == GRAPH_ANCESTORS, count, page->edge_count, annotations.row_count);
	for (uint32 i = 0; i < count; i++)
	{
		ShownText	member;
		ShownText	name;
		const char *at = NULL;

		CHECK_FOR_INTERRUPTS();
		human_add_node(human, (ShownText) {page->texts.data + page->nodes[i].offset, page->nodes[i].length},
					   page->trace->nodes[page->begin + i].id);
		/* The text of annotations is pointed at; where there are none it is room for the next. */
		if (array.length > strlen("[]"))
			buffer_init(&array, page->texts.realloc, page->texts.context);
		array.length = 0;
		buffer_append_char(&array, '[');
		causal_details_write(&array, &annotations, page->trace->nodes[page->begin + i].no, "");
		buffer_append_char(&array, ']');
		while (shown_next((ShownText) {array.data, array.length}, &at, &name, &member))
			human_add_note(human, i, member);
	}
	for (uint32 i = 0; i < page->edge_count; i++)
	{
		if (!page->edges[i].given && !page->edges[i].listed)
			continue;
		human_add_edge(human, (ShownText) {page->texts.data + page->edges[i].text.offset, page->edges[i].text.length},
					   &page->trace->nodes[page->edges[i].from].id, &page->trace->nodes[page->edges[i].to].id);
		human->edges[human->edge_count - 1].is_given = page->edges[i].given;
	}
	human_circles_of_trace(human, page->trace, page->begin);
	return human;
}

/* ---------------------------------------------------------------- documents of snapshots */

size_t
human_count(ShownText array)
{
	ShownText	name;
	ShownText	element;
	const char *at = NULL;
	size_t		count = 0;

	while (array.data && shown_next(array, &at, &name, &element))
		count++;
	return count;
}

HumanGraph *
human_of_document(ShownText document, uint32 *root_count)
{
	ShownText	payload = shown_member(document, "payload");
	ShownText	nodes = shown_member(payload, "nodes");
	ShownText	edges = shown_member(payload, "edges");
	ShownText	roots = shown_member(document, "root_ids");
	ShownText	direction = shown_member(payload, "direction");
	HumanGraph *graph = human_graph(direction.length == strlen("\"ancestors\""), human_count(nodes), human_count(edges), 0);
	ShownText	name;
	ShownText	element;

	*root_count = 0;
	for (int pass = 0; pass < 2; pass++)
	{
		const char *at = NULL;

		while (nodes.data && shown_next(nodes, &at, &name, &element))
		{
			ShownText	id = shown_member(element, "id");
			const char *root_at = NULL;
			ShownText	root;
			bool		is_root = false;

			CHECK_FOR_INTERRUPTS();
			while (!is_root && roots.data && shown_next(roots, &root_at, &name, &root))
				is_root = root.length == id.length && memcmp(root.data, id.data, id.length) == 0;
			if (is_root == (pass == 0))
			{
				human_add_node(graph, element, human_uuid(id));
				*root_count += is_root;
			}
		}
	}
	for (const char *at = NULL; edges.data && shown_next(edges, &at, &name, &element);)
		human_add_edge(graph, element, NULL, NULL);
	human_circles_of_graph(graph);
	return graph;
}

/* Those with an end in the part; they are given where their later end stands. */
static void
add_edges_of_part(HumanGraph *part, const HumanGraph *whole, const uint32 *order, uint32 begin, uint32 end)
{
	HumanIndex *index = human_index(whole);
	uint32	   *place = human_room(whole->node_count, sizeof(uint32));

	for (uint32 i = 0; i < whole->node_count; i++)
		place[order[i]] = i;
	for (uint32 i = 0; i < whole->edge_count; i++)
	{
		uint32		from = human_find(index, &whole->edges[i].from);
		uint32		to = human_find(index, &whole->edges[i].to);

		CHECK_FOR_INTERRUPTS();
		/* An edge of a document leads from one of its nodes to another. */
		if (from == HUMAN_NONE || to == HUMAN_NONE)
			continue;
		from = place[from];
		to = place[to];
		if ((from < begin || from >= end) && (to < begin || to >= end))
			continue;
		part->edges[part->edge_count] = whole->edges[i];
		part->edges[part->edge_count++].is_given = Max(from, to) >= begin && Max(from, to) < end;
	}
}

HumanGraph *
human_part(const HumanGraph *whole, const uint32 *order, uint32 begin, uint32 end, ShownText annotations)
{
	HumanGraph *part = human_graph(whole->upwards, end - begin, whole->edge_count, human_count(annotations));
	HumanIndex *index;
	ShownText	name;
	ShownText	element;

	for (uint32 i = begin; i < end; i++)
	{
		human_add_node(part, whole->nodes[order[i]].record, whole->nodes[order[i]].id);
		part->nodes[part->node_count - 1].circle = whole->nodes[order[i]].circle;
	}
	part->circles = whole->circles;
	index = human_index(part);
	add_edges_of_part(part, whole, order, begin, end);
	for (const char *at = NULL; annotations.data && shown_next(annotations, &at, &name, &element);)
	{
		pg_uuid_t	id = human_uuid(shown_member(element, "target"));
		uint32		node = human_find(index, &id);

		CHECK_FOR_INTERRUPTS();
		if (node != HUMAN_NONE)
			human_add_note(part, node, element);
	}
	return part;
}
