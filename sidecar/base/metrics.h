/*
 * metrics.h: counters, gauges and histograms for Prometheus, served on a port of their own with
 * /health (the process turns) and /ready (it could sign and store just now).
 */
#ifndef SIDECAR_BASE_METRICS_H
#define SIDECAR_BASE_METRICS_H

#include <limits.h>
#include <stdbool.h>

/* The value of a gauge that is not known: NaN. */
#define METRIC_UNKNOWN LONG_MIN

enum metric {
    METRIC_EVENTS_SEALED,
    METRIC_EVENTS_SIGNED,
    METRIC_EVENTS_EMITTED,
    METRIC_EVENTS_ARCHIVED,
    METRIC_EVENTS_MIRRORED,
    METRIC_COSIGNATURES,
    METRIC_SNAPSHOTS_SIGNED,
    METRIC_SNAPSHOTS_STORED,
    METRIC_SNAPSHOTS_FAILED,
    METRIC_SIGNING_FAILURES,
    METRIC_SIGNATURES_REFUSED,
    METRIC_STORE_FAILURES,
    METRIC_EMIT_FAILURES,
    METRIC_EMIT_PARKED,
    METRIC_ARCHIVE_FAILURES,
    METRIC_ARCHIVE_PARKED,
    METRIC_MIRROR_FAILURES,
    METRIC_MIRROR_REFUSED,
    METRIC_MIRROR_DIVERGED,
    METRIC_WITNESS_FAILURES,
    METRIC_WITNESS_CONTRADICTIONS,
    METRIC_DATABASE_FAILURES,
    METRIC_KUBERNETES_FAILURES,
    METRIC_SPANS_EXPORTED,
    METRIC_SPANS_DROPPED,
    METRIC_LEADING_SEAL,        /* in the order of enum duty */
    METRIC_LEADING_SNAPSHOT,
    METRIC_LEADING_EMIT,
    METRIC_LEADING_ARCHIVE,
    METRIC_LEADING_MIRROR,
    METRIC_QUEUE_SEAL,          /* in the order of the rows of reason.sidecar_status() */
    METRIC_QUEUE_SNAPSHOT,
    METRIC_QUEUE_EMIT,
    METRIC_QUEUE_ARCHIVE,
    METRIC_QUEUE_MIRROR,
    METRIC_AGE_SEAL,
    METRIC_AGE_SNAPSHOT,
    METRIC_AGE_EMIT,
    METRIC_AGE_ARCHIVE,
    METRIC_AGE_MIRROR,
    METRIC_PARKED_SEAL,
    METRIC_PARKED_SNAPSHOT,
    METRIC_PARKED_EMIT,
    METRIC_PARKED_ARCHIVE,
    METRIC_PARKED_MIRROR,
    METRIC_KUBERNETES_LEASE,
    METRIC_SAFE_MODE,
    METRIC_LOG_STOPPED,
    METRIC_LOG_STOPS_CUT,
    METRIC_LOG_STOPS_VANISHED,
    METRIC_LOG_STOPS_REWRITTEN,
    METRIC_LOG_STOPS_RESIGNED,
    METRIC_LOG_STOPS_PUBLISHED,
    METRIC_LOG_STOPS_ORIGIN,
    METRIC_LOG_STOPS_SNAPSHOT,
    METRIC_LOG_STOPS_CONTRADICTED,
    METRIC_LOG_STOPS_MEMORY,
    METRIC_LOG_STOPS_UNREADABLE,
    METRIC_LOG_FORGOTTEN,
    METRIC_LOG_EVENTS,
    METRIC_LOG_COVERED,
    METRIC_LOG_PUBLISHED,
    METRIC_CHECKPOINT_SECONDS,
    METRIC_CERTIFICATE_EXPIRY,
    METRIC_STORE_ROOM,
    METRIC_ARCHIVE_ROOM,
    METRIC_STORE_SIZE,
    METRIC_ARCHIVE_SIZE,
    METRIC_DATABASE_UP,
    METRIC_READY,
    METRIC_LAST_TURN_SECONDS,
    METRIC_COUNT
};

enum histogram { HISTOGRAM_SEAL, HISTOGRAM_SIGN, HISTOGRAM_UPLOAD, HISTOGRAM_EMIT, HISTOGRAM_ARCHIVE, HISTOGRAM_MIRROR, HISTOGRAM_CHECKPOINT, HISTOGRAM_COUNT };

void metrics_add(enum metric metric, long value);
void metrics_set(enum metric metric, long value);
/* The main loop has gone round. */
void metrics_turned(void);
/* The database does not answer: the values that come from it become NaN, and nothing is ready. */
void metrics_forget(void);
/* How long one turn of a stage took that did something. */
void metrics_observe(enum histogram histogram, double seconds);
/* Says where what was signed is remembered, for /ready: "none", "file", "store", "file and store". The text is not copied. */
void metrics_memory(const char *where);
/* Serves /metrics, /health and /ready; false after logging why not. */
bool metrics_start(const char *address, int port);
void metrics_stop(void);

#endif
