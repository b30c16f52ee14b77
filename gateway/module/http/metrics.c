/*
 * http/metrics.c: requests are counted by route, status and time; all that base/counters.c holds is shown as Prometheus text.
 */
#include "http/reason_http.h"

static const ngx_uint_t  reason_statuses[] = {
    200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 409, 412, 413, 415, 416, 429, 499, 500, 502, 503, 504, 0
};
static const ngx_uint_t  reason_buckets_ms[] = { 1, 2, 5, 10, 25, 50, 100, 200, 250, 500, 1000, 2500, 10000 };

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

_Static_assert(REASON_STATUS_COUNT <= REASON_MAX_STATUSES, "a counter for each status");
_Static_assert(REASON_BUCKET_COUNT + 1 <= REASON_MAX_BUCKETS, "a counter for each bucket, and for what is above them");


/* At the end of every request. */
static ngx_int_t
reason_log_handler(ngx_http_request_t *r)
{
    ngx_uint_t                i, status;
    ngx_time_t               *now;
    ngx_msec_int_t            ms;
    reason_loc_conf_t        *conf = ngx_http_get_module_loc_conf(r, ngx_http_reason_module);
    reason_route_counters_t  *route;

    route = reason_counters_route(conf->statement ? conf->statement->route : REASON_MAX_ROUTES);
    if (route == NULL || r != r->main) {
        return NGX_OK;
    }

    status = r->err_status ? r->err_status : r->headers_out.status;
    for (i = 0; i < REASON_STATUS_COUNT - 1 && reason_statuses[i] != status; i++) { /* void */ }
    (void) ngx_atomic_fetch_add(&route->statuses[i], 1);

    now = ngx_timeofday();
    ms = (ngx_msec_int_t) ((now->sec - r->start_sec) * 1000 + (now->msec - r->start_msec));
    ms = ngx_max(ms, 0);
    for (i = 0; i < REASON_BUCKET_COUNT && (ngx_uint_t) ms > reason_buckets_ms[i]; i++) { /* void */ }
    (void) ngx_atomic_fetch_add(&route->buckets[i], 1);
    (void) ngx_atomic_fetch_add(&route->sum_ms, ms);
    reason_spans_end(r, status);
    return NGX_OK;
}


