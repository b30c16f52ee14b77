/*
 * otlp.h: spans as an ExportTraceServiceRequest in JSON.
 *
 * Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding (ids in hexadecimal, 64-bit integers as
 * text, enumerations as numbers) and opentelemetry/proto/trace/v1/trace.proto
 */
#ifndef SIDECAR_TRACING_OTLP_H
#define SIDECAR_TRACING_OTLP_H

#include "tracing/tracing.h"

#include <stddef.h>

struct otlp_resource {
    const char *service, *instance;
};

/* The request's body, to be freed; NULL when out of memory. */
char *otlp_encode(const struct otlp_resource *resource, const struct span *spans, size_t count);
/* How many spans a collector's answer (200) says it has rejected; -1: it is no answer of a collector. */
long otlp_rejected(const char *answer, size_t length);

#endif
