/* metrics.c: Prometheus text over HTTP (libmicrohttpd). */
#include "base/metrics.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/traversals.h"

#include <arpa/inet.h>
#include <limits.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STOPS "reason_sidecar_log_stops_total"
#define FAILURES "reason_sidecar_failures_total"

static const struct {
    const char *name, *type, *help;     /* help NULL: the same name as before, with another label */
} metrics[METRIC_COUNT] = {
    [METRIC_EVENTS_SEALED] = {"reason_sidecar_events_sealed_total", "counter", "Events given their place in a chain."},
    [METRIC_EVENTS_SIGNED] = {"reason_sidecar_events_signed_total", "counter", "Seals signed and recorded."},
    [METRIC_EVENTS_EMITTED] = {"reason_sidecar_events_emitted_total", "counter", "Events that Kafka acknowledged and that were recorded."},
    [METRIC_EVENTS_ARCHIVED] = {"reason_sidecar_events_archived_total", "counter", "Events in archive segments that are stored and indexed."},
    [METRIC_EVENTS_MIRRORED] = {"reason_sidecar_events_mirrored_total", "counter", "Events that a mirror has taken, with the mark that says so."},
    [METRIC_COSIGNATURES] = {"reason_sidecar_cosignatures_total", "counter", "Cosignatures of witnesses that were verified and recorded."},
    [METRIC_SNAPSHOTS_SIGNED] = {"reason_sidecar_snapshots_signed_total", "counter", "Snapshots signed."},
    [METRIC_SNAPSHOTS_STORED] = {"reason_sidecar_snapshots_stored_total", "counter", "Snapshots stored and complete."},
    [METRIC_SNAPSHOTS_FAILED] = {"reason_sidecar_snapshots_failed_total", "counter", "Snapshots given up."},
    [METRIC_SIGNING_FAILURES] = {FAILURES "{kind=\"signer\"}", "counter", "What failed, by kind."},
    [METRIC_SIGNATURES_REFUSED] = {FAILURES "{kind=\"signature_refused\"}", "counter", NULL},
    [METRIC_STORE_FAILURES] = {FAILURES "{kind=\"store\"}", "counter", NULL},
    [METRIC_EMIT_FAILURES] = {FAILURES "{kind=\"emit\"}", "counter", NULL},
    [METRIC_EMIT_PARKED] = {FAILURES "{kind=\"emit_parked\"}", "counter", NULL},
    [METRIC_ARCHIVE_FAILURES] = {FAILURES "{kind=\"archive\"}", "counter", NULL},
    [METRIC_ARCHIVE_PARKED] = {FAILURES "{kind=\"archive_parked\"}", "counter", NULL},
    [METRIC_MIRROR_FAILURES] = {FAILURES "{kind=\"mirror\"}", "counter", NULL},
    [METRIC_MIRROR_REFUSED] = {FAILURES "{kind=\"mirror_parked\"}", "counter", NULL},
    [METRIC_MIRROR_DIVERGED] = {FAILURES "{kind=\"mirror_diverged\"}", "counter", NULL},
    [METRIC_WITNESS_FAILURES] = {FAILURES "{kind=\"witness\"}", "counter", NULL},
    [METRIC_WITNESS_CONTRADICTIONS] = {FAILURES "{kind=\"witness_contradicts\"}", "counter", NULL},
    [METRIC_DATABASE_FAILURES] = {FAILURES "{kind=\"database\"}", "counter", NULL},
    [METRIC_KUBERNETES_FAILURES] = {FAILURES "{kind=\"kubernetes\"}", "counter", NULL},
    [METRIC_SPANS_EXPORTED] = {"reason_sidecar_spans_exported_total", "counter", "Spans that the collector took."},
    [METRIC_SPANS_DROPPED] = {"reason_sidecar_spans_dropped_total", "counter", "Spans that found no room in the queue, or that the collector did not take."},
    [METRIC_LEADING_SEAL] = {"reason_sidecar_leading{duty=\"seal\"}", "gauge", "1 while this sidecar leads the duty."},
    [METRIC_LEADING_SNAPSHOT] = {"reason_sidecar_leading{duty=\"snapshot\"}", "gauge", NULL},
    [METRIC_LEADING_EMIT] = {"reason_sidecar_leading{duty=\"emit\"}", "gauge", NULL},
    [METRIC_LEADING_ARCHIVE] = {"reason_sidecar_leading{duty=\"archive\"}", "gauge", NULL},
    [METRIC_LEADING_MIRROR] = {"reason_sidecar_leading{duty=\"mirror\"}", "gauge", NULL},
    [METRIC_QUEUE_SEAL] = {"reason_sidecar_queue_depth{duty=\"seal\"}", "gauge", "What waits: events without signature, unfinished snapshots, events not emitted (the lag of Kafka), not archived, not mirrored."},
    [METRIC_QUEUE_SNAPSHOT] = {"reason_sidecar_queue_depth{duty=\"snapshot\"}", "gauge", NULL},
    [METRIC_QUEUE_EMIT] = {"reason_sidecar_queue_depth{duty=\"emit\"}", "gauge", NULL},
    [METRIC_QUEUE_ARCHIVE] = {"reason_sidecar_queue_depth{duty=\"archive\"}", "gauge", NULL},
    [METRIC_QUEUE_MIRROR] = {"reason_sidecar_queue_depth{duty=\"mirror\"}", "gauge", NULL},
    [METRIC_AGE_SEAL] = {"reason_sidecar_queue_age_seconds{duty=\"seal\"}", "gauge", "Age of the oldest that waits."},
    [METRIC_AGE_SNAPSHOT] = {"reason_sidecar_queue_age_seconds{duty=\"snapshot\"}", "gauge", NULL},
    [METRIC_AGE_EMIT] = {"reason_sidecar_queue_age_seconds{duty=\"emit\"}", "gauge", NULL},
    [METRIC_AGE_ARCHIVE] = {"reason_sidecar_queue_age_seconds{duty=\"archive\"}", "gauge", NULL},
    [METRIC_AGE_MIRROR] = {"reason_sidecar_queue_age_seconds{duty=\"mirror\"}", "gauge", NULL},
    [METRIC_PARKED_SEAL] = {"reason_sidecar_parked{duty=\"seal\"}", "gauge", "Items that were given up, until somebody has them tried again, and chains that have halted: view reason.parked."},
    [METRIC_PARKED_SNAPSHOT] = {"reason_sidecar_parked{duty=\"snapshot\"}", "gauge", NULL},
    [METRIC_PARKED_EMIT] = {"reason_sidecar_parked{duty=\"emit\"}", "gauge", NULL},
    [METRIC_PARKED_ARCHIVE] = {"reason_sidecar_parked{duty=\"archive\"}", "gauge", NULL},
    [METRIC_PARKED_MIRROR] = {"reason_sidecar_parked{duty=\"mirror\"}", "gauge", NULL},
    [METRIC_KUBERNETES_LEASE] = {"reason_sidecar_kubernetes_lease", "gauge", "1 while this sidecar holds the Kubernetes Lease, if one is configured."},
    [METRIC_SAFE_MODE] = {"reason_sidecar_safe_mode", "gauge", "1 while this sidecar leads the duty seal and nothing may be sealed, because the database may have forgotten events, or does not extend what was signed."},
    [METRIC_LOG_STOPPED] = {"reason_sidecar_log_stopped", "gauge", "1 while nothing is signed, because the database does not extend what was signed or published."},
    [METRIC_LOG_STOPS_CUT] = {STOPS "{reason=\"cut\"}", "counter", "How often it was found that the database does not extend what was signed, by what was found."},
    [METRIC_LOG_STOPS_VANISHED] = {STOPS "{reason=\"vanished\"}", "counter", NULL},
    [METRIC_LOG_STOPS_REWRITTEN] = {STOPS "{reason=\"rewritten\"}", "counter", NULL},
    [METRIC_LOG_STOPS_RESIGNED] = {STOPS "{reason=\"resigned\"}", "counter", NULL},
    [METRIC_LOG_STOPS_PUBLISHED] = {STOPS "{reason=\"published\"}", "counter", NULL},
    [METRIC_LOG_STOPS_ORIGIN] = {STOPS "{reason=\"origin\"}", "counter", NULL},
    [METRIC_LOG_STOPS_SNAPSHOT] = {STOPS "{reason=\"snapshot\"}", "counter", NULL},
    [METRIC_LOG_STOPS_CONTRADICTED] = {STOPS "{reason=\"contradicted\"}", "counter", NULL},
    [METRIC_LOG_STOPS_MEMORY] = {STOPS "{reason=\"memory\"}", "counter", NULL},
    [METRIC_LOG_STOPS_UNREADABLE] = {STOPS "{reason=\"unreadable\"}", "counter", NULL},
    [METRIC_LOG_FORGOTTEN] = {"reason_sidecar_store_forgotten_total", "counter",
                              "How often the store was found to hold less of a log than was published there."},
    [METRIC_LOG_EVENTS] = {"reason_sidecar_log_events", "gauge", "Events of all divisions that were signed, when they were last proved."},
    [METRIC_LOG_COVERED] = {"reason_sidecar_checkpoint_events", "gauge", "Of these, how many the last checkpoints cover."},
    [METRIC_LOG_PUBLISHED] = {"reason_sidecar_published_events", "gauge", "Of these, how many the last checkpoints cover that lie in the store."},
    [METRIC_CHECKPOINT_SECONDS] = {"reason_sidecar_checkpoint_timestamp_seconds", "gauge", "When every checkpoint that was due was last signed and published, at first when the sidecar started; 0: none are made."},
    [METRIC_CERTIFICATE_EXPIRY] = {"reason_sidecar_expiry_timestamp_seconds", "gauge", "When the first of the certificates in the configuration expires, authorities included; NaN: there are none."},
    [METRIC_STORE_ROOM] = {"reason_sidecar_store_free_bytes{store=\"snapshots\"}", "gauge", "Room on the disk of a store that is a directory; NaN: it is none."},
    [METRIC_ARCHIVE_ROOM] = {"reason_sidecar_store_free_bytes{store=\"archive\"}", "gauge", NULL},
    [METRIC_STORE_SIZE] = {"reason_sidecar_store_size_bytes{store=\"snapshots\"}", "gauge", "Size of that disk."},
    [METRIC_ARCHIVE_SIZE] = {"reason_sidecar_store_size_bytes{store=\"archive\"}", "gauge", NULL},
    [METRIC_DATABASE_UP] = {"reason_sidecar_database_up", "gauge", "1 while the database answers; depth and age of the queues are NaN while it does not."},
    [METRIC_READY] = {"reason_sidecar_ready", "gauge", "1 while database, signer and store are open, the signer is registered, and the database extends what was signed."},
    [METRIC_LAST_TURN_SECONDS] = {"reason_sidecar_last_turn_timestamp_seconds", "gauge", "When the main loop last went round."},
};

