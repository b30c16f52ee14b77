/*
 * node_pieces.c
 *		What entries of an explanation or an impact say of their nodes.
 */
#include "postgres.h"

#include "derived/node_pieces.h"

#include "canonical/backend.h"
#include "graph/graph.h"
#include "graph/heap.h"
#include "trace/shown.h"

void
node_pieces_begin(NodePieces *pieces, const Graph *graph, bool redact)
{
	pieces->json = node_json_begin(graph, redact);
	buffer_init(&pieces->texts, canonical_realloc, CurrentMemoryContext);
	buffer_init(&pieces->scratch, canonical_realloc, CurrentMemoryContext);
	pieces->bytes = 0;
	pieces->pieces = NULL;
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

void
node_pieces_read(NodePieces *pieces, Graph *graph, GraphEntry *entries, int count)
{
	graph_visit_rows(graph, graph->node, entries, count, write_piece, pieces);
}

void
node_pieces_append(ByteBuffer *out, const NodePieces *pieces, uint32 position)
{
	append_piece(out, &pieces->texts, pieces->pieces[position]);
}
