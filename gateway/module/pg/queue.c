/*
 * pg/queue.c: a call asks for a connection, waits for one, and is given up.
 */
#include "pg/reason_pg.h"

static void reason_queue_deadline(ngx_event_t *event);


void
reason_queue_wait(reason_job_t *job, ngx_uint_t first)
{
    reason_share_wait(job, first);
    reason_pool_gauges(job->pool);
    job->queued = 1;
    job->deadline.handler = reason_queue_deadline;
    job->deadline.data = job;
    job->deadline.log = job->log;
    ngx_add_timer(&job->deadline, job->pool->connect_timeout);
}


void
reason_queue_remove(reason_job_t *job)
{
    reason_share_leave(job);
    job->queued = 0;
    if (job->deadline.timer_set) {
        ngx_del_timer(&job->deadline);
    }
}


void
reason_queue_submit(reason_job_t *job)
{
    reason_pool_t        *pool = job->pool;
    reason_connection_t  *connection = NULL;

    job->ticket = pool->ticket++;
    if (ngx_queue_empty(&job->share->waiting[job->class]) && !reason_share_presses(pool)) {
        connection = reason_in_flight_find(job);
    }
    if (connection == NULL && reason_share_allows(job)) {
        connection = reason_pool_take_idle(pool);
        reason_pool_gauges(pool);
    }
    if (connection != NULL) {
        reason_call_start(connection, job);
        return;
    }

    if (pool->waiting_count >= pool->queue_max) {
        reason_counters_failure(pool->counters, REASON_FAILURE_QUEUE_FULL);
        job->handlers->failed(job, REASON_FAILURE_QUEUE_FULL);
        return;
    }
    if (reason_share_is_full(job)) {
        reason_counters_failure(pool->counters, REASON_FAILURE_CLIENT_SHARE);
        job->handlers->failed(job, REASON_FAILURE_CLIENT_SHARE);
        return;
    }
    reason_queue_wait(job, 0);
}


static void
reason_queue_deadline(ngx_event_t *event)
{
    reason_job_t  *job = event->data;

    reason_queue_remove(job);
    reason_counters_failure(job->pool->counters, REASON_FAILURE_QUEUE_DEADLINE);
    reason_pool_gauges(job->pool);
    job->handlers->failed(job, REASON_FAILURE_QUEUE_DEADLINE);
}


void
reason_queue_abandon(reason_job_t *job)
{
    reason_connection_t  *connection = job->connection;

    if (job->queued) {
        reason_queue_remove(job);
    }
    if (connection != NULL) {
        reason_counters_failure(job->pool->counters, REASON_FAILURE_CLIENT_GONE);
        if (!reason_in_flight_drop(connection, job)) {
            reason_pool_end(connection);
        }
    }
}
