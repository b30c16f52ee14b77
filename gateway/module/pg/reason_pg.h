/*
 * reason_pg.h: connections to PostgreSQL, and calls of SQL functions on them. It knows nothing of HTTP.
 *
 * To have a call made, a caller submits a job, whose handlers learn what comes of it. The way of a job: queue.c (a
 * connection, or a place in the queue by client_share.c) → in_flight.c → call.c (send, read) → its handlers.
 */
#ifndef REASON_PG_H
#define REASON_PG_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <libpq-fe.h>

#include "base/reason_base.h"

typedef struct reason_pool_s reason_pool_t;
typedef struct reason_connection_s reason_connection_t;
typedef struct reason_job_s reason_job_t;

/* What kind a call is of; see client_share.c. */
typedef enum {
    REASON_CLASS_SERVICE, REASON_CLASS_WRITE, REASON_CLASS_READ, REASON_CLASS_HEAVY, REASON_CLASS_COUNT
} reason_class_e;

/* A SQL function and how to call it: one for each distinct reason_call. */
typedef struct {
    ngx_str_t   function;
    ngx_str_t   pieces;             /* the function that hands out its body, or empty */
    ngx_uint_t  argument_count;
    ngx_uint_t  scoped;             /* its last argument is path_division, and is passed by that name */
    ngx_uint_t  index;              /* in reason_main_conf_t.statements */
    ngx_uint_t  route;              /* that of the first statement that calls the function: requests are counted by function */
    char       *name;               /* of the prepared statement */
    char       *sql;
    ngx_uint_t  cost;               /* of a call of late, in this worker, in microseconds */
} reason_statement_t;

typedef struct {
    ngx_array_t               statements;   /* reason_statement_t * */
    ngx_array_t               pools;        /* reason_pool_t * */
    struct reason_tracing_s  *tracing;      /* NULL: no spans are wanted */
} reason_main_conf_t;

/* One address of PostgreSQL. What is NULL stands in the connection string. */
typedef struct {
    char        *conninfo;
    char        *host;
    char        *hostaddr;
    char        *port;
    const char  *session_attrs;
} reason_server_t;

/* What one client uses of an upstream, in one worker. */
typedef struct {
    ngx_str_node_t  node;           /* in pool->shares; the first member */
    ngx_queue_t     queue;          /* in pool->waiting, while one of its requests waits */
    ngx_queue_t     waiting[REASON_CLASS_COUNT];    /* reason_job_t */
    ngx_uint_t      waiting_count;
    ngx_uint_t      busy[REASON_CLASS_COUNT];       /* connections */
    ngx_uint_t      sessions;       /* the sum of these */
    ngx_uint_t      cost;           /* of a read of late, in microseconds */
    size_t          memory;         /* of bodies on their way to PostgreSQL */
    off_t           disk;           /* of bodies that have come, and of answers not yet taken */
    ngx_uint_t      references;     /* requests and calls */
    reason_pool_t  *pool;
} reason_share_t;

/* Connections of one upstream, in one worker. */
struct reason_pool_s {
    ngx_str_t    name;
    ngx_array_t  servers;           /* reason_server_t, in the order they are tried in */
    ngx_uint_t   connection_count;
    ngx_uint_t   pipeline;          /* calls that may share a connection */
    ngx_uint_t   prepare;           /* statements; a pooler of transactions knows none */
    ngx_uint_t   broken_count;      /* messages left out since the last */
    time_t       broken_logged;     /* 0: not since all stood */
    time_t       refused_logged;
    ngx_uint_t   spread;            /* connections they use before they share */
    ngx_uint_t   queue_max;
    ngx_msec_t   connect_timeout;
    ngx_msec_t   query_timeout;
    ngx_msec_t   lifetime;          /* of a connection, at most; from half of it on they are renewed */
    ngx_msec_t   hold_timeout;      /* a client that does not keep up may hold a connection for so long */
    ngx_uint_t   reserve[REASON_CLASS_COUNT];       /* connections that others leave to the class */
    ngx_uint_t   client_connections;
    ngx_uint_t   client_heavy;
    ngx_uint_t   client_queue;
    size_t       client_memory;
    size_t       memory_max;
    off_t        client_disk;
    ngx_uint_t   counters;          /* the place of its counters */

    reason_main_conf_t   *main;
    reason_connection_t  *connections;
    ngx_queue_t           idle;
    ngx_queue_t           waiting;  /* reason_share_t */
    ngx_rbtree_t          shares;
    ngx_rbtree_node_t     shares_sentinel;
    ngx_uint_t            busy[REASON_CLASS_COUNT];
    size_t                memory;   /* of bodies on their way to PostgreSQL */
    ngx_uint_t            ticket;   /* of the next request */
    ngx_uint_t            waiting_count;
    ngx_uint_t            idle_count;
    ngx_uint_t            connected_count;
    ngx_log_t            *log;
};

