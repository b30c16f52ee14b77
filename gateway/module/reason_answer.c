/*
 * reason_answer.c: rows become the response.
 *
 * The first row gives status and header lines; the bodies of all rows make the body. A long one is sent as it
 * comes. The database is read as fast as it answers: what the client has not taken yet goes to a file, so that a slow
 * client holds no connection, until it has more there than a client may (reason_share.c). A request
 * with reason_await that got 202 asks again, without a connection in between, until the answer
 * is another or the time that the header X-Reason-Await named (milliseconds) is over. A 202 with the header
 * X-Reason-Policy is no answer for the client either: see reason_policy.c.
 */
#include "ngx_http_reason.h"

#define REASON_AWAIT_FIRST  3
#define REASON_AWAIT_LAST   100
#define REASON_STREAM_FROM  262144  /* a smaller answer is gathered and gets a Content-Length */
#define REASON_ROW_MAX      1048576 /* a longer row goes to the file at once */

static ngx_uint_t
reason_header_is(ngx_str_t *name, const char *wanted)
{
    return name->len == ngx_strlen(wanted) && ngx_strncasecmp(name->data, (u_char *) wanted, name->len) == 0;
}


/* Content-Length, of a body that comes in many rows, and Accept-Ranges: bytes, of one that may be had in parts, are for nginx to say. */
static ngx_int_t
reason_header_add(reason_context_t *ctx, ngx_str_t *name, ngx_str_t *value)
{
    ngx_table_elt_t     *header;
    ngx_http_request_t  *r = ctx->request;

    if (reason_header_is(name, "Content-Type")) {
        r->headers_out.content_type = *value;
        r->headers_out.content_type_len = value->len;
        r->headers_out.content_type_lowcase = NULL;
        return NGX_OK;
    }

    if (reason_header_is(name, "Content-Length")) {
        ctx->length = ngx_atoof(value->data, value->len);
        return ctx->length == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }
    if (reason_header_is(name, "Accept-Ranges")) {
        r->allow_ranges = 1;
        r->single_range = 1;
        return NGX_OK;
    }

    header = ngx_list_push(&r->headers_out.headers);
    if (header == NULL) {
        return NGX_ERROR;
    }
    header->hash = 1;
    header->key = *name;
    header->value = *value;
    if (reason_header_is(name, "ETag")) {
        r->headers_out.etag = header;
    }
    return NGX_OK;
}


/* X-Reason-Await: <milliseconds> <key> */
static void
reason_await_header(reason_context_t *ctx, ngx_str_t *value)
{
    u_char     *space = ngx_strlchr(value->data, value->data + value->len, ' ');
    ngx_int_t   ms;

    if (space == NULL) {
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


/* "Name: value\n" lines, copied into the request's memory. */
static ngx_int_t
reason_headers(reason_context_t *ctx, const char *lines, size_t length)
{
    u_char     *p, *end, *line_end, *colon;
    ngx_str_t   name, value;

    p = ngx_pnalloc(ctx->request->pool, length + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }
    ngx_memcpy(p, lines, length);
    end = p + length;

    while (p < end) {
        line_end = ngx_strlchr(p, end, '\n');
        if (line_end == NULL) {
            line_end = end;
        }
        colon = ngx_strlchr(p, line_end, ':');
        if (colon != NULL) {
            name.data = p;
            name.len = colon - p;
            value.data = colon + 1;
            while (value.data < line_end && *value.data == ' ') {
                value.data++;
            }
            value.len = line_end - value.data;
            if (reason_header_is(&name, "X-Reason-Policy")) {
                ctx->asks = 1;
            } else if (reason_header_is(&name, "X-Reason-Await")) {
                /* milliseconds, then what to ask for */
                if (ctx->await_until == 0) {
                    reason_await_header(ctx, &value);
                }
            } else if (reason_header_add(ctx, &name, &value) != NGX_OK) {
                return NGX_ERROR;
            }
        }
        p = line_end + 1;
    }
    return NGX_OK;
}


static ngx_int_t
reason_answer_wait_for_client(reason_context_t *ctx)
{
    ngx_event_t               *write = ctx->request->connection->write;
    ngx_http_core_loc_conf_t  *clcf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_core_module);

    if (!write->delayed) {
        ngx_add_timer(write, clcf->send_timeout);
    }
    return ngx_handle_write_event(write, clcf->send_lowat);
}


/* Hands over what there is, in the file and in memory. NGX_AGAIN: the client is behind; NGX_ABORT: it is gone. */
static ngx_int_t
reason_answer_push(reason_context_t *ctx)
{
    ngx_int_t  rc = reason_body_send(ctx);

    ctx->behind = rc == NGX_AGAIN;
    if (rc == NGX_AGAIN && reason_answer_wait_for_client(ctx) != NGX_OK) {
        return NGX_ABORT;
    }
    return rc;
}


/* The client has taken something. */
static void
reason_answer_writer(ngx_http_request_t *r)
{
    ngx_int_t          rc;
    ngx_event_t       *write = r->connection->write;
    reason_context_t  *ctx = ngx_http_get_module_ctx(r, ngx_http_reason_module);

    if (write->timedout) {
        r->connection->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }
    rc = reason_answer_push(ctx);
    if (rc == NGX_ABORT) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }
    if (rc == NGX_OK) {
        if (write->timer_set) {
            ngx_del_timer(write);
        }
        if (ctx->connection != NULL && ctx->connection->paused) {
            reason_call_resume(ctx->connection);
        }
    }
}


