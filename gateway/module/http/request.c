/*
 * http/request.c: the way of a request, from nginx's handler to the end of its answer.
 *
 *   reason_request_handler   method and header are looked at (content_type.c); a refusal is an error body (error.c); where it goes
 *                            is looked up (division.c), or it goes to all cells (health.c, listing.c)
 *   reason_request_admitted  a long body is read only if the database lets it come (reason_admit)
 *   reason_request_ready     nginx has the body
 *   reason_request_call      the values of reason_caller and reason_call (variable.c, query.c, certificate.c) are bound
 *   reason_queue_submit      pg/: a connection, or the queue; the body is bound (input.c); the call is sent
 *   reason_answer_row        a row has come: it goes to the client, or into a file (answer.c, output.c)
 *   reason_request_ended     all rows have come: a question to the policy service (policy.c) or a wait (await.c) and the
 *                            next call; else the response ends (response.c)
 */
#include "http/reason_http.h"

static void reason_request_call(reason_context_t *ctx);
static void reason_request_sent(reason_job_t *job);
static void reason_request_ended(reason_job_t *job);
static void reason_request_refused(reason_job_t *job, PGresult *result);
static void reason_request_failed(reason_job_t *job, reason_failure_e failure);
static void reason_request_cleanup(void *data);

static const reason_handlers_t  reason_request_handlers = {
    .bind = reason_input_bind,
    .sent = reason_request_sent,
    .row = reason_answer_row,
    .stopped = reason_answer_stopped,
    .end = reason_request_ended,
    .refused = reason_request_refused,
    .failed = reason_request_failed,
};


