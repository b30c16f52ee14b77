/*
 * reason_call.c: one call of a SQL function on one connection: prepare once, bind, send, read.
 *
 * The statement is SELECT status, headers, body FROM reason.function($1, …), every parameter text.
 * One statement is one transaction.
 */
#include "ngx_http_reason.h"

static void reason_call_deadline(ngx_event_t *event);
static ngx_int_t reason_call_send(reason_connection_t *connection);


void
reason_call_start(reason_connection_t *connection, reason_context_t *ctx)
{
    connection->call = ctx;
    ctx->connection = connection;
    connection->deadline.handler = reason_call_deadline;
    ngx_add_timer(&connection->deadline, ctx->pool->query_timeout);

    if (reason_call_send(connection) != NGX_OK) {
        reason_pool_broken(connection, "sending");
    }
}


static ngx_int_t
reason_call_send(reason_connection_t *connection)
{
    int                  left;
    reason_context_t    *ctx = connection->call;
    reason_statement_t  *statement = ctx->statement;

    if (!connection->prepared[statement->index]) {
        connection->preparing = 1;
        if (!PQsendPrepare(connection->pg, statement->name, statement->sql, 0, NULL)) {
            return NGX_ERROR;
        }
    } else {
        connection->preparing = 0;
        ctx->executed = 1;
        if (!PQsendQueryPrepared(connection->pg, statement->name, (int) ctx->argument_count, ctx->values, NULL, NULL, 0)
            || !PQsetSingleRowMode(connection->pg))
        {
            return NGX_ERROR;
        }
    }

    left = PQflush(connection->pg);
    if (left < 0) {
        return NGX_ERROR;
    }
    if (left == 1 && !connection->c->write->active) {
        return ngx_add_event(connection->c->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
    }
    return NGX_OK;
}


/* read_only_sql_transaction: nothing was done, and another server may take it */
static ngx_uint_t
reason_call_met_read_only(PGresult *result)
{
    const char  *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return sqlstate != NULL && ngx_strcmp(sqlstate, "25006") == 0;
}


/* Something came from the server. */
void
reason_call_event(reason_connection_t *connection)
{
    PGresult          *result;
    reason_context_t  *ctx;
    PGnotify          *notification;
    ExecStatusType     status;

    while ((notification = PQnotifies(connection->pg)) != NULL) {
        PQfreemem(notification);
    }

    while (!connection->paused && !PQisBusy(connection->pg)) {
        result = PQgetResult(connection->pg);
        ctx = connection->call;

        if (result == NULL) {
            if (PQstatus(connection->pg) == CONNECTION_BAD) {
                reason_pool_broken(connection, ctx ? "reading" : "idle");
                return;
            }
            if (ctx == NULL) {
                if (connection->draining) {
                    connection->draining = 0;
                    reason_pool_release(connection);
                }
                return;
            }
            if (connection->preparing) {
                connection->prepared[ctx->statement->index] = 1;
                if (reason_call_send(connection) != NGX_OK) {
                    reason_pool_broken(connection, "sending");
                    return;
                }
                continue;
            }
            ctx->connection = NULL;
            reason_pool_release(connection);
            reason_answer_end(ctx);
            return;
        }

        status = PQresultStatus(result);
        if (ctx == NULL) {
            PQclear(result);
            continue;
        }

        switch (status) {

        case PGRES_SINGLE_TUPLE:
            switch (reason_answer_row(ctx, result)) {
            case NGX_OK:
                break;
            case NGX_AGAIN:
                if (reason_call_pause(connection) == NGX_OK) {
                    break;
                }
                /* fall through */
            case NGX_ABORT:
                PQclear(result);
                ctx->connection = NULL;
                reason_pool_discard(connection);
                reason_answer_abort(ctx);
                return;
            default:
                ctx->connection = NULL;
                connection->call = NULL;
                connection->draining = 1;
                reason_error_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR, "INTERNAL", "internal error", NULL);
            }
            break;

        case PGRES_TUPLES_OK:
        case PGRES_COMMAND_OK:
            break;

        default:
            if (!ctx->has_status && reason_call_met_read_only(result)) {
                PQclear(result);
                reason_pool_read_only(connection);
                return;
            }
            /* The answer goes out now; the connection is free when its last result has been read. */
            ctx->connection = NULL;
            connection->call = NULL;
            connection->draining = 1;
            reason_error_from_result(ctx, result);
            break;
        }

        PQclear(result);
    }
}


/* Reads no more from the database; it waits in turn when the socket's buffers are full. */
ngx_int_t
reason_call_pause(reason_connection_t *connection)
{
    connection->paused = 1;
    /* the time a client takes is not the database's: send_timeout watches it */
    if (connection->deadline.timer_set) {
        ngx_del_timer(&connection->deadline);
    }
    return connection->c->read->active ? ngx_del_event(connection->c->read, NGX_READ_EVENT, 0) : NGX_OK;
}


void
reason_call_resume(reason_connection_t *connection)
{
    connection->paused = 0;
    ngx_add_timer(&connection->deadline, connection->pool->query_timeout);
    if (ngx_add_event(connection->c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        reason_pool_broken(connection, "going on");
        return;
    }
    reason_call_event(connection);
}


static void
reason_call_deadline(ngx_event_t *event)
{
    reason_connection_t  *connection = event->data;
    reason_context_t     *ctx = connection->call;

    reason_metrics_failure(REASON_FAILURE_QUERY_DEADLINE);
    ngx_log_error(NGX_LOG_WARN, connection->pool->log, 0, "reason: no answer from PostgreSQL in time");
    reason_pool_discard(connection);
    if (ctx != NULL) {
        ctx->connection = NULL;
        reason_error_finish(ctx, NGX_HTTP_GATEWAY_TIME_OUT, "DEPENDENCY",
                            "the database did not answer in time; whether the request took effect is unknown", NULL);
    }
}
