/* sql.c: batches through add_nodes() and add_edges(), each in a transaction of its own. */
#include "import/target.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_S "10"
#define UNREACHABLE_MS "30000"  /* after which what was sent and not acknowledged ends a connection */

struct sql {
    struct target target;
    const struct target_settings *settings;
    PGconn *connection;
};

/* libpq's messages have several lines, and end with one: here they are one sentence. */
static void say(struct outcome *outcome, enum written written, const char *what)
{
    size_t length = 0;

    outcome->written = written;
    for (; *what && length < sizeof(outcome->why) - 1; what++) {
        bool space = strchr(" \t\n", *what) != NULL;

        if (!space || (length > 0 && outcome->why[length - 1] != ' '))
            outcome->why[length++] = space ? ' ' : *what;
    }
    while (length > 0 && outcome->why[length - 1] == ' ')
        length--;
    outcome->why[length] = '\0';
}

static void disconnect(struct sql *sql)
{
    PQfinish(sql->connection);
    sql->connection = NULL;
}

static void note_failure(struct sql *sql, const PGresult *result, struct outcome *outcome);

/* Whether it is the database that the journal is of, which keeps its system's identifier and its own when it moves to a standby. */
static bool is_the_same(struct sql *sql, struct outcome *outcome)
{
    PGresult *result = PQexec(sql->connection, "SELECT c.system_identifier || '/' || d.oid FROM pg_catalog.pg_control_system() c, pg_catalog.pg_database d"
                              " WHERE d.datname = pg_catalog.current_database()");
    bool ok = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;

    if (!ok)
        note_failure(sql, result, outcome);
    else if (!journal_is_at(sql->settings->journal, PQgetvalue(result, 0, 0), outcome->why)) {
        outcome->written = REFUSED;
        ok = false;
    }
    PQclear(result);
    return ok;
}

static bool connected(struct sql *sql, struct outcome *outcome)
{
    static const char *const names[] = {"dbname", "fallback_application_name", "connect_timeout", "tcp_user_timeout", "client_encoding", NULL};
    const char *const values[] = {sql->settings->conninfo, "reason-import", CONNECT_S, UNREACHABLE_MS, "UTF8", NULL};
    char set[80];
    PGresult *result;
    bool ok;

    if (sql->connection && PQstatus(sql->connection) == CONNECTION_OK)
        return true;
    disconnect(sql);
    sql->connection = PQconnectdbParams(names, values, 1);
    ok = PQstatus(sql->connection) == CONNECTION_OK;
    if (ok) {
        snprintf(set, sizeof(set), "SET statement_timeout = %d", sql->settings->timeout_ms);
        result = PQexec(sql->connection, set);
        ok = PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
    if (!ok)
        say(outcome, PASSING, PQerrorMessage(sql->connection));
    ok = ok && is_the_same(sql, outcome);
    if (!ok)
        disconnect(sql);
    return ok;
}

/* Kinds of errors that pass by themselves: of connections, rollbacks of the system, resources, operators, locks, a standby. */
static bool passes(const char *sqlstate)
{
    static const char *const classes[] = {"08", "40", "53", "57", "58"};

    for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
        if (strncmp(sqlstate, classes[i], 2) == 0)
            return true;
    return strcmp(sqlstate, "55P03") == 0 || strcmp(sqlstate, "25006") == 0;
}

static void note_failure(struct sql *sql, const PGresult *result, struct outcome *outcome)
{
    const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *detail = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL) : NULL;
    const char *message = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;

    if (!sqlstate || PQstatus(sql->connection) != CONNECTION_OK)
        say(outcome, PASSING, PQerrorMessage(sql->connection));
    else {
        say(outcome, passes(sqlstate) ? PASSING : REFUSED, message ? message : sqlstate);
        outcome->index = detail ? target_index(detail, strlen(detail)) : -1;
    }
}

