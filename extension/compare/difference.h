/*
 * difference.h
 *		What differs between two sides.
 *
 * Records are the same by their ids.  A record never changes, but what became of
 * it may differ: a node's content was erased, it was corrected, or the digest is
 * another one (in another division).  A link is weighed anew by a further edge
 * of the same type between the same nodes: where b's newest edge of a link is not
 * one of a's, but a has that link, and weight or confidence of a's newest edge are others,
 * it is a change of that edge; else it was added.
 */
#ifndef REASON_COMPARE_DIFFERENCE_H
#define REASON_COMPARE_DIFFERENCE_H

#include "postgres.h"

#include "compare/side.h"

typedef enum DifferenceKind
{
	DIFFERENCE_ADDED_NODE,		/* only in b */
	DIFFERENCE_ADDED_EDGE,
	DIFFERENCE_REMOVED_NODE,	/* only in a */
	DIFFERENCE_REMOVED_EDGE,
	DIFFERENCE_CHANGED_NODE,
	DIFFERENCE_CHANGED_EDGE,
	DIFFERENCE_KINDS
} DifferenceKind;

typedef struct Difference
{
	DifferenceKind kind;
	uint32		a;				/* index of the node or edge; undefined where that side has none */
	uint32		b;
} Difference;

typedef struct Differences
{
	const Side *a;
	const Side *b;
	Difference *entries;		/* by kind, then by id */
	uint32		count;
	uint32		counts[DIFFERENCE_KINDS];
	uint32		same_nodes;
	uint32		same_edges;
} Differences;

/* In the memory of b's graph. */
extern Differences *differences_of(const Side *a, const Side *b);

#endif							/* REASON_COMPARE_DIFFERENCE_H */
