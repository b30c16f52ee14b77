/*
 * causal_details.h
 *		What other tables hold of the records of a trace: seals and annotations, as JSON text.
 */
#ifndef REASON_TRACE_CAUSAL_DETAILS_H
#define REASON_TRACE_CAUSAL_DETAILS_H

#include "postgres.h"

#include "core/buffer.h"
#include "trace/node_json.h"
#include "graph/filter.h"
#include "graph/sort.h"

typedef struct CausalDetail CausalDetail;

typedef struct CausalDetails
{
	ByteBuffer	texts;
	size_t		skip;			/* bytes of each text that are not written: the first comma */
	CausalDetail *items;	/* by number of the entry */
	uint32		count;
	uint32		row_count;		/* of all items together */
} CausalDetails;

/* For records with these numbers, ascending: the rest of auditRef, ,"hash":…,"prevHash":… */
extern void causal_details_seals(CausalDetails *seals, Graph *graph, const GraphKey *numbers, uint32 count);

/* The members of an array; written by filter->as_of, and on later pages before the first one was asked for. */
extern void causal_details_annotations(CausalDetails *annotations, Graph *graph, const GraphKey *numbers, uint32 count,
									   const GraphFilter *filter, NodeJson *json);

/* Appends what belongs to the entry of that number; `otherwise`, if there is nothing. */
extern void causal_details_write(ByteBuffer *out, const CausalDetails *attached, int64 no, const char *otherwise);

#endif							/* REASON_TRACE_CAUSAL_DETAILS_H */
