/*
 * trace.h
 *		Breadth-first traces.
 *
 * Each node once, at its smallest depth.  The order of a level: by the position of the parent in
 * the level before, then created_at, then id.  The parent of a node is the
 * first one in that order that leads to it, its tree edge the first one
 * between the two by (created_at, id).  An edge is inside a trace when both its ends are.
 */
#ifndef REASON_TRACE_TRACE_H
#define REASON_TRACE_TRACE_H

#include "postgres.h"

#include "fmgr.h"

#include "graph/filter.h"
#include "graph/map.h"

#define TRACE_NO_PARENT PG_UINT32_MAX

typedef struct TraceNode
{
	int64		no;
	TimestampTz created_at;
	pg_uuid_t	id;
	int64		edge_no;		/* tree edge; 0 for the start */
	uint32		parent;			/* position; TRACE_NO_PARENT for the start */
	uint32		edge_count;		/* edges that the walk followed to it, until its level was done */
	bool		is_behind_back_edge;	/* there is a back edge on its path: see graph/graph.h; of trace/walk.c alone */
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
	TRACE_COUNT,				/* numbers of nodes and edges; nodes are in no order and have no ids */
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
	TraceFilter filter;
	int64		until_no;		/* stop when this node was reached; 0: never */

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
	uint32		until_position;	/* of the node until_no; TRACE_NO_PARENT: not reached */
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

/*
 * Runs a trace by whichever way is faster: along the covering indexes, or in the adjacency
 * cache.  Everything lives in the graph's memory.
 */
extern Trace *trace_run(Graph *graph, const GraphNode *start, GraphDirection direction, const TraceFilter *filter,
						TraceDetail detail, int64 until_no);

/* For each node, in the graph's memory: an edge leads from it to itself or back to an ancestor on its path. */
extern bool *trace_cycles(Trace *trace);

/* What is shown of a node; edge_id and parent_id are NULL for the start. */
typedef struct TraceRow
{
	const pg_uuid_t *node_id;
	const pg_uuid_t *edge_id;
	const pg_uuid_t *parent_id;
} TraceRow;

/* To be called before rows are read whose edge_id is looked at. */
extern void trace_rows_begin(Trace *trace);

/* The rows from a position on; their members live as long as the trace. Not whole: of each the node_id alone. */
extern void trace_rows_read(const Trace *trace, uint32 first, uint32 count, TraceRow *rows, bool whole);

static inline TraceRow
trace_row(const Trace *trace, uint32 position)
{
	TraceRow	row;

	trace_rows_read(trace, position, 1, &row, true);
	return row;
}

static inline uint32
trace_parent(const Trace *trace, uint32 position)
{
	return trace->parents ? trace->parents[position] : trace->nodes[position].parent;
}

#endif							/* REASON_TRACE_TRACE_H */
