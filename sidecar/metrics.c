/* metrics.c: Prometheus text over HTTP (libmicrohttpd). */
#include "metrics.h"

#include "log.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *name, *type, *help;
} metrics[METRIC_COUNT] = {
    [METRIC_EVENTS_SEALED] = {"reason_sidecar_events_sealed_total", "counter", "Events given their place in a chain."},
    [METRIC_EVENTS_SIGNED] = {"reason_sidecar_events_signed_total", "counter", "Seals signed and recorded."},
    [METRIC_SNAPSHOTS_SIGNED] = {"reason_sidecar_snapshots_signed_total", "counter", "Snapshots signed."},
    [METRIC_SNAPSHOTS_STORED] = {"reason_sidecar_snapshots_stored_total", "counter", "Snapshots stored and complete."},
    [METRIC_SNAPSHOTS_FAILED] = {"reason_sidecar_snapshots_failed_total", "counter", "Snapshots given up."},
    [METRIC_SIGNING_FAILURES] = {"reason_sidecar_signing_failures_total", "counter", "Signatures that could not be made or were refused by the registry."},
    [METRIC_STORE_FAILURES] = {"reason_sidecar_store_failures_total", "counter", "Attempts to store an object that failed."},
    [METRIC_DATABASE_FAILURES] = {"reason_sidecar_database_failures_total", "counter", "Calls and connections to the database that failed."},
    [METRIC_LEADING_SEAL] = {"reason_sidecar_leading{duty=\"seal\"}", "gauge", "1 while this sidecar leads the duty."},
    [METRIC_LEADING_SNAPSHOT] = {"reason_sidecar_leading{duty=\"snapshot\"}", "gauge", NULL},
    [METRIC_LAST_TURN_SECONDS] = {"reason_sidecar_last_turn_timestamp_seconds", "gauge", "When the main loop last went round."},
};

static atomic_long values[METRIC_COUNT];
static struct MHD_Daemon *server;

void metrics_add(enum metric metric, long value)
{
    atomic_fetch_add(&values[metric], value);
}

void metrics_set(enum metric metric, long value)
{
    atomic_store(&values[metric], value);
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path, const char *method, const char *version,
                              const char *upload, size_t *upload_size, void **state)
{
    char text[8192];
    size_t length = 0;
    unsigned status = MHD_HTTP_OK;
    struct MHD_Response *response;
    enum MHD_Result result;

    (void)context, (void)version, (void)upload, (void)upload_size, (void)state;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0) {
        status = MHD_HTTP_METHOD_NOT_ALLOWED;
    } else if (!strcmp(path, "/health")) {
        /* alive while the main loop turns */
        bool alive = time(NULL) - atomic_load(&values[METRIC_LAST_TURN_SECONDS]) < 90;

        length = (size_t)snprintf(text, sizeof(text), "{\"ok\":%s}\n", alive ? "true" : "false");
        status = alive ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
    } else if (!strcmp(path, "/metrics")) {
        for (int i = 0; i < METRIC_COUNT; i++) {
            int name_length = (int)strcspn(metrics[i].name, "{");

            if (metrics[i].help)
                length += (size_t)snprintf(text + length, sizeof(text) - length, "# HELP %.*s %s\n# TYPE %.*s %s\n", name_length,
                                           metrics[i].name, metrics[i].help, name_length, metrics[i].name, metrics[i].type);
            length += (size_t)snprintf(text + length, sizeof(text) - length, "%s %ld\n", metrics[i].name, atomic_load(&values[i]));
        }
    } else {
        status = MHD_HTTP_NOT_FOUND;
    }
    response = MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, !strcmp(path, "/health") ? "application/json" : "text/plain; version=0.0.4");
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
