/* db.h: the connection to PostgreSQL: calls with deadlines, notifications. */
#ifndef SIDECAR_DB_H
#define SIDECAR_DB_H

#include <libpq-fe.h>
#include <stdbool.h>

struct db {
    const char *conninfo;
    PGconn *connection;         /* NULL while there is none */
    unsigned long failures;     /* calls and connections that failed, for the metrics */
};

/* Connects unless connected; false: not now, logged. */
bool db_connect(struct db *db);
void db_close(struct db *db);

/*
 * Runs one statement with text parameters. NULL when it failed, which has been logged; a broken connection is closed.
 * sqlstate, if not NULL, gets the five characters of the error, or "".
 */
PGresult *db_call(struct db *db, const char *statement, int count, const char *const *parameters, char sqlstate[6]);

/* Waits for a notification, at most so long, or until *stop. */
void db_wait(struct db *db, int timeout_ms, const volatile int *stop);

#endif