static ngx_int_t
reason_refuse_method(ngx_http_request_t *r, ngx_uint_t methods, ngx_uint_t options)
{
    ngx_table_elt_t  *allow = ngx_list_push(&r->headers_out.headers);

    if (allow == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    allow->hash = 1;
    ngx_str_set(&allow->key, "Allow");
    if ((methods & NGX_HTTP_POST) && (methods & NGX_HTTP_GET)) {
        ngx_str_set(&allow->value, "GET, HEAD, POST, OPTIONS");
    } else if (methods & NGX_HTTP_POST) {
        ngx_str_set(&allow->value, "POST, OPTIONS");
    } else {
        ngx_str_set(&allow->value, "GET, HEAD, OPTIONS");
    }
    if (options) {
        r->headers_out.status = NGX_HTTP_NO_CONTENT;
        r->header_only = 1;
        return ngx_http_send_header(r);
    }
    return reason_error_send(r, NGX_HTTP_NOT_ALLOWED, "BAD_REQUEST", "this path does not take that method", NULL);
}


/* A request that needs no call to be refused; the body is not looked at. */
static const char *
reason_request_is_wrong(ngx_http_request_t *r, reason_loc_conf_t *conf, ngx_uint_t *status)
{
    *status = NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
    if (r->method == NGX_HTTP_POST && reason_content_is_encoded(r)) {
        return "bodies are taken as they are, without Content-Encoding";
    }
    if (r->method == NGX_HTTP_POST && !reason_content_is_json(r)) {
        return "writes take application/json in UTF-8";
    }
    *status = NGX_HTTP_BAD_REQUEST;
    return r->args.len > 0 && !conf->takes_query ? "unknown parameter: this path takes none" : NULL;
}


/* Refuses a request before its body is read. */
static ngx_int_t
reason_request_refuse(ngx_http_request_t *r, ngx_uint_t status, const char *code, const char *message)
{
    ngx_int_t  rc = reason_discard_prepare(r);

    return rc != NGX_OK ? rc : reason_discard_rest(r, reason_error_send(r, status, code, message, NULL));
}


/* Its body is not known to be short. */
static ngx_uint_t
reason_request_is_long(ngx_http_request_t *r, reason_loc_conf_t *conf)
{
    return r->method == NGX_HTTP_POST
        && (r->headers_in.content_length_n < 0 || r->headers_in.content_length_n > (off_t) conf->admit_above);
}


static ngx_int_t
reason_request_context(ngx_http_request_t *r, reason_loc_conf_t *conf, reason_pool_t *pool, ngx_str_t *division, reason_context_t **created)
{
    ngx_str_t            client = ngx_null_string;
    ngx_uint_t           count = conf->statement->argument_count;
    reason_context_t    *ctx = ngx_pcalloc(r->pool, sizeof(reason_context_t));
    ngx_pool_cleanup_t  *cleanup = ngx_pool_cleanup_add(r->pool, 0);

    if (ctx == NULL || cleanup == NULL || (conf->client != NULL && ngx_http_complex_value(r, conf->client, &client) != NGX_OK)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (conf->admit != NULL) {
        count = ngx_max(count, conf->admit->argument_count);
    }
    ctx->request = r;
    ctx->job.handlers = &reason_request_handlers;
    ctx->job.log = r->connection->log;
    ctx->job.pool = pool;
    ctx->job.class = conf->class;
    ctx->job.pipeline = conf->pipeline;
    ctx->length = -1;
    if (division->len > 0) {
        ctx->path_division = ngx_pcalloc(r->pool, division->len + 1);
        if (ctx->path_division == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
        ngx_memcpy(ctx->path_division, division->data, division->len);
    }
    ctx->job.values = ngx_pcalloc(r->pool, (count + 2) * sizeof(char *));
    ctx->job.share = ctx->job.values != NULL ? reason_share_get(pool, &client) : NULL;
    if (ctx->job.share == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    cleanup->data = ctx;
    cleanup->handler = reason_request_cleanup;
    ngx_http_set_ctx(r, ctx, ngx_http_reason_module);
    reason_spans_begin(ctx);
    *created = ctx;
    return NGX_OK;
}


/* Notices a client that goes away while the database works, also one that had gone when its request was read. */
static void
reason_request_watch(ngx_http_request_t *r)
{
    ngx_event_t  *read = r->connection->read;

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
#if (NGX_HAVE_EPOLLRDHUP)
    if (read->pending_eof) {
        ngx_post_event(read, &ngx_posted_events);
    }
#endif
}


static void
reason_request_run(reason_context_t *ctx)
{
    reason_request_watch(ctx->request);
    reason_response_hold(ctx->request->connection);
    reason_request_call(ctx);
    reason_response_hold(NULL);
}


static void
reason_request_ready(ngx_http_request_t *r)
{
    size_t              length = reason_input_length(r);
    reason_context_t   *ctx = ngx_http_get_module_ctx(r, ngx_http_reason_module);
    reason_loc_conf_t  *conf = ngx_http_get_module_loc_conf(r, ngx_http_reason_module);

    ctx->job.statement = ctx->path_division != NULL ? conf->scoped : conf->statement;
    if (length > conf->admit_above) {
        /* the text, and libpq's message */
        ctx->job.memory = 2 * length;
        (void) reason_share_use_disk(&ctx->job, (off_t) length - ctx->job.disk);
    }
    reason_request_run(ctx);
}


ngx_int_t
reason_request_handler(ngx_http_request_t *r)
{
    ngx_int_t           rc;
    ngx_str_t           division;
    ngx_uint_t          status;
    const char         *problem;
    reason_pool_t      *pool;
    reason_context_t   *ctx;
    reason_loc_conf_t  *conf = ngx_http_get_module_loc_conf(r, ngx_http_reason_module);

    if (!(r->method & conf->methods)) {
        rc = reason_discard_prepare(r);
        return rc != NGX_OK ? rc : reason_discard_rest(r, reason_refuse_method(r, conf->methods, r->method == NGX_HTTP_OPTIONS));
    }
    problem = reason_request_is_wrong(r, conf, &status);
    if (problem != NULL) {
        return reason_request_refuse(r, status, status == NGX_HTTP_BAD_REQUEST ? "BAD_REQUEST" : "UNSUPPORTED", problem);
    }
    if (conf->cells != NULL && conf->class == REASON_CLASS_SERVICE) {
        return reason_health_handler(r, conf);
    }
    rc = reason_division_of_path(r, conf, &division);
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (rc == NGX_DECLINED) {
        return reason_request_refuse(r, NGX_HTTP_BAD_REQUEST, "BAD_REQUEST", "the path and the parameter \"division\" name two divisions");
    }
    pool = reason_division_pool(r, conf);
    if (pool == NULL) {
        return reason_request_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE, "DEPENDENCY", "no cell holds this division");
    }

    rc = reason_request_context(r, conf, pool, &division, &ctx);
    if (rc != NGX_OK) {
        return rc;
    }
    if (reason_request_is_long(r, conf) && conf->admit != NULL) {
        ctx->admitting = 1;
        ctx->job.statement = ctx->path_division != NULL ? conf->admit_scoped : conf->admit;
        r->main->count++;
        reason_request_run(ctx);
        return NGX_DONE;
    }
    rc = ngx_http_read_client_request_body(r, reason_request_ready);
    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


static void
reason_request_admitted(reason_context_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r = ctx->request;

    reason_response_forget(ctx);
    if (reason_share_use_disk(&ctx->job, ngx_max(r->headers_in.content_length_n, 0)) != NGX_OK) {
        reason_counters_failure(ctx->job.pool->counters, REASON_FAILURE_CLIENT_SHARE);
        reason_error_finish(ctx, NGX_HTTP_TOO_MANY_REQUESTS, "QUOTA", "this client has too much on its way already; nothing was done", NULL);
        return;
    }
    ctx->admitting = 0;
    rc = ngx_http_read_client_request_body(r, reason_request_ready);
    reason_response_finish(ctx, rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE);
}


/* What was bound by an earlier call stays as it was; only what had no value then is looked at again. */
static ngx_int_t
reason_bind(reason_context_t *ctx, ngx_array_t *values, ngx_uint_t *count)
{
    char                      *copy;
    ngx_str_t                  value;
    ngx_uint_t                 i;
    reason_loc_conf_t         *conf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_reason_module);
    ngx_http_complex_value_t  *complex;

    if (values == NULL) {
        return NGX_OK;
    }
    complex = values->elts;
    for (i = 0; i < values->nelts; i++, (*count)++) {
        if (ctx->job.values[*count] != NULL || (values == conf->arguments && (ngx_int_t) i == conf->body_argument)) {
            continue;
        }
        if (ngx_http_complex_value(ctx->request, &complex[i], &value) != NGX_OK) {
            return NGX_ERROR;
        }
        if (value.len == 0) {
            continue;
        }
        copy = ngx_pnalloc(ctx->request->pool, value.len + 1);
        if (copy == NULL) {
            return NGX_ERROR;
        }
        ngx_memcpy(copy, value.data, value.len);
        copy[value.len] = '\0';
        if (ngx_strlen(copy) != value.len) {
            return NGX_DECLINED;
        }
        ctx->job.values[*count] = copy;
    }
    return NGX_OK;
}


/* Binds what can be bound, and calls. */
static void
reason_request_call(reason_context_t *ctx)
{
    ngx_int_t           rc;
    ngx_uint_t          count = 0;
    reason_loc_conf_t  *conf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_reason_module);

    rc = reason_bind(ctx, conf->caller, &count);
    if (rc == NGX_OK && !ctx->admitting) {
        if (ctx->job.values[count] != NULL && ctx->job.values[count] == ctx->path_division) {
            ctx->job.values[count] = NULL;  /* of the call that asked whether the body may come */
        }
        rc = reason_bind(ctx, conf->arguments, &count);
    }
    if (ctx->path_division != NULL) {
        ctx->job.values[count++] = ctx->path_division;
    }
    ctx->job.argument_count = count;
    if (ctx->refusal != NULL) {
        reason_error_finish(ctx, NGX_HTTP_BAD_REQUEST, "BAD_REQUEST", ctx->refusal, NULL);
        return;
    }
    if (rc == NGX_DECLINED) {
        reason_error_finish(ctx, NGX_HTTP_BAD_REQUEST, "BAD_REQUEST", "the request holds a NUL character", NULL);
        return;
    }
    if (rc != NGX_OK) {
        reason_error_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR, "INTERNAL", "internal error", NULL);
        return;
    }
    if (reason_listing_is_wanted(ctx)) {
        reason_listing_begin(ctx);
        return;
    }
    ctx->job.executed = 0;
    ctx->job.tries = 0;
    reason_spans_queue(ctx);
    reason_queue_submit(&ctx->job);
}


static void
reason_request_sent(reason_job_t *job)
{
    reason_spans_call((reason_context_t *) job);
    reason_input_release(job);
}


static void
reason_request_refused(reason_job_t *job, PGresult *result)
{
    reason_spans_answer((reason_context_t *) job, 1);
    reason_error_refused(job, result);
}


static void
reason_request_failed(reason_job_t *job, reason_failure_e failure)
{
    reason_spans_answer((reason_context_t *) job, 1);
    reason_error_failed(job, failure);
}


static void
reason_request_ended(reason_job_t *job)
{
    reason_context_t    *ctx = (reason_context_t *) job;
    ngx_http_request_t  *r = ctx->request;

    reason_spans_answer(ctx, 0);
    if (!ctx->has_status) {
        reason_error_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR, "INTERNAL", "internal error", NULL);
    } else if (ctx->admitting && r->headers_out.status < 300) {
        reason_request_admitted(ctx);
    } else if (r->headers_out.status == NGX_HTTP_ACCEPTED && ctx->asks) {
        reason_policy_ask(ctx, reason_request_call);
    } else if (!reason_await_again(ctx)) {
        reason_answer_finish(ctx);
    }
}


reason_context_t *
reason_request_find(ngx_http_request_t *r)
{
    reason_context_t    *ctx = ngx_http_get_module_ctx(r, ngx_http_reason_module);
    ngx_pool_cleanup_t  *cleanup;

    for (cleanup = r->pool->cleanup; ctx == NULL && cleanup != NULL; cleanup = cleanup->next) {
        if (cleanup->handler == reason_request_cleanup) {
            ctx = cleanup->data;
        }
    }
    return ctx;
}


static void
reason_request_cleanup(void *data)
{
    reason_context_t  *ctx = data;

    if (ctx->poll.timer_set) {
        ngx_del_timer(&ctx->poll);
    }
    if (ctx->poll.posted) {
        ngx_delete_posted_event(&ctx->poll);
    }
    reason_queue_abandon(&ctx->job);
    reason_share_free_disk(&ctx->job, ctx->job.disk);
    reason_share_release(ctx->job.share);
}
