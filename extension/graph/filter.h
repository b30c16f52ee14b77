/*
 * filter.h
 *		Which nodes and edges a trace follows.
 */
#ifndef REASON_GRAPH_FILTER_H
#define REASON_GRAPH_FILTER_H

#include "postgres.h"

#include "access/htup.h"
#include "access/tupdesc.h"
#include "datatype/timestamp.h"

#include "graph/sealed.h"
#include "record/record.h"

typedef struct GraphFilter
{
	int			max_depth;		/* -1: none */
	int64		max_nodes;		/* -1: none */
	int			type_count;		/* -1: all types */
	RecordText *types;
	int			edge_type_count;	/* -1: all types */
	RecordText *edge_types;
	bool		has_min_weight;
	double		min_weight;
	bool		has_min_confidence;
	double		min_confidence;
	bool		has_as_of;
	TimestampTz as_of;
	bool		has_as_of_seq;
	int64		as_of_seq;
	const GraphSealed *sealed;	/* opened for as_of_seq once the start is known */
} GraphFilter;

extern void graph_filter_init(GraphFilter *filter);
extern bool graph_filter_needs_edge_rows(const GraphFilter *filter);
extern bool graph_filter_needs_node_rows(const GraphFilter *filter);
extern bool graph_filter_accepts_edge(const GraphFilter *filter, HeapTuple tuple);
extern bool graph_filter_accepts_node(const GraphFilter *filter, HeapTuple tuple, TupleDesc desc);
extern bool graph_filter_accepts_name(RecordText name, int count, const RecordText *names);

/* What a node's metadata state as its confidence, if they do. */
extern bool graph_confidence(Datum metadata, double *confidence);

#endif							/* REASON_GRAPH_FILTER_H */
