/*
 * ngx_http_reason.h: what the module's files share.
 *
 * A request becomes one call of a SQL function, or two with a question to the policy service in between. The way of a call:
 * request (arguments) → pool (a connection, or the queue) → call (bind, send, read) → answer (rows → response).
 */
#ifndef NGX_HTTP_REASON_H
#define NGX_HTTP_REASON_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include <libpq-fe.h>

typedef struct reason_pool_s reason_pool_t;
typedef struct reason_connection_s reason_connection_t;
typedef struct reason_context_s reason_context_t;

/* What kind of call a location makes; see reason_share.c. */
typedef enum {
    REASON_CLASS_SERVICE, REASON_CLASS_WRITE, REASON_CLASS_READ, REASON_CLASS_HEAVY, REASON_CLASS_COUNT
} reason_class_e;

/* A SQL function and how to call it: one for each distinct reason_call. */
typedef struct {
    ngx_str_t   function;
    ngx_str_t   pieces;             /* the function that hands out its body, or empty */
    ngx_uint_t  argument_count;
    ngx_uint_t  index;              /* in reason_main_conf_t.statements */
    char       *name;               /* of the prepared statement */
    char       *sql;
    ngx_uint_t  cost;               /* of a call, microseconds, as it was of late in this worker */
} reason_statement_t;

typedef struct {
    ngx_array_t  statements;        /* reason_statement_t * */
    ngx_array_t  pools;             /* reason_pool_t * */
} reason_main_conf_t;

typedef struct {
    ngx_array_t         *caller;    /* ngx_http_complex_value_t: put before every call's arguments */
    ngx_array_t         *arguments; /* ngx_http_complex_value_t */
    ngx_str_t            function;
    reason_statement_t  *statement;
    reason_pool_t       *pool;
    reason_statement_t  *await;     /* called while the answer is 202, with the key it named */
    ngx_uint_t           methods;   /* NGX_HTTP_… bits */
    ngx_uint_t           class;     /* reason_class_e */
    ngx_http_complex_value_t  *client;      /* whose share a call is of */
    ngx_str_t            pieces;    /* the function that hands out a long body piece by piece */
    reason_statement_t  *admit;     /* asked before a long body is read */
    ngx_str_t            admit_function;
    size_t               admit_above;
    ngx_int_t            body_argument;     /* the place of $reason_body among the arguments; -1: there is none */
    ngx_uint_t           takes_query;       /* $reason_query is among the arguments */
    ngx_flag_t           pipeline;  /* calls may be sent behind others, and be sent again: they are quick and only read */
    ngx_str_t            policy_uri;        /* asked before a write that needs it */
    ngx_msec_t           policy_deadline;
} reason_loc_conf_t;

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
    ngx_queue_t     waiting[REASON_CLASS_COUNT];    /* reason_context_t */
    ngx_uint_t      waiting_count;
    ngx_uint_t      busy[REASON_CLASS_COUNT];       /* connections */
    ngx_uint_t      sessions;       /* the sum of these */
    ngx_uint_t      cost;           /* of a read, microseconds, as it was of late */
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
    time_t       broken_logged;
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

    reason_main_conf_t   *main;
    reason_connection_t  *connections;
    ngx_queue_t  idle;
    ngx_queue_t  waiting;           /* reason_share_t */
    ngx_rbtree_t       shares;
    ngx_rbtree_node_t  shares_sentinel;
    ngx_uint_t   busy[REASON_CLASS_COUNT];
    size_t       memory;            /* of bodies on their way to PostgreSQL */
    ngx_uint_t   ticket;            /* of the next request */
    ngx_uint_t   waiting_count;
    ngx_uint_t   idle_count;
    ngx_uint_t   connected_count;
    ngx_log_t   *log;
};

