/*
 * tracing.h: spans of what the sidecar does, to an OpenTelemetry collector (OTLP over HTTP, JSON).
 *
 * A span is the child of the span whose traceparent came with the request that caused the work; work that no traced
 * request caused makes none. Ended spans wait in a queue of fixed size for a thread of their own that sends them: a
 * stage never waits, and what does not fit is dropped and counted.
 */
#ifndef SIDECAR_TRACING_H
#define SIDECAR_TRACING_H

#include "base/config.h"
#include "tracing/context.h"

#include <stdbool.h>
#include <stdint.h>

#define SPAN_ATTRIBUTES_MOST 8

/* The numbers are OTLP's (opentelemetry/proto/trace/v1/trace.proto, Span.SpanKind). */
enum span_kind { SPAN_INTERNAL = 1, SPAN_CLIENT = 3, SPAN_PRODUCER = 4 };

struct span_attribute {
    const char *key;            /* a literal */
    bool is_text;
    long number;
    char text[128];             /* cut when longer */
};

struct span {
    struct trace_context context;
    uint8_t id[SPAN_ID_LENGTH];
    const char *name;           /* a literal */
    enum span_kind kind;
    long began_us, ended_us;    /* since 1970 */
    bool failed;
    char failure[200];
    int attribute_count;
    struct span_attribute attributes[SPAN_ATTRIBUTES_MOST];
};

/* Starts the thread that sends, if an endpoint is configured; false after logging why not. */
bool tracing_start(const struct config *config, const char *instance);
/* Sends what waits, for two seconds at most. */
void tracing_stop(void);

/* Whether spans are wanted at all: else nothing needs to be found out for them. */
bool tracing_on(void);
/* The context of a traceparent (NULL: none), if its trace is recorded. */
bool tracing_context(const char *traceparent, struct trace_context *context);
/* Microseconds since 1970. */
long tracing_now(void);

void span_begin(struct span *span, const struct trace_context *context, const char *name, enum span_kind kind, long began_us);
void span_text(struct span *span, const char *key, const char *text);
void span_number(struct span *span, const char *key, long number);
/* Hands the span over; failure NULL: all went well. */
void span_end(struct span *span, long ended_us, const char *failure);

#endif
