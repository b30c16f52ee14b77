/*
 * circles.h
 *		Which nodes lead to each other in circles.
 */
#ifndef REASON_TRACE_CIRCLES_H
#define REASON_TRACE_CIRCLES_H

#include "postgres.h"

/* The node lies on no circle. */
#define CIRCLE_NONE PG_UINT32_MAX

/* Those of node i lead to next[start[i]] to next[start[i + 1]]. */
typedef struct CircleEdges
{
	uint32		node_count;
	const uint32 *start;
	const uint32 *next;
	const uint32 *roots;		/* of a node 0: nothing begins there; NULL: at each */
} CircleEdges;

/* So many bytes circles_find() works in. */
extern Size circles_room(uint32 node_count);

/*
 * Strongly connected components of more than one node, and nodes with an edge to themselves, numbered from 0 as they are
 * found.  Puts the number of each node's into `circle`, or CIRCLE_NONE; returns how many there are.
 */
extern uint32 circles_find(const CircleEdges *edges, uint32 *circle, void *room);

#endif							/* REASON_TRACE_CIRCLES_H */