static ngx_int_t
reason_answer_header(reason_context_t *ctx, off_t length)
{
    ngx_http_request_t  *r = ctx->request;

    if (r->headers_out.content_type.len == 0) {
        ngx_str_set(&r->headers_out.content_type, "application/json");
        r->headers_out.content_type_len = r->headers_out.content_type.len;
    }
    r->headers_out.content_length_n = length;
    if (r->headers_out.status == NGX_HTTP_NOT_MODIFIED || r->headers_out.status == NGX_HTTP_NO_CONTENT) {
        r->header_only = 1;
    }
    if (r->headers_in.range != NULL && r->allow_ranges) {
        /* a part of what is compressed is no part of the document */
        r->gzip_tested = 1;
        r->gzip_ok = 0;
    }
    return ngx_http_send_header(r);
}


void
reason_answer_range_refused(reason_context_t *ctx)
{
    off_t                length = ctx->length >= 0 ? ctx->length : ctx->body_length;
    ngx_table_elt_t     *range;
    ngx_connection_t    *c = ctx->request->connection;
    ngx_http_request_t  *r = ctx->request;

    reason_answer_forget(ctx);
    r->headers_out.content_range = NULL;
    range = ngx_list_push(&r->headers_out.headers);
    if (range != NULL && (range->value.data = ngx_pnalloc(r->pool, sizeof("bytes */") + NGX_OFF_T_LEN)) != NULL) {
        range->hash = 1;
        ngx_str_set(&range->key, "Content-Range");
        range->value.len = ngx_sprintf(range->value.data, "bytes */%O", length) - range->value.data;
    }
    ngx_http_finalize_request(r, reason_error_send(r, NGX_HTTP_RANGE_NOT_SATISFIABLE, "BAD_REQUEST",
                                                   "the range lies outside the document", NULL));
    reason_request_run_posted(c);
}


/* Too much to gather: the header goes out now, the body as it comes. */
static ngx_int_t
reason_answer_stream(reason_context_t *ctx, size_t row)
{
    ngx_int_t  rc;

    if (!ctx->streaming) {
        ctx->streaming = 1;
        rc = reason_answer_header(ctx, ctx->length);
        if (rc == NGX_HTTP_RANGE_NOT_SATISFIABLE) {
            ctx->streaming = 0;
            return NGX_DECLINED;
        }
        if (rc == NGX_ERROR || rc > NGX_OK) {
            return NGX_ABORT;
        }
        ctx->request->write_event_handler = reason_answer_writer;
    }
    if (ctx->behind || row > REASON_ROW_MAX) {
        rc = reason_body_spill(ctx);
        if (rc == NGX_ERROR) {
            return NGX_ABORT;
        }
        if (ctx->behind) {
            return rc == NGX_BUSY ? NGX_AGAIN : NGX_OK;
        }
    }
    return reason_answer_push(ctx) == NGX_ABORT ? NGX_ABORT : NGX_OK;   /* behind: the rest goes to the file */
}


