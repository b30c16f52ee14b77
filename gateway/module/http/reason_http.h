/*
 * reason_http.h: requests and their answers.
 *
 * A request becomes a call of a SQL function, or two with a question to the policy service in between. Its way: request.c.
 */
#ifndef REASON_HTTP_H
#define REASON_HTTP_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include "base/reason_base.h"
#include "pg/reason_pg.h"
#include "tracing/reason_tracing.h"

typedef struct reason_context_s reason_context_t;

typedef struct {
    ngx_array_t               *caller;          /* ngx_http_complex_value_t: put before every call's arguments */
    ngx_array_t               *arguments;       /* ngx_http_complex_value_t */
    ngx_str_t                  function;
    reason_statement_t        *statement;
    reason_pool_t             *pool;            /* where the call goes, */
    ngx_http_complex_value_t  *pass;            /* or the name of where it goes */
    ngx_http_complex_value_t  *division;        /* that the path names: all that the caller has is narrowed to it */
    reason_statement_t        *scoped;          /* statement and admit, with it */
    reason_statement_t        *admit_scoped;
    ngx_array_t               *cells;           /* reason_pool_t *: each is asked by what is of class service */
    ngx_flag_t                 cells_named;     /* and those that do not answer are named */
    ngx_str_t                  list_function;
    reason_statement_t        *list;            /* called in each cell where the request names no division */
    ngx_http_complex_value_t  *list_place;      /* the cell of $reason_division */
    reason_statement_t        *await;           /* called while the answer is 202, with the key it named */
    ngx_uint_t                 methods;         /* NGX_HTTP_… bits */
    ngx_uint_t                 class;           /* reason_class_e */
    ngx_http_complex_value_t  *client;          /* whose share a call is of */
    ngx_str_t                  pieces;          /* the function that hands out a long body piece by piece */
    reason_statement_t        *admit;           /* asked before a long body is read */
    ngx_str_t                  admit_function;
    size_t                     admit_above;
    ngx_int_t                  body_argument;   /* the place of $reason_body among the arguments; -1: there is none */
    ngx_uint_t                 takes_query;     /* $reason_query is among the arguments */
    ngx_flag_t                 pipeline;        /* calls may be sent behind others, and be sent again: they are quick and only read */
    ngx_str_t                  policy_uri;      /* asked before a write that needs it */
    ngx_msec_t                 policy_deadline;
} reason_loc_conf_t;

#define REASON_TRACEPARENT  55  /* characters of W3C's header, as far as this version of it goes */

/* An answer that says why there is no other. */
typedef struct {
    ngx_uint_t   status;
    const char  *code;
    const char  *message;
    const char  *details;   /* a JSON object; NULL: none */
} reason_refusal_t;

/* A traced request, and the call that it makes. */
typedef struct {
    u_char     context[REASON_TRACEPARENT]; /* traceparent of what comes of the request: names the request's own span */
    u_char     parent_id[REASON_SPAN_ID];
    uint64_t   queued_us;                   /* since then it waits for a connection; 0: it does not */
    uint64_t   called_us;                   /* since then the database has the call; 0: it has none */
    ngx_str_t  function;                    /* of its location; empty: nobody's */
} reason_trace_t;

