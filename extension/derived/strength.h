/*
 * strength.h
 *		How strong the edges of a trace are: weight, times the confidence of the edge, times that of its cause.
 */
#ifndef REASON_DERIVED_STRENGTH_H
#define REASON_DERIVED_STRENGTH_H

#include "postgres.h"

#include "trace/result.h"

typedef struct TraceStrengths
{
	double	   *edges;			/* by index in trace->edges */
	RecordText *types;			/* of nodes, by position */
} TraceStrengths;

/* The trace must have its edges; all its rows are read.  In the graph's memory. */
extern void strengths_read(TraceStrengths *strengths, Trace *trace);

/* For each node of a trace the least strength along the path from the start whose least is greatest. */
extern double *strengths_widest(const TraceStrengths *strengths, const Trace *trace);

#endif							/* REASON_DERIVED_STRENGTH_H */
