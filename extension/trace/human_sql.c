/*
 * human_sql.c
 *		Exports for a person: trace_human() and document_human().
 */
#include "postgres.h"

#include "core/canonical.h"
#include "graph/graph.h"
#include "graph/memory.h"
#include "graph/sort.h"
#include "record/record.h"
#include "trace/causal_details.h"
#include "trace/human.h"
#include "trace/human_draw.h"
#include "trace/human_tree.h"
#include "trace/page.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_trace_human);
PG_FUNCTION_INFO_V1(reason_document_human);

/* Ids that are named where many nodes are meant. */
#define NAMED_IDS 20

static void
say(ByteBuffer *out, const char *words)
{
	buffer_append(out, words, strlen(words));
}

static void
say_id(ByteBuffer *out, const pg_uuid_t *id)
{
	ByteBuffer	quoted;

	buffer_init(&quoted, NULL, NULL);
	record_write_uuid(&quoted, id);
	buffer_append(out, quoted.data + 1, quoted.length - 2);
	buffer_free(&quoted);
}

static void
say_count(ByteBuffer *out, uint64 count, const char *one, const char *many)
{
	canonical_write_integer(out, count);
	buffer_append_char(out, ' ');
	say(out, count == 1 ? one : many);
}

/* ---------------------------------------------------------------- traces */

/* The page with its annotations, as a graph to draw. */
static HumanGraph *
graph_of_page(const TracePage *page, const TraceRequest *request)
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
		if (page->edges[i].given || page->edges[i].listed)
			human_add_edge(human, (ShownText) {page->texts.data + page->edges[i].text.offset, page->edges[i].text.length},
						   &page->trace->nodes[page->edges[i].from].id, &page->trace->nodes[page->edges[i].to].id);
	}
	return human;
}

static void
say_frontier(ByteBuffer *out, const TraceFrontier *frontier, int depth)
{
	uint32		named = 0;

	if (frontier->count == 0)
		return;
	say(out, "\nCUT: the walk stopped at depth ");
	canonical_write_integer(out, depth);
	say(out, ", where ");
	say_count(out, frontier->count, "node has further causes:", "nodes have further causes:");
	for (; named < Min(frontier->count, NAMED_IDS); named++)
	{
		say(out, named == 0 ? " " : ", ");
		say_id(out, &frontier->trace->nodes[frontier->positions[named]].id);
	}
	if (named < frontier->count)
	{
		say(out, " and ");
		say_count(out, frontier->count - named, "more", "more");
	}
	say(out, ". Ask for more depth, or for each of them.\n");
}

/* trace_human(node, divisions, redact, quarantined, division, as_of_seq, depth, limit, cursor, as_of) */
Datum
reason_trace_human(PG_FUNCTION_ARGS)
{
	TraceRequest request;
	TracePage	page;
	ByteBuffer	out;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	trace_request_begin(&request, fcinfo, &request_arguments, TRACE_CURSOR_HUMAN);
	trace_page_read(&page, &request);
	node_json_buffer(&out);
	say(&out, "What led to ");
	say_id(&out, &request.start->id);
	if (request.filter.has_as_of)
	{
		ByteBuffer	time;

		buffer_init(&time, NULL, NULL);
		record_write_timestamp(&time, request.filter.as_of);
		say(&out, ", as of ");
		buffer_append(&out, time.data + 1, time.length - 2);
		buffer_free(&time);
	}
	say(&out, ": ");
	say_count(&out, page.trace->node_count, "node", "nodes");
	say(&out, ", ");
	say_count(&out, page.trace->edges_kept, "edge", "edges");
	if (page.begin > 0 || trace_page_goes_on(&page))
	{
		say(&out, "; here from node ");
		canonical_write_integer(&out, page.begin + 1);
		say(&out, " to ");
		canonical_write_integer(&out, page.end);
	}
	say(&out, "\n\n");
	human_draw(&out, graph_of_page(&page, &request));
	say_frontier(&out, &page.frontier, request.filter.max_depth);
	if (trace_page_goes_on(&page))
	{
		say(&out, "\nCUT: the next page is had with this cursor. \"nextCursor\":\"");
		trace_page_write_cursor(&page, &request, &out);
		say(&out, "\"\n");
	}
	graph_close(request.graph);
	return node_json_text(&out);
}

/* ---------------------------------------------------------------- documents of snapshots */

static size_t
count_elements(ShownText array)
{
	ShownText	name;
	ShownText	element;
	const char *at = NULL;
	size_t		count = 0;

	while (array.data && shown_next(array, &at, &name, &element))
		count++;
	return count;
}

/* Nodes with the roots first, edges, annotations. */
static HumanGraph *
graph_of_document(ShownText document, uint32 *root_count)
{
	ShownText	payload = shown_member(document, "payload");
	ShownText	nodes = shown_member(payload, "nodes");
	ShownText	edges = shown_member(payload, "edges");
	ShownText	roots = shown_member(document, "root_ids");
	ShownText	direction = shown_member(payload, "direction");
	HumanGraph *graph = human_graph(direction.length == strlen("\"ancestors\""), count_elements(nodes), count_elements(edges), 0);
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
	return graph;
}

/* Nodes of the walk from `begin` to `end`, with what the document has of them. */
static HumanGraph *
part_of(const HumanGraph *whole, const uint32 *order, uint32 begin, uint32 end, ShownText annotations)
{
	HumanGraph *part = human_graph(whole->upwards, end - begin, whole->edge_count, count_elements(annotations));
	HumanIndex *index;
	ShownText	name;
	ShownText	element;

	for (uint32 i = begin; i < end; i++)
		human_add_node(part, whole->nodes[order[i]].record, whole->nodes[order[i]].id);
	index = human_index(part);
	for (uint32 i = 0; i < whole->edge_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (human_find(index, &whole->edges[i].from) != HUMAN_NONE || human_find(index, &whole->edges[i].to) != HUMAN_NONE)
			part->edges[part->edge_count++] = whole->edges[i];
	}
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

/* document_human(document, limit, skip) */
Datum
reason_document_human(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	ShownText	document = {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
	ShownText	payload = shown_member(document, "payload");
	ShownText	frontier = shown_member(payload, "frontier");
	uint32		roots;
	HumanGraph *whole = graph_of_document(document, &roots);
	uint32		begin = Min((uint32) Max(PG_GETARG_INT32(2), 0), whole->node_count);
	uint32		end = begin + Min((uint32) Max(PG_GETARG_INT32(1), 1), whole->node_count - begin);
	ByteBuffer	out;

	node_json_buffer(&out);
	human_draw(&out, part_of(whole, human_order(whole, roots), begin, end, shown_member(payload, "annotations")));
	if (count_elements(frontier) > 0)
	{
		say(&out, "\nCUT: the walk stopped for its depth where ");
		say_count(&out, count_elements(frontier), "node has", "nodes have");
		say(&out, " further edges: ");
		shown_write_plain(&out, frontier, NAMED_IDS * 39);
		say(&out, "\n");
	}
	if (end < whole->node_count)
	{
		say(&out, "\nCUT: the next page is had with this cursor. \"nextCursor\":\"");
		canonical_write_integer(&out, end);
		say(&out, "\"\n");
	}
	return node_json_text(&out);
}
