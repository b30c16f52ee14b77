/* db.h: a connection to PostgreSQL: calls with deadlines, notifications. One thread uses one connection. */
#ifndef SIDECAR_BASE_DB_H
#define SIDECAR_BASE_DB_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/* Statements that a session sends again and again are prepared in it. */
#define DB_PREPARED_MOST 16
#define DB_REFUSAL_SIZE 300
/*
 * An answer has at most so many bytes: whoever rules the database may have replaced the function that gives it. Rows are counted as they come; one row is
 * held by libpq whole before it can be, and PostgreSQL makes none of more than 1 GiB.
 */
#define DB_ANSWER_MOST (256L * 1024 * 1024)

struct db {
    const char *conninfo;
    const char *name;           /* of the work done with it, for the log; in pg_stat_activity it stands behind the application_name of conninfo and a slash */
    int timeout_ms;             /* of a statement, at the server; what does not answer by then, and a little, is given up */
    int idle_ms;                /* the server ends a session that asks nothing for so long; 0: never */
    bool listen;                /* to the doorbell */
    bool notified;              /* it rang while an answer was waited for */
    PGconn *connection;         /* NULL while there is none */
    unsigned connections;       /* made so far */
    struct {
        const char *statement;  /* lives as long as the process */
        char name[16];          /* "": it was sent once */
    } prepared[DB_PREPARED_MOST];
    int prepared_count;
    unsigned prepared_names;    /* given so far */
    char refusal[DB_REFUSAL_SIZE];  /* why the last answer could not be had; "": each could since whoever asks has emptied it */
    long budget_ms;             /* 0: there is none */
    long waited_ms;             /* since it began, for answers */
    long answers;               /* since then */
    bool refusal_passes;        /* that is of a kind that usually passes by itself, for a connection, resources, a lock or an operator */
};

/* Connects unless connected; false: not now, logged. */
bool db_connect(struct db *db);
void db_close(struct db *db);

/* From now on an answer that does not come within a few seconds is given up: the process is to end. */
void db_hurry(void);

/*
 * Runs one statement, a literal, with text parameters. NULL when it failed, which has been logged; a broken connection is closed.
 * sqlstate, if not NULL, gets the five characters of the error, or "".
 *
 * An answer of another shape is a failure, and one of more than DB_ANSWER_MOST bytes, which costs the connection: whoever rules the database may have replaced the functions that give it. shape: "1"
 * one row, "?" at most one, else any number; then a letter for each column: t text, n a number as db_number() takes it, i an
 * integer, b a boolean; in capitals where NULL may stand. NULL: nothing of it is read.
 */
PGresult *db_call(struct db *db, const char *statement, const char *shape, int count, const char *const *parameters, char sqlstate[6]);

/* As db_call(), for values in binary form, of `most` bytes at most. */
PGresult *db_call_binary(struct db *db, const char *statement, size_t most, int count, const char *const *parameters);

/*
 * From here on answers may be waited for so long in all, and a little longer with each of them: a database that gives each one within its own
 * time, and very slowly, would keep whoever asks busy for hours. What is asked beyond that is a failure of a kind that usually passes.
 */
void db_begin_budget(struct db *db, long ms);
void db_end_budget(struct db *db);

/* Notes that an answer is not what it must be, as db_call() does for one of another shape: logged. */
void db_refuse(struct db *db, const char *statement, const char *answer);

/*
 * As db_call(), and takes each row as it comes: libpq's buffer, which never shrinks, grows to the largest row, not to the
 * whole. The row is freed afterwards. False: it failed, perhaps after some rows.
 */
typedef void row_taker(void *context, const PGresult *row);
bool db_each(struct db *db, const char *statement, int count, const char *const *parameters, row_taker *take, void *context);

/*
 * A number that the database tells, of rows, bytes or places: decimal digits alone, at most 2^63 - 1. False: it is something else,
 * NULL, or not there, for whoever rules the database may have replaced the function that tells it.
 */
bool db_number(const PGresult *result, int row, int column, uint64_t *number);

/* Waits for a notification, at most so long, or until wake_fd can be read. True: something came. */
bool db_wait(struct db *db, int timeout_ms, int wake_fd);

/* An array literal in the making: {"a","b"}. */
struct array {
    char *text;
    size_t length, capacity;
};

bool array_add(struct array *array, const char *element);
/* The literal, "{}" when nothing was added; NULL when out of memory. The array owns it. */
const char *array_end(struct array *array);
void array_free(struct array *array);

#endif
