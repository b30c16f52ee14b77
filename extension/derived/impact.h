/*
 * impact.h
 *		What rests on a node: all that support reaches from it, and what of it would be left without it.
 *
 * The strength of an edge is its weight, times the confidence that it states,
 * times the confidence that the node it comes from states, each 1 where nothing
 * is stated.  A path is as strong as its weakest edge; the strength of a node is
 * that of the strongest path to it within the trace.
 */
#ifndef REASON_DERIVED_IMPACT_H
#define REASON_DERIVED_IMPACT_H

#include "postgres.h"

#include "derived/corrections.h"
#include "trace/frontier.h"
#include "trace/result.h"

typedef struct Impact
{
	Trace	   *trace;			/* descendants along what carries support; nodes[0] is the node itself */
	uint32	   *order;			/* positions of what rests on it: decisions first, each group in the order of the trace */
	uint32		count;
	uint32		decisions;
	uint32		standing;
	uint32		corrected;
	uint32	   *depth;			/* by position, as are those below */
	RecordText *type;
	double	   *strength;
	bool	   *has_other_support;
	bool	   *leads_on;		/* the walk stopped there for its depth */
	uint32		frontier_count;
	Corrections corrections;
} Impact;

/* Follows the filter's depth and times.  Raises 22023 for a depth of 0, which would tell nothing.  In the graph's memory. */
extern Impact *impact_of(Graph *graph, const GraphNode *start, const GraphFilter *filter);

/* It would stand without the node: support remains, and nobody corrected it. */
static inline bool
impact_stands(const Impact *impact, uint32 position)
{
	return impact->has_other_support[position] && corrections_count(&impact->corrections, position) == 0;
}

#endif							/* REASON_DERIVED_IMPACT_H */
