/*
 * node_pieces.h
 *		What entries of an explanation or an impact say of their nodes, each as a piece of text.
 */
#ifndef REASON_DERIVED_NODE_PIECES_H
#define REASON_DERIVED_NODE_PIECES_H

#include "postgres.h"

#include "core/buffer.h"
#include "graph/types.h"
#include "trace/node_json.h"
#include "trace/page.h"

/* So many nodes are read before their bytes are looked at. */
#define NODE_BATCH 256

typedef struct NodePieces
{
	NodeJson   *json;
	ByteBuffer	texts;			/* members that every entry has */
	ByteBuffer	scratch;
	size_t		bytes;			/* of all that was read */
	Piece	   *pieces;			/* by position of the entry that was read; the caller's */
} NodePieces;

extern void node_pieces_begin(NodePieces *pieces, const Graph *graph, bool redact);

/* Reads the nodes that the snapshot sees; the piece of one that it does not see stays as it is. */
extern void node_pieces_read(NodePieces *pieces, Graph *graph, GraphEntry *entries, int count);

extern void node_pieces_append(ByteBuffer *out, const NodePieces *pieces, uint32 position);

#endif							/* REASON_DERIVED_NODE_PIECES_H */
