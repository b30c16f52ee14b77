/*
 * reason_queue.c: a call asks for a connection, waits for one, and is given up.
 */
#include "ngx_http_reason.h"

static void reason_queue_deadline(ngx_event_t *event);


void
reason_pool_wait(reason_context_t *ctx, ngx_uint_t first)
{
    reason_share_wait(ctx, first);
    reason_pool_gauges(ctx->pool);
    ctx->queued = 1;
    ctx->deadline.handler = reason_queue_deadline;
    ctx->deadline.data = ctx;
    ctx->deadline.log = ctx->request->connection->log;
    ngx_add_timer(&ctx->deadline, ctx->pool->connect_timeout);
}


void
reason_pool_unqueue(reason_context_t *ctx)
{
    reason_share_leave(ctx);
    ctx->queued = 0;
    if (ctx->deadline.timer_set) {
        ngx_del_timer(&ctx->deadline);
    }
}


void
reason_pool_submit(reason_context_t *ctx)
{
    reason_pool_t        *pool = ctx->pool;
    reason_connection_t  *connection = NULL;

    ctx->ticket = pool->ticket++;
    if (ngx_queue_empty(&ctx->share->waiting[ctx->class]) && !reason_share_presses(pool)) {
        connection = reason_pipeline_find(ctx);
    }
    if (connection == NULL && reason_share_allows(ctx)) {
        connection = reason_pool_take_idle(pool);
        reason_pool_gauges(pool);
    }
    if (connection != NULL) {
        reason_call_start(connection, ctx);
        return;
    }

    if (pool->waiting_count >= pool->queue_max) {
        reason_metrics_failure(REASON_FAILURE_QUEUE_FULL);
        reason_error_finish(ctx, NGX_HTTP_SERVICE_UNAVAILABLE, "DEPENDENCY", "the service is overloaded", NULL);
        return;
    }
    if (reason_share_is_full(ctx)) {
        reason_metrics_failure(REASON_FAILURE_CLIENT_SHARE);
        reason_error_finish(ctx, NGX_HTTP_TOO_MANY_REQUESTS, "QUOTA", "too many requests of this client wait already; nothing was done", NULL);
        return;
    }
    reason_pool_wait(ctx, 0);
}


static void
reason_queue_deadline(ngx_event_t *event)
{
    reason_context_t  *ctx = event->data;

    reason_pool_unqueue(ctx);
    reason_metrics_failure(REASON_FAILURE_QUEUE_DEADLINE);
    reason_pool_gauges(ctx->pool);
    reason_error_finish(ctx, NGX_HTTP_SERVICE_UNAVAILABLE, "DEPENDENCY",
                        "no database connection became free in time; nothing was done", NULL);
}


/* The request ends before its answer came: the client has gone. */
void
reason_pool_abandon(reason_context_t *ctx)
{
    reason_connection_t  *connection = ctx->connection;

    if (ctx->queued) {
        reason_pool_unqueue(ctx);
    }
    if (ctx->poll.timer_set) {
        ngx_del_timer(&ctx->poll);
    }
    if (ctx->poll.posted) {
        ngx_delete_posted_event(&ctx->poll);
    }
    if (connection != NULL) {
        reason_metrics_failure(REASON_FAILURE_CLIENT_GONE);
        if (!reason_pipeline_drop(connection, ctx)) {
            reason_pool_end(connection);
        }
    }
}
