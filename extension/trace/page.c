/*
 * page.c
 *		A page of a trace: its nodes and edges as text, within bounds.
 */
#include "postgres.h"

#include "trace/page.h"

#include "canonical/backend.h"
#include "graph/columns.h"
#include "graph/heap.h"
#include "graph/memory.h"
#include "graph/sort.h"
#include "record/turn.h"
#include "trace/trace.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#define ST_SORT sort_page_edges
#define ST_ELEMENT_TYPE PageEdge
#define ST_COMPARE(a, b) graph_compare_records((a)->created_at, &(a)->id, (b)->created_at, &(b)->id)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

void
page_sort_edges(PageEdge *edges, uint32 count)
{
	sort_page_edges(edges, count);
}

/* So many nodes are read before their bytes are looked at. */
#define NODE_BATCH 256
#define FIRST_BATCH 64
#define BATCH_BYTES ((size_t) 2 * 1024 * 1024)

static void
write_node(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	TracePage  *page = argument;
	Piece	   *piece = &page->nodes[entry->position];

	piece->offset = page->texts.length;
	node_json_node(page->json, &page->texts, tuple, desc);
	piece->length = page->texts.length - piece->offset;
}

static void
write_edge(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	TracePage  *page = argument;
	PageEdge   *edge = &page->edges[entry->position];
	bool		isnull;

	/* What is written then is thrown away. */
	if (page->is_bounded && page->texts.length > 3 * PAGE_BYTES)
	{
		page->is_full = true;
		return;
	}
	edge->created_at = DatumGetTimestampTz(heap_getattr(tuple, EDGE_CREATED_AT, desc, &isnull));
	edge->id = *DatumGetUUIDP(heap_getattr(tuple, EDGE_ID, desc, &isnull));
	edge->text.offset = page->texts.length;
	node_json_edge(page->json, &page->texts, tuple, desc,
				   &page->trace->nodes[edge->from].id, &page->trace->nodes[edge->to].id);
	edge->text.length = page->texts.length - edge->text.offset;
}

/* How many nodes to read next: few where they are large, so that little is read for nothing, and a turn is waited for in time. */
static uint32
next_batch(uint32 done, size_t bytes)
{
	return done == 0 ? FIRST_BATCH : (uint32) Min(NODE_BATCH, Max(BATCH_BYTES / (bytes / done + 1), 4));
}

/* Ends the page before the node that would make it too large, but for the first. */
static void
read_nodes(TracePage *page)
{
	Graph	   *graph = page->trace->graph;
	uint32		count = page->end - page->begin;
	GraphEntry *entries = graph_alloc(graph, Max((Size) count, 1) * sizeof(GraphEntry));
	size_t		bytes = 0;

	page->nodes = graph_alloc(graph, Max((Size) count, 1) * sizeof(Piece));
	memset(page->nodes, 0, Max((Size) count, 1) * sizeof(Piece));
	for (uint32 done = 0; done < page->end - page->begin;)
	{
		uint32		batch = page->is_bounded ? Min(count - done, next_batch(done, bytes)) : count;

		turn_if_long();
		for (uint32 i = 0; i < batch; i++)
		{
			GRAPH_CHECK_NOW_AND_THEN(i);
			entries[i].position = done + i;
			entries[i].tid = page->trace->nodes[page->begin + done + i].tid;
		}
		graph_visit_rows(graph, graph->node, entries, batch, write_node, page);
		for (uint32 i = done; i < done + batch && page->is_bounded; i++)
		{
			bytes += page->nodes[i].length;
			if (bytes > PAGE_BYTES && i > 0)
			{
				page->end = page->begin + i;
				break;
			}
		}
		done += batch;
	}
}

/* Ends the page before the node that brings too many edges; returns how many the nodes until then have. */
static uint32
end_by_edges(TracePage *page, uint32 most)
{
	Trace	   *trace = page->trace;
	uint32		count = page->end - page->begin;
	uint32	   *at_node = graph_alloc(trace->graph, Max((Size) count, 1) * sizeof(uint32));
	uint32		total = 0;

	memset(at_node, 0, Max((Size) count, 1) * sizeof(uint32));
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		const TraceEdge *edge = &trace->edges[i];

		GRAPH_CHECK_NOW_AND_THEN(i);
		if (trace_on_page(page, edge->source))
			at_node[edge->source - page->begin]++;
		if (trace_on_page(page, edge->target) && edge->target != edge->source)
			at_node[edge->target - page->begin]++;
	}
	for (uint32 i = 0; i < count; i++)
	{
		if (page->is_bounded && i > 0 && total + at_node[i] > most)
		{
			page->end = page->begin + i;
			break;
		}
		total += at_node[i];
	}
	return total;
}

static void
add_edge(TracePage *page, GraphEntry *entries, const TraceEdge *edge, bool listed, bool given)
{
	bool		upwards = page->trace->direction == GRAPH_ANCESTORS;
	PageEdge   *added = &page->edges[page->edge_count];

	entries[page->edge_count].position = page->edge_count;
	entries[page->edge_count].tid = edge->tid;
	added->from = upwards ? edge->target : edge->source;
	added->to = upwards ? edge->source : edge->target;
	added->listed = listed;
	added->given = given;
	added->text.length = 0;
	page->edge_count++;
}

