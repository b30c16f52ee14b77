/*
 * human_tree.h
 *		The tree that is drawn of a graph.
 */
#ifndef REASON_DERIVED_HUMAN_TREE_H
#define REASON_DERIVED_HUMAN_TREE_H

#include "postgres.h"

#include "derived/human.h"

/* Each node below the first that leads to it, breadth first. */
typedef struct HumanTree
{
	uint32	   *above;			/* nodes at the ends of an edge; HUMAN_NONE: not there */
	uint32	   *below;
	uint32	   *above_start;	/* edges by the node above: those of node i are at_above[above_start[i]] to [above_start[i + 1]] */
	uint32	   *at_above;
	uint32	   *below_start;	/* and by the node below */
	uint32	   *at_below;
	uint32	   *edge;			/* of a node: that which it hangs on; HUMAN_NONE: a root */
	uint32	   *order;
	bool	   *placed;
} HumanTree;

/* In CurrentMemoryContext. */
extern HumanTree *human_tree(const HumanGraph *graph, uint32 roots);

/* Breadth first from the first `roots` nodes, then from what they do not reach: numbers of all nodes, in CurrentMemoryContext. */
extern uint32 *human_order(const HumanGraph *graph, uint32 roots);

#endif							/* REASON_DERIVED_HUMAN_TREE_H */