/* What comes of a job; it may be gone when one of the last four returns. */
typedef struct {
    /* there is a connection: values that take memory are made now. NGX_ABORT: the job has ended by itself */
    ngx_int_t (*bind)(reason_job_t *job);
    /* libpq has the values: their memory may go */
    void (*sent)(reason_job_t *job);
    /*
     * NGX_OK; NGX_AGAIN: no more rows for now, see reason_call_resume(). Anything else ends it, by stopped(); NGX_ABORT with
     * its connection, for its rows are of no use to anybody. A row that is kept is set to NULL.
     */
    ngx_int_t (*row)(reason_job_t *job, PGresult **row);
    void (*stopped)(reason_job_t *job, ngx_int_t rc);
    void (*end)(reason_job_t *job);
    /* PostgreSQL has refused the call */
    void (*refused)(reason_job_t *job, PGresult *result);
    /* there was no answer; job->executed: and nobody knows whether it took effect */
    void (*failed)(reason_job_t *job, reason_failure_e failure);
} reason_handlers_t;

/* A call that is to be made: part of a request's context. */
struct reason_job_s {
    ngx_queue_t               queue;    /* in share->waiting */
    const reason_handlers_t  *handlers;
    ngx_log_t                *log;
    reason_pool_t            *pool;
    reason_share_t           *share;
    reason_class_e            class;
    ngx_uint_t                ticket;   /* by arrival */
    size_t                    memory;   /* that its values take on their way to PostgreSQL; 0 if that is little */
    off_t                     disk;     /* of share->disk */
    reason_connection_t      *connection;
    reason_statement_t       *statement;
    ngx_uint_t                argument_count;
    const char              **values;
    ngx_event_t               deadline; /* in the queue */
    ngx_uint_t                tries;
    unsigned                  queued:1;
    unsigned                  pipeline:1;   /* may be sent behind others; not again once it has been kept waiting */
    unsigned                  executed:1;   /* the call may have reached the database */
};

/* A call on a connection. It outlives its job, for what was sent will be answered. */
typedef struct {
    reason_job_t        *job;       /* NULL: nobody waits for the answer any more */
    reason_statement_t  *statement;
    reason_share_t      *share;
    reason_class_e       class;
    size_t               memory;
    ngx_uint_t           cost;      /* as it was expected */
    unsigned             preparing:1;   /* the statement is being prepared, the call not sent yet */
    unsigned             pipeline:1;    /* others may be sent behind it */
    unsigned             answering:1;   /* a row has come */
} reason_call_t;

struct reason_connection_s {
    ngx_queue_t        queue;       /* in pool->idle */
    reason_pool_t     *pool;
    PGconn            *pg;
    ngx_connection_t  *c;           /* the socket of pg, as nginx knows it */
    reason_call_t     *calls;       /* a ring of pool->pipeline; PostgreSQL answers them one after the other */
    ngx_uint_t         first;
    ngx_uint_t         count;
    ngx_uint_t         cost;        /* of all of them */
    ngx_msec_t         since;       /* when the first call's turn came */
    ngx_uint_t         began;       /* the same, by a finer clock */
    ngx_event_t        timer;       /* connecting, or waiting to connect again */
    ngx_event_t        deadline;    /* of the first call */
    ngx_event_t        stall;       /* the first call keeps others waiting */
    ngx_uint_t         next_server; /* 0: a round begins */
    ngx_msec_t         paused_at;
    ngx_msec_t         expires_at;
    ngx_msec_t         backoff;
    u_char            *prepared;    /* by statement index */
    const char        *refusal;     /* why the database is of no use, though it answers; NULL: it is */
    unsigned           connecting:1;
    unsigned           asking:1;    /* connecting still: the version of the schema is awaited */
    unsigned           ready:1;     /* connected */
    unsigned           idle:1;
    unsigned           paused:1;    /* not read, for the client does not keep up */
    unsigned           swollen:1;   /* libpq has kept the memory of a long message */
    unsigned           ending:1;    /* told to end, because its answer is no longer wanted */
};

/* statement.c */
/*
 * of a function called with so many arguments, whose body comes in one piece if "pieces" is empty; scoped: and with one more,
 * path_division
 */
reason_statement_t *reason_statement(ngx_conf_t *cf, reason_main_conf_t *main, ngx_str_t *function, ngx_uint_t argument_count,
    ngx_str_t *pieces, ngx_uint_t scoped);
ngx_int_t reason_statement_name_check(ngx_str_t *name);