/* A request on its way. */
struct reason_context_s {
    reason_job_t         job;       /* the first member: handlers get this */
    ngx_http_request_t  *request;
    char                *path_division;     /* NULL: the path names none */
    ngx_str_t            placing;   /* the division whose place is looked up instead of the request's; empty: none */
    ngx_event_t          poll;      /* until the next reason_await; deadline of a policy check */
    char                *await_key;
    ngx_msec_t           await_until;
    ngx_msec_t           await_interval;
    ngx_chain_t         *body;      /* pieces not yet handed to nginx, in order */
    ngx_chain_t         *busy;      /* handed over, not yet sent */
    ngx_chain_t         *free;      /* sent: memory for the next pieces */
    ngx_chain_t         *bare;      /* sent, and their memory given back */
    off_t                body_length;
    ngx_temp_file_t     *file;      /* what the client has not taken yet; NULL until it does not keep up */
    off_t                file_sent;
    off_t                length;    /* of the whole body, if the function said so; else -1 */
    void                (*policy_then)(reason_context_t *ctx);  /* there is an answer, or there will be none */
    ngx_http_request_t  *policy_request;    /* that asks; NULL when none is on its way */
    ngx_str_t            policy_question;
    ngx_str_t            policy_status;     /* of the answer; 000 when there was none */
    ngx_str_t            policy_answer;     /* base64 */
    reason_trace_t      *trace;             /* NULL: it is not traced */
    const char          *refusal;           /* why the request cannot be turned into a call */
    unsigned             admitting:1;       /* the call asks whether the body may come at all */
    unsigned             behind:1;          /* the client does not keep up */
    unsigned             has_status:1;
    unsigned             hex:1;             /* each byte of the body comes as two digits */
    unsigned             asks:1;            /* the answer is a question to the policy service */
    unsigned             streaming:1;       /* the header has been sent, the body follows as it comes */
};

/* request.c */
ngx_int_t reason_request_handler(ngx_http_request_t *r);
/* the context, also of a request that nginx has sent on to another location, where it takes contexts away; NULL: it has none */
reason_context_t *reason_request_find(ngx_http_request_t *r);

/* content_type.c */
ngx_uint_t reason_content_is_json(ngx_http_request_t *r);
ngx_uint_t reason_content_is_encoded(ngx_http_request_t *r);

/* input.c */
size_t reason_input_length(ngx_http_request_t *r);
/* the request's body with a NUL behind it, in the request's memory; NULL: there was none, or a file could not be read */
u_char *reason_input_text(ngx_http_request_t *r, size_t *length);
/* handlers of a job */
ngx_int_t reason_input_bind(reason_job_t *job);
void reason_input_release(reason_job_t *job);

/* variable.c */
ngx_int_t reason_variables_add(ngx_conf_t *cf);
/* a copy of these bytes becomes its value */
ngx_int_t reason_variable_set(ngx_http_request_t *r, ngx_http_variable_value_t *v, const void *data, size_t length);

/* the traceparent header, as long as REASON_TRACEPARENT. NGX_OK; NGX_DECLINED: there is none, or no sane one */
ngx_int_t reason_trace_context_read(ngx_http_request_t *r, ngx_str_t *context);

/* spans.c: nothing happens where the request is not traced */
void reason_spans_begin(reason_context_t *ctx);
/* a call waits for a connection, has been sent, and was answered or given up */
void reason_spans_queue(reason_context_t *ctx);
void reason_spans_call(reason_context_t *ctx);
void reason_spans_answer(reason_context_t *ctx, ngx_uint_t failed);
/* at the end of every request, of those too that never had a context */
void reason_spans_end(ngx_http_request_t *r, ngx_uint_t status);

/* certificate.c */
enum { REASON_CLIENT_CN, REASON_CLIENT_ISSUER, REASON_CLIENT_URI };
ngx_int_t reason_certificate_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t which);
/* whose it is; empty without a certificate */
ngx_int_t reason_certificate_client(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);

/* query.c */
/* one that cannot be decoded is the context's refusal */
ngx_int_t reason_query_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);

/* the decoded value of a parameter, the first of that name. NGX_OK; NGX_DECLINED: there is none, or it cannot be decoded; NGX_ERROR */
ngx_int_t reason_query_parameter(ngx_http_request_t *r, const char *name, ngx_str_t *value);

/* division.c: which division a request is about, and where that is */
ngx_int_t reason_division_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);
/* that the path names; empty: none. NGX_OK; NGX_DECLINED: the parameter names another; NGX_ERROR */
ngx_int_t reason_division_of_path(ngx_http_request_t *r, reason_loc_conf_t *conf, ngx_str_t *division);
/* the upstream of the request; NULL: its name is none's, which is logged */
reason_pool_t *reason_division_pool(ngx_http_request_t *r, reason_loc_conf_t *conf);

