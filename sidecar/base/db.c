/*
 * db.c: a connection to PostgreSQL.
 *
 * libpq's own calls wait for as long as the network keeps silent; these wait for a time. A network that takes what is
 * sent and brings nothing back (half-open, as after a firewall has forgotten a connection) is noticed by that alone.
 */
#include "base/db.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "core/decimal.h"
#include "core/schema_version.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A server gets so much longer than the statement's own limit to say that it was reached. */
#define GRACE_MS 2000
#define CONNECT_MS 10000
#define HURRY_MS 3000
/* What a budget grows by with each answer */
#define EACH_ANSWER_MS 200
/* How long a wait can go on before it looks whether the process is to end. */
#define SLICE_MS 200

static atomic_bool hurried;

void db_hurry(void)
{
    atomic_store(&hurried, true);
}

/* Waits until the connection can be read (POLLIN) or written (POLLOUT); false when that took too long. */
static bool wait_for(PGconn *connection, short events, long began_ms, int timeout_ms)
{
    for (;;) {
        struct pollfd fd = {.fd = PQsocket(connection), .events = events};
        int most_ms = atomic_load(&hurried) && timeout_ms > HURRY_MS ? HURRY_MS : timeout_ms;
        long left_ms = began_ms + most_ms - clock_ms();

        if (left_ms <= 0)
            return false;
        if (fd.fd < 0)
            return true;
        /* what the socket has to say, an error too, libpq finds out */
        if (poll(&fd, 1, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS) > 0)
            return true;
    }
}

static PGconn *connect_within(const char *conninfo, int timeout_ms)
{
    PGconn *connection = PQconnectStart(conninfo);
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    long began_ms = clock_ms();

    while (connection && PQstatus(connection) != CONNECTION_BAD && status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED
           && wait_for(connection, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, began_ms, timeout_ms))
        status = PQconnectPoll(connection);
    return connection;
}

