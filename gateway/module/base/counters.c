/*
 * base/counters.c: counters of all workers in shared memory; http/metrics.c shows them.
 *
 * Counters only grow; gauges are kept for each worker in a place of its own and added up when they are shown, so that a
 * worker that ended leaves nothing behind. Each upstream has its own, found by its name, so that a reload that adds or
 * removes one leaves the counters of the others where they are.
 */
#include "base/reason_base.h"

#define REASON_MAX_WORKERS  NGX_MAX_PROCESSES   /* a slot each: those of before and after a reload live side by side */

typedef struct {
    u_char        name[REASON_UPSTREAM_NAME + 1];   /* empty: nobody's yet */
    ngx_atomic_t  failures[REASON_FAILURE_COUNT];
    ngx_atomic_t  gauges[REASON_GAUGE_COUNT][REASON_MAX_WORKERS];
} reason_upstream_counters_t;

typedef struct {
    reason_upstream_counters_t  upstreams[REASON_MAX_UPSTREAMS + 1];    /* the last: those that found no place */
    reason_route_counters_t     routes[REASON_MAX_ROUTES + 1];  /* the last: no call was made */
    ngx_atomic_t                spans[REASON_SPANS_COUNT];
} reason_counters_t;

static reason_counters_t  *reason_counters;
static ngx_slab_pool_t    *reason_counters_slab;


static ngx_int_t
reason_counters_zone(ngx_shm_zone_t *zone, void *old)
{
    ngx_slab_pool_t  *slab = (ngx_slab_pool_t *) zone->shm.addr;

    reason_counters_slab = slab;
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


ngx_int_t
reason_counters_init(ngx_conf_t *cf, void *module)
{
    ngx_str_t        name = ngx_string("reason_metrics");
    ngx_shm_zone_t  *zone = ngx_shared_memory_add(cf, &name, sizeof(reason_counters_t) + 16 * ngx_pagesize, module);

    if (zone == NULL) {
        return NGX_ERROR;
    }
    zone->init = reason_counters_zone;
    return NGX_OK;
}


ngx_uint_t
reason_counters_upstream(ngx_str_t *name)
{
    ngx_uint_t                   i;
    reason_upstream_counters_t  *upstream;

    if (reason_counters == NULL) {
        return REASON_MAX_UPSTREAMS;
    }
    ngx_shmtx_lock(&reason_counters_slab->mutex);
    for (i = 0; i < REASON_MAX_UPSTREAMS; i++) {
        upstream = &reason_counters->upstreams[i];
        if (upstream->name[0] == '\0') {
            ngx_memcpy(upstream->name, name->data, name->len);
            break;
        }
        if (ngx_strlen(upstream->name) == name->len && ngx_memcmp(upstream->name, name->data, name->len) == 0) {
            break;
        }
    }
    ngx_shmtx_unlock(&reason_counters_slab->mutex);
    return i;
}


void
reason_counters_failure(ngx_uint_t upstream, reason_failure_e failure)
{
    if (reason_counters != NULL) {
        (void) ngx_atomic_fetch_add(&reason_counters->upstreams[upstream].failures[failure], 1);
    }
}


void
reason_counters_gauge(ngx_uint_t upstream, reason_gauge_e gauge, ngx_uint_t value)
{
    if (reason_counters != NULL) {
        reason_counters->upstreams[upstream].gauges[gauge][ngx_process_slot % REASON_MAX_WORKERS] = value;
    }
}


void
reason_counters_spans(reason_spans_e what, ngx_uint_t count)
{
    if (reason_counters != NULL) {
        (void) ngx_atomic_fetch_add(&reason_counters->spans[what], count);
    }
}


ngx_atomic_uint_t
reason_counters_spans_sum(reason_spans_e what)
{
    return reason_counters->spans[what];
}


reason_route_counters_t *
reason_counters_route(ngx_uint_t route)
{
    return reason_counters != NULL ? &reason_counters->routes[ngx_min(route, REASON_MAX_ROUTES)] : NULL;
}


ngx_atomic_uint_t
reason_counters_failures(ngx_uint_t upstream, reason_failure_e failure)
{
    return reason_counters->upstreams[upstream].failures[failure];
}


ngx_atomic_uint_t
reason_counters_sum(ngx_uint_t upstream, reason_gauge_e gauge)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  sum = 0;

    for (i = 0; i < REASON_MAX_WORKERS; i++) {
        sum += reason_counters->upstreams[upstream].gauges[gauge][i];
    }
    return sum;
}