static const char *const stages[HISTOGRAM_COUNT] = {"seal", "sign", "upload", "emit", "archive", "mirror", "checkpoint"};
static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};

#define BOUND_COUNT (sizeof(bounds) / sizeof(bounds[0]))

static struct {
    atomic_long buckets[BOUND_COUNT + 1];
    atomic_long microseconds;
} histograms[HISTOGRAM_COUNT];

static atomic_long values[METRIC_COUNT];
static const char *_Atomic memory = "none";
static atomic_long turned_ms;           /* by the steady clock */
static struct MHD_Daemon *server;

void metrics_add(enum metric metric, long value)
{
    atomic_fetch_add(&values[metric], value);
}

void metrics_set(enum metric metric, long value)
{
    atomic_store(&values[metric], value);
}

void metrics_turned(void)
{
    atomic_store(&turned_ms, clock_ms());
    metrics_set(METRIC_LAST_TURN_SECONDS, time(NULL));
}

void metrics_forget(void)
{
    for (enum metric metric = METRIC_QUEUE_SEAL; metric <= METRIC_PARKED_MIRROR; metric++)
        metrics_set(metric, METRIC_UNKNOWN);
    metrics_set(METRIC_DATABASE_UP, 0);
    metrics_set(METRIC_READY, 0);
}

