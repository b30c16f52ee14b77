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

#include "record/record.h"

typedef struct TraceFilter
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
} TraceFilter;

extern void trace_filter_init(TraceFilter *filter);
extern bool trace_filter_needs_edge_rows(const TraceFilter *filter);
extern bool trace_filter_needs_node_rows(const TraceFilter *filter);
extern bool trace_accepts_edge(const TraceFilter *filter, HeapTuple tuple);
extern bool trace_accepts_node(const TraceFilter *filter, HeapTuple tuple, TupleDesc desc);
extern bool trace_accepts_name(RecordText name, int count, const RecordText *names);

/* What a node's metadata state as its confidence, if they do. */
extern bool trace_confidence(Datum metadata, double *confidence);

#endif							/* REASON_GRAPH_FILTER_H */
