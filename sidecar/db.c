/* db.c: a connection to PostgreSQL. */
#include "db.h"

#include "log.h"
#include "metrics.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSION "SET statement_timeout = '60s'; SET lock_timeout = '10s'; SET client_min_messages = error; SET jit = off"

bool db_connect(struct db *db)
{
    PGresult *result;

    if (db->connection && PQstatus(db->connection) == CONNECTION_OK)
        return true;
    db_close(db);
    db->connection = PQconnectdb(db->conninfo);
    if (!db->connection || PQstatus(db->connection) != CONNECTION_OK) {
        log_error("%s: cannot connect to the database: %s", db->name, db->connection ? PQerrorMessage(db->connection) : "out of memory");
        metrics_add(METRIC_DATABASE_FAILURES, 1);
        db_close(db);
        return false;
    }
    /*
     * A statement that hangs must not hold the sidecar for ever; nor must a lock. Functions that rule out sequential
     * scans look so costly to the planner that it compiles them, for most of a second each time.
     */
    result = PQexec(db->connection, db->listen ? SESSION "; LISTEN reason_work" : SESSION);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        log_error("%s: cannot prepare the session: %s", db->name, PQerrorMessage(db->connection));
        PQclear(result);
        db_close(db);
        return false;
    }
    PQclear(result);
    log_info("%s: connected to database \"%s\"", db->name, PQdb(db->connection));
    return true;
}

void db_close(struct db *db)
{
    PQfinish(db->connection);
    db->connection = NULL;
}

static PGresult *call(struct db *db, const char *statement, int count, const char *const *parameters, char sqlstate[6], int format)
{
    PGresult *result;
    ExecStatusType status;

    if (sqlstate)
        sqlstate[0] = '\0';
    if (!db->connection)
        return NULL;
    result = PQexecParams(db->connection, statement, count, NULL, parameters, NULL, NULL, format);
    status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return result;
    if (sqlstate && PQresultErrorField(result, PG_DIAG_SQLSTATE))
        snprintf(sqlstate, 6, "%s", PQresultErrorField(result, PG_DIAG_SQLSTATE));
    log_error("%s: %.60s: %s", db->name, statement, PQerrorMessage(db->connection));
    PQclear(result);
    metrics_add(METRIC_DATABASE_FAILURES, 1);
    if (PQstatus(db->connection) != CONNECTION_OK)
        db_close(db);
    return NULL;
}

PGresult *db_call(struct db *db, const char *statement, int count, const char *const *parameters, char sqlstate[6])
{
    return call(db, statement, count, parameters, sqlstate, 0);
}

PGresult *db_call_binary(struct db *db, const char *statement, int count, const char *const *parameters)
{
    return call(db, statement, count, parameters, NULL, 1);
}

bool db_wait(struct db *db, int timeout_ms, int wake_fd)
{
    struct pollfd fds[2] = {{.fd = wake_fd, .events = POLLIN}, {.fd = db->connection ? PQsocket(db->connection) : -1, .events = POLLIN}};
    PGnotify *notification;

    if (poll(fds, 2, timeout_ms) <= 0)
        return false;
    if (fds[1].revents) {
        if (!PQconsumeInput(db->connection)) {
            log_error("%s: the database connection was lost: %s", db->name, PQerrorMessage(db->connection));
            metrics_add(METRIC_DATABASE_FAILURES, 1);
            db_close(db);
            return true;
        }
        while ((notification = PQnotifies(db->connection)))
            PQfreemem(notification);
    }
    return true;
}

static bool reserve(struct array *array, size_t more)
{
    size_t needed = array->length + more;
    char *text;

    if (needed <= array->capacity)
        return true;
    text = realloc(array->text, needed * 2);
    if (!text)
        return false;
    array->text = text;
    array->capacity = needed * 2;
    return true;
}

bool array_add(struct array *array, const char *element)
{
    if (!reserve(array, 2 * strlen(element) + 4))
        return false;
    array->text[array->length] = array->length ? ',' : '{';
    array->length++;
    array->text[array->length++] = '"';
    for (const char *p = element; *p; p++) {
        if (*p == '"' || *p == '\\')
            array->text[array->length++] = '\\';
        array->text[array->length++] = *p;
    }
    array->text[array->length++] = '"';
    return true;
}

const char *array_end(struct array *array)
{
    if (!reserve(array, 3))
        return NULL;
    if (array->length == 0)
        array->text[array->length++] = '{';
    array->text[array->length++] = '}';
    array->text[array->length] = '\0';
    return array->text;
}

void array_free(struct array *array)
{
    free(array->text);
    memset(array, 0, sizeof(*array));
}
