/*
 * reason_pool.c: connections to PostgreSQL.
 *
 * Each worker has its own connections. libpq does the talking; nginx's event loop tells when a
 * socket is ready. Whose turn it is says reason_share.c; a connection takes one call at a time, or several
 * (reason_pipeline.c).
 *
 * The socket is registered level-triggered, for libpq does not say when it has read until EAGAIN;
 * write events only while PQflush() has something left. libpq closes its descriptor by itself when
 * a connection breaks, so events are then dropped without epoll_ctl: the number may be another's.
 */
#include "ngx_http_reason.h"

static void reason_connect(reason_connection_t *connection);
static void reason_connect_poll(reason_connection_t *connection);
static void reason_socket_handler(ngx_event_t *event);
static void reason_timer_handler(ngx_event_t *event);
static void reason_log_connected(reason_pool_t *pool);

#define REASON_BACKOFF_MIN  50
#define REASON_BACKOFF_MAX  1000
#define REASON_TRIES        2       /* more, of a call that could not be sent */
#define REASON_LOG_EVERY    60      /* seconds */
#define REASON_ENDING       5000    /* milliseconds: a backend that has not ended by then is left alone */


ngx_int_t
reason_pool_start(reason_pool_t *pool, ngx_cycle_t *cycle)
{
    ngx_uint_t            i;
    reason_connection_t  *connection;

    pool->log = cycle->log;
    ngx_queue_init(&pool->idle);
    reason_share_init(pool);

    pool->connections = ngx_pcalloc(cycle->pool, pool->connection_count * sizeof(reason_connection_t));
    if (pool->connections == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < pool->connection_count; i++) {
        connection = &pool->connections[i];
        connection->pool = pool;
        connection->backoff = REASON_BACKOFF_MIN;
        connection->timer.data = connection;
        connection->timer.handler = reason_timer_handler;
        connection->timer.log = cycle->log;
        connection->timer.cancelable = 1;
        connection->deadline.data = connection;
        connection->deadline.handler = reason_call_deadline;
        connection->deadline.log = cycle->log;
        connection->stall.data = connection;
        connection->stall.handler = reason_pipeline_stalled;
        connection->stall.log = cycle->log;
        connection->stall.cancelable = 1;
        connection->calls = ngx_pcalloc(cycle->pool, pool->pipeline * sizeof(reason_call_t));
        connection->prepared = ngx_pcalloc(cycle->pool, pool->main->statements.nelts + 1);
        if (connection->calls == NULL || connection->prepared == NULL) {
            return NGX_ERROR;
        }
        reason_connect(connection);
    }
    reason_pool_gauges(pool);

    return NGX_OK;
}


/* Forgets the descriptor; NGX_CLOSE_EVENT when libpq has closed it, and epoll has forgotten it too. */
static void
reason_unregister(reason_connection_t *connection, ngx_uint_t flags)
{
    ngx_connection_t  *c = connection->c;

    connection->c = NULL;
    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, flags);
    }
    if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, flags);
    }
    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }
    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }
    c->fd = (ngx_socket_t) -1;
    ngx_free_connection(c);
}


/* Makes the descriptor that libpq uses now known to nginx. */
static ngx_int_t
reason_register(reason_connection_t *connection)
{
    int                fd;
    ngx_connection_t  *c;

    fd = PQsocket(connection->pg);

    if (connection->c != NULL) {
        if (connection->c->fd == fd) {
            return NGX_OK;
        }
        /* libpq has closed the old one */
        reason_unregister(connection, NGX_CLOSE_EVENT);
    }

    if (fd < 0) {
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, connection->pool->log);
    if (c == NULL) {
        return NGX_ERROR;
    }
    c->data = connection;
    c->read->handler = reason_socket_handler;
    c->write->handler = reason_socket_handler;
    c->read->log = connection->pool->log;
    c->write->log = connection->pool->log;
    connection->c = c;

    return ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT);
}


