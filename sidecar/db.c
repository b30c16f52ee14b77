/* db.c: the connection to PostgreSQL. */
#include "db.h"

#include "log.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

bool db_connect(struct db *db)
{
    PGresult *result;

    if (db->connection && PQstatus(db->connection) == CONNECTION_OK)
        return true;
    db_close(db);
    db->connection = PQconnectdb(db->conninfo);
    if (!db->connection || PQstatus(db->connection) != CONNECTION_OK) {
        log_error("cannot connect to the database: %s", db->connection ? PQerrorMessage(db->connection) : "out of memory");
        db->failures++;
        db_close(db);
        return false;
    }
    /* A statement that hangs must not hold the sidecar for ever; nor must a lock. */
    result = PQexec(db->connection, "SET statement_timeout = '60s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s';"
                                    " SET client_min_messages = error; LISTEN reason_work");
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        log_error("cannot prepare the session: %s", PQerrorMessage(db->connection));
        PQclear(result);
        db_close(db);
        return false;
    }
    PQclear(result);
    log_info("connected to database \"%s\"", PQdb(db->connection));
    return true;
}

void db_close(struct db *db)
{
    PQfinish(db->connection);
    db->connection = NULL;
}

PGresult *db_call(struct db *db, const char *statement, int count, const char *const *parameters, char sqlstate[6])
{
    PGresult *result;
    ExecStatusType status;

    if (sqlstate)
        sqlstate[0] = '\0';
    if (!db->connection)
        return NULL;
    result = PQexecParams(db->connection, statement, count, NULL, parameters, NULL, NULL, 0);
    status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return result;
    if (sqlstate && PQresultErrorField(result, PG_DIAG_SQLSTATE))
        snprintf(sqlstate, 6, "%s", PQresultErrorField(result, PG_DIAG_SQLSTATE));
    log_error("%.60s: %s", statement, PQerrorMessage(db->connection));
    PQclear(result);
    db->failures++;
    if (PQstatus(db->connection) != CONNECTION_OK)
        db_close(db);
    return NULL;
}

void db_wait(struct db *db, int timeout_ms, const volatile int *stop)
{
    struct pollfd fd = {.fd = db->connection ? PQsocket(db->connection) : -1, .events = POLLIN};
    PGnotify *notification;

    if (*stop)
        return;
    if (poll(&fd, fd.fd >= 0 ? 1 : 0, timeout_ms) > 0) {
        if (!PQconsumeInput(db->connection)) {
            log_error("the database connection was lost: %s", PQerrorMessage(db->connection));
            db->failures++;
            db_close(db);
            return;
        }
        while ((notification = PQnotifies(db->connection)))
            PQfreemem(notification);
    }
}