/* Runs a command; false after noting why not. */
static bool command(struct sql *sql, const char *text, struct outcome *outcome)
{
    PGresult *result = PQexec(sql->connection, text);
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK && strcmp(PQcmdStatus(result), text) == 0;

    if (!ok && PQresultStatus(result) == PGRES_COMMAND_OK)
        say(outcome, PASSING, "the transaction was rolled back");
    else if (!ok)
        note_failure(sql, result, outcome);
    PQclear(result);
    return ok;
}

/* Whether the transaction that may have written the batch did so; outcome->written says it, and REFUSED that it did not. */
static void ask_transaction(struct sql *sql, const struct batch *batch, struct outcome *outcome)
{
    char number[24];
    const char *const parameters[] = {number};
    PGresult *result;
    const char *status;

    snprintf(number, sizeof(number), "%llu", (unsigned long long)batch->transaction);
    result = PQexecParams(sql->connection, "SELECT pg_catalog.pg_xact_status($1::xid8)", 1, NULL, parameters, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
        note_failure(sql, result, outcome);
    else {
        status = PQgetisnull(result, 0, 0) ? "" : PQgetvalue(result, 0, 0);
        if (strcmp(status, "committed") == 0)
            outcome->written = WRITTEN;
        else if (strcmp(status, "aborted") == 0)
            outcome->written = REFUSED;
        else if (strcmp(status, "in progress") == 0)
            say(outcome, PASSING, "an earlier transaction with this batch has not ended");
        else
            say(outcome, UNKNOWN, "a transaction may have written this batch, too long ago for the database to know");
    }
    PQclear(result);
}

/* Within a transaction: writes, and notes its number. */
static bool insert(struct sql *sql, struct batch *batch, struct outcome *outcome)
{
    static const char *const statements[KINDS] = {
        "SELECT count(*), pg_catalog.pg_current_xact_id() FROM reason.add_nodes($1::json)",
        "SELECT count(*), pg_catalog.pg_current_xact_id() FROM reason.add_edges($1::json)",
    };
    const char *const parameters[] = {batch->text.data};
    PGresult *result = PQexecParams(sql->connection, statements[batch->kind], 1, NULL, parameters, NULL, NULL, 0);
    bool ok = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;

    if (!ok)
        note_failure(sql, result, outcome);
    else if (atoi(PQgetvalue(result, 0, 0)) != batch->count) {
        say(outcome, REFUSED, "the database says that it wrote another number of records");
        ok = false;
    } else
        batch->transaction = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
    PQclear(result);
    if (ok && !journal_note_sent(sql->settings->journal, batch, outcome->why)) {
        outcome->written = REFUSED;
        ok = false;
    }
    return ok;
}

static void sql_recognize(struct target *target, struct outcome *outcome)
{
    outcome->index = -1;
    if (connected((struct sql *)target, outcome))
        outcome->written = WRITTEN;
}

static void sql_write(struct target *target, struct batch *batch, struct outcome *outcome)
{
    struct sql *sql = (struct sql *)target;

    outcome->index = -1;
    if (!connected(sql, outcome))
        return;
    if (batch->transaction) {
        ask_transaction(sql, batch, outcome);
        if (outcome->written != REFUSED)
            return;
        batch->transaction = 0;
    }
    if (!command(sql, "BEGIN", outcome))
        return;
    if (!insert(sql, batch, outcome)) {
        struct outcome ignored;

        batch->transaction = 0;
        if (!command(sql, "ROLLBACK", &ignored))
            disconnect(sql);
        return;
    }
    /* Without an answer the transaction's number stays, and is asked for. */
    if (command(sql, "COMMIT", outcome))
        outcome->written = WRITTEN;
    else if (PQstatus(sql->connection) == CONNECTION_OK)
        batch->transaction = 0;
    else
        outcome->written = PASSING;
}

static void sql_close(struct target *target)
{
    disconnect((struct sql *)target);
    free(target);
}

struct target *sql_open(const struct target_settings *settings)
{
    struct sql *sql = calloc(1, sizeof(*sql));

    if (!sql)
        return NULL;
    sql->target = (struct target){.recognize = sql_recognize, .write = sql_write, .close = sql_close};
    sql->settings = settings;
    return &sql->target;
}
