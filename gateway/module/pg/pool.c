/*
 * pg/pool.c: the connections of one upstream in one worker, and what becomes of their calls.
 *
 * Each worker has its own connections. client_share.c says whose turn it is; a connection takes one call at a time, or
 * several (in_flight.c).
 */
#include "pg/reason_pg.h"

#define REASON_TRIES   2        /* more, of a call that could not be sent */
#define REASON_ENDING  5000     /* milliseconds: a backend that has not ended by then is left alone */


ngx_int_t
reason_pool_start(reason_pool_t *pool, ngx_cycle_t *cycle)
{
    ngx_uint_t            i;
    reason_connection_t  *connection;

    pool->log = cycle->log;
    pool->counters = reason_counters_upstream(&pool->name);
    ngx_queue_init(&pool->idle);
    reason_share_init(pool);

    pool->connections = ngx_pcalloc(cycle->pool, pool->connection_count * sizeof(reason_connection_t));
    if (pool->connections == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < pool->connection_count; i++) {
        connection = &pool->connections[i];
        if (reason_connection_init(connection, pool, cycle) != NGX_OK) {
            return NGX_ERROR;
        }
        reason_connection_open(connection);
    }
    reason_pool_gauges(pool);

    return NGX_OK;
}


void
reason_pool_gauges(reason_pool_t *pool)
{
    reason_counters_gauge(pool->counters, REASON_GAUGE_CONNECTED, pool->connected_count);
    reason_counters_gauge(pool->counters, REASON_GAUGE_IDLE, pool->idle_count);
    reason_counters_gauge(pool->counters, REASON_GAUGE_WAITING, pool->waiting_count);
}


reason_pool_t *
reason_pool_named(reason_main_conf_t *main, ngx_str_t *name)
{
    ngx_uint_t       i;
    reason_pool_t  **pool = main->pools.elts;

    for (i = 0; i < main->pools.nelts; i++) {
        if (pool[i]->name.len == name->len && ngx_memcmp(pool[i]->name.data, name->data, name->len) == 0) {
            return pool[i];
        }
    }
    return NULL;
}


/*
 * Forgets a connection and tries again later. Whoever waited for its answer is told, unless the call was not sent yet:
 * then another connection may have it; as it may have those that were behind it.
 */
void
reason_pool_broken(reason_connection_t *connection, const char *what)
{
    reason_pool_t  *pool = connection->pool;
    reason_job_t   *job = connection->count > 0 ? reason_in_flight_call(connection, 0)->job : NULL;

    if (connection->ending) {
        /* as it was told to */
        reason_pool_discard(connection);
        reason_pool_serve(pool);
        return;
    }
    reason_connection_log_broken(connection, what);
    reason_counters_failure(pool->counters, REASON_FAILURE_CONNECTION);
    reason_in_flight_leave(connection);
    reason_connection_close(connection);
    reason_pool_gauges(pool);

    if (job != NULL) {
        job->connection = NULL;
        if (!job->executed && job->tries++ < REASON_TRIES) {
            reason_queue_submit(job);
        } else {
            job->handlers->failed(job, REASON_FAILURE_CONNECTION);
        }
    }
    reason_pool_serve(pool);

    reason_connection_retry(connection);
}


/* A server has become another's standby, or ends: so idle connections to it are closed as well. */
void
reason_pool_elsewhere(reason_connection_t *connection)
{
    reason_pool_t  *pool = connection->pool;

    while (!ngx_queue_empty(&pool->idle)) {
        reason_pool_discard(ngx_queue_data(ngx_queue_head(&pool->idle), reason_connection_t, queue));
    }
    reason_in_flight_call(connection, 0)->job->executed = 0;
    reason_pool_broken(connection, "the server takes no such calls");
}


/*
 * Closes a connection whose first call's answer nobody wants any more, and opens another at once. PostgreSQL notices
 * the closed socket and cancels (client_connection_check_interval); PQcancel() would block the worker. Calls behind the
 * first wait for another connection: reason_pool_serve() is the caller's to call.
 */
void
reason_pool_discard(reason_connection_t *connection)
{
    reason_in_flight_leave(connection);
    reason_connection_close(connection);
    reason_pool_gauges(connection->pool);
    reason_connection_reopen(connection, 1);
}


/*
 * PostgreSQL looks whether its client is there once a second (client_connection_check_interval), and a socket closed for
 * sending is enough for it to cancel. Until it has ended it works for the client that left, whose share it belongs to:
 * else whoever asks and leaves could have as many backends as PostgreSQL has. PQcancel() would block the worker.
 */
void
reason_pool_end(reason_connection_t *connection)
{
    reason_in_flight_leave(connection);
    if (shutdown(PQsocket(connection->pg), SHUT_WR) == -1) {
        reason_pool_discard(connection);
        return;
    }
    connection->ending = 1;
    if (connection->paused) {
        connection->paused = 0;
        if (ngx_add_event(connection->c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
            reason_pool_discard(connection);
            return;
        }
    }
    if (connection->stall.timer_set) {
        ngx_del_timer(&connection->stall);
    }
    if (connection->deadline.timer_set) {
        ngx_del_timer(&connection->deadline);
    }
    ngx_add_timer(&connection->deadline, REASON_ENDING);
}


/* The worker ends. */
void
reason_pool_stop(reason_pool_t *pool)
{
    ngx_uint_t  i;

    for (i = 0; pool->connections && i < pool->connection_count; i++) {
        reason_connection_close(&pool->connections[i]);
    }
    reason_pool_gauges(pool);
}


/* Calls that share the connection go behind those it has. */
static void
reason_fill(reason_connection_t *connection)
{
    reason_job_t  *job;

    while (connection->ready && connection->count > 0 && (job = reason_share_next(connection->pool, connection)) != NULL) {
        reason_queue_remove(job);
        reason_call_start(connection, job);
    }
}


/* Sends what waits, as much as the connection takes; it is idle when it has nothing to do. */
void
reason_pool_feed(reason_connection_t *connection)
{
    reason_pool_t  *pool = connection->pool;

    reason_fill(connection);
    if (connection->ready && connection->count == 0) {
        if (connection->swollen || connection->ending
            || (!ngx_exiting && (ngx_msec_int_t) (ngx_current_msec - connection->expires_at) > 0))
        {
            reason_pool_discard(connection);
        } else {
            ngx_queue_insert_head(&pool->idle, &connection->queue);
            connection->idle = 1;
            pool->idle_count++;
        }
    }
    /* also when none is free now: a client that has fewer may have one that others could not */
    reason_pool_serve(pool);
    reason_pool_gauges(pool);
}


reason_connection_t *
reason_pool_take_idle(reason_pool_t *pool)
{
    reason_connection_t  *connection = ngx_queue_data(ngx_queue_head(&pool->idle), reason_connection_t, queue);

    ngx_queue_remove(&connection->queue);
    connection->idle = 0;
    pool->idle_count--;
    return connection;
}


void
reason_pool_serve(reason_pool_t *pool)
{
    reason_job_t         *job;
    reason_connection_t  *connection;

    while ((job = reason_share_next(pool, NULL)) != NULL) {
        connection = reason_pool_take_idle(pool);
        reason_queue_remove(job);
        reason_call_start(connection, job);
        reason_fill(connection);
    }
}
