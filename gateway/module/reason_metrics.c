/*
 * reason_metrics.c: counters of all workers in shared memory, shown as Prometheus text.
 *
 * Counters only grow; gauges are kept for each worker in a place of its own and added up when they are shown, so that a
 * worker that ended leaves nothing behind.
 */
#include "ngx_http_reason.h"

#define REASON_MAX_ROUTES   64
#define REASON_MAX_WORKERS  NGX_MAX_PROCESSES   /* a slot each: those of before and after a reload live side by side */

static const ngx_uint_t  reason_statuses[] = { 200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 409, 413, 415, 416, 429, 499, 500, 502,
                                               503, 504, 0 };
static const ngx_uint_t  reason_buckets_ms[] = { 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10000 };

#define REASON_STATUS_COUNT  (sizeof(reason_statuses) / sizeof(reason_statuses[0]))
#define REASON_BUCKET_COUNT  (sizeof(reason_buckets_ms) / sizeof(reason_buckets_ms[0]))

static const char *const  reason_failures[REASON_FAILURE_COUNT] = {
    [REASON_FAILURE_CONNECTION] = "connection_lost",
    [REASON_FAILURE_QUEUE_FULL] = "queue_full",
    [REASON_FAILURE_QUEUE_DEADLINE] = "queue_deadline",
    [REASON_FAILURE_QUERY_DEADLINE] = "query_deadline",
    [REASON_FAILURE_CLIENT_GONE] = "client_gone",
    [REASON_FAILURE_CLIENT_SHARE] = "client_share",
    [REASON_FAILURE_CLIENT_SLOW] = "client_slow",
    [REASON_FAILURE_HELD_UP] = "held_up",
    [REASON_FAILURE_POLICY_UNANSWERED] = "policy_unanswered",
};

typedef struct {
    ngx_atomic_t  statuses[REASON_STATUS_COUNT];
    ngx_atomic_t  buckets[REASON_BUCKET_COUNT + 1];
    ngx_atomic_t  sum_ms;
} reason_route_counters_t;

typedef struct {
    ngx_atomic_t             failures[REASON_FAILURE_COUNT];
    ngx_atomic_t             gauges[REASON_GAUGE_COUNT][REASON_MAX_WORKERS];
    reason_route_counters_t  routes[REASON_MAX_ROUTES + 1];  /* the last: no call was made */
} reason_counters_t;

static reason_counters_t  *reason_counters;


static ngx_int_t
reason_zone_init(ngx_shm_zone_t *zone, void *old)
{
    ngx_slab_pool_t  *slab = (ngx_slab_pool_t *) zone->shm.addr;

    if (old != NULL) {
        /* a reload keeps what was counted */
        zone->data = old;
        reason_counters = old;
        return NGX_OK;
    }
    if (zone->shm.exists) {
        zone->data = slab->data;
        reason_counters = slab->data;
        return NGX_OK;
    }
    reason_counters = ngx_slab_calloc(slab, sizeof(reason_counters_t));
    if (reason_counters == NULL) {
        return NGX_ERROR;
    }
    slab->data = reason_counters;
    zone->data = reason_counters;
    return NGX_OK;
}


/* At the end of every request. */
static ngx_int_t
reason_log_handler(ngx_http_request_t *r)
{
    ngx_uint_t                i, status;
    ngx_time_t               *now;
    ngx_msec_int_t            ms;
    reason_loc_conf_t        *conf = ngx_http_get_module_loc_conf(r, ngx_http_reason_module);
    reason_route_counters_t  *route;

    if (reason_counters == NULL || r != r->main) {
        return NGX_OK;
    }
    i = conf->statement ? conf->statement->index : REASON_MAX_ROUTES;
    route = &reason_counters->routes[ngx_min(i, REASON_MAX_ROUTES)];

    status = r->err_status ? r->err_status : r->headers_out.status;
    for (i = 0; i < REASON_STATUS_COUNT - 1 && reason_statuses[i] != status; i++) { /* void */ }
    (void) ngx_atomic_fetch_add(&route->statuses[i], 1);

    now = ngx_timeofday();
    ms = (ngx_msec_int_t) ((now->sec - r->start_sec) * 1000 + (now->msec - r->start_msec));
    ms = ngx_max(ms, 0);
    for (i = 0; i < REASON_BUCKET_COUNT && (ngx_uint_t) ms > reason_buckets_ms[i]; i++) { /* void */ }
    (void) ngx_atomic_fetch_add(&route->buckets[i], 1);
    (void) ngx_atomic_fetch_add(&route->sum_ms, ms);
    return NGX_OK;
}