/* A call on a connection. It outlives its request, for what was sent will be answered. */
typedef struct {
    reason_context_t    *ctx;       /* NULL: nobody waits for the answer any more */
    reason_statement_t  *statement;
    reason_share_t      *share;
    reason_class_e       class;
    size_t               memory;
    ngx_uint_t           cost;      /* as it was expected */
    unsigned             preparing:1;   /* the statement is being prepared, the call not sent yet */
    unsigned             pipeline:1;    /* others may be sent behind it */
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
    unsigned           connecting:1;
    unsigned           ready:1;     /* connected */
    unsigned           idle:1;
    unsigned           paused:1;    /* not read, for the client does not keep up */
    unsigned           swollen:1;   /* libpq has kept the memory of a long message */
    unsigned           ending:1;    /* told to end, for nobody wants its answer */
};

/* A request on its way. */
struct reason_context_s {
    ngx_queue_t           queue;    /* in share->waiting */
    ngx_http_request_t   *request;
    reason_pool_t        *pool;
    reason_share_t       *share;
    reason_class_e        class;
    ngx_uint_t            ticket;   /* by arrival */
    size_t                memory;   /* that its body takes on its way to PostgreSQL; 0 for one that is short */
    off_t                 disk;     /* of share->disk */
    reason_connection_t  *connection;
    reason_statement_t   *statement;
    ngx_uint_t            argument_count;
    const char          **values;
    ngx_event_t           deadline; /* in the queue */
    ngx_event_t           poll;     /* until the next reason_await; deadline of a policy check */
    char                 *await_key;
    ngx_msec_t            await_until;
    ngx_msec_t            await_interval;
    ngx_chain_t          *body;     /* pieces not yet handed to nginx, in order */
    ngx_chain_t          *busy;     /* handed over, not yet sent */
    ngx_chain_t          *free;     /* sent: memory for the next pieces */
    ngx_chain_t          *bare;     /* sent, and their memory given back */
    off_t                 body_length;
    ngx_temp_file_t      *file;     /* what the client has not taken yet; NULL until it does not keep up */
    off_t                 file_sent;
    off_t                 length;   /* of the whole body, if the function said so; else -1 */
    ngx_http_request_t   *policy_request;   /* that asks; NULL when none is on its way */
    ngx_str_t             policy_question;
    ngx_str_t             policy_status;    /* of the answer; 000 when there was none */
    ngx_str_t             policy_answer;    /* base64 */
    const char           *refusal;  /* why the request cannot be turned into a call */
    ngx_uint_t            tries;
    unsigned              queued:1;
    unsigned              pipeline:1;   /* may be sent behind others; not again once it has been kept waiting */
    unsigned              executed:1;   /* the call may have reached the database */
    unsigned              admitting:1;  /* the call asks whether the body may come at all */
    unsigned              behind:1;     /* the client does not keep up */
    unsigned              has_status:1;
    unsigned              asks:1;       /* the answer is a question to the policy service */
    unsigned              streaming:1;  /* the header has been sent, the body follows as it comes */
};

/* reason_request.c */
ngx_int_t reason_request_handler(ngx_http_request_t *r);
void reason_request_call(reason_context_t *ctx);
/* the body, which stays where nginx has put it until a connection is there to send it. NGX_ABORT: the request was refused */
ngx_int_t reason_request_bind_body(reason_context_t *ctx);
/* its memory is given back */
void reason_request_release_body(reason_context_t *ctx);
/* the client may send what it wants to: its body is read now */
void reason_request_admitted(reason_context_t *ctx);
/* after a request was finalized from an event that nginx does not know to be its own */
void reason_request_run_posted(ngx_connection_t *c);

/* reason_server.c */
/* the servers that a connection string names; what is returned is nginx's (NGX_CONF_OK, …) */
char *reason_server_add(ngx_conf_t *cf, reason_pool_t *pool, char *conninfo);
PGconn *reason_server_connect(const reason_server_t *server);

