/*
 * context.h: which trace a piece of work belongs to, and whether it is recorded.
 *
 * Source: W3C Trace Context, https://www.w3.org/TR/trace-context/#traceparent-header, and for the samplers
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration
 */
#ifndef SIDECAR_TRACING_CONTEXT_H
#define SIDECAR_TRACING_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#define TRACE_ID_LENGTH 16
#define SPAN_ID_LENGTH 8

/* The caller's span, which ours are children of. */
struct trace_context {
    uint8_t trace_id[TRACE_ID_LENGTH];
    uint8_t parent_id[SPAN_ID_LENGTH];
    bool sampled;               /* the caller records this trace */
};

/*
 * Our spans have always a parent in another process, so the choice is simple: follow the caller (parentbased_*,
 * whichever sampler it names for traces without a parent), all, none, or a share of the trace ids.
 */
struct sampler {
    enum { SAMPLE_AS_CALLER, SAMPLE_ALL, SAMPLE_NONE, SAMPLE_RATIO } kind;
    double ratio;
};

/* Reads a traceparent header; false when it is none. */
bool trace_context_parse(const char *traceparent, struct trace_context *context);

/* By the names of OTEL_TRACES_SAMPLER, and OTEL_TRACES_SAMPLER_ARG. False: no such sampler, or no ratio from 0 to 1. */
bool sampler_parse(const char *name, const char *argument, struct sampler *sampler);
bool sampler_records(const struct sampler *sampler, const struct trace_context *context);

#endif