/* What the database warns of, such as a chain that halts. */
static void log_notice(void *context, const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

    (void)context;
    if (severity && !strcmp(severity, "WARNING"))
        log_warning("database: %s", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
}

/* Any login can send some, as many as it likes: libpq is to keep none. */
static void take_notifications(struct db *db)
{
    PGnotify *notification;

    while (db->connection && (notification = PQnotifies(db->connection))) {
        PQfreemem(notification);
        db->notified = true;
    }
}

/* How a result comes: in one piece, or row by row as they arrive. */
struct form {
    int format;                 /* libpq's: 0 text, 1 binary */
    row_taker *take;            /* NULL: in one piece */
    void *context;
    size_t most;                /* bytes */
};

/* An answer in the making. libpq gives it row by row, so that one without an end does not fill the memory. */
struct answer {
    PGresult *rows;             /* NULL: none yet, or they are taken one by one */
    size_t bytes;               /* of all so far, and about what libpq needs to hold them */
    bool too_long;
};

static bool keep_row(struct answer *answer, const PGresult *row)
{
    int number;

    if (!answer->rows && !(answer->rows = PQcopyResult(row, PG_COPYRES_ATTRS)))
        return false;
    number = PQntuples(answer->rows);
    for (int column = 0; column < PQnfields(row); column++)
        if (!PQsetvalue(answer->rows, number, column, PQgetisnull(row, 0, column) ? NULL : PQgetvalue(row, 0, column),
                        PQgetisnull(row, 0, column) ? -1 : PQgetlength(row, 0, column)))
            return false;
    return true;
}

/* False: no more are wanted, because they are too many, or memory is out. */
static bool take_row(struct answer *answer, const struct form *form, const PGresult *row)
{
    answer->bytes += 32;
    for (int column = 0; column < PQnfields(row); column++)
        answer->bytes += (size_t)PQgetlength(row, 0, column) + 24;
    answer->too_long = answer->bytes > form->most;
    if (answer->too_long)
        return false;
    if (!form->take)
        return keep_row(answer, row);
    form->take(form->context, row);
    return true;
}

/*
 * The result of what was sent, as PQexecParams() gives it, without the rows that were taken; NULL when there was none in time, or
 * when it has too many bytes (*too_long).
 */
static PGresult *await_result(struct db *db, const struct form *form, bool *too_long)
{
    PGconn *connection = db->connection;
    PGresult *result = NULL, *next;
    struct answer answer = {.rows = NULL};
    long began_ms = clock_ms();
    int timeout_ms = db->timeout_ms + GRACE_MS, unsent;

    /* the server may want to be read before it takes more */
    while ((unsent = PQflush(connection)) > 0) {
        if (!wait_for(connection, POLLIN | POLLOUT, began_ms, timeout_ms))
            return NULL;
        if (!PQconsumeInput(connection))
            break;
    }
    for (;;) {
        while (PQisBusy(connection)) {
            if (!wait_for(connection, POLLIN, began_ms, timeout_ms)) {
                PQclear(answer.rows);
                PQclear(result);
                return NULL;
            }
            if (!PQconsumeInput(connection))
                break;
            take_notifications(db);
        }
        next = PQgetResult(connection);
        if (!next)
            break;
        if (PQresultStatus(next) == PGRES_SINGLE_TUPLE) {
            bool taken = take_row(&answer, form, next);

            PQclear(next);
            if (taken)
                continue;
            *too_long = answer.too_long;
            PQclear(answer.rows);
            PQclear(result);
            return NULL;
        }
        PQclear(result);
        result = next;
    }
    /* the last one has no row, and says whether all are there */
    if (!answer.rows || PQresultStatus(result) != PGRES_TUPLES_OK) {
        PQclear(answer.rows);
        return result;
    }
    PQclear(result);
    return answer.rows;
}

/*
 * The name of the prepared statement; NULL: it is to be sent as it is. One that comes for the second time is prepared:
 * for a short one, reading and planning takes the server as long as running it. False: no answer in time.
 */
static bool prepared_name(struct db *db, const char *statement, const char **name)
{
    bool too_long;
    int known = 0;
    PGresult *result;

    *name = NULL;
    while (known < db->prepared_count && strcmp(db->prepared[known].statement, statement) != 0)
        known++;
    if (known == db->prepared_count) {
        if (known < DB_PREPARED_MOST) {
            db->prepared[db->prepared_count++].statement = statement;
            db->prepared[known].name[0] = '\0';
        }
        return true;
    }
    if (db->prepared[known].name[0]) {
        *name = db->prepared[known].name;
        return true;
    }
    snprintf(db->prepared[known].name, sizeof(db->prepared[known].name), "s%u", ++db->prepared_names);
    result = PQsendPrepare(db->connection, db->prepared[known].name, statement, 0, NULL) ? await_result(db, &(struct form){.most = DB_ANSWER_MOST}, &too_long)
                                                                                        : PQmakeEmptyPGresult(db->connection, PGRES_FATAL_ERROR);
    if (!result)
        return false;
    /* what is wrong with it, it says when it is sent as it is */
    if (PQresultStatus(result) == PGRES_COMMAND_OK)
        *name = db->prepared[known].name;
    else
        db->prepared[known].name[0] = '\0';
    PQclear(result);
    return true;
}

/* A function that has come to return other columns makes a prepared call of it useless: all are prepared anew. */
static void forget_prepared(struct db *db, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (sqlstate && (!strcmp(sqlstate, "0A000") || !strcmp(sqlstate, "26000")))
        db->prepared_count = 0;
}

static PGresult *execute(struct db *db, const char *statement, int count, const char *const *parameters, const struct form *form, bool *too_long)
{
    PGconn *connection = db->connection;
    const char *name;
    bool sent;

    if (!prepared_name(db, statement, &name))
        return NULL;
    sent = name ? PQsendQueryPrepared(connection, name, count, parameters, NULL, NULL, form->format)
                : PQsendQueryParams(connection, statement, count, NULL, parameters, NULL, NULL, form->format);

    if (!sent || !PQsetSingleRowMode(connection))
        return PQmakeEmptyPGresult(connection, PGRES_FATAL_ERROR);
    return await_result(db, form, too_long);
}

/*
 * Sets up the session: what is set for the database or the role changes neither which functions are called nor how values are written. A statement that
 * hangs must not hold the sidecar for ever; nor must a lock. Functions that rule out
 * sequential scans look so costly to the planner that it compiles them, for most of a second each time. A server that
 * can no longer reach us, or whose answer we do not take, ends the session, and with it what the session has locked.
 */
static bool prepare(struct db *db)
{
    static const char settings[] =
        "SELECT pg_catalog.set_config(s.name, s.value, false) FROM (VALUES"
        " ('search_path', 'pg_catalog, pg_temp'), ('client_encoding', 'UTF8'), ('bytea_output', 'hex'), ('datestyle', 'ISO, YMD'), ('intervalstyle', 'postgres'),"
        " ('timezone', 'UTC'), ('extra_float_digits', '1'), ('standard_conforming_strings', 'on'), ('array_nulls', 'on'), ('transform_null_equals', 'off'),"
        " ('default_transaction_isolation', 'read committed'), ('client_min_messages', 'warning'),"
        " ('statement_timeout', $1::pg_catalog.text), ('lock_timeout', least($1::pg_catalog.text::pg_catalog.int4, 10000)::pg_catalog.text), ('tcp_user_timeout', $1), ('tcp_keepalives_idle', '10'),"
        " ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3'), ('idle_session_timeout', $2), ('application_name', $3)) s (name, value)";
    char timeout[16], idle[16], name[64];
    const char *parameters[] = {timeout, idle, name}, *given = PQparameterStatus(db->connection, "application_name");
    PGresult *result;

    snprintf(timeout, sizeof(timeout), "%d", db->timeout_ms);
    snprintf(idle, sizeof(idle), "%d", db->idle_ms);
    snprintf(name, sizeof(name), "%.40s/%s", given && given[0] ? given : "reason-sidecar", db->name);
    PQsetnonblocking(db->connection, 1);
    /* These two come first, and are no queries: one that is compiled may take longer than a time limit that was set for the role. */
    result = db_call(db, "SET statement_timeout = 0", NULL, 0, NULL, NULL);
    PQclear(result);
    if (result) {
        result = db_call(db, "SET jit = off", NULL, 0, NULL, NULL);
        PQclear(result);
    }
    if (result) {
        result = db_call(db, settings, NULL, 3, parameters, NULL);
        PQclear(result);
    }
    if (result && db->listen) {
        result = db_call(db, "LISTEN reason_work", NULL, 0, NULL, NULL);
        PQclear(result);
    }
    return result != NULL;
}

/* Whether this program knows the functions that the database has. A database without the extension says so itself. */
static bool schema_is_known(struct db *db)
{
    PGresult *result = db_call(db, "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'reasoning_graph'", "?t", 0, NULL, NULL);
    const char *version = PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : REASON_VERSION;
    enum schema_fit fit = schema_fit(version, REASON_VERSION);

    if (fit == SCHEMA_TOO_OLD)
        log_error("%s: the schema in the database has version %s, too old for this sidecar of version " REASON_VERSION ": run ALTER EXTENSION reasoning_graph UPDATE",
                  db->name, version);
    else if (fit != SCHEMA_FITS)
        log_error("%s: the schema in the database has version %s, too new for this sidecar of version " REASON_VERSION ": install a later sidecar", db->name, version);
    PQclear(result);
    if (fit != SCHEMA_FITS)
        metrics_add(METRIC_DATABASE_FAILURES, 1);
    return result && fit == SCHEMA_FITS;
}

bool db_connect(struct db *db)
{
    if (db->connection && PQstatus(db->connection) == CONNECTION_OK)
        return true;
    db_close(db);
    db->connection = connect_within(db->conninfo, db->timeout_ms < CONNECT_MS ? db->timeout_ms : CONNECT_MS);
    PQsetNoticeReceiver(db->connection, log_notice, NULL);
    if (!db->connection || PQstatus(db->connection) != CONNECTION_OK) {
        bool failed = !db->connection || PQstatus(db->connection) == CONNECTION_BAD;

        log_error("%s: cannot connect to the database: %s", db->name, failed ? PQerrorMessage(db->connection) : "it does not answer");
        metrics_add(METRIC_DATABASE_FAILURES, 1);
        db_close(db);
        return false;
    }
    if (!prepare(db) || !schema_is_known(db)) {
        db_close(db);
        return false;
    }
    db->connections++;
    log_info("%s: connected to database \"%s\"", db->name, PQdb(db->connection));
    return true;
}

void db_close(struct db *db)
{
    PQfinish(db->connection);
    db->connection = NULL;
    db->prepared_count = 0;
}

/* The first function of ours in a statement; else all of it. */
static const char *name_of(const char *statement)
{
    const char *name = strstr(statement, "reason.");

    return name ? name : statement;
}

static int name_length(const char *statement)
{
    return (int)strcspn(name_of(statement), "(");
}

/*
 * Errors of the connection, of resources, of concurrency, of a lock, of an operator, of the system, within the server, of a standby, and those that come once
 * after functions were exchanged. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
static bool usually_passes(const char *sqlstate)
{
    static const char *const passing[] = {"08", "40", "53", "57", "58", "55P03", "55006", "25006", "0A000", "26000", "XX000"};

    for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
        if (!strncmp(sqlstate, passing[i], strlen(passing[i])))
            return true;
    return false;
}

static void note_refusal(struct db *db, const char *statement, const PGresult *result)
{
    const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

    db->refusal_passes = !sqlstate || usually_passes(sqlstate);
    if (sqlstate)
        snprintf(db->refusal, sizeof(db->refusal), "%.*s: %s (%s)", name_length(statement), name_of(statement), PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), sqlstate);
    else
        snprintf(db->refusal, sizeof(db->refusal), "%.*s: the database does not answer", name_length(statement), name_of(statement));
}

void db_refuse(struct db *db, const char *statement, const char *answer)
{
    db->refusal_passes = false;
    snprintf(db->refusal, sizeof(db->refusal), "%.*s: the database answers with %s", name_length(statement), name_of(statement), answer);
    log_error("%s: %s", db->name, db->refusal);
    metrics_add(METRIC_DATABASE_FAILURES, 1);
}

void db_begin_budget(struct db *db, long ms)
{
    db->budget_ms = ms;
    db->waited_ms = db->answers = 0;
}

void db_end_budget(struct db *db)
{
    db->budget_ms = 0;
}

/* Whether the budget is used up; noted. */
static bool is_too_slow(struct db *db, const char *statement)
{
    if (db->budget_ms == 0 || db->waited_ms <= db->budget_ms + db->answers * EACH_ANSWER_MS)
        return false;
    db->refusal_passes = true;
    snprintf(db->refusal, sizeof(db->refusal), "%.*s: the database has taken %ld ms for %ld answers, which is too long", name_length(statement),
             name_of(statement), db->waited_ms, db->answers);
    log_error("%s: %s", db->name, db->refusal);
    metrics_add(METRIC_DATABASE_FAILURES, 1);
    return true;
}

static PGresult *call(struct db *db, const char *statement, int count, const char *const *parameters, char sqlstate[6], const struct form *form)
{
    PGresult *result;
    ExecStatusType status;
    bool too_long = false;
    long began_ms;

    if (sqlstate)
        sqlstate[0] = '\0';
    if (!db->connection || is_too_slow(db, statement))
        return NULL;
    began_ms = clock_ms();
    result = execute(db, statement, count, parameters, form, &too_long);
    db->waited_ms += clock_ms() - began_ms;
    db->answers++;
    status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return result;
    forget_prepared(db, result);
    if (sqlstate && PQresultErrorField(result, PG_DIAG_SQLSTATE))
        snprintf(sqlstate, 6, "%s", PQresultErrorField(result, PG_DIAG_SQLSTATE));
    if (too_long) {
        char answer[60];

        snprintf(answer, sizeof(answer), "more than %zu bytes", form->most);
        db_refuse(db, statement, answer);
    } else {
        log_error("%s: %.60s: %s", db->name, statement, result ? PQerrorMessage(db->connection) : "the database does not answer");
        note_refusal(db, statement, result);
        metrics_add(METRIC_DATABASE_FAILURES, 1);
    }
    /* the rest of an answer that is too long is not waited for */
    if (!result || PQstatus(db->connection) != CONNECTION_OK)
        db_close(db);
    PQclear(result);
    return NULL;
}

/* ---------------------------------------------------------------- the shape of an answer */

static bool is_integer(const char *text)
{
    size_t digits = strspn(text + (*text == '-'), "0123456789");

    return digits > 0 && digits < 19 && !text[(*text == '-') + digits];
}

static bool value_fits(const PGresult *result, int row, int column, char letter)
{
    const char *text = PQgetvalue(result, row, column);
    uint64_t number;

    if (PQgetisnull(result, row, column))
        return letter >= 'A' && letter <= 'Z';
    switch (letter) {
    case 'n':
    case 'N': return db_number(result, row, column, &number);
    case 'i':
    case 'I': return is_integer(text);
    case 'b':
    case 'B': return !strcmp(text, "t") || !strcmp(text, "f");
    default: return true;
    }
}

/* What of it is not as it is to be, in `fault`; true: nothing. */
static bool has_shape(const PGresult *result, const char *shape, char fault[100])
{
    int rows = PQntuples(result), columns;

    if ((*shape == '1' && rows != 1) || (*shape == '?' && rows > 1)) {
        snprintf(fault, 100, "%d rows in place of %s", rows, *shape == '1' ? "one" : "one at the most");
        return false;
    }
    shape += *shape == '1' || *shape == '?';
    columns = (int)strlen(shape);
    if (PQnfields(result) != columns) {
        snprintf(fault, 100, "%d columns in place of %d", PQnfields(result), columns);
        return false;
    }
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++)
            if (!value_fits(result, row, column, shape[column])) {
                snprintf(fault, 100, "%s in row %d, column %d, where it is to be %s", PQgetisnull(result, row, column) ? "NULL" : "something else", row + 1,
                         column + 1, strchr("nN", shape[column]) ? "a number" : strchr("iI", shape[column]) ? "an integer" : strchr("bB", shape[column]) ? "a boolean" : "a text");
                return false;
            }
    return true;
}

