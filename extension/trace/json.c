/*
 * json.c
 *		Traces and nodes as JSON text, for HTTP.
 *
 * A page of a trace holds some of its steps.  A step names all edges inside the
 * trace at its node, whichever page their other ends are on; the page's
 * "edges" are those whose later end, in the order of the trace, is on the page,
 * so that each edge of a trace comes once, when both its ends are known.
 *
 * A page is bounded by steps, edges and bytes.  A node with more edges than a
 * page may have is a page of its own: its step lists the first of them and says
 * that it is cut, "edges" go on over the pages that follow.
 */
#include "postgres.h"

#include "canonical/backend.h"
#include "core/canonical.h"
#include "graph/columns.h"
#include "graph/graph.h"
#include "graph/heap.h"
#include "graph/memory.h"
#include "graph/quarantine.h"
#include "graph/sort.h"
#include "graph/walk.h"
#include "record/text.h"
#include "trace/arguments.h"
#include "trace/cursor.h"
#include "trace/node_json.h"
#include "trace/trace.h"
#include "trace/tree.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_trace_json);
PG_FUNCTION_INFO_V1(reason_node_json);

/* Where the text of something lies in a buffer. */
typedef struct Piece
{
	size_t		offset;
	size_t		length;
} Piece;

static inline void
append_piece(ByteBuffer *out, const ByteBuffer *texts, Piece piece)
{
	buffer_append(out, texts->data + piece.offset, piece.length);
}

/* ---------------------------------------------------------------- edges of a page */

typedef struct PageEdge
{
	TimestampTz created_at;
	pg_uuid_t	id;
	uint32		from;			/* positions */
	uint32		to;
	bool		listed;			/* by the steps of its ends */
	bool		given;			/* among the edges of the page */
	Piece		text;
} PageEdge;

#define ST_SORT sort_page_edges
#define ST_ELEMENT_TYPE PageEdge
#define ST_COMPARE(a, b) ((a)->created_at != (b)->created_at ? ((a)->created_at < (b)->created_at ? -1 : 1) : memcmp(&(a)->id, &(b)->id, UUID_LEN))
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* What a page holds at most, if it may not hold everything. */
#define PAGE_EDGES 10000
#define PAGE_BYTES ((size_t) 32 * 1024 * 1024)
/* So many nodes are read before their bytes are looked at. */
#define NODE_BATCH 256

typedef struct TracePage
{
	Trace	   *trace;
	NodeJson  *json;
	bool		is_bounded;
	uint32		begin;
	uint32		end;
	uint32		skip_edges;		/* of the first node, given on the pages before */
	uint32		next_skip;		/* the same for the next page; 0 when it begins at the node after */
	bool		is_cut;			/* the first step does not list all its edges */
	bool		is_full;		/* has too many bytes */
	ByteBuffer	texts;			/* of nodes and edges, each once */
	Piece	   *nodes;
	PageEdge   *edges;
	uint32		edge_count;
} TracePage;

static inline bool
on_page(const TracePage *page, uint32 position)
{
	return position >= page->begin && position < page->end;
}

static void
write_node(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	TracePage	   *page = argument;
	Piece	   *piece = &page->nodes[entry->position];

	piece->offset = page->texts.length;
	node_json_node(page->json, &page->texts, tuple, desc);
	piece->length = page->texts.length - piece->offset;
}

static void
write_edge(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	TracePage	   *page = argument;
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
		uint32		batch = page->is_bounded ? Min(count - done, NODE_BATCH) : count;

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
		if (on_page(page, edge->source))
			at_node[edge->source - page->begin]++;
		if (on_page(page, edge->target) && edge->target != edge->source)
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

/* Of a page that is one node with more edges than `most`: those to list at its step, and those whose turn it is. */
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
		if (on_page(page, Max(edge->source, edge->target)))
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
		if (!on_page(page, trace->edges[i].source) && !on_page(page, trace->edges[i].target))
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
			add_edge(page, entries, edge, true, on_page(page, Max(edge->source, edge->target)));
		}
	}
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

/* ---------------------------------------------------------------- steps */

/* Indexes into page->edges, grouped by step: those of step i from start[i] to start[i + 1]. */
typedef struct EdgeLists
{
	uint32	   *start;
	uint32	   *edges;
} EdgeLists;

