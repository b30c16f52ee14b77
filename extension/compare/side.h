/*
 * side.h
 *		One side of a comparison: what is compared of its nodes and edges.
 */
#ifndef REASON_COMPARE_SIDE_H
#define REASON_COMPARE_SIDE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/uuid.h"

#include "core/buffer.h"
#include "record/record.h"
#include "trace/node_json.h"
#include "trace/request.h"
#include "trace/result.h"
#include "trace/shown.h"

typedef struct SideNode
{
	pg_uuid_t	id;
	uint8		digest[REASON_DIGEST_LENGTH];
	bool		is_erased;
	bool		is_corrected;	/* an edge of type corrects leads to it, on this side */
	uint32		source;			/* position in the trace, or in texts */
} SideNode;

typedef struct SideEdge
{
	pg_uuid_t	id;
	pg_uuid_t	from;
	pg_uuid_t	to;
	TimestampTz created_at;
	RecordText	type;
	double		weight;
	double		confidence;
	bool		has_confidence;
} SideEdge;

typedef struct Side
{
	Graph	   *graph;			/* its memory holds everything below */
	bool		is_snapshot;
	pg_uuid_t	id;				/* of the node, or of the snapshot */
	SideNode   *nodes;			/* by id */
	uint32		node_count;
	SideEdge   *edges;			/* by id */
	uint32		edge_count;
	uint32		frontier_count; /* nodes at which the walk stopped for its depth */
	Trace	   *trace;			/* of a trace: its rows can be read while the graph is open */
	NodeJson   *json;
	ShownText  *texts;			/* of a snapshot: of its nodes */
} Side;

/* The trace that is asked for, from its start, as its filter has it. */
extern void side_of_trace(Side *side, const TraceRequest *request);

/* The document of a snapshot, which must stay; the graph lends its memory. */
extern void side_of_document(Side *side, Graph *graph, ShownText document);

/* For those two: sorts, and notes what is corrected. */
extern void side_finish(Side *side);

/* The node of that id; NULL: the side has none. */
extern SideNode *side_node(const Side *side, const pg_uuid_t *id);
extern const SideEdge *side_edge(const Side *side, const pg_uuid_t *id);

/* Members that tell of the node in a list, as the caller is shown it. */
extern void side_write_node(ByteBuffer *out, const Side *side, const SideNode *node);

#endif							/* REASON_COMPARE_SIDE_H */