/* reason_upstream.c */
char *reason_upstream(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* reason_pool.c */
ngx_int_t reason_pool_start(reason_pool_t *pool, ngx_cycle_t *cycle);
void reason_pool_stop(reason_pool_t *pool);
void reason_pool_feed(reason_connection_t *connection);
void reason_pool_broken(reason_connection_t *connection, const char *what);
void reason_pool_discard(reason_connection_t *connection);
/* nobody wants the answer: the backend is told, and the connection is in use until it has ended */
void reason_pool_end(reason_connection_t *connection);
/* the server has done nothing, or nothing that counts: the first call goes to another */
void reason_pool_elsewhere(reason_connection_t *connection);
/* free connections take those who wait; a context that waits may be gone when this returns */
void reason_pool_serve(reason_pool_t *pool);

reason_connection_t *reason_pool_take_idle(reason_pool_t *pool);
void reason_pool_gauges(reason_pool_t *pool);

/* reason_queue.c */
void reason_pool_submit(reason_context_t *ctx);
void reason_pool_abandon(reason_context_t *ctx);
void reason_pool_wait(reason_context_t *ctx, ngx_uint_t first);
void reason_pool_unqueue(reason_context_t *ctx);

/* reason_share.c */
void reason_share_init(reason_pool_t *pool);
reason_share_t *reason_share_get(reason_pool_t *pool, ngx_str_t *name);
void reason_share_release(reason_share_t *share);
ngx_uint_t reason_share_allows(reason_context_t *ctx);
/* who is to have an idle connection, or a place behind the calls of this one; it still waits */
reason_context_t *reason_share_next(reason_pool_t *pool, reason_connection_t *behind);
ngx_uint_t reason_share_presses(reason_pool_t *pool);
ngx_uint_t reason_share_is_full(reason_context_t *ctx);
void reason_share_wait(reason_context_t *ctx, ngx_uint_t first);
void reason_share_leave(reason_context_t *ctx);
void reason_share_begin(reason_connection_t *connection, reason_call_t *call);
/* after so many microseconds */
void reason_share_end(reason_connection_t *connection, reason_call_t *call, ngx_uint_t took);
ngx_int_t reason_share_use_disk(reason_context_t *ctx, off_t size);
void reason_share_free_disk(reason_context_t *ctx, off_t size);

/* reason_pipeline.c */
/* by place, the first being served */
reason_call_t *reason_pipeline_call(reason_connection_t *connection, ngx_uint_t place);
reason_call_t *reason_pipeline_push(reason_connection_t *connection, reason_context_t *ctx);
void reason_pipeline_pop(reason_connection_t *connection);
/* the connection is closed: its calls are no more */
void reason_pipeline_clear(reason_connection_t *connection);
/* nobody waits for this answer any more; false: nor for any other on the connection */
ngx_uint_t reason_pipeline_drop(reason_connection_t *connection, reason_context_t *ctx);
ngx_uint_t reason_pipeline_takes(reason_connection_t *connection, reason_context_t *ctx);
/* a connection to share; NULL if one that is free is better, or none will do */
reason_connection_t *reason_pipeline_find(reason_context_t *ctx);
/* those behind the first call wait for another connection */
void reason_pipeline_leave(reason_connection_t *connection);
void reason_pipeline_stalled(ngx_event_t *event);

/* reason_call.c */
void reason_call_start(reason_connection_t *connection, reason_context_t *ctx);
void reason_call_event(reason_connection_t *connection);
void reason_call_deadline(ngx_event_t *event);
ngx_int_t reason_call_pause(reason_connection_t *connection);
void reason_call_resume(reason_connection_t *connection);

/* reason_answer.c */
/*
 * NGX_OK; NGX_AGAIN: read no more until the client has taken some; NGX_ABORT: the client is gone; NGX_DECLINED: it wants a
 * range that is not there; NGX_ERROR.
 * What it keeps of the rows it sets to NULL.
 */
ngx_int_t reason_answer_row(reason_context_t *ctx, PGresult **row);
/* the context may be gone when these return */
void reason_answer_end(reason_context_t *ctx);
void reason_answer_poll(ngx_event_t *event);
void reason_answer_abort(reason_context_t *ctx);
void reason_answer_range_refused(reason_context_t *ctx);
void reason_answer_forget(reason_context_t *ctx);

/* reason_body.c */
/* a row's value becomes part of the body; a row that is kept for it is set to NULL */
ngx_int_t reason_body_add(reason_context_t *ctx, PGresult **row, int column);
/* enough for it to be worth sending */
ngx_uint_t reason_body_suffices(reason_context_t *ctx);
/* hands over what there is. NGX_OK; NGX_AGAIN: the client has not taken it all yet; NGX_ABORT: it is gone */
ngx_int_t reason_body_send(reason_context_t *ctx);
/* what was not handed over goes to a file. NGX_OK; NGX_BUSY: the client has as much there as it may; NGX_ERROR */
ngx_int_t reason_body_spill(reason_context_t *ctx);
/* the same, with the end of the body; with an empty one it is all there is. What nginx says of it */
ngx_int_t reason_body_end(reason_context_t *ctx);
void reason_body_forget(reason_context_t *ctx);

/* reason_policy.c */
/* the answer of the call is a question: asks it, then calls again */
void reason_policy_ask(reason_context_t *ctx);
enum { REASON_POLICY_QUESTION, REASON_POLICY_STATUS, REASON_POLICY_ANSWER };
ngx_int_t reason_policy_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t which);

