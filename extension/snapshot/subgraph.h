/*
 * subgraph.h
 *		The records of a snapshot: what is within some edges of its roots.
 *
 * Freezing walks over what is shown at that time, verification over what was
 * known then; both by this one walk, so that they cannot differ in anything but
 * in what they see.  Memory: bitmaps of numbers.
 */
#ifndef REASON_SNAPSHOT_SUBGRAPH_H
#define REASON_SNAPSHOT_SUBGRAPH_H

#include "postgres.h"

#include "graph/types.h"
#include "graph/walk.h"
#include "record/row_scan.h"
#include "snapshot/number_set.h"

/* Whether a node or edge is passed over, as if it were not there. */
typedef bool (*SubgraphHides) (void *argument, int64 no);

/* An annotation of a node of the subgraph, in the slot of the scan, which must not be moved. */
typedef void (*SubgraphAnnotation) (void *argument, RowScan *scan);

typedef struct Subgraph
{
	Graph	   *graph;
	SubgraphHides hides;
	void	   *argument;		/* of hides */
	NumberSet	nodes;
	NumberSet	edges;			/* those with both ends among the nodes, whichever way the walk came */
	NumberSet	last_level;		/* nodes `depth` edges away, from which the walk did not go on */
	NumberSet  *next_level;		/* nodes that the walk has just come to */
	GraphIndexKind onward;		/* the index that leads on */
	int64	   *keys;			/* of the present piece of a walk: see subgraph_walk() */
} Subgraph;

/* Walks breadth first from the roots; sets nodes, edges and last_level. */
extern void subgraph_collect(Subgraph *subgraph, Graph *graph, const int64 *roots, int root_count, int depth, GraphDirection direction,
							 SubgraphHides hides, void *argument);

/* The index entries of all members of the set; subgraph->keys[entry.position] is the member. */
extern void subgraph_walk(Subgraph *subgraph, NumberSet *set, GraphIndexKind kind, GraphSink sink, void *argument);

/* All annotations of the nodes, hidden or not. */
extern void subgraph_annotations(Subgraph *subgraph, SubgraphAnnotation take, void *argument);

#endif							/* REASON_SNAPSHOT_SUBGRAPH_H */
