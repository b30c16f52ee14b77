/*
 * reason_answer.c: rows become the response.
 *
 * The first row gives status and header lines; the bodies of all rows make the body. A request
 * with reason_await that got 202 asks again, without a connection in between, until the answer
 * is another or the time that the header X-Reason-Await named (milliseconds) is over.
 */
#include "ngx_http_reason.h"

#define REASON_AWAIT_FIRST  3
#define REASON_AWAIT_LAST   100

static ngx_int_t
reason_header_add(ngx_http_request_t *r, ngx_str_t *name, ngx_str_t *value)
{
    ngx_table_elt_t  *header;

    if (name->len == sizeof("Content-Type") - 1 && ngx_strncasecmp(name->data, (u_char *) "Content-Type", name->len) == 0) {
        r->headers_out.content_type = *value;
        r->headers_out.content_type_len = value->len;
        r->headers_out.content_type_lowcase = NULL;
        return NGX_OK;
    }

    header = ngx_list_push(&r->headers_out.headers);
    if (header == NULL) {
        return NGX_ERROR;
    }
    header->hash = 1;
    header->key = *name;
    header->value = *value;
    if (name->len == sizeof("ETag") - 1 && ngx_strncasecmp(name->data, (u_char *) "ETag", name->len) == 0) {
        r->headers_out.etag = header;
    }
    if (name->len == sizeof("Location") - 1 && ngx_strncasecmp(name->data, (u_char *) "Location", name->len) == 0) {
        r->headers_out.location = header;
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
    u_char              *p, *end, *line_end, *colon;
    ngx_str_t            name, value;
    ngx_http_request_t  *r = ctx->request;

    p = ngx_pnalloc(r->pool, length + 1);
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
            if (name.len == sizeof("X-Reason-Await") - 1
                && ngx_strncasecmp(name.data, (u_char *) "X-Reason-Await", name.len) == 0)
            {
                /* milliseconds, then what to ask for */
                if (ctx->await_until == 0) {
                    reason_await_header(ctx, &value);
                }
            } else if (reason_header_add(r, &name, &value) != NGX_OK) {
                return NGX_ERROR;
            }
        }
        p = line_end + 1;
    }
    return NGX_OK;
}


ngx_int_t
reason_answer_row(reason_context_t *ctx, PGresult *result)
{
    size_t               length;
    ngx_buf_t           *b;
    ngx_chain_t         *link;
    ngx_http_request_t  *r = ctx->request;

    if (PQnfields(result) != 3 || PQntuples(result) != 1) {
        return NGX_ERROR;
    }

    if (!ctx->header_sent) {
        ngx_int_t  status = ngx_atoi((u_char *) PQgetvalue(result, 0, 0), PQgetlength(result, 0, 0));

        if (status < 200 || status > 599) {
            return NGX_ERROR;
        }
        ctx->header_sent = 1;
        r->headers_out.status = status;
        if (!PQgetisnull(result, 0, 1)
            && reason_headers(ctx, PQgetvalue(result, 0, 1), PQgetlength(result, 0, 1)) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    length = PQgetisnull(result, 0, 2) ? 0 : PQgetlength(result, 0, 2);
    if (length > 0) {
        b = ngx_create_temp_buf(r->pool, length);
        link = ngx_alloc_chain_link(r->pool);
        if (b == NULL || link == NULL) {
            return NGX_ERROR;
        }
        b->last = ngx_cpymem(b->last, PQgetvalue(result, 0, 2), length);
        link->buf = b;
        link->next = NULL;
        if (ctx->body == NULL) {
            ctx->body_last = &ctx->body;
        }
        *ctx->body_last = link;
        ctx->body_last = &link->next;
        ctx->body_length += length;
    }
    return NGX_OK;
}


static ngx_int_t
reason_answer_body(reason_context_t *ctx)
{
    ngx_buf_t    *b;
    ngx_chain_t  *link;

    /* ends the body; with an empty one it is all there is */
    b = ngx_calloc_buf(ctx->request->pool);
    link = ngx_alloc_chain_link(ctx->request->pool);
    if (b == NULL || link == NULL) {
        return NGX_ERROR;
    }
    b->last_buf = ctx->request == ctx->request->main;
    b->last_in_chain = 1;
    b->sync = !b->last_buf;
    link->buf = b;
    link->next = NULL;
    if (ctx->body == NULL) {
        ctx->body_last = &ctx->body;
    }
    *ctx->body_last = link;
    return ngx_http_output_filter(ctx->request, ctx->body);
}


static void
reason_answer_finish(reason_context_t *ctx)
{
    ngx_int_t            rc;
    ngx_connection_t    *c = ctx->request->connection;
    ngx_http_request_t  *r = ctx->request;

    ctx->done = 1;
    if (r->headers_out.content_type.len == 0) {
        ngx_str_set(&r->headers_out.content_type, "application/json");
        r->headers_out.content_type_len = r->headers_out.content_type.len;
    }
    r->headers_out.content_length_n = ctx->body_length;
    if (r->headers_out.status == NGX_HTTP_NOT_MODIFIED || r->headers_out.status == NGX_HTTP_NO_CONTENT) {
        r->header_only = 1;
    }

    rc = ngx_http_send_header(r);
    if (rc != NGX_ERROR && rc <= NGX_OK && !r->header_only) {
        rc = reason_answer_body(ctx);
    }
    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


void
reason_answer_end(reason_context_t *ctx)
{
    reason_loc_conf_t   *lcf;
    ngx_http_request_t  *r = ctx->request;

    if (!ctx->header_sent) {
        reason_error_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR, "INTERNAL", "internal error", NULL);
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
    ngx_http_request_t  *r = ctx->request;

    ctx->statement = lcf->await;
    ctx->argument_count = 1;
    ctx->values[0] = ctx->await_key;
    ctx->header_sent = 0;
    ctx->body = NULL;
    ctx->body_length = 0;
    r->headers_out.location = NULL;
    r->headers_out.headers.part.nelts = 0;
    r->headers_out.headers.part.next = NULL;
    r->headers_out.headers.last = &r->headers_out.headers.part;
    reason_pool_submit(ctx);
}
