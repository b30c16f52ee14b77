/*
 * support.h
 *		What carries support from a cause to its effect, and whether nodes keep some when one node is taken away.
 *
 * Edges of type contradicts and corrects carry none; all others do.  A piece of
 * evidence is a node that no edge carries support to.  Support remains for a
 * node if a piece of evidence is left from which edges that carry support lead
 * to it, none of them by way of what is taken away.
 */
#ifndef REASON_DERIVED_SUPPORT_H
#define REASON_DERIVED_SUPPORT_H

#include "postgres.h"

#include "graph/filter.h"
#include "trace/result.h"

/* Has the filter follow edges that carry support alone. */
extern void support_filter(GraphFilter *filter);

/*
 * For each node of a trace along what carries support from its start: whether support remains without the start.
 * In the graph's memory.
 */
extern bool *support_without_start(const Trace *trace);

#endif							/* REASON_DERIVED_SUPPORT_H */