/* server.c */
/* the servers that a connection string names; what is returned is nginx's (NGX_CONF_OK, …) */
char *reason_server_add(ngx_conf_t *cf, reason_pool_t *pool, char *conninfo);
PGconn *reason_server_connect(const reason_server_t *server);

/* upstream.c */
char *reason_upstream(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* schema.c */
ngx_int_t reason_schema_ask(reason_connection_t *connection);
/* NGX_OK; NGX_AGAIN: not yet; NGX_DECLINED: connection->refusal says why not; NGX_ERROR */
ngx_int_t reason_schema_answer(reason_connection_t *connection);

/* connection.c */
ngx_int_t reason_connection_init(reason_connection_t *connection, reason_pool_t *pool, ngx_cycle_t *cycle);
void reason_connection_open(reason_connection_t *connection);
/* what it was doing is the caller's to know */
void reason_connection_close(reason_connection_t *connection);
/* opens it again after so many milliseconds, if the worker does not end */
void reason_connection_reopen(reason_connection_t *connection, ngx_msec_t after);
/* the same, later each time that all servers were tried in vain */
void reason_connection_retry(reason_connection_t *connection);
void reason_connection_log_broken(reason_connection_t *connection, const char *what);

/* pool.c */
ngx_int_t reason_pool_start(reason_pool_t *pool, ngx_cycle_t *cycle);
void reason_pool_stop(reason_pool_t *pool);
void reason_pool_feed(reason_connection_t *connection);
void reason_pool_broken(reason_connection_t *connection, const char *what);
void reason_pool_discard(reason_connection_t *connection);
/* the answer is no longer wanted: the backend is told to end, and the connection is in use until it has */
void reason_pool_end(reason_connection_t *connection);
/* the server has done nothing, or nothing that counts: the first call goes to another */
void reason_pool_elsewhere(reason_connection_t *connection);
/* free connections take those who wait; a job that waits may be gone when this returns */
void reason_pool_serve(reason_pool_t *pool);

reason_connection_t *reason_pool_take_idle(reason_pool_t *pool);
void reason_pool_gauges(reason_pool_t *pool);
/* the upstream of that name; NULL: there is none */
reason_pool_t *reason_pool_named(reason_main_conf_t *main, ngx_str_t *name);

/* queue.c */
void reason_queue_submit(reason_job_t *job);
/* gives up a job, wherever it is */
void reason_queue_abandon(reason_job_t *job);
void reason_queue_wait(reason_job_t *job, ngx_uint_t first);
void reason_queue_remove(reason_job_t *job);

/* client_share.c */
void reason_share_init(reason_pool_t *pool);
reason_share_t *reason_share_get(reason_pool_t *pool, ngx_str_t *name);
void reason_share_release(reason_share_t *share);
ngx_uint_t reason_share_allows(reason_job_t *job);
/* the waiting job that is next to get an idle connection, or a place behind the calls of this one; it still waits */
reason_job_t *reason_share_next(reason_pool_t *pool, reason_connection_t *behind);
ngx_uint_t reason_share_presses(reason_pool_t *pool);
ngx_uint_t reason_share_is_full(reason_job_t *job);
void reason_share_wait(reason_job_t *job, ngx_uint_t first);
void reason_share_leave(reason_job_t *job);
void reason_share_begin(reason_connection_t *connection, reason_call_t *call);
/* after so many microseconds */
void reason_share_end(reason_connection_t *connection, reason_call_t *call, ngx_uint_t took);
ngx_int_t reason_share_use_disk(reason_job_t *job, off_t size);
void reason_share_free_disk(reason_job_t *job, off_t size);

/* in_flight.c */
/* by place, the first being served */
reason_call_t *reason_in_flight_call(reason_connection_t *connection, ngx_uint_t place);
reason_call_t *reason_in_flight_push(reason_connection_t *connection, reason_job_t *job);
void reason_in_flight_pop(reason_connection_t *connection);
/* the connection is closed: its calls are no more */
void reason_in_flight_clear(reason_connection_t *connection);
/* gives up the answer of a call; false: no answer on the connection is waited for any more */
ngx_uint_t reason_in_flight_drop(reason_connection_t *connection, reason_job_t *job);
ngx_uint_t reason_in_flight_takes(reason_connection_t *connection, reason_job_t *job);
/* a connection to share; NULL if one that is free is better, or none will do */
reason_connection_t *reason_in_flight_find(reason_job_t *job);
/* those behind the first call wait for another connection */
void reason_in_flight_leave(reason_connection_t *connection);
void reason_in_flight_stalled(ngx_event_t *event);

/* call.c */
void reason_call_start(reason_connection_t *connection, reason_job_t *job);
void reason_call_event(reason_connection_t *connection);
void reason_call_deadline(ngx_event_t *event);
void reason_call_resume(reason_connection_t *connection);

#endif