static EdgeLists
list_edges(TracePage *page, bool incoming)
{
	Graph	   *graph = page->trace->graph;
	uint32		count = page->end - page->begin;
	EdgeLists	lists;

	lists.start = graph_alloc(graph, (Size) (count + 2) * sizeof(uint32));
	lists.edges = graph_alloc(graph, Max((Size) page->edge_count, 1) * sizeof(uint32));
	memset(lists.start, 0, (Size) (count + 2) * sizeof(uint32));
	/* Counted two further than meant, so that after placing start[i] is where i begins. */
	for (uint32 i = 0; i < page->edge_count; i++)
	{
		uint32		node = incoming ? page->edges[i].to : page->edges[i].from;

		GRAPH_CHECK_NOW_AND_THEN(i);
		if (page->edges[i].listed && on_page(page, node))
			lists.start[node - page->begin + 2]++;
	}
	for (uint32 i = 2; i < count + 2; i++)
		lists.start[i] += lists.start[i - 1];
	for (uint32 i = 0; i < page->edge_count; i++)
	{
		uint32		node = incoming ? page->edges[i].to : page->edges[i].from;

		GRAPH_CHECK_NOW_AND_THEN(i);
		if (page->edges[i].listed && on_page(page, node))
			lists.edges[lists.start[node - page->begin + 1]++] = i;
	}
	return lists;
}

static void
append_edge_list(ByteBuffer *out, const TracePage *page, const EdgeLists *lists, uint32 step)
{
	buffer_append_char(out, '[');
	for (uint32 i = lists->start[step]; i < lists->start[step + 1]; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > lists->start[step])
			buffer_append_char(out, ',');
		append_piece(out, &page->texts, page->edges[lists->edges[i]].text);
	}
	buffer_append_char(out, ']');
}

static void
append_steps(ByteBuffer *out, TracePage *page)
{
	Trace	   *trace = page->trace;
	bool	   *cycle = trace_cycles(trace);
	EdgeLists	incoming = list_edges(page, true);
	EdgeLists	outgoing = list_edges(page, false);
	uint32		depth = 0;

	buffer_append_literal(out, ",\"steps\":[");
	for (uint32 i = page->begin; i < page->end && page->skip_edges == 0; i++)
	{
		uint32		step = i - page->begin;

		CHECK_FOR_INTERRUPTS();
		while (i >= trace->level[depth + 1])
			depth++;
		if (step > 0)
			buffer_append_char(out, ',');
		buffer_append_literal(out, "{\"node\":");
		append_piece(out, &page->texts, page->nodes[step]);
		buffer_append_literal(out, ",\"depth\":");
		canonical_write_integer(out, depth);
		buffer_append_literal(out, ",\"incoming\":");
		append_edge_list(out, page, &incoming, step);
		buffer_append_literal(out, ",\"outgoing\":");
		append_edge_list(out, page, &outgoing, step);
		buffer_append_literal(out, ",\"cycleDetected\":");
		canonical_write_boolean(out, cycle[i]);
		if (page->is_cut)
			buffer_append_literal(out, ",\"truncated\":true");
		buffer_append_char(out, '}');
	}
	buffer_append_char(out, ']');
}

static void
append_edges(ByteBuffer *out, const TracePage *page)
{
	bool		first = true;

	buffer_append_literal(out, ",\"edges\":[");
	for (uint32 i = 0; i < page->edge_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!page->edges[i].given)
			continue;
		if (!first)
			buffer_append_char(out, ',');
		first = false;
		append_piece(out, &page->texts, page->edges[i].text);
	}
	buffer_append_char(out, ']');
}

/* ---------------------------------------------------------------- trace_json() */

/*
 * trace_json(node, direction, depth, limit, cursor, types, edge_types, min_weight, min_confidence,
 * as_of, redact, divisions, quarantined, division, as_of_seq)
 */
static const TraceArguments trace_arguments = {
	.max_depth = 2, .types = 5, .edge_types = 6, .min_weight = 7, .min_confidence = 8, .as_of = 9, .max_nodes = -1, .as_of_seq = 14
};
#define ARGUMENT_LIMIT 3
#define ARGUMENT_CURSOR 4
#define ARGUMENT_REDACT 10
#define ARGUMENT_DIVISIONS 11
#define ARGUMENT_QUARANTINED 12
#define ARGUMENT_DIVISION 13

static uint32
limit_argument(FunctionCallInfo fcinfo)
{
	int32		limit;

	if (PG_ARGISNULL(ARGUMENT_LIMIT))
		return PG_UINT32_MAX;
	limit = PG_GETARG_INT32(ARGUMENT_LIMIT);
	if (limit < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("limit must be at least 1")));
	return limit;
}

static GraphDivisions
divisions_argument(FunctionCallInfo fcinfo, int argument, Graph *graph)
{
	if (PG_ARGISNULL(argument))
		return graph_divisions_of_user(graph);
	return graph_divisions_of_array(PG_GETARG_DATUM(argument));
}

