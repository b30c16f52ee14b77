/*
 * pg/connection.c: one connection: opening, its socket in nginx's event loop, closing.
 *
 * libpq does the talking; nginx's event loop tells when a socket is ready. call.c reads what came; pool.c decides what
 * becomes of the calls of a connection that broke.
 *
 * The socket is registered level-triggered, for libpq does not say when it has read until EAGAIN;
 * write events only while PQflush() has something left. libpq closes its descriptor by itself when
 * a connection breaks, so events are then dropped without epoll_ctl: the number may be another's.
 */
#include "pg/reason_pg.h"

#define REASON_BACKOFF_MIN  50
#define REASON_BACKOFF_MAX  1000
#define REASON_LOG_EVERY    60      /* seconds */

static void reason_connection_socket(ngx_event_t *event);
static void reason_connection_timer(ngx_event_t *event);


ngx_int_t
reason_connection_init(reason_connection_t *connection, reason_pool_t *pool, ngx_cycle_t *cycle)
{
    connection->pool = pool;
    connection->backoff = REASON_BACKOFF_MIN;
    connection->timer.data = connection;
    connection->timer.handler = reason_connection_timer;
    connection->timer.log = cycle->log;
    connection->timer.cancelable = 1;
    connection->deadline.data = connection;
    connection->deadline.handler = reason_call_deadline;
    connection->deadline.log = cycle->log;
    connection->stall.data = connection;
    connection->stall.handler = reason_in_flight_stalled;
    connection->stall.log = cycle->log;
    connection->stall.cancelable = 1;
    connection->calls = ngx_pcalloc(cycle->pool, pool->pipeline * sizeof(reason_call_t));
    connection->prepared = ngx_pcalloc(cycle->pool, pool->main->statements.nelts + 1);
    return connection->calls != NULL && connection->prepared != NULL ? NGX_OK : NGX_ERROR;
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

    if (fd < 0) {
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, connection->pool->log);
    if (c == NULL) {
        return NGX_ERROR;
    }
    c->data = connection;
    c->read->handler = reason_connection_socket;
    c->write->handler = reason_connection_socket;
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


void
reason_connection_open(reason_connection_t *connection)
{
    reason_server_t  *server;

    /* where nothing is prepared, nothing need be */
    ngx_memset(connection->prepared, !connection->pool->prepare, connection->pool->main->statements.nelts + 1);
    server = connection->pool->servers.elts;
    connection->connecting = 1;
    connection->asking = 0;
    connection->refusal = NULL;
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


/* All connections stand: the next that breaks is news again. */
static void
reason_connection_log_connected(reason_pool_t *pool)
{
    if ((pool->broken_logged != 0 || pool->refused_logged != 0) && pool->connected_count == pool->connection_count) {
        ngx_log_error(NGX_LOG_WARN, pool->log, 0, "reason: connected to PostgreSQL again (%ui more failures since the last message)",
                      pool->broken_count);
        pool->broken_logged = 0;
        pool->refused_logged = 0;
        pool->broken_count = 0;
    }
}


static void
reason_connection_poll(reason_connection_t *connection)
{
    /* libpq may close its socket and open another, which gets the same number: events of that one would never come */
    reason_unregister(connection, 0);

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
        if (reason_register(connection) != NGX_OK || PQsetnonblocking(connection->pg, 1) != 0 || reason_schema_ask(connection) != NGX_OK) {
            break;
        }
        connection->asking = 1;
        reason_want_write(connection, PQflush(connection->pg) == 1);
        return;

    default:
        break;
    }

    reason_pool_broken(connection, "connecting");
}


static void
reason_connection_ready(reason_connection_t *connection)
{
    ngx_del_timer(&connection->timer);
    connection->connecting = 0;
    connection->asking = 0;
    connection->ready = 1;
    connection->pool->connected_count++;
    reason_connection_log_connected(connection->pool);
    connection->backoff = REASON_BACKOFF_MIN;
    connection->next_server = 0;
    connection->expires_at = ngx_current_msec + connection->pool->lifetime / 2
                             + (ngx_msec_t) ngx_random() % (connection->pool->lifetime / 2 + 1);
    reason_pool_feed(connection);
}


static void
reason_connection_asking(reason_connection_t *connection)
{
    reason_want_write(connection, PQflush(connection->pg) == 1);

    switch (reason_schema_answer(connection)) {
    case NGX_AGAIN:
        return;
    case NGX_OK:
        if (PQenterPipelineMode(connection->pg)) {
            reason_connection_ready(connection);
            return;
        }
        break;
    default:
        break;
    }

    reason_pool_broken(connection, "asking for the version of the schema");
}


static void
reason_connection_socket(ngx_event_t *event)
{
    ngx_connection_t     *c = event->data;
    reason_connection_t  *connection = c->data;

    if (connection->asking) {
        reason_connection_asking(connection);
        return;
    }
    if (connection->connecting) {
        reason_connection_poll(connection);
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
reason_connection_timer(ngx_event_t *event)
{
    reason_connection_t  *connection = event->data;

    if (connection->pg != NULL) {
        reason_pool_broken(connection, "connecting in time");
        return;
    }
    if (ngx_terminate || (ngx_exiting && connection->pool->waiting_count == 0)) {
        return;
    }
    reason_connection_open(connection);
}


void
reason_connection_close(reason_connection_t *connection)
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
    connection->asking = 0;
    connection->ready = 0;
    connection->paused = 0;
    connection->swollen = 0;
    connection->ending = 0;
    reason_in_flight_clear(connection);
}


void
reason_connection_reopen(reason_connection_t *connection, ngx_msec_t after)
{
    /* a worker that is about to end still serves those who wait */
    if (!ngx_terminate && (!ngx_exiting || connection->pool->waiting_count > 0)) {
        ngx_add_timer(&connection->timer, after);
    }
}


void
reason_connection_retry(reason_connection_t *connection)
{
    if (connection->next_server != 0) {
        /* there is another to be tried at once */
        reason_connection_reopen(connection, 1);
        return;
    }
    reason_connection_reopen(connection, connection->backoff);
    connection->backoff = ngx_min(connection->backoff * 2, REASON_BACKOFF_MAX);
}


/*
 * Every connection tries a database that is away once a second. The log says so at the first attempt, and then once a minute;
 * the same of one that is of no use.
 */
void
reason_connection_log_broken(reason_connection_t *connection, const char *what)
{
    size_t          length;
    const char     *message = connection->refusal ? connection->refusal : connection->pg ? PQerrorMessage(connection->pg) : "out of memory";
    reason_pool_t  *pool = connection->pool;
    time_t         *logged = connection->refusal ? &pool->refused_logged : &pool->broken_logged;

    if (*logged != 0 && ngx_time() - *logged < REASON_LOG_EVERY) {
        pool->broken_count++;
        return;
    }
    length = strcspn(message, "\n");
    ngx_log_error(NGX_LOG_WARN, pool->log, 0, "reason: connection to PostgreSQL closed while %s: %*s (%ui more since the last message)",
                  what, length, message, pool->broken_count);
    *logged = ngx_time();
    pool->broken_count = 0;
}
