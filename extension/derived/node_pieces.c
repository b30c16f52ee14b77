/*
 * node_pieces.c
 *		What entries of an explanation or an impact say of their nodes.
 */
#include "postgres.h"

#include "derived/node_pieces.h"

#include "canonical/backend.h"
#include "graph/graph.h"
#include "graph/heap.h"
#include "graph/memory.h"
#include "trace/shown.h"

#include "miscadmin.h"

/* So many nodes are read before their bytes are looked at. */
#define NODE_BATCH 256

void
node_pieces_begin(NodePieces *pieces, const Trace *trace, bool redact)
{
	memset(pieces, 0, sizeof(*pieces));
	pieces->trace = trace;
	pieces->json = node_json_begin(trace->graph, redact);
	buffer_init(&pieces->texts, canonical_realloc, CurrentMemoryContext);
	buffer_init(&pieces->scratch, canonical_realloc, CurrentMemoryContext);
	graph_map_init(&pieces->read, trace->graph);
}

/* Adds the node to those that are to be read, unless it is among them. */
static int
want(NodePieces *pieces, uint32 position, GraphEntry *entries, int count)
{
	Graph	   *graph = pieces->trace->graph;
	uint32	   *read = graph_map_slot(&pieces->read, (int64) position + 1);

	if (*read != 0)
		return count;
	graph_reserve(graph, pieces->pieces, pieces->count, pieces->piece_capacity);
	graph_reserve(graph, pieces->positions, pieces->count, pieces->position_capacity);
	pieces->positions[pieces->count] = position;
	memset(&pieces->pieces[pieces->count], 0, sizeof(Piece));
	entries[count].position = pieces->count;
	entries[count].tid = pieces->trace->nodes[position].tid;
	*read = ++pieces->count;
	return count + 1;
}

static void
write_piece(void *argument, GraphEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	NodePieces *pieces = argument;
	Piece	   *piece = &pieces->pieces[entry->position];

	pieces->scratch.length = 0;
	node_json_node(pieces->json, &pieces->scratch, tuple, desc);
	pieces->bytes += pieces->scratch.length;
	piece->offset = pieces->texts.length;
	shown_write_entry(&pieces->texts, (ShownText) {pieces->scratch.data, pieces->scratch.length});
	piece->length = pieces->texts.length - piece->offset;
}

uint32
node_pieces_read(NodePieces *pieces, NodeOfEntry node_of, const void *entries, uint32 begin, uint32 end, bool is_bounded)
{
	Graph	   *graph = pieces->trace->graph;
	GraphEntry	batch[NODE_BATCH];
	int			count = want(pieces, 0, batch, 0);
	uint32		done = begin;

	do
	{
		for (; done < end && count < NODE_BATCH; done++)
		{
			/* Entries may all speak of the same few nodes. */
			GRAPH_CHECK_NOW_AND_THEN(done);
			count = want(pieces, node_of(entries, done), batch, count);
		}
		graph_visit_rows(graph, graph->node, batch, count, write_piece, pieces);
		count = 0;
	} while (done < end && !(is_bounded && pieces->bytes > PAGE_BYTES));
	return done;
}

void
node_pieces_append(ByteBuffer *out, NodePieces *pieces, uint32 position)
{
	append_piece(out, &pieces->texts, pieces->pieces[graph_map_get(&pieces->read, (int64) position + 1) - 1]);
}