Datum
reason_trace_json(PG_FUNCTION_ARGS)
{
	GraphDirection direction = trace_direction_argument(fcinfo, 1);
	GraphFilter filter = trace_filter_of(fcinfo, &trace_arguments);
	uint32		limit = limit_argument(fcinfo);
	bool		redact = PG_ARGISNULL(ARGUMENT_REDACT) || PG_GETARG_BOOL(ARGUMENT_REDACT);
	RecordText	cursor_text = record_text_argument(fcinfo, ARGUMENT_CURSOR);
	TraceCursor cursor;
	Graph	   *graph;
	GraphDivisions divisions;
	GraphNode  *start;
	TracePage		page = {0};
	ByteBuffer	out;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	graph = graph_open();
	divisions = divisions_argument(fcinfo, ARGUMENT_DIVISIONS, graph);
	quarantine_argument(fcinfo, ARGUMENT_QUARANTINED, graph);
	trace_cursor_begin(&cursor, graph, PG_GETARG_UUID_P(0), direction, &filter, cursor_text);
	start = trace_start(graph, PG_GETARG_UUID_P(0), &divisions, record_text_argument(fcinfo, ARGUMENT_DIVISION), &filter);
	if (cursor.horizon)
	{
		graph->horizon = cursor.horizon;
		quarantine_load(graph);
	}

	page.trace = trace_run(graph, start, direction, &filter, TRACE_EDGES, 0);
	page.json = node_json_begin(graph, redact);
	page.is_bounded = !PG_ARGISNULL(ARGUMENT_LIMIT);
	page.begin = Min(cursor.offset, page.trace->node_count);
	page.skip_edges = cursor.edge_offset;
	page.end = page.begin + Min(limit, page.trace->node_count - page.begin);
	/* What is left of the edges of a node whose step was given is a page of its own. */
	if (page.skip_edges > 0)
		page.end = Min(page.begin + 1, page.end);
	buffer_init(&page.texts, canonical_realloc, CurrentMemoryContext);
	end_by_edges(&page, PAGE_EDGES);
	read_nodes(&page);
	read_edges(&page);

	node_json_buffer(&out);
	buffer_append_literal(&out, "{\"startNodeId\":");
	record_write_uuid(&out, &start->id);
	if (direction == GRAPH_ANCESTORS)
		buffer_append_literal(&out, ",\"direction\":\"ancestors\",\"depth\":");
	else
		buffer_append_literal(&out, ",\"direction\":\"descendants\",\"depth\":");
	if (filter.max_depth >= 0)
		canonical_write_integer(&out, filter.max_depth);
	else
		buffer_append_literal(&out, "null");
	append_steps(&out, &page);
	append_edges(&out, &page);
	if (page.next_skip > 0 || page.end < page.trace->node_count)
	{
		buffer_append_literal(&out, ",\"nextCursor\":\"");
		trace_cursor_write(&cursor, &out, page.next_skip > 0 ? page.begin : page.end, page.next_skip);
		buffer_append_literal(&out, "\",\"truncated\":true}");
	}
	else
		buffer_append_literal(&out, ",\"truncated\":false}");
	graph_close(graph);
	return node_json_text(&out);
}

/* ---------------------------------------------------------------- node_json() */

/* The edges at one node, and the numbers of their other ends. */
typedef struct Neighbours
{
	Graph	   *graph;
	GraphEntry *entries;
	uint32		count;
	uint32		capacity;
	GraphKey   *others;			/* by number */
	pg_uuid_t  *ids;			/* of the other end, by position of the entry */
	const pg_uuid_t *self;
	bool		incoming;
	NodeJson   *json;
	ByteBuffer	texts;
	PageEdge   *edges;
	int64	   *keys;			/* distinct other ends */
	uint32	   *first;			/* where the entries of a key begin in others */
} Neighbours;

static void
gather_edges(void *argument, const GraphEntry *entries, int count)
{
	Neighbours *near = argument;

	for (int i = 0; i < count; i++)
	{
		if (quarantine_hides(near->graph, entries[i].link.edge_no) || quarantine_hides(near->graph, entries[i].link.other_no))
			continue;
		graph_reserve(near->graph, near->entries, near->count, near->capacity);
		near->entries[near->count] = entries[i];
		near->entries[near->count].position = near->count;
		near->count++;
	}
}

static void
store_ids(void *argument, const GraphEntry *entries, int count)
{
	Neighbours *near = argument;

	for (int i = 0; i < count; i++)
	{
		for (uint32 k = near->first[entries[i].position]; k < near->first[entries[i].position + 1]; k++)
			near->ids[near->others[k].index] = entries[i].record.id;
	}
}