PGresult *db_call(struct db *db, const char *statement, const char *shape, int count, const char *const *parameters, char sqlstate[6])
{
    PGresult *result = call(db, statement, count, parameters, sqlstate, &(struct form){.most = DB_ANSWER_MOST});
    char fault[100];

    if (!result || !shape || has_shape(result, shape, fault))
        return result;
    db_refuse(db, statement, fault);
    PQclear(result);
    return NULL;
}

PGresult *db_call_binary(struct db *db, const char *statement, size_t most, int count, const char *const *parameters)
{
    return call(db, statement, count, parameters, NULL, &(struct form){.format = 1, .most = most});
}

bool db_each(struct db *db, const char *statement, int count, const char *const *parameters, row_taker *take, void *context)
{
    PGresult *result = call(db, statement, count, parameters, NULL, &(struct form){.take = take, .context = context, .most = DB_ANSWER_MOST});

    PQclear(result);
    return result != NULL;
}

bool db_number(const PGresult *result, int row, int column, uint64_t *number)
{
    return row < PQntuples(result) && column < PQnfields(result) && !PQgetisnull(result, row, column)
           && decimal_read(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column), number);
}

bool db_wait(struct db *db, int timeout_ms, int wake_fd)
{
    struct pollfd fds[2] = {{.fd = wake_fd, .events = POLLIN}, {.fd = db->connection ? PQsocket(db->connection) : -1, .events = POLLIN}};

    /* one that came with the answer to the last call is no longer to be seen at the socket */
    take_notifications(db);
    if (db->notified) {
        db->notified = false;
        return true;
    }
    if (poll(fds, 2, timeout_ms) <= 0)
        return false;
    if (fds[1].revents) {
        if (!PQconsumeInput(db->connection)) {
            log_error("%s: the database connection was lost: %s", db->name, PQerrorMessage(db->connection));
            metrics_add(METRIC_DATABASE_FAILURES, 1);
            db_close(db);
            return true;
        }
        take_notifications(db);
        db->notified = false;
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