/* reason_error.c */
void reason_error_finish(reason_context_t *ctx, ngx_uint_t status, const char *code, const char *message,
    const char *details);
void reason_error_from_result(reason_context_t *ctx, PGresult *result);
ngx_int_t reason_error_send(ngx_http_request_t *r, ngx_uint_t status, const char *code, const char *message,
    const char *details);
ngx_int_t reason_error_handler(ngx_http_request_t *r);

/* reason_json.c */
u_char *reason_json_escape(u_char *p, const char *text);
size_t reason_json_object(const char *text);
/* the record of a batch ({"nodes":[…]}) in which the text breaks off; -1: in none */
ngx_int_t reason_json_record(const u_char *text, size_t length);

/* reason_utf8.c */
/* how many bytes the first character has; 0 if it is none */
size_t reason_utf8_character(const u_char *p, const u_char *end);
/* of how much of the text is UTF-8 */
size_t reason_utf8_length(const u_char *text, size_t length);

/* reason_metrics.c */
typedef enum {
    REASON_FAILURE_CONNECTION, REASON_FAILURE_QUEUE_FULL, REASON_FAILURE_QUEUE_DEADLINE, REASON_FAILURE_QUERY_DEADLINE,
    REASON_FAILURE_CLIENT_GONE, REASON_FAILURE_CLIENT_SHARE, REASON_FAILURE_CLIENT_SLOW, REASON_FAILURE_HELD_UP,
    REASON_FAILURE_POLICY_UNANSWERED, REASON_FAILURE_COUNT
} reason_failure_e;
typedef enum { REASON_GAUGE_CONNECTED, REASON_GAUGE_IDLE, REASON_GAUGE_WAITING, REASON_GAUGE_COUNT } reason_gauge_e;
ngx_int_t reason_metrics_init(ngx_conf_t *cf);
ngx_int_t reason_metrics_handler(ngx_http_request_t *r);
void reason_metrics_failure(reason_failure_e failure);
void reason_metrics_gauge(reason_gauge_e gauge, ngx_uint_t value);

/* reason_variable.c */
ngx_int_t reason_variables_add(ngx_conf_t *cf);
size_t reason_body_length(ngx_http_request_t *r);
/* the request's body with a NUL behind it, in the request's memory; NULL: there was none, or a file could not be read */
u_char *reason_body_text(ngx_http_request_t *r, size_t *length);

extern ngx_module_t ngx_http_reason_module;

#endif
