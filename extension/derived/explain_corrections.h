/*
 * explain_corrections.h
 *		What nodes of an explanation correct, and what corrects them.
 */
#ifndef REASON_DERIVED_EXPLAIN_CORRECTIONS_H
#define REASON_DERIVED_EXPLAIN_CORRECTIONS_H

#include "postgres.h"

#include "core/buffer.h"
#include "graph/filter.h"
#include "graph/sort.h"
#include "derived/explain.h"

typedef struct ExplainCorrection ExplainCorrection;

typedef struct ExplainCorrections
{
	const Trace *trace;
	const GraphFilter *filter;
	ExplainCorrection *corrected;	/* by nodes that were asked for: what they correct, by number of the node */
	uint32		corrected_count;
	uint32		corrected_capacity;
	uint32	   *correctors;		/* edges of the trace that correct, by the position of what they correct */
	uint32	   *start;			/* where those of a position begin; they end where those of the next begin */

	/* Scratch: numbers of nodes, those of what they correct with the index in corrected, and where each begins. */
	int64	   *keys;
	GraphKey   *others;
	uint32	   *first;
} ExplainCorrections;

/* Corrections of all nodes of the trace, and by those at the positions.  Everything lives in the graph's memory. */
extern void explain_find_corrections(ExplainCorrections *corrections, const Explanation *explanation, const GraphFilter *filter,
									 const uint32 *positions, uint32 count);

/* ,"corrects":[…] of a node that was asked for, and ,"correctedBy":[…] of any; nothing where there is nothing. */
extern void explain_append_corrected(ByteBuffer *out, const ExplainCorrections *corrections, uint32 position);
extern void explain_append_correctors(ByteBuffer *out, const ExplainCorrections *corrections, uint32 position);

#endif							/* REASON_DERIVED_EXPLAIN_CORRECTIONS_H */