void metrics_memory(const char *where)
{
    atomic_store(&memory, where);
}

void metrics_observe(enum histogram histogram, double seconds)
{
    size_t bucket = 0;

    while (bucket < BOUND_COUNT && seconds > bounds[bucket])
        bucket++;
    atomic_fetch_add(&histograms[histogram].buckets[bucket], 1);
    atomic_fetch_add(&histograms[histogram].microseconds, (long)(seconds * 1e6));
}

static void write_metrics(FILE *out)
{
    static const char duration[] = "reason_sidecar_stage_duration_seconds";

    for (int i = 0; i < METRIC_COUNT; i++) {
        int name_length = (int)strcspn(metrics[i].name, "{");

        if (metrics[i].help)
            fprintf(out, "# HELP %.*s %s\n# TYPE %.*s %s\n", name_length, metrics[i].name, metrics[i].help, name_length, metrics[i].name,
                    metrics[i].type);
        if (atomic_load(&values[i]) == METRIC_UNKNOWN)
            fprintf(out, "%s NaN\n", metrics[i].name);
        else
            fprintf(out, "%s %ld\n", metrics[i].name, atomic_load(&values[i]));
    }
    fprintf(out, "# HELP %s How long a turn of a stage took that did something.\n# TYPE %s histogram\n", duration, duration);
    for (int i = 0; i < HISTOGRAM_COUNT; i++) {
        long count = 0;

        for (size_t bucket = 0; bucket < BOUND_COUNT; bucket++) {
            count += atomic_load(&histograms[i].buckets[bucket]);
            fprintf(out, "%s_bucket{stage=\"%s\",le=\"%g\"} %ld\n", duration, stages[i], bounds[bucket], count);
        }
        count += atomic_load(&histograms[i].buckets[BOUND_COUNT]);
        fprintf(out, "%s_bucket{stage=\"%s\",le=\"+Inf\"} %ld\n%s_sum{stage=\"%s\"} %.6f\n%s_count{stage=\"%s\"} %ld\n", duration,
                stages[i], count, duration, stages[i], (double)atomic_load(&histograms[i].microseconds) / 1e6, duration, stages[i], count);
    }
    traversals_write(out);
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path, const char *method, const char *version,
                              const char *upload, size_t *upload_size, void **state)
{
    char *text = NULL;
    size_t length = 0;
    unsigned status = MHD_HTTP_OK;
    struct MHD_Response *response;
    enum MHD_Result result;
    FILE *out = open_memstream(&text, &length);

    (void)context, (void)version, (void)upload, (void)upload_size, (void)state;
    if (!out)
        return MHD_NO;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0) {
        status = MHD_HTTP_METHOD_NOT_ALLOWED;
    } else if (!strcmp(path, "/health") || !strcmp(path, "/ready")) {
        /* alive while the main loop turns */
        bool ok = clock_ms() - atomic_load(&turned_ms) < 90000;

        bool ready = !strcmp(path, "/ready");

        ok = ok && (!ready || atomic_load(&values[METRIC_READY]) == 1);
        fprintf(out, "{\"ok\":%s", ok ? "true" : "false");
        if (ready)
            fprintf(out, ",\"memory\":\"%s\"", atomic_load(&memory));
        fputs("}\n", out);
        status = ok ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
    } else if (!strcmp(path, "/metrics")) {
        write_metrics(out);
    } else {
        status = MHD_HTTP_NOT_FOUND;
    }
    if (fclose(out) != 0 || !text) {
        free(text);
        return MHD_NO;
    }
    response = MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, !strcmp(path, "/metrics") ? "text/plain; version=0.0.4" : "application/json");
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

bool metrics_start(const char *address, int port)
{
    struct sockaddr_in socket_address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    if (inet_pton(AF_INET, address, &socket_address.sin_addr) != 1) {
        log_error("metrics.address \"%s\" is no IPv4 address", address);
        return false;
    }
    server = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, (uint16_t)port, NULL, NULL, answer, NULL, MHD_OPTION_SOCK_ADDR,
                              (struct sockaddr *)&socket_address, MHD_OPTION_CONNECTION_LIMIT, 32U, MHD_OPTION_CONNECTION_TIMEOUT, 10U,
                              MHD_OPTION_END);
    if (!server)
        log_error("cannot serve metrics on %s:%d", address, port);
    return server != NULL;
}

void metrics_stop(void)
{
    if (server)
        MHD_stop_daemon(server);
    server = NULL;
}