/* Where a page is one node with more edges than `most`: those to list at its step, and those whose turn it is. */
static void
choose_edges(TracePage *page, GraphEntry *entries, GraphKey *keys, uint32 count, uint32 most)
{
	Trace	   *trace = page->trace;
	uint32		own = 0;

	/* By number: the one order that later pages find again. */
	graph_sort_keys(keys, graph_alloc(trace->graph, (Size) count * sizeof(GraphKey)), count);
	for (uint32 i = 0; i < count; i++)
	{
		const TraceEdge *edge = &trace->edges[keys[i].index];
		bool		listed = page->skip_edges == 0 && i < most;
		bool		given = false;

		GRAPH_CHECK_NOW_AND_THEN(i);
		if (trace_on_page(page, Max(edge->source, edge->target)))
		{
			given = own >= page->skip_edges && own - page->skip_edges < most;
			own++;
		}
		if (listed || given)
			add_edge(page, entries, edge, listed, given);
	}
	page->is_cut = true;
	if (own > page->skip_edges && own - page->skip_edges > most)
		page->next_skip = page->skip_edges + most;
}

static void
read_some_edges(TracePage *page, uint32 most)
{
	Trace	   *trace = page->trace;
	Graph	   *graph = trace->graph;
	uint32		count = end_by_edges(page, most);
	GraphEntry *entries = graph_alloc(graph, Max((Size) count, 1) * sizeof(GraphEntry));
	GraphKey   *keys = graph_alloc(graph, Max((Size) count, 1) * sizeof(GraphKey));
	uint32		found = 0;

	page->edges = graph_alloc(graph, Max((Size) count, 1) * sizeof(PageEdge));
	page->edge_count = 0;
	page->next_skip = 0;
	page->is_cut = false;
	page->is_full = false;
	for (uint32 i = 0; i < trace->edges_kept; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (!trace_on_page(page, trace->edges[i].source) && !trace_on_page(page, trace->edges[i].target))
			continue;
		keys[found].no = trace->edges[i].no;
		keys[found++].index = i;
	}
	if (page->is_bounded && (found > most || page->skip_edges > 0))
		choose_edges(page, entries, keys, found, most);
	else
	{
		for (uint32 i = 0; i < found; i++)
		{
			const TraceEdge *edge = &trace->edges[keys[i].index];

			GRAPH_CHECK_NOW_AND_THEN(i);
			add_edge(page, entries, edge, true, trace_on_page(page, Max(edge->source, edge->target)));
		}
	}
	turn_if_long();
	graph_visit_rows(graph, graph->edge, entries, page->edge_count, write_edge, page);
}

/* Edges may carry much: fewer of them then. */
static void
read_edges(TracePage *page)
{
	size_t		before = page->texts.length;
	uint32		most = PAGE_EDGES;

	for (;;)
	{
		read_some_edges(page, most);
		if (!page->is_bounded || most == 1 || (!page->is_full && page->texts.length - before <= PAGE_BYTES))
			break;
		page->texts.length = before;
		most = Max(most / 4, 1);
	}
	sort_page_edges(page->edges, page->edge_count);
}

/* ---------------------------------------------------------------- the page */

void
trace_page_read(TracePage *page, const TraceRequest *request)
{
	memset(page, 0, sizeof(*page));
	page->trace = trace_run(request->graph, request->start, request->direction, &request->filter, TRACE_EDGES, 0);
	page->json = node_json_begin(request->graph, request->redact);
	page->is_bounded = request->is_bounded;
	page->begin = Min(request->cursor.offset, page->trace->node_count);
	page->skip_edges = request->cursor.edge_offset;
	page->end = page->begin + Min(request->limit, page->trace->node_count - page->begin);
	/* What is left of the edges of a node whose step was given is a page of its own. */
	if (page->skip_edges > 0)
		page->end = Min(page->begin + 1, page->end);
	buffer_init(&page->texts, canonical_realloc, CurrentMemoryContext);
	if (request->lists_edges)
		end_by_edges(page, PAGE_EDGES);
	read_nodes(page);
	if (request->lists_edges)
		read_edges(page);
	trace_frontier_find(&page->frontier, page->trace);
}

static void
append_row(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	TracePage  *page = argument;

	node_json_node(page->json, &page->texts, tuple, desc);
}

Piece
trace_page_start(TracePage *page)
{
	Graph	   *graph = page->trace->graph;
	GraphEntry	entry = {0};
	Piece		piece = {.offset = page->texts.length};

	if (page->begin == 0 && page->end > 0)
		return page->nodes[0];
	entry.tid = page->trace->nodes[0].tid;
	graph_visit_rows(graph, graph->node, &entry, 1, append_row, page);
	piece.length = page->texts.length - piece.offset;
	return piece;
}

bool
trace_page_goes_on(const TracePage *page)
{
	return page->next_skip > 0 || page->end < page->trace->node_count;
}

void
trace_page_write_cursor(const TracePage *page, const TraceRequest *request, ByteBuffer *out)
{
	trace_cursor_write(&request->cursor, out, page->next_skip > 0 ? page->begin : page->end, page->next_skip);
}