static void
write_neighbour(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	Neighbours *near = argument;
	PageEdge   *edge = &near->edges[entry->position];
	const pg_uuid_t *other = &near->ids[entry->position];
	bool		isnull;

	edge->created_at = DatumGetTimestampTz(heap_getattr(tuple, EDGE_CREATED_AT, desc, &isnull));
	edge->id = *DatumGetUUIDP(heap_getattr(tuple, EDGE_ID, desc, &isnull));
	edge->text.offset = near->texts.length;
	node_json_edge(near->json, &near->texts, tuple, desc,
				   near->incoming ? other : near->self, near->incoming ? near->self : other);
	edge->text.length = near->texts.length - edge->text.offset;
}

static void
append_neighbours(ByteBuffer *out, Graph *graph, NodeJson *json, const GraphNode *node, bool incoming)
{
	Neighbours	near = {.graph = graph, .json = json, .self = &node->id, .incoming = incoming};
	GraphKey   *scratch;
	uint32		distinct = 0;

	graph_walk(graph, incoming ? GRAPH_LINKS_TO : GRAPH_LINKS_FROM, &node->no, 1, NULL, gather_edges, &near);
	near.others = graph_alloc(graph, Max((Size) near.count, 1) * sizeof(GraphKey));
	scratch = graph_alloc(graph, Max((Size) near.count, 1) * sizeof(GraphKey));
	near.ids = graph_alloc(graph, Max((Size) near.count, 1) * sizeof(pg_uuid_t));
	near.keys = graph_alloc(graph, Max((Size) near.count, 1) * sizeof(int64));
	near.first = graph_alloc(graph, (Size) (near.count + 1) * sizeof(uint32));
	near.edges = graph_alloc(graph, Max((Size) near.count, 1) * sizeof(PageEdge));
	for (uint32 i = 0; i < near.count; i++)
	{
		near.others[i].no = near.entries[i].link.other_no;
		near.others[i].index = i;
	}
	graph_sort_keys(near.others, scratch, near.count);
	for (uint32 i = 0; i < near.count; i++)
	{
		if (i == 0 || near.others[i].no != near.others[i - 1].no)
		{
			near.keys[distinct] = near.others[i].no;
			near.first[distinct++] = i;
		}
	}
	near.first[distinct] = near.count;
	graph_walk(graph, GRAPH_NODES, near.keys, distinct, NULL, store_ids, &near);

	buffer_init(&near.texts, canonical_realloc, CurrentMemoryContext);
	graph_visit_rows(graph, graph->edge, near.entries, near.count, write_neighbour, &near);
	sort_page_edges(near.edges, near.count);
	buffer_append_char(out, '[');
	for (uint32 i = 0; i < near.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > 0)
			buffer_append_char(out, ',');
		append_piece(out, &near.texts, near.edges[i].text);
	}
	buffer_append_char(out, ']');
}

typedef struct OneNode
{
	NodeJson   *json;
	ByteBuffer *out;
} OneNode;

static void
write_one_node(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	OneNode    *one = argument;

	node_json_node(one->json, one->out, tuple, desc);
}

/* node_json(id, divisions, redact, quarantined, division) */
Datum
reason_node_json(PG_FUNCTION_ARGS)
{
	bool		redact = PG_ARGISNULL(2) || PG_GETARG_BOOL(2);
	GraphFilter all;
	Graph	   *graph;
	GraphDivisions divisions;
	GraphNode  *node;
	GraphEntry	entry;
	NodeJson   *json;
	ByteBuffer	out;
	OneNode		one;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	graph_filter_init(&all);
	graph = graph_open();
	divisions = divisions_argument(fcinfo, 1, graph);
	quarantine_argument(fcinfo, 3, graph);
	node = trace_start(graph, PG_GETARG_UUID_P(0), &divisions, record_text_argument(fcinfo, 4), &all);
	json = node_json_begin(graph, redact);
	node_json_buffer(&out);
	buffer_append_literal(&out, "{\"node\":");
	entry.position = 0;
	entry.tid = node->tid;
	one.json = json;
	one.out = &out;
	graph_visit_rows(graph, graph->node, &entry, 1, write_one_node, &one);
	buffer_append_literal(&out, ",\"incoming\":");
	append_neighbours(&out, graph, json, node, true);
	buffer_append_literal(&out, ",\"outgoing\":");
	append_neighbours(&out, graph, json, node, false);
	buffer_append_char(&out, '}');
	graph_close(graph);
	return node_json_text(&out);
}