ngx_int_t
reason_answer_row(reason_context_t *ctx, PGresult **row)
{
    size_t               length;
    PGresult            *result = *row;
    ngx_int_t            status;
    ngx_http_request_t  *r = ctx->request;

    if (PQnfields(result) != 3 || PQntuples(result) != 1) {
        return NGX_ERROR;
    }

    if (!ctx->has_status) {
        status = ngx_atoi((u_char *) PQgetvalue(result, 0, 0), PQgetlength(result, 0, 0));
        if (status < 200 || status > 599) {
            return NGX_ERROR;
        }
        ctx->has_status = 1;
        r->headers_out.status = status;
        if (!PQgetisnull(result, 0, 1)
            && reason_headers(ctx, PQgetvalue(result, 0, 1), PQgetlength(result, 0, 1)) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    length = PQgetisnull(result, 0, 2) ? 0 : PQgetlength(result, 0, 2);
    if (length == 0) {
        return NGX_OK;
    }
    if (r->method == NGX_HTTP_HEAD) {
        ctx->body_length += length;
        return NGX_OK;
    }
    if (reason_body_add(ctx, row, 2) != NGX_OK) {
        return NGX_ERROR;
    }

    if (r->headers_out.status == NGX_HTTP_ACCEPTED || ctx->body_length < REASON_STREAM_FROM
        || (ctx->streaming && !reason_body_suffices(ctx)))
    {
        return NGX_OK;
    }
    return reason_answer_stream(ctx, length);
}


static void
reason_answer_finish(reason_context_t *ctx)
{
    ngx_int_t            rc = NGX_OK;
    ngx_connection_t    *c = ctx->request->connection;
    ngx_http_request_t  *r = ctx->request;

    if (!ctx->streaming) {
        rc = reason_answer_header(ctx, ctx->body_length);
        if (rc == NGX_HTTP_RANGE_NOT_SATISFIABLE) {
            reason_answer_range_refused(ctx);
            return;
        }
    } else if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }
    if (rc != NGX_ERROR && rc <= NGX_OK && !r->header_only) {
        rc = reason_body_end(ctx);
    }
    ngx_http_finalize_request(r, rc);
    reason_request_run_posted(c);
}


/* Part of the body has gone out, and there will be no more: the client must not take it for the whole. */
void
reason_answer_abort(reason_context_t *ctx)
{
    ngx_connection_t  *c = ctx->request->connection;

    ngx_http_finalize_request(ctx->request, NGX_ERROR);
    reason_request_run_posted(c);
}


/* Takes back status, headers and body, as long as nothing has gone out. */
void
reason_answer_forget(reason_context_t *ctx)
{
    ngx_http_request_t  *r = ctx->request;

    ctx->has_status = 0;
    ctx->length = -1;
    reason_body_forget(ctx);
    r->allow_ranges = 0;
    r->headers_out.location = NULL;
    r->headers_out.etag = NULL;
    ngx_str_null(&r->headers_out.content_type);
    r->headers_out.content_type_len = 0;
    r->headers_out.headers.part.nelts = 0;
    r->headers_out.headers.part.next = NULL;
    r->headers_out.headers.last = &r->headers_out.headers.part;
}


void
reason_answer_end(reason_context_t *ctx)
{
    reason_loc_conf_t   *lcf;
    ngx_http_request_t  *r = ctx->request;

    if (!ctx->has_status) {
        reason_error_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR, "INTERNAL", "internal error", NULL);
        return;
    }

    if (ctx->admitting && r->headers_out.status < 300) {
        reason_request_admitted(ctx);
        return;
    }
    if (r->headers_out.status == NGX_HTTP_ACCEPTED && ctx->asks) {
        reason_policy_ask(ctx);
        return;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_reason_module);
    if (r->headers_out.status == NGX_HTTP_ACCEPTED && lcf->await != NULL && ctx->await_until != 0
        && (ngx_msec_int_t) (ctx->await_until - ngx_current_msec) > 0)
    {
        if (ctx->await_interval == 0) {
            ctx->await_interval = REASON_AWAIT_FIRST;
        }
        ctx->poll.handler = reason_answer_poll;
        ctx->poll.data = ctx;
        ctx->poll.log = r->connection->log;
        ngx_add_timer(&ctx->poll, ctx->await_interval);
        ctx->await_interval = ngx_min(ctx->await_interval * 3 / 2 + 1, REASON_AWAIT_LAST);
        return;
    }
    reason_answer_finish(ctx);
}


/* Asks again: the first answer, a 202, is forgotten if a better one comes. */
void
reason_answer_poll(ngx_event_t *event)
{
    reason_context_t    *ctx = event->data;
    reason_loc_conf_t   *lcf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_reason_module);

    ctx->statement = lcf->await;
    ctx->argument_count = 1;
    ctx->values[0] = ctx->await_key;
    reason_answer_forget(ctx);
    reason_pool_submit(ctx);
}