/* whether it is known without reading a body */
ngx_uint_t reason_division_is_named(ngx_http_request_t *r);
/* what a value, which a map makes of $reason_division, is for another division than the request's. NGX_OK; NGX_ERROR */
ngx_int_t reason_division_placed(reason_context_t *ctx, ngx_http_complex_value_t *value, ngx_str_t *division, ngx_str_t *place);

/* cells.c: one call, made of several cells */
typedef struct reason_cells_s reason_cells_t;

typedef struct {
    reason_job_t      job;      /* the first member: handlers get this */
    reason_cells_t   *cells;
    void             *answer;   /* its owner's */
    ngx_uint_t        status;   /* set by row(); 0: no answer */
    reason_refusal_t  refusal;  /* its status is 0: it has not refused */
    unsigned          waiting:1;
    unsigned          ended:1;  /* all rows have come */
} reason_cell_t;

struct reason_cells_s {
    ngx_http_request_t  *request;
    reason_cell_t       *cell;
    ngx_uint_t           count;
    void                *data;      /* its owner's */
    ngx_int_t          (*row)(reason_cell_t *cell, PGresult *row);
    /* each has answered, or one has answered well and others are late; the request may be gone when it returns */
    void               (*then)(reason_cells_t *cells);
    ngx_event_t  patience;
    unsigned     asking:1;  /* not all have been asked yet */
    unsigned     impatient:1;
    unsigned     over:1;
};

/* with room for the arguments of each, which are all NULL; NULL: no memory */
reason_cells_t *reason_cells_create(ngx_http_request_t *r, ngx_array_t *pools, reason_statement_t *statement, reason_class_e class,
    ngx_str_t *client);
/* waits for so many milliseconds once one has answered well */
void reason_cells_ask(reason_cells_t *cells, ngx_msec_t patience);
ngx_uint_t reason_cell_is_well(reason_cell_t *cell);

/* health.c: the call of the location, made of all cells */
ngx_int_t reason_health_handler(ngx_http_request_t *r, reason_loc_conf_t *conf);

/* listing.c */
ngx_uint_t reason_listing_is_wanted(reason_context_t *ctx);
/* instead of the call, once its arguments are bound */
void reason_listing_begin(reason_context_t *ctx);

/* answer.c */
/*
 * Handlers of a job. What a row's gives: NGX_OK; NGX_AGAIN: read no more until the client has taken some; NGX_ABORT: the client is gone;
 * NGX_DECLINED: it wants a range that is not there, or another version; NGX_ERROR.
 */
ngx_int_t reason_answer_row(reason_job_t *job, PGresult **row);
void reason_answer_stopped(reason_job_t *job, ngx_int_t rc);
/* all rows have come, and they are the answer; the context may be gone when this returns */
void reason_answer_finish(reason_context_t *ctx);

/* output.c: the body of an answer */
/* bytes of a row become part of the body; a row that is kept for it is set to NULL */
ngx_int_t reason_output_add(reason_context_t *ctx, PGresult **row, u_char *value, size_t length);
/* enough for it to be worth sending */
ngx_uint_t reason_output_suffices(reason_context_t *ctx);
/* hands over what there is. NGX_OK; NGX_AGAIN: the client has not taken it all yet; NGX_ABORT: it is gone */
ngx_int_t reason_output_send(reason_context_t *ctx);
/* what was not handed over goes to a file. NGX_OK; NGX_BUSY: the client has as much there as it may; NGX_ERROR */
ngx_int_t reason_output_spill(reason_context_t *ctx);
/* the same, with the end of the body; with an empty one it is all there is. What nginx says of it */
ngx_int_t reason_output_end(reason_context_t *ctx);
void reason_output_forget(reason_context_t *ctx);

