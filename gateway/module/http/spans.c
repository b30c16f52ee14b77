/*
 * http/spans.c: what a traced request did: the request, each wait for a connection, each call of the database.
 *
 * A request is traced if its traceparent says that its caller records it, and spans are wanted (reason_tracing). The span of the request is
 * the caller's child, and the parent of everything else, in the database, in policy checks and in the sidecar: it is what
 * $reason_trace_context names then.
 */
#include "http/reason_http.h"

/* traceparent: version "-" trace-id "-" parent-id "-" flags */
enum { TRACE_ID = 3, PARENT_ID = 36, FLAGS = 53 };

static void reason_spans_add(reason_context_t *ctx, const char *name, reason_span_kind_e kind, uint64_t began_us, uint64_t ended_us,
    ngx_uint_t failed);


/* NULL: it is not traced, or there is no memory for it. */
static reason_trace_t *
reason_trace_new(ngx_http_request_t *r)
{
    ngx_str_t           context;
    reason_trace_t     *trace;
    reason_loc_conf_t  *conf = ngx_http_get_module_loc_conf(r, ngx_http_reason_module);

    if (!reason_tracing_on() || reason_trace_context_read(r, &context) != NGX_OK || !(ngx_hextoi(context.data + FLAGS, 2) & 1)) {
        return NULL;
    }
    trace = ngx_pcalloc(r->pool, sizeof(reason_trace_t));
    if (trace == NULL) {
        return NULL;
    }
    ngx_memcpy(trace->context, context.data, REASON_TRACEPARENT);
    ngx_memcpy(trace->parent_id, context.data + PARENT_ID, REASON_SPAN_ID);
    reason_tracing_new_id(trace->context + PARENT_ID);
    trace->function = conf->function;
    return trace;
}


void
reason_spans_begin(reason_context_t *ctx)
{
    ctx->trace = reason_trace_new(ctx->request);
}


void
reason_spans_queue(reason_context_t *ctx)
{
    if (ctx->trace != NULL) {
        ctx->trace->queued_us = reason_tracing_now();
        ctx->trace->called_us = 0;
    }
}


void
reason_spans_call(reason_context_t *ctx)
{
    if (ctx->trace != NULL && ctx->trace->queued_us != 0) {
        ctx->trace->called_us = reason_tracing_now();
        reason_spans_add(ctx, "queue", REASON_SPAN_INTERNAL, ctx->trace->queued_us, ctx->trace->called_us, 0);
        ctx->trace->queued_us = 0;
    }
}


void
reason_spans_answer(reason_context_t *ctx, ngx_uint_t failed)
{
    if (ctx->trace == NULL) {
        return;
    }
    if (ctx->trace->called_us != 0) {
        reason_spans_add(ctx, "database", REASON_SPAN_CLIENT, ctx->trace->called_us, reason_tracing_now(), failed);
    } else if (ctx->trace->queued_us != 0) {
        reason_spans_add(ctx, "queue", REASON_SPAN_INTERNAL, ctx->trace->queued_us, reason_tracing_now(), failed);
    }
    ctx->trace->queued_us = ctx->trace->called_us = 0;
}


/* The client's: r->method_name is nginx's own, GET, once a request has been sent on to its error body. */
static ngx_str_t
reason_span_method(ngx_http_request_t *r)
{
    ngx_str_t  method = r->request_line;

    for (method.len = 0; method.len < r->request_line.len; method.len++) {
        u_char  c = method.data[method.len];

        if ((c < 'A' || c > 'Z') && c != '_' && c != '-') {
            break;
        }
    }
    return method;
}


void
reason_spans_end(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_str_t                   name = ngx_string("reason_request_id");
    reason_span_t               span;
    reason_trace_t             *trace;
    reason_context_t           *ctx = reason_request_find(r);
    ngx_http_variable_value_t  *request_id;

    trace = ctx != NULL ? ctx->trace : reason_trace_new(r);
    if (trace == NULL) {
        return;
    }
    if (ctx != NULL) {
        /* of a call that was given up, because the client went away or wants something else */
        reason_spans_answer(ctx, status == NGX_HTTP_CLIENT_CLOSED_REQUEST || status >= 500);
    }
    ngx_memzero(&span, sizeof(span));
    span.name = "request";
    span.trace_id = trace->context + TRACE_ID;
    span.id = trace->context + PARENT_ID;
    span.parent_id = trace->parent_id;
    span.parent_is_remote = 1;
    span.kind = REASON_SPAN_SERVER;
    span.began_us = (uint64_t) r->start_sec * 1000000 + r->start_msec * 1000;
    span.ended_us = reason_tracing_now();
    span.failed = status >= 500;
    span.status = status;
    span.method = reason_span_method(r);
    span.function = trace->function;
    request_id = ngx_http_get_variable(r, &name, ngx_hash_key(name.data, name.len));
    if (request_id != NULL && !request_id->not_found) {
        span.request_id.data = request_id->data;
        span.request_id.len = request_id->len;
    }
    reason_tracing_add(&span);
}


static void
reason_spans_add(reason_context_t *ctx, const char *name, reason_span_kind_e kind, uint64_t began_us, uint64_t ended_us, ngx_uint_t failed)
{
    u_char         id[REASON_SPAN_ID];
    reason_span_t  span;

    reason_tracing_new_id(id);
    ngx_memzero(&span, sizeof(span));
    span.name = name;
    span.trace_id = ctx->trace->context + TRACE_ID;
    span.id = id;
    span.parent_id = ctx->trace->context + PARENT_ID;
    span.kind = kind;
    span.began_us = began_us;
    span.ended_us = ended_us;
    span.failed = failed;
    if (kind == REASON_SPAN_CLIENT && ctx->job.statement != NULL) {
        span.function = ctx->job.statement->function;
    }
    reason_tracing_add(&span);
}
