/*
 * node_pieces.h
 *		What entries of an explanation or an impact say of their nodes, each as a piece of text.
 *
 * A page of entries reads each node that they speak of once, in batches, until
 * it is full; nodes are named by their positions in the trace.
 */
#ifndef REASON_DERIVED_NODE_PIECES_H
#define REASON_DERIVED_NODE_PIECES_H

#include "postgres.h"

#include "core/buffer.h"
#include "graph/map.h"
#include "trace/node_json.h"
#include "trace/page.h"
#include "trace/result.h"

typedef struct NodePieces
{
	const Trace *trace;
	NodeJson   *json;
	ByteBuffer	texts;			/* members that every entry has */
	ByteBuffer	scratch;
	size_t		bytes;			/* of all that was read */
	GraphMap	read;			/* position + 1 → index in pieces + 1 */
	Piece	   *pieces;
	uint32		piece_capacity;
	uint32	   *positions;		/* by piece */
	uint32		position_capacity;
	uint32		count;
} NodePieces;

/* The position of the node that an entry speaks of. */
typedef uint32 (*NodeOfEntry) (const void *entries, uint32 entry);

extern void node_pieces_begin(NodePieces *pieces, const Trace *trace, bool redact);

/*
 * Reads the trace's start and the nodes of entries from `begin` on, until `end` or, if it is bounded, the page
 * is full; returns where it ends.  The piece of a node that the snapshot does not see stays empty.
 */
extern uint32 node_pieces_read(NodePieces *pieces, NodeOfEntry node_of, const void *entries, uint32 begin, uint32 end, bool is_bounded);

/* The piece of a node that was read. */
extern void node_pieces_append(ByteBuffer *out, NodePieces *pieces, uint32 position);

#endif							/* REASON_DERIVED_NODE_PIECES_H */
