/*
 * reason_base.h: what knows neither HTTP nor PostgreSQL.
 */
#ifndef REASON_BASE_H
#define REASON_BASE_H

#include <ngx_config.h>
#include <ngx_core.h>

/* counters.c */
typedef enum {
    REASON_FAILURE_CONNECTION, REASON_FAILURE_QUEUE_FULL, REASON_FAILURE_QUEUE_DEADLINE, REASON_FAILURE_QUERY_DEADLINE,
    REASON_FAILURE_CLIENT_GONE, REASON_FAILURE_CLIENT_SHARE, REASON_FAILURE_CLIENT_SLOW, REASON_FAILURE_HELD_UP,
    REASON_FAILURE_POLICY_UNANSWERED, REASON_FAILURE_COUNT
} reason_failure_e;
typedef enum { REASON_GAUGE_CONNECTED, REASON_GAUGE_IDLE, REASON_GAUGE_WAITING, REASON_GAUGE_COUNT } reason_gauge_e;

typedef enum { REASON_SPANS_EXPORTED, REASON_SPANS_DROPPED, REASON_SPANS_COUNT } reason_spans_e;

#define REASON_MAX_ROUTES    128
#define REASON_MAX_UPSTREAMS 64
#define REASON_UPSTREAM_NAME 64
#define REASON_MAX_STATUSES  24
#define REASON_MAX_BUCKETS   16

typedef struct {
    ngx_atomic_t  statuses[REASON_MAX_STATUSES];
    ngx_atomic_t  buckets[REASON_MAX_BUCKETS];
    ngx_atomic_t  sum_ms;
} reason_route_counters_t;

/* the shared memory that the counters are in; its owner is the module */
ngx_int_t reason_counters_init(ngx_conf_t *cf, void *module);
/* the place of an upstream's counters, by its name over all reloads; REASON_MAX_UPSTREAMS: there is none left */
ngx_uint_t reason_counters_upstream(ngx_str_t *name);
void reason_counters_failure(ngx_uint_t upstream, reason_failure_e failure);
void reason_counters_gauge(ngx_uint_t upstream, reason_gauge_e gauge, ngx_uint_t value);
/* the counters of a route, to show them or to count a request; the last is for requests without one. NULL before there is shared memory */
reason_route_counters_t *reason_counters_route(ngx_uint_t route);
ngx_atomic_uint_t reason_counters_failures(ngx_uint_t upstream, reason_failure_e failure);
void reason_counters_spans(reason_spans_e what, ngx_uint_t count);
ngx_atomic_uint_t reason_counters_spans_sum(reason_spans_e what);
/* of all workers */
ngx_atomic_uint_t reason_counters_sum(ngx_uint_t upstream, reason_gauge_e gauge);

/* json.c */
u_char *reason_json_escape(u_char *p, const char *text);
size_t reason_json_object(const char *text);
/* the record of a batch ({"nodes":[…]}) in which the text breaks off; -1: in none */
ngx_int_t reason_json_record(const u_char *text, size_t length);

/* utf8.c */
/* how many bytes the first character has; 0 if it is none */
size_t reason_utf8_character(const u_char *p, const u_char *end);
/* how many bytes from the beginning of the text are UTF-8 */
size_t reason_utf8_length(const u_char *text, size_t length);

#endif