ngx_int_t
reason_metrics_init(ngx_conf_t *cf)
{
    ngx_str_t                   name = ngx_string("reason_metrics");
    ngx_shm_zone_t             *zone;
    ngx_http_handler_pt        *handler;
    ngx_http_core_main_conf_t  *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    zone = ngx_shared_memory_add(cf, &name, sizeof(reason_counters_t) + 16 * ngx_pagesize, &ngx_http_reason_module);
    handler = ngx_array_push(&core->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (zone == NULL || handler == NULL) {
        return NGX_ERROR;
    }
    zone->init = reason_zone_init;
    *handler = reason_log_handler;
    return NGX_OK;
}


void
reason_metrics_failure(reason_failure_e failure)
{
    if (reason_counters != NULL) {
        (void) ngx_atomic_fetch_add(&reason_counters->failures[failure], 1);
    }
}


void
reason_metrics_gauge(reason_gauge_e gauge, ngx_uint_t value)
{
    if (reason_counters != NULL) {
        reason_counters->gauges[gauge][ngx_process_slot % REASON_MAX_WORKERS] = value;
    }
}


static u_char *
reason_route_text(u_char *p, ngx_str_t *name, reason_route_counters_t *route)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  total = 0;

    for (i = 0; i < REASON_STATUS_COUNT; i++) {
        if (route->statuses[i]) {
            p = ngx_sprintf(p, "reason_gateway_requests_total{route=\"%V\",status=\"%ui\"} %uA\n", name, reason_statuses[i],
                            route->statuses[i]);
        }
    }
    for (i = 0; i < REASON_BUCKET_COUNT; i++) {
        total += route->buckets[i];
        p = ngx_sprintf(p, "reason_gateway_request_seconds_bucket{route=\"%V\",le=\"%ui.%03ui\"} %uA\n", name,
                        reason_buckets_ms[i] / 1000, reason_buckets_ms[i] % 1000, total);
    }
    total += route->buckets[i];
    return ngx_sprintf(p, "reason_gateway_request_seconds_bucket{route=\"%V\",le=\"+Inf\"} %uA\n"
                       "reason_gateway_request_seconds_sum{route=\"%V\"} %uA.%03uA\n"
                       "reason_gateway_request_seconds_count{route=\"%V\"} %uA\n",
                       name, total, name, route->sum_ms / 1000, route->sum_ms % 1000, name, total);
}


ngx_int_t
reason_metrics_handler(ngx_http_request_t *r)
{
    u_char               *p;
    ngx_int_t             rc;
    ngx_buf_t            *b;
    ngx_str_t             none = ngx_string("none");
    ngx_uint_t            i, gauge;
    ngx_chain_t           out;
    ngx_atomic_uint_t     sum;
    reason_main_conf_t   *main = ngx_http_get_module_main_conf(r, ngx_http_reason_module);
    reason_statement_t  **statement = main->statements.elts;
    static const struct { const char *name, *help; }  gauges[REASON_GAUGE_COUNT] = {
        [REASON_GAUGE_CONNECTED] = { "reason_gateway_connections", "Connections to PostgreSQL, idle or busy." },
        [REASON_GAUGE_IDLE] = { "reason_gateway_connections_idle", "Connections that wait for a request." },
        [REASON_GAUGE_WAITING] = { "reason_gateway_queue_depth", "Requests that wait for a connection." },
    };

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    b = ngx_create_temp_buf(r->pool, 4096 + (main->statements.nelts + 1) * (REASON_STATUS_COUNT + REASON_BUCKET_COUNT + 3) * 160);
    if (b == NULL || reason_counters == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_sprintf(b->last, "# HELP reason_gateway_requests_total Requests answered, by SQL function and status.\n"
                    "# TYPE reason_gateway_requests_total counter\n"
                    "# HELP reason_gateway_request_seconds From the first byte of the request to the last of the answer.\n"
                    "# TYPE reason_gateway_request_seconds histogram\n");
    for (i = 0; i < main->statements.nelts && i < REASON_MAX_ROUTES; i++) {
        p = reason_route_text(p, &statement[i]->function, &reason_counters->routes[i]);
    }
    p = reason_route_text(p, &none, &reason_counters->routes[REASON_MAX_ROUTES]);
    p = ngx_sprintf(p, "# HELP reason_gateway_failures_total What kept a request from its answer.\n"
                    "# TYPE reason_gateway_failures_total counter\n");
    for (i = 0; i < REASON_FAILURE_COUNT; i++) {
        p = ngx_sprintf(p, "reason_gateway_failures_total{kind=\"%s\"} %uA\n", reason_failures[i], reason_counters->failures[i]);
    }
    for (gauge = 0; gauge < REASON_GAUGE_COUNT; gauge++) {
        sum = 0;
        for (i = 0; i < REASON_MAX_WORKERS; i++) {
            sum += reason_counters->gauges[gauge][i];
        }
        p = ngx_sprintf(p, "# HELP %s %s\n# TYPE %s gauge\n%s %uA\n", gauges[gauge].name, gauges[gauge].help, gauges[gauge].name,
                        gauges[gauge].name, sum);
    }
    b->last = p;
    b->last_buf = 1;
    b->last_in_chain = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;
    ngx_str_set(&r->headers_out.content_type, "text/plain; version=0.0.4");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }
    out.buf = b;
    out.next = NULL;
    return ngx_http_output_filter(r, &out);
}
