/*
 * node_json.h
 *		JSON text of nodes, edges and annotations, as HTTP answers show them.
 *
 * Members in canonical order.  The text is written straight into the buffer;
 * nothing becomes jsonb on the way.
 */
#ifndef REASON_TRACE_NODE_JSON_H
#define REASON_TRACE_NODE_JSON_H

#include "postgres.h"

#include "access/htup.h"

#include "core/buffer.h"
#include "graph/types.h"
#include "redact/redact.h"

typedef struct NodeJson
{
	MemoryContext scratch;		/* reset after each row */
	Redaction  *redaction;		/* NULL shows everything as it is */
	const Graph *graph;			/* tells which nodes are in quarantine */
} NodeJson;

/* Lives in CurrentMemoryContext. */
extern NodeJson *node_json_begin(const Graph *graph, bool redact);

/* A buffer in CurrentMemoryContext, with room in front for the header of a text value. */
extern void node_json_buffer(ByteBuffer *out);
/* The text value made of such a buffer; raises 54000 if it is larger than a value may be. */
extern Datum node_json_text(ByteBuffer *out);

/* A row of reason.node. */
extern void node_json_node(NodeJson *json, ByteBuffer *out, HeapTuple tuple, TupleDesc desc);
/* A row of reason.edge; the ids of its ends are not in the row. */
extern void node_json_edge(NodeJson *json, ByteBuffer *out, HeapTuple tuple, TupleDesc desc,
						   const pg_uuid_t *from, const pg_uuid_t *to);
/* A payload, metadata or payloadRef, redacted if need be; NULL writes null. */
extern void node_json_content(NodeJson *json, ByteBuffer *out, Datum content, bool isnull);
/* An author, redacted if need be. */
extern void node_json_author(NodeJson *json, ByteBuffer *out, Datum author);
extern void node_json_text_member(ByteBuffer *out, Datum value);
extern void node_json_hex(ByteBuffer *out, Datum bytes);

#endif							/* REASON_TRACE_NODE_JSON_H */
