/*
 * reason_request.c: a request becomes a call: method and type are checked, the body is read, the values are bound.
 */
#include "ngx_http_reason.h"

static void reason_body_ready(ngx_http_request_t *r);
static void reason_cleanup(void *data);

/* nginx is on the stack, still holds a request of this connection, and will run what is posted itself: doing it here could free it */
static ngx_connection_t  *reason_in_handler;


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


static ngx_int_t
reason_is_json(ngx_http_request_t *r)
{
    ngx_str_t  *type;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }
    type = &r->headers_in.content_type->value;
    return type->len >= sizeof("application/json") - 1
        && ngx_strncasecmp(type->data, (u_char *) "application/json", sizeof("application/json") - 1) == 0
        && (type->len == sizeof("application/json") - 1 || type->data[sizeof("application/json") - 1] == ';'
            || type->data[sizeof("application/json") - 1] == ' ');
}


ngx_int_t
reason_request_handler(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    reason_context_t     *ctx;
    ngx_pool_cleanup_t   *cleanup;
    reason_loc_conf_t    *conf = ngx_http_get_module_loc_conf(r, ngx_http_reason_module);

    if (!(r->method & conf->methods)) {
        rc = ngx_http_discard_request_body(r);
        return rc != NGX_OK ? rc : reason_refuse_method(r, conf->methods, r->method == NGX_HTTP_OPTIONS);
    }
    if (r->method == NGX_HTTP_POST && !reason_is_json(r)) {
        rc = ngx_http_discard_request_body(r);
        return rc != NGX_OK ? rc
            : reason_error_send(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED", "writes take application/json", NULL);
    }

    ctx = ngx_pcalloc(r->pool, sizeof(reason_context_t));
    cleanup = ngx_pool_cleanup_add(r->pool, 0);
    if (ctx == NULL || cleanup == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ctx->request = r;
    ctx->pool = conf->pool;
    ctx->pipeline = conf->pipeline;
    cleanup->data = ctx;
    cleanup->handler = reason_cleanup;
    ngx_http_set_ctx(r, ctx, ngx_http_reason_module);

    rc = ngx_http_read_client_request_body(r, reason_body_ready);
    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


/* What was bound by an earlier call stays as it was; only what had no value then is looked at again. */
static ngx_int_t
reason_bind(reason_context_t *ctx, ngx_array_t *values, ngx_uint_t *count)
{
    char                      *copy;
    ngx_str_t                  value;
    ngx_uint_t                 i;
    ngx_http_complex_value_t  *complex;

    if (values == NULL) {
        return NGX_OK;
    }
    complex = values->elts;
    for (i = 0; i < values->nelts; i++, (*count)++) {
        if (ctx->values[*count] != NULL) {
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
        ctx->values[*count] = copy;
    }
    return NGX_OK;
}


/* Binds what can be bound, and calls. */
void
reason_request_call(reason_context_t *ctx)
{
    ngx_int_t            rc;
    ngx_uint_t           count = 0;
    reason_loc_conf_t   *conf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_reason_module);

    rc = reason_bind(ctx, conf->caller, &count);
    if (rc == NGX_OK) {
        rc = reason_bind(ctx, conf->arguments, &count);
    }
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
    ctx->executed = 0;
    ctx->tries = 0;
    reason_pool_submit(ctx);
}


static void
reason_body_ready(ngx_http_request_t *r)
{
    reason_context_t    *ctx = ngx_http_get_module_ctx(r, ngx_http_reason_module);
    reason_loc_conf_t   *conf = ngx_http_get_module_loc_conf(r, ngx_http_reason_module);

    ctx->statement = conf->statement;
    ctx->argument_count = conf->statement->argument_count;
    ctx->values = ngx_pcalloc(r->pool, (ctx->argument_count + 1) * sizeof(char *));
    if (ctx->values == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
    /* notices a client that goes away while the database works */
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
    reason_in_handler = r->connection;
    reason_request_call(ctx);
    reason_in_handler = NULL;
}


void
reason_request_run_posted(ngx_connection_t *c)
{
    if (c != reason_in_handler) {
        ngx_http_run_posted_requests(c);
    }
}


static void
reason_cleanup(void *data)
{
    reason_pool_abandon(data);
}
