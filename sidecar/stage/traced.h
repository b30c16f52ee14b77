/*
 * traced.h: spans of events, as children of the requests that caused them.
 *
 * To be called when the work is recorded, and only while tracing_on(): finding out which events are traced costs a
 * statement a batch.
 */
#ifndef SIDECAR_STAGE_TRACED_H
#define SIDECAR_STAGE_TRACED_H

#include "tracing/tracing.h"
#include "stage/stage.h"

/* Microseconds since 1970; ended_us 0: not done, no span. */
struct work_time {
    long began_us, ended_us;
};

struct traced_attribute {
    const char *key, *text;     /* key NULL ends the list */
};

struct traced_batch {
    const char *name;           /* of the spans */
    enum span_kind kind;
    const struct traced_attribute *attributes;
    PGresult *events;           /* the first columns are division and seq */
    int count;                  /* of its rows, from the first */
    long of;                    /* the time is that of so many events together; 0: it is the event's own */
};

void trace_events(struct worker *worker, const struct traced_batch *batch, const struct work_time times[]);
/* One whose traceparent is known. */
void trace_event(const struct trace_context *context, const struct traced_batch *batch, const char *division, const char *seq, struct work_time time);

#endif
