/*
 * http/policy.c: writes that a policy service has a say in.
 *
 * A call that answers 202 with the header X-Reason-Policy has written nothing: its body is the question. The question goes
 * to the location that reason_policy_check names, as a subrequest whose answer stays in memory; where it goes from there,
 * under which certificate and with which timeouts is that location's matter (proxy_pass). Then the same call is made again,
 * with the answer in $reason_policy_status and $reason_policy_answer, whatever it was: SQL decides what it means.
 *
 * Nobody waits longer than the deadline of reason_policy_check, however slowly an answer trickles in.
 */
#include "http/reason_http.h"

static ngx_int_t reason_policy_answered(ngx_http_request_t *sr, void *data, ngx_int_t rc);
static void reason_policy_deadline(ngx_event_t *event);
static void reason_policy_continue(ngx_event_t *event);


/* The body of the answer, in one piece. */
static ngx_int_t
reason_policy_take_question(reason_context_t *ctx)
{
    u_char       *p;
    ngx_chain_t  *link;

    ctx->policy_question.data = ngx_pnalloc(ctx->request->pool, ctx->body_length + 1);
    if (ctx->policy_question.data == NULL) {
        return NGX_ERROR;
    }
    p = ctx->policy_question.data;
    for (link = ctx->body; link; link = link->next) {
        p = ngx_cpymem(p, link->buf->pos, link->buf->last - link->buf->pos);
    }
    ctx->policy_question.len = p - ctx->policy_question.data;
    return NGX_OK;
}


static ngx_int_t
reason_policy_send(reason_context_t *ctx, reason_loc_conf_t *conf)
{
    ngx_http_request_t          *r = ctx->request;
    ngx_http_post_subrequest_t  *ps;

    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));
    if (ps == NULL) {
        return NGX_ERROR;
    }
    ps->handler = reason_policy_answered;
    ps->data = ctx;
    /* in the background: it takes no part in the order of the output, so that it may end after the request's answer has begun */
    if (ngx_http_subrequest(r, &conf->policy_uri, NULL, &ctx->policy_request, ps,
                            NGX_HTTP_SUBREQUEST_IN_MEMORY|NGX_HTTP_SUBREQUEST_BACKGROUND) != NGX_OK)
    {
        return NGX_ERROR;
    }
    ctx->poll.handler = reason_policy_deadline;
    ctx->poll.data = ctx;
    ctx->poll.log = r->connection->log;
    ngx_add_timer(&ctx->poll, conf->policy_deadline);
    return NGX_OK;
}


void
reason_policy_ask(reason_context_t *ctx, void (*then)(reason_context_t *ctx))
{
    ngx_connection_t   *c = ctx->request->connection;
    reason_loc_conf_t  *conf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_reason_module);

    ctx->asks = 0;
    ctx->policy_then = then;
    if (ctx->policy_status.len > 0 || reason_policy_take_question(ctx) != NGX_OK) {
        reason_error_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR, "INTERNAL", "internal error", NULL);
        return;
    }
    reason_response_forget(ctx);
    ngx_str_set(&ctx->policy_status, "000");    /* until somebody answers */
    if (conf->policy_uri.len == 0) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0, "reason: a policy check is needed, and there is no reason_policy_check");
        ctx->poll.data = ctx;
        reason_policy_continue(&ctx->poll);
        return;
    }
    if (reason_policy_send(ctx, conf) != NGX_OK) {
        reason_error_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR, "INTERNAL", "internal error", NULL);
        return;
    }
    reason_response_run_posted(c);
}


/* base64: what was answered may be no text at all. */
static ngx_int_t
reason_policy_take_answer(reason_context_t *ctx, ngx_http_request_t *sr)
{
    ngx_str_t    body = ngx_null_string;
    ngx_pool_t  *pool = ctx->request->pool;

    ctx->policy_status.data = ngx_pnalloc(pool, NGX_INT_T_LEN);
    if (ctx->policy_status.data == NULL) {
        return NGX_ERROR;
    }
    ctx->policy_status.len = ngx_sprintf(ctx->policy_status.data, "%03ui", sr->headers_out.status) - ctx->policy_status.data;
    if (sr->out != NULL && sr->out->buf != NULL) {
        body.data = sr->out->buf->pos;
        body.len = sr->out->buf->last - sr->out->buf->pos;
    }
    ctx->policy_answer.data = ngx_pnalloc(pool, ngx_base64_encoded_length(body.len) + 1);
    if (ctx->policy_answer.data == NULL) {
        return NGX_ERROR;
    }
    ngx_encode_base64(&ctx->policy_answer, &body);
    return NGX_OK;
}


/*
 * Whether all of the body has come: of one that breaks off nginx tells its log, not the result. A body that only the end
 * of the connection delimits may have been cut anywhere, and is none.
 */
static ngx_int_t
reason_policy_is_whole(ngx_http_request_t *sr)
{
    ngx_http_upstream_t  *u = sr->upstream;

    if (u == NULL) {
        return 1;
    }
    return u->buffering ? u->pipe != NULL && u->pipe->length == 0 : u->length == 0;
}


/* The subrequest has ended, one way or another; it is still on the stack. */
static ngx_int_t
reason_policy_answered(ngx_http_request_t *sr, void *data, ngx_int_t rc)
{
    reason_context_t  *ctx = data;

    /* else given up already */
    if (ctx->policy_request == sr) {
        ctx->policy_request = NULL;
        /* an answer that broke off, or is too long, is none */
        if (rc == NGX_OK && reason_policy_is_whole(sr) && reason_policy_take_answer(ctx, sr) != NGX_OK) {
            ngx_str_set(&ctx->policy_status, "000");
        }
        if (ctx->poll.timer_set) {
            ngx_del_timer(&ctx->poll);
        }
        ctx->poll.handler = reason_policy_continue;
        ngx_post_event(&ctx->poll, &ngx_posted_events);
    }
    /* whatever became of it, the request goes on */
    return NGX_OK;
}


/* Ends the conversation with the upstream. */
static void
reason_policy_cancel(reason_context_t *ctx)
{
    ngx_http_request_t  *sr = ctx->policy_request;

    ctx->policy_request = NULL;
    if (sr->upstream != NULL && sr->upstream->cleanup != NULL && *sr->upstream->cleanup != NULL) {
        (*sr->upstream->cleanup)(sr);
    }
}


static void
reason_policy_deadline(ngx_event_t *event)
{
    reason_context_t  *ctx = event->data;

    ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0, "reason: no answer to a policy check in time");
    reason_policy_cancel(ctx);
    reason_policy_continue(event);
}


static void
reason_policy_continue(ngx_event_t *event)
{
    reason_context_t  *ctx = event->data;

    if (ctx->policy_status.len != 3 || ngx_strncmp(ctx->policy_status.data, "200", 3) != 0) {
        reason_counters_failure(ctx->job.pool->counters, REASON_FAILURE_POLICY_UNANSWERED);
    }
    ctx->policy_then(ctx);
}


ngx_int_t
reason_policy_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t which)
{
    ngx_str_t         *value = NULL;
    reason_context_t  *ctx = ngx_http_get_module_ctx(r->main, ngx_http_reason_module);

    if (ctx != NULL) {
        value = which == REASON_POLICY_QUESTION ? &ctx->policy_question
              : which == REASON_POLICY_STATUS ? &ctx->policy_status : &ctx->policy_answer;
    }
    if (value == NULL || value->len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }
    v->data = value->data;
    v->len = value->len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    return NGX_OK;
}
