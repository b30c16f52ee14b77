/* export.h: the way of an ended span to the collector. */
#ifndef SIDECAR_TRACING_EXPORT_H
#define SIDECAR_TRACING_EXPORT_H

#include "tracing/tracing.h"

/* Queues a copy; drops it when the queue is full. */
void export_span(const struct span *span);

#endif
