/*
 * explain.h
 *		What a node rests on: which of its ancestors counted when it was recorded, and what came after.
 *
 * The reasoning of a node is what the walk reaches from it to causes that were
 * recorded no later than the node itself, along edges of every type but
 * corrects.  A correction is no cause of what it corrects: what was wrong stays
 * in the reasoning, marked, and the correction is named beside it.  Evidence is
 * where the reasoning begins: nodes without such a cause.
 *
 * Recorded means created_at, which the database gives; what an author says of
 * when something occurred decides nothing.
 */
#ifndef REASON_DERIVED_EXPLAIN_H
#define REASON_DERIVED_EXPLAIN_H

#include "postgres.h"

#include "trace/request.h"
#include "trace/result.h"

/* What an entry of an explanation is. */
typedef enum ExplainKind
{
	EXPLAIN_COMPONENT,			/* an edge to the node from what led to it directly; the weightiest first */
	EXPLAIN_EVIDENCE,			/* where the reasoning begins */
	EXPLAIN_CORRECTION,			/* an edge of type corrects, to the node or what it rests on */
	EXPLAIN_AFTER,				/* recorded after the node */
	EXPLAIN_FRONTIER,			/* the walk stopped here for its depth */
	EXPLAIN_KINDS
} ExplainKind;

typedef struct ExplainEdge
{
	TimestampTz created_at;
	pg_uuid_t	id;
	double		weight;
	RecordText	type;
	bool		corrects;
} ExplainEdge;

typedef struct Explanation
{
	Trace	   *trace;			/* one level deeper than asked for, so that the frontier is known */
	ExplainEdge *edges;			/* by index in trace->edges */
	uint32	   *depth;			/* in the reasoning, by position; EXPLAIN_NOT_COUNTED */
	uint32	   *entries[EXPLAIN_KINDS]; /* positions of nodes; of components and corrections indexes of edges */
	uint32		counts[EXPLAIN_KINDS];
	uint32		causes;			/* distinct nodes among the components */
	uint32		reasoning;		/* nodes that count, the start left out */
	uint32		aside;			/* of the trace, neither counted nor recorded after, nor beyond the depth */
	bool		has_cycle;
} Explanation;

#define EXPLAIN_NOT_COUNTED PG_UINT32_MAX

/* Everything lives in the graph's memory. */
extern Explanation *explain_node(const TraceRequest *request);

#endif							/* REASON_DERIVED_EXPLAIN_H */
