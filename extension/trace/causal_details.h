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

typedef struct TraceAttachedItem TraceAttachedItem;

typedef struct TraceAttached
{
	ByteBuffer	texts;
	size_t		skip;			/* bytes of each text that are not written: the first comma */
	TraceAttachedItem *items;	/* by number of the entry */
	uint32		count;
} TraceAttached;

/* Of nodes and edges: the rest of auditRef, ,"hash":…,"prevHash":… */
extern void trace_attached_seals(TraceAttached *seals, const TraceOrder *order);

/* Of nodes: the members of an array. */
extern void trace_attached_annotations(TraceAttached *annotations, const TraceOrder *order, GraphJson *json);

/* Appends what belongs to the entry of that number; `otherwise`, if there is nothing. */
extern void trace_attached_write(ByteBuffer *out, const TraceAttached *attached, int64 no, const char *otherwise);

#endif							/* REASON_TRACE_CAUSAL_DETAILS_H */