ngx_int_t
reason_metrics_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *handler;
    ngx_http_core_main_conf_t  *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    handler = ngx_array_push(&core->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (handler == NULL || reason_counters_init(cf, &ngx_http_reason_module) != NGX_OK) {
        return NGX_ERROR;
    }
    *handler = reason_log_handler;
    return NGX_OK;
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


/* Gauges and failures of each upstream, and gauges of all. */
static u_char *
reason_upstreams_text(u_char *p, reason_main_conf_t *main)
{
    ngx_uint_t         i, gauge, failure;
    reason_pool_t    **pool = main->pools.elts;
    ngx_atomic_uint_t  total;
    static const struct { const char *name, *by_upstream, *help; }  gauges[REASON_GAUGE_COUNT] = {
        [REASON_GAUGE_CONNECTED] = { "reason_gateway_connections", "reason_gateway_upstream_connections",
                                     "Connections to PostgreSQL, idle or busy." },
        [REASON_GAUGE_IDLE] = { "reason_gateway_connections_idle", "reason_gateway_upstream_connections_idle",
                                "Connections that wait for a request." },
        [REASON_GAUGE_WAITING] = { "reason_gateway_queue_depth", "reason_gateway_upstream_queue_depth",
                                   "Requests that wait for a connection." },
    };

    for (gauge = 0; gauge < REASON_GAUGE_COUNT; gauge++) {
        p = ngx_sprintf(p, "# HELP %s %s\n# TYPE %s gauge\n", gauges[gauge].by_upstream, gauges[gauge].help, gauges[gauge].by_upstream);
        for (total = 0, i = 0; i < main->pools.nelts; i++) {
            total += reason_counters_sum(pool[i]->counters, gauge);
            p = ngx_sprintf(p, "%s{upstream=\"%V\"} %uA\n", gauges[gauge].by_upstream, &pool[i]->name,
                            reason_counters_sum(pool[i]->counters, gauge));
        }
        p = ngx_sprintf(p, "# HELP %s %s\n# TYPE %s gauge\n%s %uA\n", gauges[gauge].name, gauges[gauge].help, gauges[gauge].name,
                        gauges[gauge].name, total);
    }
    p = ngx_sprintf(p, "# HELP reason_gateway_upstream_failures_total What kept a request from its answer, by upstream.\n"
                    "# TYPE reason_gateway_upstream_failures_total counter\n");
    for (i = 0; i < main->pools.nelts; i++) {
        for (failure = 0; failure < REASON_FAILURE_COUNT; failure++) {
            p = ngx_sprintf(p, "reason_gateway_upstream_failures_total{upstream=\"%V\",kind=\"%s\"} %uA\n", &pool[i]->name,
                            reason_failures[failure], reason_counters_failures(pool[i]->counters, failure));
        }
    }
    return p;
}


ngx_int_t
reason_metrics_handler(ngx_http_request_t *r)
{
    u_char               *p;
    ngx_int_t             rc;
    ngx_buf_t            *b;
    ngx_str_t             none = ngx_string("none"), type = ngx_string("text/plain; version=0.0.4"), text;
    ngx_uint_t            i, upstream;
    reason_main_conf_t   *main = ngx_http_get_module_main_conf(r, ngx_http_reason_module);
    ngx_atomic_uint_t     total;
    reason_statement_t  **statement = main->statements.elts;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    b = ngx_create_temp_buf(r->pool, 8192 + (main->statements.nelts + 1) * (REASON_STATUS_COUNT + REASON_BUCKET_COUNT + 3) * 160
                            + main->pools.nelts * (REASON_FAILURE_COUNT + REASON_GAUGE_COUNT) * 192);
    if (b == NULL || reason_counters_route(0) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_sprintf(b->last, "# HELP reason_gateway_requests_total Requests answered, by SQL function and status.\n"
                    "# TYPE reason_gateway_requests_total counter\n"
                    "# HELP reason_gateway_request_seconds From the first byte of the request to the last of the answer.\n"
                    "# TYPE reason_gateway_request_seconds histogram\n");
    for (i = 0; i < main->statements.nelts && i < REASON_MAX_ROUTES; i++) {
        if (statement[i]->route == i) {
            p = reason_route_text(p, &statement[i]->function, reason_counters_route(i));
        }
    }
    p = reason_route_text(p, &none, reason_counters_route(REASON_MAX_ROUTES));
    p = ngx_sprintf(p, "# HELP reason_gateway_failures_total What kept a request from its answer.\n"
                    "# TYPE reason_gateway_failures_total counter\n");
    for (i = 0; i < REASON_FAILURE_COUNT; i++) {
        /* what upstreams counted that a reload has removed stays in the sum, or it would fall */
        for (total = 0, upstream = 0; upstream <= REASON_MAX_UPSTREAMS; upstream++) {
            total += reason_counters_failures(upstream, i);
        }
        p = ngx_sprintf(p, "reason_gateway_failures_total{kind=\"%s\"} %uA\n", reason_failures[i], total);
    }
    p = ngx_sprintf(p, "# HELP reason_gateway_spans_exported_total Spans that the collector took.\n"
                    "# TYPE reason_gateway_spans_exported_total counter\nreason_gateway_spans_exported_total %uA\n"
                    "# HELP reason_gateway_spans_dropped_total Spans that found no room, or that the collector did not take.\n"
                    "# TYPE reason_gateway_spans_dropped_total counter\nreason_gateway_spans_dropped_total %uA\n",
                    reason_counters_spans_sum(REASON_SPANS_EXPORTED), reason_counters_spans_sum(REASON_SPANS_DROPPED));
    p = reason_upstreams_text(p, main);
    p = reason_expiry_text(p, r);
    text.data = b->pos;
    text.len = p - b->pos;
    return reason_response_send_whole(r, NGX_HTTP_OK, type, text);
}
