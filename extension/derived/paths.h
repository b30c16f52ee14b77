/*
 * paths.h
 *		The strongest paths between two nodes of a graph that is small enough to be held.
 *
 * A path is as strong as its weakest edge, and visits no node twice.  Paths come the strongest first, of equally
 * strong ones the one with fewer edges, of those the one whose first edge that differs has the smaller index.
 *
 * E. L. Lawler, "A procedure for computing the K best solutions to discrete optimization problems", Management
 * Science 18 (1972): what is left after a path was given is divided into disjoint sets of paths, by where and with
 * which edges they leave it.  A set is searched when no other can hold a better path than its parent was.
 */
#ifndef REASON_DERIVED_PATHS_H
#define REASON_DERIVED_PATHS_H

#include "postgres.h"

#include "graph/types.h"

typedef struct PathEdge
{
	uint32		from;
	uint32		to;
	double		strength;		/* a number */
} PathEdge;

typedef struct PathGraph
{
	Graph	   *graph;			/* whose memory is used */
	uint32		node_count;
	const PathEdge *edges;
	uint32		edge_count;
	uint32		from;
	uint32		to;				/* another node */
} PathGraph;

typedef struct FoundPath
{
	double		strength;
	uint32		length;			/* in edges */
	const uint32 *edges;		/* indexes */
} FoundPath;

/* At most so many; returns how many there are.  In the graph's memory. */
extern uint32 paths_find(const PathGraph *paths, uint32 most, FoundPath **found);

#endif							/* REASON_DERIVED_PATHS_H */
