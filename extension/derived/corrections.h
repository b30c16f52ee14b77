/*
 * corrections.h
 *		Who corrected the nodes of a trace: edges of type corrects that lead to them, from anywhere.
 */
#ifndef REASON_DERIVED_CORRECTIONS_H
#define REASON_DERIVED_CORRECTIONS_H

#include "postgres.h"

#include "utils/uuid.h"

#include "trace/result.h"

typedef struct Corrections
{
	uint32	   *first;			/* of node i: by[first[i]] to by[first[i + 1]]; for all nodes and one more */
	pg_uuid_t  *by;				/* of each node in the order of the ids, each once */
} Corrections;

/* Follows the times of the trace's filter, and not its types of edges.  In the graph's memory. */
extern void corrections_find(Corrections *corrections, const Trace *trace);

static inline uint32
corrections_count(const Corrections *corrections, uint32 position)
{
	return corrections->first[position + 1] - corrections->first[position];
}

#endif							/* REASON_DERIVED_CORRECTIONS_H */
