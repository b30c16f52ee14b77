/*
 * causal_order.h
 *		The ancestor closure in causal order: causes first, edges between their nodes.
 *
 * Kahn's algorithm over nodes and edges alike, the next entry being the one with
 * the smallest (created_at, id) among those whose causes are all out.  What lies
 * on a cycle or behind one follows by (created_at, id).
 */
#ifndef REASON_TRACE_CAUSAL_ORDER_H
#define REASON_TRACE_CAUSAL_ORDER_H

#include "postgres.h"

#include "graph/types.h"
#include "trace/result.h"

typedef struct CausalOrderEntry
{
	TimestampTz created_at;
	pg_uuid_t	id;
	bool		is_edge;
	uint32		index;			/* of the node in trace->nodes, or of the edge in trace->edges */
} CausalOrderEntry;

typedef struct CausalOrder
{
	Trace	   *trace;			/* ancestors: an edge's source is its effect, its target the cause */
	CausalOrderEntry *entries;	/* in causal order: nodes and edges */
	uint32		count;
	uint32		acyclic_count;	/* entries from here on lie on a cycle or behind one */
	uint32	   *incoming_start; /* edges into node i: incoming[incoming_start[i]] to [incoming_start[i + 1]] */
	uint32	   *incoming;
	uint32	   *component;		/* of a node: the cycle it lies on, or CIRCLE_NONE (trace/circles.h) */
	uint32		component_count;
} CausalOrder;

/* Everything lives in the graph's memory. */
extern CausalOrder *causal_order(Graph *graph, const GraphNode *start, const GraphFilter *filter);

/*
 * Direct causes of an entry, as positions: of an edge the node it comes from, of a node the nodes its edges come from,
 * each once, in the order of those edges.  Returns how many.  Both arrays have room for all nodes; `seen` begins as zeros.
 */
extern uint32 causal_order_parents(const CausalOrder *order, const CausalOrderEntry *entry, uint32 *parents, uint32 *seen);

/* Whether an entry lies on a cycle. */
extern bool causal_order_in_cycle(const CausalOrder *order, const CausalOrderEntry *entry);

#endif							/* REASON_TRACE_CAUSAL_ORDER_H */
