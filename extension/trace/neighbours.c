/*
 * neighbours.c
 *		A node with the edges at it, in pages: node_json().
 *
 * The edges are one row, first those that lead to the node, then those that
 * lead from it, each by (created_at, id).  Their order is read off the index of
 * edges; rows are read of the page alone.
 */
#include "postgres.h"

#include "canonical/backend.h"
#include "core/canonical.h"
#include "graph/graph.h"
#include "graph/heap.h"
#include "graph/memory.h"
#include "graph/quarantine.h"
#include "graph/sort.h"
#include "graph/walk.h"
#include "record/turn.h"
#include "trace/page.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(reason_node_json);

typedef struct Neighbour
{
	int64		edge_no;
	int64		other_no;
	TimestampTz created_at;		/* of the edge */
	pg_uuid_t	id;
	ItemPointerData tid;
	bool		found;			/* the edge is in its index */
} Neighbour;

typedef struct Neighbours
{
	Graph	   *graph;
	Neighbour  *edges;
	uint32		count;
	uint32		capacity;
	GraphKey   *by_no;			/* of what is looked up */
	uint32	   *first;			/* where the entries of a key begin in by_no */
} Neighbours;

#define ST_SORT sort_neighbours
#define ST_ELEMENT_TYPE Neighbour
#define ST_COMPARE(a, b) graph_compare_records((a)->created_at, &(a)->id, (b)->created_at, &(b)->id)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void
gather_edges(void *argument, const GraphEntry *entries, int count)
{
	Neighbours *near = argument;

	for (int i = 0; i < count; i++)
	{
		Neighbour  *edge;

		if (quarantine_hides(near->graph, entries[i].link.edge_no) || quarantine_hides(near->graph, entries[i].link.other_no))
			continue;
		graph_reserve(near->graph, near->edges, near->count, near->capacity);
		edge = &near->edges[near->count++];
		edge->edge_no = entries[i].link.edge_no;
		edge->other_no = entries[i].link.other_no;
		edge->tid = entries[i].tid;
		edge->found = false;
	}
}

static void
take_times(void *argument, const GraphEntry *entries, int count)
{
	Neighbours *near = argument;

	for (int i = 0; i < count; i++)
	{
		Neighbour  *edge = &near->edges[near->by_no[entries[i].position].index];

		edge->created_at = entries[i].record.created_at;
		edge->id = entries[i].record.id;
		edge->found = true;
	}
}

/* All edges on one side of the node, in order. */
static Neighbours
neighbours_of(Graph *graph, const GraphNode *node, GraphIndexKind side)
{
	Neighbours	near = {.graph = graph};
	Size		count;
	int64	   *keys;
	uint32		found = 0;

	graph_walk(graph, side, &node->no, 1, NULL, gather_edges, &near);
	count = Max((Size) near.count, 1);
	near.by_no = graph_alloc(graph, count * sizeof(GraphKey));
	keys = graph_alloc(graph, count * sizeof(int64));
	for (uint32 i = 0; i < near.count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		near.by_no[i].no = near.edges[i].edge_no;
		near.by_no[i].index = i;
	}
	graph_sort_keys(near.by_no, graph_alloc(graph, count * sizeof(GraphKey)), near.count);
	for (uint32 i = 0; i < near.count; i++)
		keys[i] = near.by_no[i].no;
	graph_walk(graph, GRAPH_EDGES, keys, near.count, NULL, take_times, &near);
	for (uint32 i = 0; i < near.count; i++)
	{
		GRAPH_CHECK_NOW_AND_THEN(i);
		if (near.edges[i].found)
			near.edges[found++] = near.edges[i];
	}
	near.count = found;
	sort_neighbours(near.edges, near.count);
	return near;
}

/* ---------------------------------------------------------------- texts of a page */

typedef struct EdgeTexts
{
	NodeJson   *json;
	const pg_uuid_t *self;
	bool		incoming;
	pg_uuid_t  *ids;			/* of the other ends */
	Neighbours *near;
	Piece	   *pieces;
	ByteBuffer	texts;
} EdgeTexts;

static void
store_ids(void *argument, const GraphEntry *entries, int count)
{
	EdgeTexts  *texts = argument;
	Neighbours *near = texts->near;

	for (int i = 0; i < count; i++)
	{
		for (uint32 k = near->first[entries[i].position]; k < near->first[entries[i].position + 1]; k++)
			texts->ids[near->by_no[k].index] = entries[i].record.id;
	}
}

static void
write_edge(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	EdgeTexts  *texts = argument;
	Piece	   *piece = &texts->pieces[entry->position];
	const pg_uuid_t *other = &texts->ids[entry->position];

	piece->offset = texts->texts.length;
	node_json_edge(texts->json, &texts->texts, tuple, desc,
				   texts->incoming ? other : texts->self, texts->incoming ? texts->self : other);
	piece->length = texts->texts.length - piece->offset;
}

/* Reads the nodes at the other ends of edges [begin, end). */
static void
read_ends(EdgeTexts *texts, uint32 begin, uint32 end)
{
	Neighbours *near = texts->near;
	Graph	   *graph = near->graph;
	uint32		count = end - begin;
	int64	   *keys = graph_alloc(graph, Max((Size) count, 1) * sizeof(int64));
	uint32		distinct = 0;

	texts->ids = graph_alloc(graph, Max((Size) count, 1) * sizeof(pg_uuid_t));
	near->first = graph_alloc(graph, ((Size) count + 1) * sizeof(uint32));
	for (uint32 i = 0; i < count; i++)
	{
		near->by_no[i].no = near->edges[begin + i].other_no;
		near->by_no[i].index = i;
	}
	graph_sort_keys(near->by_no, graph_alloc(graph, Max((Size) count, 1) * sizeof(GraphKey)), count);
	for (uint32 i = 0; i < count; i++)
	{
		if (i == 0 || near->by_no[i].no != near->by_no[i - 1].no)
		{
			keys[distinct] = near->by_no[i].no;
			near->first[distinct++] = i;
		}
	}
	near->first[distinct] = count;
	graph_walk(graph, GRAPH_NODES, keys, distinct, NULL, store_ids, texts);
}

