/*
 * pg/in_flight.c: several calls on one connection.
 *
 * A backend that finds its next call in the socket need not sleep and be woken, and few backends that are busy find what
 * they need in the processor's caches: together that is worth as much as a small call. Each call is a transaction of its
 * own (it has its own Sync): an error ends none but itself.
 *
 * Only calls of locations with reason_pipeline share a connection: they are quick and only read. What keeps them from
 * waiting for long: a call goes behind others only if those will take no longer than REASON_WAIT, as calls of their
 * kind did of late, and none has been running for REASON_STALL. If one runs for longer, or its client does not keep up,
 * those behind it leave: they are called again on a connection of their own, and what this one answers is dropped. That
 * is why they must only read: they may be done twice.
 */
#include "pg/reason_pg.h"

#define REASON_WAIT   50000     /* microseconds */
#define REASON_STALL  50        /* milliseconds */
#define REASON_SLOW   200000    /* microseconds; a call that took longer says no more than this of its kind */


reason_call_t *
reason_in_flight_call(reason_connection_t *connection, ngx_uint_t place)
{
    return &connection->calls[(connection->first + place) % connection->pool->pipeline];
}


static ngx_uint_t
reason_microseconds(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (ngx_uint_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}


static void
reason_in_flight_turn(reason_connection_t *connection)
{
    connection->since = ngx_current_msec;
    connection->began = reason_microseconds();
    reason_share_begin(connection, reason_in_flight_call(connection, 0));
    ngx_add_timer(&connection->deadline, connection->pool->query_timeout);
}


reason_call_t *
reason_in_flight_push(reason_connection_t *connection, reason_job_t *job)
{
    reason_call_t  *call = reason_in_flight_call(connection, connection->count++);

    ngx_memzero(call, sizeof(reason_call_t));
    call->job = job;
    call->statement = job->statement;
    call->cost = job->statement->cost;
    call->pipeline = job->pipeline;
    call->class = job->class;
    call->memory = job->memory;
    call->share = job->share;
    call->share->references++;
    job->connection = connection;
    connection->cost += call->cost;
    if (connection->count == 1) {
        reason_in_flight_turn(connection);
    } else if (!connection->stall.timer_set) {
        ngx_add_timer(&connection->stall, REASON_STALL);
    }
    return call;
}


void
reason_in_flight_pop(reason_connection_t *connection)
{
    reason_call_t       *call = reason_in_flight_call(connection, 0);
    reason_statement_t  *statement = call->statement;
    ngx_uint_t           took = reason_microseconds() - connection->began;

    statement->cost = (15 * statement->cost + ngx_min(took, REASON_SLOW)) / 16;
    connection->cost -= call->cost;
    reason_share_end(connection, call, took);
    reason_share_release(call->share);
    connection->first = (connection->first + 1) % connection->pool->pipeline;
    if (--connection->count > 0) {
        reason_in_flight_turn(connection);
    } else if (connection->deadline.timer_set) {
        ngx_del_timer(&connection->deadline);
    }
}


void
reason_in_flight_clear(reason_connection_t *connection)
{
    ngx_uint_t      place;
    reason_call_t  *call;

    for (place = 0; place < connection->count; place++) {
        call = reason_in_flight_call(connection, place);
        if (place == 0) {
            reason_share_end(connection, call, reason_microseconds() - connection->began);
        }
        reason_share_release(call->share);
    }
    connection->count = 0;
    connection->cost = 0;
}


ngx_uint_t
reason_in_flight_drop(reason_connection_t *connection, reason_job_t *job)
{
    ngx_uint_t      place, wanted = 0;
    reason_call_t  *call;

    job->connection = NULL;
    for (place = 0; place < connection->count; place++) {
        call = reason_in_flight_call(connection, place);
        if (call->job == job) {
            call->job = NULL;
        }
        wanted |= call->job != NULL;
    }
    return wanted;
}


/* May this call be sent behind what the connection is doing? */
ngx_uint_t
reason_in_flight_takes(reason_connection_t *connection, reason_job_t *job)
{
    reason_call_t  *first = reason_in_flight_call(connection, 0);

    return job->pipeline && first->pipeline && !first->preparing && connection->prepared[job->statement->index]
        && connection->ready && !connection->paused && !connection->ending
        && connection->count < connection->pool->pipeline && connection->cost <= REASON_WAIT
        && ngx_current_msec - connection->since < REASON_STALL
        && (ngx_msec_int_t) (ngx_current_msec - connection->expires_at) < 0;
}


reason_connection_t *
reason_in_flight_find(reason_job_t *job)
{
    ngx_uint_t            i, sharing = 0;
    reason_pool_t        *pool = job->pool;
    reason_connection_t  *connection, *best = NULL;

    for (i = 0; job->pipeline && i < pool->connection_count; i++) {
        connection = &pool->connections[i];
        if (connection->count > 0 && reason_in_flight_takes(connection, job)) {
            sharing++;
            if (best == NULL || connection->count < best->count) {
                best = connection;
            }
        }
    }
    return sharing >= pool->spread || !reason_share_allows(job) ? best : NULL;
}


void
reason_in_flight_leave(reason_connection_t *connection)
{
    ngx_uint_t      place;
    reason_call_t  *call;
    reason_job_t   *job;

    for (place = connection->count; place-- > 1; ) {
        call = reason_in_flight_call(connection, place);
        job = call->job;
        if (job != NULL) {
            call->job = NULL;
            job->connection = NULL;
            job->pipeline = 0;
            reason_counters_failure(connection->pool->counters, REASON_FAILURE_HELD_UP);
            reason_queue_wait(job, 1);
        }
    }
}


void
reason_in_flight_stalled(ngx_event_t *event)
{
    reason_connection_t  *connection = event->data;
    ngx_msec_t            running = ngx_current_msec - connection->since;

    if (connection->count < 2) {
        return;
    }
    if (running < REASON_STALL) {
        ngx_add_timer(&connection->stall, REASON_STALL - running);
        return;
    }
    reason_in_flight_leave(connection);
    if (reason_in_flight_call(connection, 0)->job == NULL) {
        reason_pool_end(connection);
    }
    reason_pool_serve(connection->pool);
}
