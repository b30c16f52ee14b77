/*
 * http/response.c: the response that nginx sends: its header, its end, and taking it back while nothing has gone out.
 */
#include "http/reason_http.h"

/* nginx is on the stack, still holds a request of this connection, and will run what is posted itself: doing it here could free it */
static ngx_connection_t  *reason_response_held;


void
reason_response_hold(ngx_connection_t *c)
{
    reason_response_held = c;
}


void
reason_response_finish(reason_context_t *ctx, ngx_int_t rc)
{
    ngx_connection_t  *c = ctx->request->connection;

    ngx_http_finalize_request(ctx->request, rc);
    reason_response_run_posted(c);
}


void
reason_response_run_posted(ngx_connection_t *c)
{
    if (c != reason_response_held) {
        ngx_http_run_posted_requests(c);
    }
}


void
reason_response_abort(reason_context_t *ctx)
{
    reason_response_finish(ctx, NGX_ERROR);
}


void
reason_response_forget(reason_context_t *ctx)
{
    ngx_http_request_t  *r = ctx->request;

    ctx->has_status = 0;
    ctx->hex = 0;
    ctx->length = -1;
    reason_output_forget(ctx);
    r->allow_ranges = 0;
    r->headers_out.location = NULL;
    r->headers_out.etag = NULL;
    ngx_str_null(&r->headers_out.content_type);
    r->headers_out.content_type_len = 0;
    r->headers_out.headers.part.nelts = 0;
    r->headers_out.headers.part.next = NULL;
    r->headers_out.headers.last = &r->headers_out.headers.part;
}


ngx_uint_t
reason_response_header_is(ngx_str_t *name, const char *wanted)
{
    return name->len == ngx_strlen(wanted) && ngx_strncasecmp(name->data, (u_char *) wanted, name->len) == 0;
}


/* Content-Length, of a body that comes in many rows, and Accept-Ranges: bytes, of one that may be had in parts, are for nginx to say. */
ngx_int_t
reason_response_header_add(reason_context_t *ctx, ngx_str_t *name, ngx_str_t *value)
{
    ngx_table_elt_t     *header;
    ngx_http_request_t  *r = ctx->request;

    if (reason_response_header_is(name, "Content-Type")) {
        r->headers_out.content_type = *value;
        r->headers_out.content_type_len = value->len;
        r->headers_out.content_type_lowcase = NULL;
        return NGX_OK;
    }

    if (reason_response_header_is(name, "Content-Length")) {
        ctx->length = ngx_atoof(value->data, value->len);
        return ctx->length == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }
    if (reason_response_header_is(name, "Accept-Ranges")) {
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
    if (reason_response_header_is(name, "ETag")) {
        r->headers_out.etag = header;
    }
    return NGX_OK;
}


ngx_int_t
reason_response_forbid_keeping(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    for (part = &r->headers_out.headers.part; part != NULL; part = part->next) {
        ngx_table_elt_t  *headers = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (headers[i].hash != 0 && reason_response_header_is(&headers[i].key, "Cache-Control")) {
                return NGX_OK;
            }
        }
    }
    header = ngx_list_push(&r->headers_out.headers);
    if (header == NULL) {
        return NGX_ERROR;
    }
    header->hash = 1;
    ngx_str_set(&header->key, "Cache-Control");
    ngx_str_set(&header->value, "no-store");
    return NGX_OK;
}


/* Whether the client wants another version than the one that it would get (RFC 9110, 13.1.1). What has no ETag is no version. */
ngx_uint_t
reason_response_is_unmatched(ngx_http_request_t *r)
{
    size_t            left;
    u_char           *at, *last;
    ngx_str_t        *list;
    ngx_table_elt_t  *etag = r->headers_out.etag;

    if (r->headers_in.if_match == NULL || r->headers_out.status != NGX_HTTP_OK || !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return 0;
    }
    list = &r->headers_in.if_match->value;
    if (list->len == 1 && list->data[0] == '*') {
        return 0;
    }
    if (etag == NULL) {
        return 1;
    }
    last = list->data + list->len;
    for (at = list->data; at < last; at++) {
        left = last - at;
        if (left >= etag->value.len && ngx_strncmp(at, etag->value.data, etag->value.len) == 0
            && (at == list->data || at[-1] == ' ' || at[-1] == '\t' || at[-1] == ',')
            && (left == etag->value.len || at[etag->value.len] == ' ' || at[etag->value.len] == '\t' || at[etag->value.len] == ','))
        {
            return 0;
        }
    }
    return 1;
}


ngx_int_t
reason_response_send_unmatched(ngx_http_request_t *r)
{
    return reason_error_send(r, NGX_HTTP_PRECONDITION_FAILED, "BAD_REQUEST", "If-Match does not name what there is", NULL);
}


/* nginx would refuse with a body of its own, and close a connection that it promised to keep. Nothing of ours has a date of change. */
static void
reason_response_take_conditions(ngx_http_request_t *r)
{
    r->headers_in.if_match = NULL;
    r->headers_in.if_unmodified_since = NULL;
}


ngx_int_t
reason_response_send_header(reason_context_t *ctx, off_t length)
{
    ngx_http_request_t  *r = ctx->request;

    if (reason_response_is_unmatched(r)) {
        return NGX_HTTP_PRECONDITION_FAILED;
    }
    reason_response_take_conditions(r);
    if (reason_response_forbid_keeping(r) != NGX_OK) {
        return NGX_ERROR;
    }
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


ngx_int_t
reason_response_send_whole(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t type, ngx_str_t body)
{
    ngx_int_t    rc;
    ngx_buf_t   *b = ngx_calloc_buf(r->pool);
    ngx_chain_t  out;

    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    b->pos = body.data;
    b->last = body.data + body.len;
    b->memory = body.len > 0;
    b->last_buf = r == r->main;
    b->last_in_chain = 1;
    out.buf = b;
    out.next = NULL;

    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_etag(r);
    r->headers_out.status = status;
    if (reason_response_is_unmatched(r)) {
        return reason_response_send_unmatched(r);
    }
    reason_response_take_conditions(r);
    r->headers_out.content_length_n = body.len;
    r->headers_out.content_type = type;
    r->headers_out.content_type_len = type.len;
    r->headers_out.content_type_lowcase = NULL;
    if (reason_response_forbid_keeping(r) != NGX_OK) {
        return NGX_ERROR;
    }
    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }
    return ngx_http_output_filter(r, &out);
}