/* So many rows are read before their bytes are looked at. */
#define EDGE_BATCH 256

/*
 * Appends edges from `begin` on, at most so many and, if bounded, until the bytes are used up, but one at least of the
 * page; returns where it ended.
 */
static uint32
append_neighbours(ByteBuffer *out, EdgeTexts *texts, uint32 begin, uint32 most, bool is_bounded, size_t *bytes_left, bool must_move)
{
	Neighbours *near = texts->near;
	Graph	   *graph = near->graph;
	uint32		end = begin + Min(most, near->count - begin);
	GraphEntry	entries[EDGE_BATCH];
	uint32		done = begin;

	buffer_append_char(out, '[');
	if (begin < end)
		read_ends(texts, begin, end);
	texts->pieces = graph_alloc(graph, EDGE_BATCH * sizeof(Piece));
	while (done < end)
	{
		uint32		batch = Min(end - done, EDGE_BATCH);
		pg_uuid_t  *ids = texts->ids;

		turn_if_long();
		texts->texts.length = 0;
		texts->ids = ids + (done - begin);
		memset(texts->pieces, 0, EDGE_BATCH * sizeof(Piece));
		for (uint32 i = 0; i < batch; i++)
		{
			entries[i].position = i;
			entries[i].tid = near->edges[done + i].tid;
		}
		graph_visit_rows(graph, graph->edge, entries, batch, write_edge, texts);
		texts->ids = ids;
		for (uint32 i = 0; i < batch; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (is_bounded && texts->pieces[i].length > *bytes_left && (done + i > begin || !must_move))
			{
				end = done + i;
				break;
			}
			*bytes_left -= Min(*bytes_left, texts->pieces[i].length);
			if (done + i > begin)
				buffer_append_char(out, ',');
			append_piece(out, &texts->texts, texts->pieces[i]);
		}
		done = Min(done + batch, end);
	}
	buffer_append_char(out, ']');
	return end;
}

/* ---------------------------------------------------------------- node_json() */

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

/* node_json(id, divisions, redact, quarantined, division, limit, cursor) */
static const RequestArguments node_arguments = {
	.filter = {.max_depth = -1, .types = -1, .edge_types = -1, .min_weight = -1,
			   .min_confidence = -1, .as_of = -1, .max_nodes = -1, .as_of_seq = -1},
	.direction = -1, .divisions = 1, .redact = 2, .quarantined = 3, .division = 4, .limit = 5, .cursor = 6
};

Datum
reason_node_json(PG_FUNCTION_ARGS)
{
	TraceRequest request;
	Neighbours	incoming;
	Neighbours	outgoing;
	EdgeTexts	texts;
	GraphEntry	entry;
	ByteBuffer	out;
	OneNode		one;
	size_t		bytes_left = PAGE_BYTES;
	uint32		begin;
	uint32		end;
	uint32		most;
	uint32		given;
	bool		goes_on;
	ByteBuffer	list;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	trace_request_begin(&request, fcinfo, &node_arguments, TRACE_CURSOR_NODE);
	incoming = neighbours_of(request.graph, request.start, GRAPH_LINKS_TO);
	outgoing = neighbours_of(request.graph, request.start, GRAPH_LINKS_FROM);
	texts = (EdgeTexts) {.json = node_json_begin(request.graph, request.redact), .self = &request.start->id};
	buffer_init(&texts.texts, canonical_realloc, CurrentMemoryContext);
	most = request.limit;
	begin = Min(request.cursor.offset, incoming.count);

	node_json_buffer(&out);
	buffer_append_literal(&out, "{\"incoming\":");
	texts.near = &incoming;
	texts.incoming = true;
	end = append_neighbours(&out, &texts, begin, most, request.is_bounded, &bytes_left, true);
	goes_on = end < incoming.count;
	most -= Min(most, end - begin);
	buffer_append_literal(&out, ",\"node\":");
	entry.position = 0;
	entry.tid = request.start->tid;
	one.json = texts.json;
	one.out = &out;
	graph_visit_rows(request.graph, request.graph->node, &entry, 1, write_one_node, &one);
	given = end - begin;
	begin = Min(request.cursor.offset - Min(request.cursor.offset, incoming.count), outgoing.count);
	texts.near = &outgoing;
	texts.incoming = false;
	buffer_init(&list, canonical_realloc, CurrentMemoryContext);
	if (goes_on)
		buffer_append_literal(&list, "[]");
	else
	{
		end = append_neighbours(&list, &texts, begin, most, request.is_bounded, &bytes_left, given == 0);
		goes_on = end < outgoing.count;
		end += incoming.count;
	}
	if (goes_on)
	{
		buffer_append_literal(&out, ",\"nextCursor\":\"");
		trace_cursor_write(&request.cursor, &out, end, 0);
		buffer_append_char(&out, '"');
	}
	buffer_append_literal(&out, ",\"outgoing\":");
	buffer_append(&out, list.data, list.length);
	buffer_append_literal(&out, ",\"truncated\":");
	canonical_write_boolean(&out, goes_on);
	buffer_append_char(&out, '}');
	graph_close(request.graph);
	return node_json_text(&out);
}
