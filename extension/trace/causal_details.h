/*
 * causal_details.h
 *		What other tables hold of the entries of an ordered trace: seals and annotations, as JSON text.
 */
#ifndef REASON_TRACE_CAUSAL_DETAILS_H
#define REASON_TRACE_CAUSAL_DETAILS_H

#include "postgres.h"

#include "core/buffer.h"
#include "trace/node_json.h"
#include "trace/causal_order.h"

typedef struct CausalDetail CausalDetail;

typedef struct CausalDetails
{
	ByteBuffer	texts;
	size_t		skip;			/* bytes of each text that are not written: the first comma */
	CausalDetail *items;	/* by number of the entry */
	uint32		count;
} CausalDetails;

/* For nodes and edges: the rest of auditRef, ,"hash":…,"prevHash":… */
extern void causal_details_seals(CausalDetails *seals, const CausalOrder *order);

/* For nodes: the members of an array. */
extern void causal_details_annotations(CausalDetails *annotations, const CausalOrder *order, NodeJson *json);

/* Appends what belongs to the entry of that number; `otherwise`, if there is nothing. */
extern void causal_details_write(ByteBuffer *out, const CausalDetails *attached, int64 no, const char *otherwise);

#endif							/* REASON_TRACE_CAUSAL_DETAILS_H */
