/*
 * level.h
 *		One level of a breadth-first search along the covering indexes.
 *
 * It goes through three steps: walk the edges of its nodes (trace/walk.c); look the new nodes up, as
 * far as that cannot wait, and put them in order (trace/level_order.c).  What waits until all levels are
 * done is who the others are, and which of several parallel edges is the tree edge
 * (trace/parallel_edges.c).  Nothing recurses, and memory is what the trace holds.
 */
#ifndef REASON_TRACE_LEVEL_H
#define REASON_TRACE_LEVEL_H

#include "postgres.h"

#include "graph/sort.h"
#include "graph/types.h"
#include "trace/result.h"

/* In the map: reached, but not part of the trace. */
#define TRACE_LEFT_OUT PG_UINT32_MAX

/* One of several edges between a node and the same parent. */
typedef struct ParallelEdge
{
	uint32		node;
	uint32		source;
	int64		edge_no;
	TimestampTz created_at;
	pg_uuid_t	id;
	ItemPointerData tid;
} ParallelEdge;

/* Memory for one purpose, used again at every level. */
typedef struct TraceScratch
{
	void	   *bytes;
	Size		size;
} TraceScratch;

typedef struct TraceLevel
{
	Trace	   *trace;
	uint32		begin;			/* positions of the nodes being expanded */
	uint32		end;			/* = where the new ones begin */
	uint32		depth;			/* of the nodes being expanded */
	bool		grows;			/* new nodes are wanted */
	bool		asks_ends;		/* a filter has to see the nodes that edges lead to */
	bool		optimistic;		/* nodes that have no siblings are looked up when the trace is done */
	uint32		most_nodes;		/* give up beyond */
	bool		gave_up;
	uint32		edges_begin;	/* edges of this level */
	GraphKey   *frontier;		/* the nodes being expanded, by number */
	ParallelEdge *parallel;
	uint32		parallel_begin; /* of this level */
	uint32		parallel_count;
	uint32		parallel_capacity;
	int64	   *keys;			/* scratch: numbers for a walk */
	GraphKey   *sorted;			/* the new nodes, by number */
	GraphKey   *scratch;
	Size		key_capacity;
	GraphEntry *rows;			/* entries whose rows a filter must see */
	uint32		row_count;
	uint32		row_capacity;
	TraceScratch children;		/* of trace/level_order.c */
	TraceScratch ranks;
	TraceScratch copy;
	TraceScratch position;
} TraceLevel;

/* Room for so many keys in frontier, keys, sorted and scratch; what the first holds is kept. */
extern void trace_level_reserve(TraceLevel *level, uint32 keys);

/* Nothing of what was in it is kept. */
extern void *trace_level_scratch(TraceLevel *level, TraceScratch *memory, Size size);

/* Whether the cause has no smaller number than the effect, of an edge that leads from the one node to the other. */
static inline bool
trace_is_back_edge(const Trace *trace, int64 from_no, int64 to_no)
{
	return trace->direction == GRAPH_ANCESTORS ? to_no >= from_no : from_no >= to_no;
}

#endif							/* REASON_TRACE_LEVEL_H */
