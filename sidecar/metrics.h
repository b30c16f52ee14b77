/* metrics.h: counters and gauges for Prometheus, served on a port of their own. */
#ifndef SIDECAR_METRICS_H
#define SIDECAR_METRICS_H

#include <stdbool.h>

enum metric {
    METRIC_EVENTS_SEALED,
    METRIC_EVENTS_SIGNED,
    METRIC_SNAPSHOTS_SIGNED,
    METRIC_SNAPSHOTS_STORED,
    METRIC_SNAPSHOTS_FAILED,
    METRIC_SIGNING_FAILURES,
    METRIC_STORE_FAILURES,
    METRIC_DATABASE_FAILURES,
    METRIC_LEADING_SEAL,
    METRIC_LEADING_SNAPSHOT,
    METRIC_LAST_TURN_SECONDS,
    METRIC_COUNT
};

void metrics_add(enum metric metric, long value);
void metrics_set(enum metric metric, long value);
/* Serves /metrics and /health; false after logging why not. */
bool metrics_start(const char *address, int port);
void metrics_stop(void);

#endif
