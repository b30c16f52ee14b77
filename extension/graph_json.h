/*
 * graph_json.h
 *		JSON text of nodes, edges and annotations, as HTTP answers show them.
 *
 * Members in canonical order.  The text is written straight into the buffer;
 * nothing becomes jsonb on the way.
 */
#ifndef REASON_GRAPH_JSON_H
#define REASON_GRAPH_JSON_H

#include "postgres.h"

#include "access/htup.h"

#include "buffer.h"
#include "graph.h"
#include "redact.h"

typedef struct GraphJson
{
	MemoryContext scratch;		/* reset after each row */
	Redaction  *redaction;		/* NULL shows everything as it is */
	const Graph *graph;			/* tells which nodes are in quarantine */
} GraphJson;

/* Lives in CurrentMemoryContext. */
extern GraphJson *graph_json_begin(const Graph *graph, bool redact);

/* A buffer in CurrentMemoryContext, with room in front for the header of a text value. */
extern void graph_json_buffer(ByteBuffer *out);
/* The text value made of such a buffer; raises 54000 if it is larger than a value may be. */
extern Datum graph_json_text(ByteBuffer *out);

/* A row of reason.node. */
extern void graph_json_node(GraphJson *json, ByteBuffer *out, HeapTuple tuple, TupleDesc desc);
/* A row of reason.edge; the ids of its ends are not in the row. */
extern void graph_json_edge(GraphJson *json, ByteBuffer *out, HeapTuple tuple, TupleDesc desc,
							const pg_uuid_t *from, const pg_uuid_t *to);
/* A payload, metadata or payloadRef, redacted if need be; NULL writes null. */
extern void graph_json_content(GraphJson *json, ByteBuffer *out, Datum content, bool isnull);
/* An author, redacted if need be. */
extern void graph_json_author(GraphJson *json, ByteBuffer *out, Datum author);
extern void graph_json_text_member(ByteBuffer *out, Datum value);
extern void graph_json_hex(ByteBuffer *out, Datum bytes);

#endif							/* REASON_GRAPH_JSON_H */
