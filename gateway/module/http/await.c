/*
 * http/await.c: a request with reason_await that got 202 asks again, without a connection in between, until the answer is
 * another or the time that the header X-Reason-Await named is over.
 */
#include "http/reason_http.h"

#define REASON_AWAIT_FIRST  3
#define REASON_AWAIT_LAST   100

static void reason_await_poll(ngx_event_t *event);


void
reason_await_header(reason_context_t *ctx, ngx_str_t *value)
{
    u_char    *space = ngx_strlchr(value->data, value->data + value->len, ' ');
    ngx_int_t  ms;

    if (ctx->await_until != 0 || space == NULL) {
        return;
    }
    ms = ngx_atoi(value->data, space - value->data);
    ctx->await_key = ngx_pnalloc(ctx->request->pool, value->len);
    if (ms <= 0 || ctx->await_key == NULL) {
        return;
    }
    ngx_memcpy(ctx->await_key, space + 1, value->data + value->len - space - 1);
    ctx->await_key[value->data + value->len - space - 1] = '\0';
    ctx->await_until = ngx_current_msec + ms;
}


ngx_uint_t
reason_await_again(reason_context_t *ctx)
{
    ngx_http_request_t  *r = ctx->request;
    reason_loc_conf_t   *lcf = ngx_http_get_module_loc_conf(r, ngx_http_reason_module);

    if (r->headers_out.status != NGX_HTTP_ACCEPTED || lcf->await == NULL || ctx->await_until == 0
        || (ngx_msec_int_t) (ctx->await_until - ngx_current_msec) <= 0)
    {
        return 0;
    }
    if (ctx->await_interval == 0) {
        ctx->await_interval = REASON_AWAIT_FIRST;
    }
    ctx->poll.handler = reason_await_poll;
    ctx->poll.data = ctx;
    ctx->poll.log = r->connection->log;
    ngx_add_timer(&ctx->poll, ctx->await_interval);
    ctx->await_interval = ngx_min(ctx->await_interval * 3 / 2 + 1, REASON_AWAIT_LAST);
    return 1;
}


/* Asks again: the first answer, a 202, is forgotten if a better one comes. */
static void
reason_await_poll(ngx_event_t *event)
{
    reason_context_t   *ctx = event->data;
    reason_loc_conf_t  *lcf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_reason_module);

    ctx->job.statement = lcf->await;
    ctx->job.argument_count = 1;
    ctx->job.values[0] = ctx->await_key;
    reason_response_forget(ctx);
    reason_spans_queue(ctx);
    reason_queue_submit(&ctx->job);
}
