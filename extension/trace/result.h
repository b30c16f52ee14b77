/*
 * result.h
 *		What a trace finds, written down by either way to run it.
 *
 * Each node once, at its smallest depth from any of the starts.  The order of a level: by the position of
 * the parent in the level before, then created_at, then id; the starts come as they were given.  The parent
 * of a node is the first one in that order that leads to it, its tree edge the first one between the two by
 * (created_at, id).  An edge is inside a trace when both its ends are.
 */
#ifndef REASON_TRACE_RESULT_H
#define REASON_TRACE_RESULT_H

#include "postgres.h"

#include "utils/uuid.h"

#include "graph/filter.h"
#include "graph/map.h"
#include "graph/sort.h"
#include "graph/types.h"

#define TRACE_NO_PARENT PG_UINT32_MAX

typedef struct TraceNode
{
	int64		no;
	TimestampTz created_at;
	pg_uuid_t	id;
	int64		edge_no;		/* tree edge; 0 for a start */
	uint32		parent;			/* position; TRACE_NO_PARENT for a start */
	uint32		edge_count;		/* edges that the walk followed to it, until its level was done */
	bool		is_behind_back_edge;	/* there is a back edge on its path: see graph/types.h; of trace/walk.c alone */
	bool		leads_on;		/* TRACE_EDGES: an edge of the last level leads from it to what is not in the trace */
	ItemPointerData tid;
	ItemPointerData edge_tid;
} TraceNode;

/* An edge inside the trace, in the direction of the walk. */
typedef struct TraceEdge
{
	int64		no;
	uint32		source;			/* position of the node that was expanded */
	uint32		target;
	ItemPointerData tid;
} TraceEdge;

typedef enum TraceDetail
{
	TRACE_REACHED,				/* the number of nodes, which are in no order and have no ids */
	TRACE_COUNT,				/* and of edges */
	TRACE_DEPTHS,				/* nodes and their parents in order, no edge_count */
	TRACE_TREE,					/* and their tree edges */
	TRACE_NODES,				/* and what trace_cycles() needs */
	TRACE_EDGES					/* and edge_count, and all edges inside the trace */
} TraceDetail;

struct TraceSearch;

typedef struct Trace
{
	Graph	   *graph;
	GraphDirection direction;
	TraceDetail detail;
	GraphFilter filter;
	int64		until_no;		/* stop when this node was reached; 0: never */
	const GraphNode *const *starts; /* distinct; the first positions are theirs */
	uint32		start_count;

	TraceNode  *nodes;			/* in the order of the trace; from the cache only with TRACE_EDGES */
	uint32		node_count;
	uint32		node_capacity;
	uint32	   *level;			/* where levels begin; level[level_count] == node_count */
	uint32		level_count;
	uint32		level_capacity;
	TraceEdge  *edges;			/* TRACE_EDGES */
	uint32		edges_kept;
	uint32		edge_capacity;
	uint64		edge_count;		/* edges inside the trace */
	GraphKey   *onward;			/* such edges, as long as filters have not seen their ends: of these, and positions */
	uint32		onward_count;
	uint32		onward_capacity;
	uint32		until_position; /* of the node until_no; TRACE_NO_PARENT: not reached */
	pg_uuid_t  *edge_ids;		/* of tree edges, by position; see trace_rows_begin() */
	GraphMap	map;			/* no → position + 1; of trace/walk.c alone */
	struct TraceSearch *search; /* of trace/cached.c alone; NULL: the indexes were walked */
	uint32	   *parents;		/* positions; of trace/cached.c, see trace_parent() */

	/* Edges that may lead back to an ancestor on the path. */
	struct
	{
		uint32		source;
		uint32		target;
	}		   *returns;
	uint32		return_count;
	uint32		return_capacity;
} Trace;

/* What is shown of a node; edge_id and parent_id are NULL for a start. */
typedef struct TraceRow
{
	const pg_uuid_t *node_id;
	const pg_uuid_t *edge_id;
	const pg_uuid_t *parent_id;
} TraceRow;

static inline uint32
trace_parent(const Trace *trace, uint32 position)
{
	return trace->parents ? trace->parents[position] : trace->nodes[position].parent;
}

/* Notes where a level begins. */
extern void trace_begin_level(Trace *trace, uint32 position);

/* After the last level that was expanded; nodes from `position` on, if any, are a level more. */
extern void trace_end_levels(Trace *trace, uint32 position);

/* Notes an edge that may lead back to an ancestor on the path. */
extern void trace_add_return(Trace *trace, uint32 source, uint32 target);

#endif							/* REASON_TRACE_RESULT_H */