/* response.c */
/* a line of the header: some are fields of nginx's */
ngx_int_t reason_response_header_add(reason_context_t *ctx, ngx_str_t *name, ngx_str_t *value);
ngx_uint_t reason_response_header_is(ngx_str_t *name, const char *wanted);
/* with a body of this length; -1: it is not known yet */
ngx_uint_t reason_response_is_unmatched(ngx_http_request_t *r);
ngx_int_t reason_response_send_unmatched(ngx_http_request_t *r);
/* Besides what nginx gives: NGX_HTTP_PRECONDITION_FAILED, and nothing was sent. */
ngx_int_t reason_response_send_header(reason_context_t *ctx, off_t length);
/*
 * Cache-Control: no-store, unless there is another: else a browser, or a proxy that ends TLS, decides by itself how long to keep what
 * may be erased, is for others not to see, or will be there tomorrow.
 */
ngx_int_t reason_response_forbid_keeping(ngx_http_request_t *r);
/* A response whose body is there in one piece, in memory that lives as long as the request. Nobody keeps it. */
ngx_int_t reason_response_send_whole(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t type, ngx_str_t body);
/* takes back status, headers and body, as long as nothing has gone out */
void reason_response_forget(reason_context_t *ctx);
/* the context may be gone when these return */
void reason_response_finish(reason_context_t *ctx, ngx_int_t rc);
/* part of the body has gone out, and there will be no more: the client must not take it for the whole */
void reason_response_abort(reason_context_t *ctx);
/* after something was finalized or posted from an event that nginx does not know to be its own */
void reason_response_run_posted(ngx_connection_t *c);
/* a request of this connection is being handled by nginx itself, which runs what is posted; NULL: no longer */
void reason_response_hold(ngx_connection_t *c);

/* policy.c */
/* the answer of the call is a question: asks it; then the same call is to be made again */
void reason_policy_ask(reason_context_t *ctx, void (*then)(reason_context_t *ctx));
enum { REASON_POLICY_QUESTION, REASON_POLICY_STATUS, REASON_POLICY_ANSWER };
ngx_int_t reason_policy_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t which);

/* await.c */
/* X-Reason-Await: <milliseconds> <key>; the first one counts */
void reason_await_header(reason_context_t *ctx, ngx_str_t *value);
/* false: the answer is final */
ngx_uint_t reason_await_again(reason_context_t *ctx);

/* uncertified.c */
/* whether a browser asked for the explorer */
ngx_uint_t reason_uncertified_is_shown(ngx_http_request_t *r);
ngx_int_t reason_uncertified_send(ngx_http_request_t *r);

/* error.c */
/* what a client is told of an error of the database, in the request's memory; one that is ours is logged */
reason_refusal_t reason_error_of(ngx_http_request_t *r, PGresult *result);
void reason_error_finish(reason_context_t *ctx, ngx_uint_t status, const char *code, const char *message,
    const char *details);
/* handlers of a job */
void reason_error_refused(reason_job_t *job, PGresult *result);
void reason_error_failed(reason_job_t *job, reason_failure_e failure);
ngx_int_t reason_error_send(ngx_http_request_t *r, ngx_uint_t status, const char *code, const char *message,
    const char *details);
ngx_int_t reason_error_handler(ngx_http_request_t *r);

/* discard.c: of a request that is refused before its body was read */
/* before the answer: reads a short body. NGX_OK, or what the handler returns */
ngx_int_t reason_discard_prepare(ngx_http_request_t *r);
/* Behind the answer, given what sending it returned; returns what the handler returns, or finishes with. */
ngx_int_t reason_discard_rest(ngx_http_request_t *r, ngx_int_t rc);

/* metrics.c */
ngx_int_t reason_metrics_init(ngx_conf_t *cf);
ngx_int_t reason_metrics_handler(ngx_http_request_t *r);

/* expiry.c */
/* writes metrics, at most 512 bytes; what is behind them */
u_char *reason_expiry_text(u_char *p, ngx_http_request_t *r);

extern ngx_module_t  ngx_http_reason_module;

#endif