static void
reason_want_write(reason_connection_t *connection, ngx_uint_t wanted)
{
    ngx_event_t  *write = connection->c->write;

    if (wanted && !write->active) {
        (void) ngx_add_event(write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
    } else if (!wanted && write->active) {
        (void) ngx_del_event(write, NGX_WRITE_EVENT, 0);
    }
}


static void
reason_connect(reason_connection_t *connection)
{
    reason_server_t  *server;

    /* where nothing is prepared, nothing need be */
    ngx_memset(connection->prepared, !connection->pool->prepare, connection->pool->main->statements.nelts + 1);
    server = connection->pool->servers.elts;
    connection->connecting = 1;
    connection->ready = 0;
    connection->pg = reason_server_connect(&server[connection->next_server]);
    connection->next_server = (connection->next_server + 1) % connection->pool->servers.nelts;

    if (connection->pg == NULL || PQstatus(connection->pg) == CONNECTION_BAD
        || PQsetnonblocking(connection->pg, 1) != 0 || reason_register(connection) != NGX_OK)
    {
        reason_pool_broken(connection, "connecting");
        return;
    }

    reason_want_write(connection, 1);
    /* each has its share: one that is silent must not use up the time of those who wait in the queue */
    ngx_add_timer(&connection->timer, connection->pool->connect_timeout / connection->pool->servers.nelts + 1);
}


static void
reason_connect_poll(reason_connection_t *connection)
{
    switch (PQconnectPoll(connection->pg)) {

    case PGRES_POLLING_READING:
        if (reason_register(connection) != NGX_OK) {
            break;
        }
        reason_want_write(connection, 0);
        return;

    case PGRES_POLLING_WRITING:
        if (reason_register(connection) != NGX_OK) {
            break;
        }
        reason_want_write(connection, 1);
        return;

    case PGRES_POLLING_OK:
        if (reason_register(connection) != NGX_OK || PQsetnonblocking(connection->pg, 1) != 0
            || !PQenterPipelineMode(connection->pg))
        {
            break;
        }
        reason_want_write(connection, 0);
        ngx_del_timer(&connection->timer);
        connection->connecting = 0;
        connection->ready = 1;
        connection->pool->connected_count++;
        reason_log_connected(connection->pool);
        connection->backoff = REASON_BACKOFF_MIN;
        connection->next_server = 0;
        connection->expires_at = ngx_current_msec + connection->pool->lifetime / 2
                                 + (ngx_msec_t) ngx_random() % (connection->pool->lifetime / 2 + 1);
        reason_pool_feed(connection);
        return;

    default:
        break;
    }

    reason_pool_broken(connection, "connecting");
}


static void
reason_socket_handler(ngx_event_t *event)
{
    ngx_connection_t     *c = event->data;
    reason_connection_t  *connection = c->data;

    if (connection->connecting) {
        reason_connect_poll(connection);
        return;
    }

    if (event->write) {
        switch (PQflush(connection->pg)) {
        case 0:
            reason_want_write(connection, 0);
            break;
        case 1:
            break;
        default:
            reason_pool_broken(connection, "sending");
        }
        return;
    }

    if (PQconsumeInput(connection->pg) == 0) {
        reason_pool_broken(connection, "receiving");
        return;
    }

    reason_call_event(connection);
}


static void
reason_timer_handler(ngx_event_t *event)
{
    reason_connection_t  *connection = event->data;

    if (connection->pg != NULL) {
        reason_pool_broken(connection, "connecting in time");
        return;
    }
    if (ngx_terminate || (ngx_exiting && connection->pool->waiting_count == 0)) {
        return;
    }
    reason_connect(connection);
}


/* Of all pools of this worker. */
void
reason_pool_gauges(reason_pool_t *pool)
{
    ngx_uint_t       i, connected = 0, idle = 0, waiting = 0;
    reason_pool_t  **pools = pool->main->pools.elts;

    for (i = 0; i < pool->main->pools.nelts; i++) {
        connected += pools[i]->connected_count;
        idle += pools[i]->idle_count;
        waiting += pools[i]->waiting_count;
    }
    reason_metrics_gauge(REASON_GAUGE_CONNECTED, connected);
    reason_metrics_gauge(REASON_GAUGE_IDLE, idle);
    reason_metrics_gauge(REASON_GAUGE_WAITING, waiting);
}


/* Closes a connection; what it was doing is the caller's to know. */
static void
reason_close(reason_connection_t *connection)
{
    if (connection->idle) {
        ngx_queue_remove(&connection->queue);
        connection->idle = 0;
        connection->pool->idle_count--;
    }
    if (connection->ready) {
        connection->pool->connected_count--;
    }
    if (connection->timer.timer_set) {
        ngx_del_timer(&connection->timer);
    }
    if (connection->deadline.timer_set) {
        ngx_del_timer(&connection->deadline);
    }
    if (connection->stall.timer_set) {
        ngx_del_timer(&connection->stall);
    }

    if (connection->c != NULL) {
        reason_unregister(connection, PQsocket(connection->pg) == connection->c->fd ? 0 : NGX_CLOSE_EVENT);
    }

    PQfinish(connection->pg);
    connection->pg = NULL;
    connection->connecting = 0;
    connection->ready = 0;
    connection->paused = 0;
    connection->swollen = 0;
    connection->ending = 0;
    reason_pipeline_clear(connection);
}


static void
reason_reconnect(reason_connection_t *connection, ngx_msec_t after)
{
    /* a worker that is about to end still serves those who wait */
    if (!ngx_terminate && (!ngx_exiting || connection->pool->waiting_count > 0)) {
        ngx_add_timer(&connection->timer, after);
    }
}


/* A database that is away is tried by every connection once a second, and that is no news: the first time is, then once a minute. */
static void
reason_log_broken(reason_connection_t *connection, const char *what)
{
    size_t          length;
    const char     *message = connection->pg ? PQerrorMessage(connection->pg) : "out of memory";
    reason_pool_t  *pool = connection->pool;

    if (pool->broken_logged != 0 && ngx_time() - pool->broken_logged < REASON_LOG_EVERY) {
        pool->broken_count++;
        return;
    }
    length = strcspn(message, "\n");
    ngx_log_error(NGX_LOG_WARN, pool->log, 0, "reason: connection to PostgreSQL closed while %s: %*s (%ui more since the last message)",
                  what, length, message, pool->broken_count);
    pool->broken_logged = ngx_time();
    pool->broken_count = 0;
}


/* All connections stand: the next that breaks is news again. */
static void
reason_log_connected(reason_pool_t *pool)
{
    if (pool->broken_logged != 0 && pool->connected_count == pool->connection_count) {
        ngx_log_error(NGX_LOG_WARN, pool->log, 0, "reason: connected to PostgreSQL again (%ui more failures since the last message)",
                      pool->broken_count);
        pool->broken_logged = 0;
        pool->broken_count = 0;
    }
}


/*
 * Forgets a connection and tries again later. Whoever waited for its answer is told, unless the call was not sent yet:
 * then another connection may have it; as it may have those that were behind it.
 */
void
reason_pool_broken(reason_connection_t *connection, const char *what)
{
    reason_pool_t     *pool = connection->pool;
    reason_context_t  *ctx = connection->count > 0 ? reason_pipeline_call(connection, 0)->ctx : NULL;

    if (connection->ending) {
        /* as it was told to */
        reason_pool_discard(connection);
        reason_pool_serve(pool);
        return;
    }
    reason_log_broken(connection, what);
    reason_metrics_failure(REASON_FAILURE_CONNECTION);
    reason_pipeline_leave(connection);
    reason_close(connection);
    reason_pool_gauges(pool);

    if (ctx != NULL) {
        ctx->connection = NULL;
        if (!ctx->executed && ctx->tries++ < REASON_TRIES) {
            reason_pool_submit(ctx);
        } else {
            reason_error_finish(ctx, NGX_HTTP_SERVICE_UNAVAILABLE, "DEPENDENCY",
                                ctx->executed ? "the database connection was lost; whether the request took effect is unknown"
                                              : "the database connection was lost; nothing was done", NULL);
        }
    }
    reason_pool_serve(pool);

    if (connection->next_server != 0) {
        /* there is another to be tried at once */
        reason_reconnect(connection, 1);
        return;
    }
    reason_reconnect(connection, connection->backoff);
    connection->backoff = ngx_min(connection->backoff * 2, REASON_BACKOFF_MAX);
}


/* A server has become another's standby, or ends: idle connections stand on the same. */
void
reason_pool_elsewhere(reason_connection_t *connection)
{
    reason_pool_t  *pool = connection->pool;

    while (!ngx_queue_empty(&pool->idle)) {
        reason_pool_discard(ngx_queue_data(ngx_queue_head(&pool->idle), reason_connection_t, queue));
    }
    reason_pipeline_call(connection, 0)->ctx->executed = 0;
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
    reason_pipeline_leave(connection);
    reason_close(connection);
    reason_pool_gauges(connection->pool);
    reason_reconnect(connection, 1);
}


/*
 * PostgreSQL looks whether its client is there once a second (client_connection_check_interval), and a socket closed for
 * sending is enough for it to cancel. Until it has ended it works for the client that left, whose share it belongs to:
 * else whoever asks and leaves could have as many backends as PostgreSQL has. PQcancel() would block the worker.
 */
void
reason_pool_end(reason_connection_t *connection)
{
    reason_pipeline_leave(connection);
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
        reason_close(&pool->connections[i]);
    }
    reason_pool_gauges(pool);
}


/* Calls that share the connection go behind those it has. */
static void
reason_fill(reason_connection_t *connection)
{
    reason_context_t  *ctx;

    while (connection->ready && connection->count > 0 && (ctx = reason_share_next(connection->pool, connection)) != NULL) {
        reason_pool_unqueue(ctx);
        reason_call_start(connection, ctx);
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
    reason_context_t     *ctx;
    reason_connection_t  *connection;

    while ((ctx = reason_share_next(pool, NULL)) != NULL) {
        connection = reason_pool_take_idle(pool);
        reason_pool_unqueue(ctx);
        reason_call_start(connection, ctx);
        reason_fill(connection);
    }
}
