/*
 * http/answer.c: rows become the response.
 *
 * The first row gives status and header lines; the bodies of all rows make the body. A long one is sent as it
 * comes. The database is read as fast as it answers: what the client has not taken yet goes to a file, so that a slow
 * client holds no connection, until it has more there than a client may (pg/client_share.c). Three header lines are for the
 * gateway: X-Reason-Policy (policy.c) and X-Reason-Await (await.c), whose answer is not the client's yet, and
 * X-Reason-Body: hex, of a body that is no text and comes as two digits a byte.
 */
#include "http/reason_http.h"

#define REASON_STREAM_FROM  262144  /* a smaller answer is gathered and gets a Content-Length */
#define REASON_ROW_MAX      1048576 /* a longer row goes to the file at once */

/* "Name: value\n" lines, copied into the request's memory. */
static ngx_int_t
reason_answer_headers(reason_context_t *ctx, const char *lines, size_t length)
{
    u_char    *p, *end, *line_end, *colon;
    ngx_str_t  name, value;

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
            if (reason_response_header_is(&name, "X-Reason-Policy")) {
                ctx->asks = 1;
            } else if (reason_response_header_is(&name, "X-Reason-Await")) {
                reason_await_header(ctx, &value);
            } else if (reason_response_header_is(&name, "X-Reason-Body")) {
                if (value.len != 3 || ngx_strncmp(value.data, "hex", 3) != 0) {
                    return NGX_ERROR;
                }
                ctx->hex = 1;
            } else if (reason_response_header_add(ctx, &name, &value) != NGX_OK) {
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
    ngx_int_t  rc = reason_output_send(ctx);

    ctx->behind = rc == NGX_AGAIN;
    if (rc == NGX_AGAIN && reason_answer_wait_for_client(ctx) != NGX_OK) {
        return NGX_ABORT;
    }
    return rc;
}


/* Digits of a row's value become the bytes they stand for, in their place; NGX_ERROR: they are none, or not two a byte. */
static ngx_int_t
reason_answer_decode(u_char *value, size_t length)
{
    size_t     i;
    ngx_int_t  byte;

    if (length % 2 != 0) {
        return NGX_ERROR;
    }
    for (i = 0; i < length / 2; i++) {
        byte = ngx_hextoi(value + 2 * i, 2);
        if (byte == NGX_ERROR) {
            return NGX_ERROR;
        }
        value[i] = (u_char) byte;
    }
    return NGX_OK;
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
        if (ctx->job.connection != NULL && ctx->job.connection->paused) {
            reason_call_resume(ctx->job.connection);
        }
    }
}


/* The client set a condition that the answer does not meet: a range that is not there, or another version. */
static void
reason_answer_refuse(reason_context_t *ctx)
{
    off_t                length = ctx->length >= 0 ? ctx->length : ctx->body_length;
    ngx_uint_t           unmatched = reason_response_is_unmatched(ctx->request);
    ngx_table_elt_t     *range;
    ngx_http_request_t  *r = ctx->request;

    reason_response_forget(ctx);
    if (unmatched) {
        reason_response_finish(ctx, reason_response_send_unmatched(r));
        return;
    }
    r->headers_out.content_range = NULL;
    range = ngx_list_push(&r->headers_out.headers);
    if (range != NULL && (range->value.data = ngx_pnalloc(r->pool, sizeof("bytes */") + NGX_OFF_T_LEN)) != NULL) {
        range->hash = 1;
        ngx_str_set(&range->key, "Content-Range");
        range->value.len = ngx_sprintf(range->value.data, "bytes */%O", length) - range->value.data;
    }
    reason_response_finish(ctx, reason_error_send(r, NGX_HTTP_RANGE_NOT_SATISFIABLE, "BAD_REQUEST",
                                                  "the range lies outside the document", NULL));
}


/* Too much to gather: the header goes out now, the body as it comes. */
static ngx_int_t
reason_answer_stream(reason_context_t *ctx, size_t row)
{
    ngx_int_t  rc;

    if (!ctx->streaming) {
        ctx->streaming = 1;
        rc = reason_response_send_header(ctx, ctx->length);
        if (rc == NGX_HTTP_RANGE_NOT_SATISFIABLE || rc == NGX_HTTP_PRECONDITION_FAILED) {
            ctx->streaming = 0;
            return NGX_DECLINED;
        }
        if (rc == NGX_ERROR || rc > NGX_OK) {
            return NGX_ABORT;
        }
        ctx->request->write_event_handler = reason_answer_writer;
    }
    if (ctx->behind || row > REASON_ROW_MAX) {
        rc = reason_output_spill(ctx);
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
reason_answer_row(reason_job_t *job, PGresult **row)
{
    size_t               length;
    u_char              *value;
    PGresult            *result = *row;
    ngx_int_t            status;
    reason_context_t    *ctx = (reason_context_t *) job;
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
            && reason_answer_headers(ctx, PQgetvalue(result, 0, 1), PQgetlength(result, 0, 1)) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    value = (u_char *) PQgetvalue(result, 0, 2);
    length = PQgetisnull(result, 0, 2) ? 0 : PQgetlength(result, 0, 2);
    if (length == 0) {
        return NGX_OK;
    }
    if (ctx->hex) {
        if (reason_answer_decode(value, length) != NGX_OK) {
            return NGX_ERROR;
        }
        length /= 2;
    }
    if (r->method == NGX_HTTP_HEAD) {
        ctx->body_length += length;
        return NGX_OK;
    }
    if (reason_output_add(ctx, row, value, length) != NGX_OK) {
        return NGX_ERROR;
    }

    if (r->headers_out.status == NGX_HTTP_ACCEPTED || ctx->body_length < REASON_STREAM_FROM
        || (ctx->streaming && !reason_output_suffices(ctx)))
    {
        return NGX_OK;
    }
    return reason_answer_stream(ctx, length);
}


void
reason_answer_stopped(reason_job_t *job, ngx_int_t rc)
{
    reason_context_t  *ctx = (reason_context_t *) job;

    if (rc == NGX_ABORT) {
        reason_response_abort(ctx);
    } else if (rc == NGX_DECLINED) {
        reason_answer_refuse(ctx);
    } else {
        reason_error_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR, "INTERNAL", "internal error", NULL);
    }
}


void
reason_answer_finish(reason_context_t *ctx)
{
    ngx_int_t            rc = NGX_OK;
    ngx_connection_t    *c = ctx->request->connection;
    ngx_http_request_t  *r = ctx->request;

    if (!ctx->streaming) {
        rc = reason_response_send_header(ctx, ctx->body_length);
        if (rc == NGX_HTTP_RANGE_NOT_SATISFIABLE || rc == NGX_HTTP_PRECONDITION_FAILED) {
            reason_answer_refuse(ctx);
            return;
        }
    } else if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }
    if (rc != NGX_ERROR && rc <= NGX_OK && !r->header_only) {
        rc = reason_output_end(ctx);
    }
    reason_response_finish(ctx, rc);
}
