/*
 * pg/call.c: calls of SQL functions on one connection: prepare once (unless prepare is off), bind, send, read.
 *
 * The statement is SELECT status, headers, body FROM reason.function($1, …), every parameter text.
 * One statement is one transaction. libpq is in pipeline mode always: after each statement comes a Sync, and after its
 * results PGRES_PIPELINE_SYNC.
 */
#include "pg/reason_pg.h"

static ngx_int_t reason_call_send(reason_connection_t *connection, reason_call_t *call);
static ngx_int_t reason_call_pause(reason_connection_t *connection);
static void reason_call_answered(reason_connection_t *connection);

#define REASON_SWOLLEN  1048576     /* libpq's buffers never shrink: one that held a message of this length goes with its connection */


void
reason_call_start(reason_connection_t *connection, reason_job_t *job)
{
    if (job->handlers->bind(job) != NGX_OK) {
        reason_pool_feed(connection);
        return;
    }
    if (reason_call_send(connection, reason_in_flight_push(connection, job)) != NGX_OK) {
        reason_pool_broken(connection, "sending");
    }
}


static ngx_int_t
reason_call_send(reason_connection_t *connection, reason_call_t *call)
{
    int                  left;
    PGconn              *pg = connection->pg;
    reason_job_t        *job = call->job;
    reason_statement_t  *statement = call->statement;

    call->preparing = !connection->prepared[statement->index];
    if (call->preparing) {
        if (!PQsendPrepare(pg, statement->name, statement->sql, 0, NULL) || !PQpipelineSync(pg)) {
            return NGX_ERROR;
        }
    } else {
        job->executed = 1;
        if (!(connection->pool->prepare
              ? PQsendQueryPrepared(pg, statement->name, (int) job->argument_count, job->values, NULL, NULL, 0)
              : PQsendQueryParams(pg, statement->sql, (int) job->argument_count, NULL, job->values, NULL, NULL, 0))
            || (connection->count == 1 && !PQsetSingleRowMode(pg))
            || !PQpipelineSync(pg))
        {
            return NGX_ERROR;
        }
        connection->swollen |= call->memory >= REASON_SWOLLEN;
        job->handlers->sent(job);
    }

    left = PQflush(pg);
    if (left < 0) {
        return NGX_ERROR;
    }
    if (left == 1 && !connection->c->write->active) {
        return ngx_add_event(connection->c->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
    }
    return NGX_OK;
}


/*
 * Another server may take the call: this one takes no writes (25006, which has undone it), or ends (57P01) and what was
 * asked of it may be done twice.
 */
static ngx_uint_t
reason_call_is_for_another(reason_call_t *call, PGresult *result)
{
    const char  *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return sqlstate != NULL
        && (ngx_strcmp(sqlstate, "25006") == 0 || (call->pipeline && ngx_strcmp(sqlstate, "57P01") == 0));
}


/* Something came from the server. */
void
reason_call_event(reason_connection_t *connection)
{
    PGresult       *result;
    reason_call_t  *call;
    reason_job_t   *job;
    ngx_int_t       rc;
    PGnotify       *notification;

    while ((notification = PQnotifies(connection->pg)) != NULL) {
        PQfreemem(notification);
    }

    while (connection->ready && !connection->paused && !PQisBusy(connection->pg)) {
        result = PQgetResult(connection->pg);
        if (PQstatus(connection->pg) == CONNECTION_BAD && result == NULL) {
            reason_pool_broken(connection, connection->count > 0 ? "reading" : "idle");
            return;
        }
        if (connection->count == 0) {
            PQclear(result);
            return;
        }
        if (result == NULL) {
            continue;   /* the end of a statement; its Sync follows */
        }
        call = reason_in_flight_call(connection, 0);
        job = call->job;

        switch (PQresultStatus(result)) {

        case PGRES_PIPELINE_SYNC:
            PQclear(result);
            reason_call_answered(connection);
            continue;

        case PGRES_COMMAND_OK:
            connection->prepared[call->statement->index] = 1;
            break;

        case PGRES_TUPLES_OK:
            break;

        case PGRES_SINGLE_TUPLE:
            connection->swollen |= PQnfields(result) == 3 && PQgetlength(result, 0, 2) >= REASON_SWOLLEN;
            call->answering = 1;
            rc = job != NULL ? job->handlers->row(job, &result) : NGX_OK;
            if (rc == NGX_AGAIN) {
                rc = reason_call_pause(connection) == NGX_OK ? NGX_OK : NGX_ABORT;
            }
            if (rc == NGX_ABORT) {
                PQclear(result);
                job->connection = NULL;
                reason_pool_discard(connection);
                job->handlers->stopped(job, NGX_ABORT);
                reason_pool_serve(connection->pool);
                return;
            }
            if (rc != NGX_OK) {
                call->job = NULL;
                job->connection = NULL;
                job->handlers->stopped(job, rc);
            }
            break;

        default:
            if (job == NULL) {
                break;
            }
            if (!call->answering && reason_call_is_for_another(call, result)) {
                PQclear(result);
                reason_pool_elsewhere(connection);
                return;
            }
            /* The answer goes out now; the connection is free when its last result has been read. */
            call->job = NULL;
            job->connection = NULL;
            job->handlers->refused(job, result);
        }

        PQclear(result);
    }
}


/* All results of the first call have been read, or those of its statement's preparation. */
static void
reason_call_answered(reason_connection_t *connection)
{
    reason_call_t  *call = reason_in_flight_call(connection, 0);
    reason_job_t   *job = call->job;

    if (call->preparing && job != NULL) {
        if (reason_call_send(connection, call) != NGX_OK) {
            reason_pool_broken(connection, "sending");
        }
        return;
    }

    /* libpq has gone on to the next call, if it has been sent */
    if (connection->count > 1 && !PQsetSingleRowMode(connection->pg)) {
        reason_pool_broken(connection, "reading");
        return;
    }
    reason_in_flight_pop(connection);
    reason_pool_feed(connection);
    if (job != NULL) {
        job->connection = NULL;
        job->handlers->end(job);
    }
}


/* Reads no more from the database; it waits in turn when the socket's buffers are full. Not for long: hold_timeout. */
static ngx_int_t
reason_call_pause(reason_connection_t *connection)
{
    connection->paused = 1;
    connection->paused_at = ngx_current_msec;
    if (connection->deadline.timer_set) {
        ngx_del_timer(&connection->deadline);
    }
    ngx_add_timer(&connection->deadline, connection->pool->hold_timeout);
    return connection->c->read->active ? ngx_del_event(connection->c->read, NGX_READ_EVENT, 0) : NGX_OK;
}


void
reason_call_resume(reason_connection_t *connection)
{
    connection->paused = 0;
    if (connection->deadline.timer_set) {
        ngx_del_timer(&connection->deadline);
    }
    /* the time a client takes is not the database's */
    connection->since += ngx_current_msec - connection->paused_at;
    ngx_add_timer(&connection->deadline, connection->pool->query_timeout);
    if (ngx_add_event(connection->c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        reason_pool_broken(connection, "going on");
        return;
    }
    reason_call_event(connection);
}


/* For the first call; the time of those behind it begins when it is their turn. */
void
reason_call_deadline(ngx_event_t *event)
{
    reason_connection_t  *connection = event->data;
    reason_pool_t        *pool = connection->pool;
    reason_job_t         *job = reason_in_flight_call(connection, 0)->job;
    ngx_msec_t            running = ngx_current_msec - connection->since;

    if (connection->ending) {
        reason_pool_discard(connection);
        reason_pool_serve(pool);
        return;
    }
    if (connection->paused) {
        reason_counters_failure(pool->counters, REASON_FAILURE_CLIENT_SLOW);
        reason_pool_discard(connection);
        if (job != NULL) {
            ngx_log_error(NGX_LOG_INFO, job->log, 0, "reason: the client does not keep up with a long answer");
            job->connection = NULL;
            job->handlers->stopped(job, NGX_ABORT);
        }
        reason_pool_serve(pool);
        return;
    }
    /* nginx leaves a timer as it is that is set anew a little later */
    if (running < pool->query_timeout) {
        ngx_add_timer(event, pool->query_timeout - running);
        return;
    }

    reason_counters_failure(pool->counters, REASON_FAILURE_QUERY_DEADLINE);
    ngx_log_error(NGX_LOG_WARN, pool->log, 0, "reason: no answer from PostgreSQL in time");
    reason_pool_discard(connection);
    if (job != NULL) {
        job->connection = NULL;
        job->handlers->failed(job, REASON_FAILURE_QUERY_DEADLINE);
    }
    reason_pool_serve(pool);
}
