/*
 * reason_request.c: a request becomes a call: method and type are checked, the body is read, the values are bound.
 */
#include "ngx_http_reason.h"

static void reason_body_ready(ngx_http_request_t *r);
static void reason_cleanup(void *data);
static void reason_request_run(reason_context_t *ctx);

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


static u_char *
reason_skip_space(u_char *p, u_char *end)
{
    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }
    return p;
}


/*
 * application/json, with nothing behind it but parameters (RFC 9110, 5.6.6), of which charset must be utf-8: JSON has no
 * other (RFC 8259, 8.1), and says nothing of others.
 */
static ngx_int_t
reason_is_json(ngx_http_request_t *r)
{
    u_char     *p, *end, *name, *value;
    size_t      length;
    ngx_str_t  *type;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }
    type = &r->headers_in.content_type->value;
    if (type->len < sizeof("application/json") - 1
        || ngx_strncasecmp(type->data, (u_char *) "application/json", sizeof("application/json") - 1) != 0)
    {
        return 0;
    }
    end = type->data + type->len;
    for (p = reason_skip_space(type->data + sizeof("application/json") - 1, end); p < end; p = reason_skip_space(p, end)) {
        if (*p++ != ';') {
            return 0;
        }
        p = name = reason_skip_space(p, end);
        while (p < end && *p != '=' && *p != ';') {
            p++;
        }
        if (p == end || *p == ';') {
            if (p > name) {
                return 0;
            }
            continue;   /* an empty parameter */
        }
        length = p++ - name;
        value = p;
        if (p < end && *p == '"') {
            value = ++p;
            while (p < end && *p != '"') {
                p++;
            }
            if (p == end) {
                return 0;
            }
        } else {
            while (p < end && *p != ';' && *p != ' ' && *p != '\t') {
                p++;
            }
        }
        if (length == sizeof("charset") - 1 && ngx_strncasecmp(name, (u_char *) "charset", length) == 0
            && (p - value != sizeof("utf-8") - 1 || ngx_strncasecmp(value, (u_char *) "utf-8", sizeof("utf-8") - 1) != 0))
        {
            return 0;
        }
        p += p < end && *p == '"';
    }
    return 1;
}


/* Whether the body is in a coding, as gzip; nobody would decode it. */
static ngx_uint_t
reason_is_encoded(ngx_http_request_t *r)
{
    ngx_str_t                   name = ngx_string("http_content_encoding");
    ngx_http_variable_value_t  *coding = ngx_http_get_variable(r, &name, ngx_hash_key(name.data, name.len));

    return coding != NULL && !coding->not_found && coding->len > 0
        && !(coding->len == sizeof("identity") - 1 && ngx_strncasecmp(coding->data, (u_char *) "identity", coding->len) == 0);
}


/* A request that needs no call to be refused; the body is not looked at. */
static const char *
reason_request_is_wrong(ngx_http_request_t *r, reason_loc_conf_t *conf, ngx_uint_t *status)
{
    *status = NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
    if (r->method == NGX_HTTP_POST && reason_is_encoded(r)) {
        return "bodies are taken as they are, without Content-Encoding";
    }
    if (r->method == NGX_HTTP_POST && !reason_is_json(r)) {
        return "writes take application/json in UTF-8";
    }
    *status = NGX_HTTP_BAD_REQUEST;
    return r->args.len > 0 && !conf->takes_query ? "unknown parameter: this path takes none" : NULL;
}


/* Its body is not known to be short. */
static ngx_uint_t
reason_request_is_long(ngx_http_request_t *r, reason_loc_conf_t *conf)
{
    return r->method == NGX_HTTP_POST
        && (r->headers_in.content_length_n < 0 || r->headers_in.content_length_n > (off_t) conf->admit_above);
}


static ngx_int_t
reason_request_context(ngx_http_request_t *r, reason_loc_conf_t *conf, reason_context_t **created)
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
    ctx->pool = conf->pool;
    ctx->class = conf->class;
    ctx->pipeline = conf->pipeline;
    ctx->length = -1;
    ctx->values = ngx_pcalloc(r->pool, (count + 1) * sizeof(char *));
    ctx->share = ctx->values != NULL ? reason_share_get(conf->pool, &client) : NULL;
    if (ctx->share == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    cleanup->data = ctx;
    cleanup->handler = reason_cleanup;
    ngx_http_set_ctx(r, ctx, ngx_http_reason_module);
    *created = ctx;
    return NGX_OK;
}


ngx_int_t
reason_request_handler(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_uint_t            status;
    const char           *problem;
    reason_context_t     *ctx;
    reason_loc_conf_t    *conf = ngx_http_get_module_loc_conf(r, ngx_http_reason_module);

    if (!(r->method & conf->methods)) {
        rc = ngx_http_discard_request_body(r);
        return rc != NGX_OK ? rc : reason_refuse_method(r, conf->methods, r->method == NGX_HTTP_OPTIONS);
    }
    problem = reason_request_is_wrong(r, conf, &status);
    if (problem != NULL) {
        rc = ngx_http_discard_request_body(r);
        return rc != NGX_OK ? rc
            : reason_error_send(r, status, status == NGX_HTTP_BAD_REQUEST ? "BAD_REQUEST" : "UNSUPPORTED", problem, NULL);
    }

    rc = reason_request_context(r, conf, &ctx);
    if (rc != NGX_OK) {
        return rc;
    }
    if (reason_request_is_long(r, conf) && conf->admit != NULL) {
        ctx->admitting = 1;
        ctx->statement = conf->admit;
        r->main->count++;
        reason_request_run(ctx);
        return NGX_DONE;
    }
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
    reason_loc_conf_t         *conf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_reason_module);
    ngx_http_complex_value_t  *complex;

    if (values == NULL) {
        return NGX_OK;
    }
    complex = values->elts;
    for (i = 0; i < values->nelts; i++, (*count)++) {
        if (ctx->values[*count] != NULL || (values == conf->arguments && (ngx_int_t) i == conf->body_argument)) {
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


/* The body's place among the values; -1: this call has none. */
static ngx_int_t
reason_body_place(reason_context_t *ctx)
{
    reason_loc_conf_t  *conf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_reason_module);

    if (conf->body_argument < 0 || ctx->statement != conf->statement) {
        return -1;
    }
    return (conf->caller ? conf->caller->nelts : 0) + conf->body_argument;
}


ngx_int_t
reason_request_bind_body(reason_context_t *ctx)
{
    size_t       length, good;
    u_char      *text, *p, details[sizeof("{\"index\":,\"offset\":}") + 2 * NGX_INT_T_LEN];
    ngx_int_t    index, place = reason_body_place(ctx);
    const char  *problem;

    if (place < 0 || ctx->values[place] != NULL || ctx->request->method != NGX_HTTP_POST) {
        return NGX_OK;
    }
    if (reason_body_length(ctx->request) == 0) {
        reason_error_finish(ctx, NGX_HTTP_BAD_REQUEST, "BAD_REQUEST", "the body is empty: it must be JSON", NULL);
        return NGX_ABORT;
    }
    text = reason_body_text(ctx->request, &length);
    if (text == NULL) {
        reason_error_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR, "INTERNAL", "internal error", NULL);
        return NGX_ABORT;
    }
    ctx->values[place] = (char *) text;
    good = ngx_strlen(text);
    good = reason_utf8_length(text, good);
    if (good == length) {
        return NGX_OK;
    }
    index = reason_json_record(text, good);
    p = ngx_sprintf(details, "{");
    if (index >= 0) {
        p = ngx_sprintf(p, "\"index\":%i,", index);
    }
    *ngx_sprintf(p, "\"offset\":%uz}", good) = '\0';
    problem = text[good] == '\0' ? "the body holds a NUL byte" : "the body is not UTF-8";
    reason_request_release_body(ctx);
    reason_error_finish(ctx, NGX_HTTP_BAD_REQUEST, "BAD_REQUEST", problem, (char *) details);
    return NGX_ABORT;
}


void
reason_request_release_body(reason_context_t *ctx)
{
    ngx_int_t  place = reason_body_place(ctx);

    if (place >= 0 && ctx->values[place] != NULL) {
        (void) ngx_pfree(ctx->request->pool, (char *) ctx->values[place]);
        ctx->values[place] = NULL;
    }
}


/* Binds what can be bound, and calls. */
void
reason_request_call(reason_context_t *ctx)
{
    ngx_int_t            rc;
    ngx_uint_t           count = 0;
    reason_loc_conf_t   *conf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_reason_module);

    rc = reason_bind(ctx, conf->caller, &count);
    if (rc == NGX_OK && !ctx->admitting) {
        rc = reason_bind(ctx, conf->arguments, &count);
    }
    ctx->argument_count = count;
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
    reason_in_handler = ctx->request->connection;
    reason_request_call(ctx);
    reason_in_handler = NULL;
}


static void
reason_body_ready(ngx_http_request_t *r)
{
    size_t              length = reason_body_length(r);
    reason_context_t   *ctx = ngx_http_get_module_ctx(r, ngx_http_reason_module);
    reason_loc_conf_t  *conf = ngx_http_get_module_loc_conf(r, ngx_http_reason_module);

    ctx->statement = conf->statement;
    if (length > conf->admit_above) {
        /* the text, and libpq's message */
        ctx->memory = 2 * length;
        (void) reason_share_use_disk(ctx, (off_t) length - ctx->disk);
    }
    reason_request_run(ctx);
}


void
reason_request_admitted(reason_context_t *ctx)
{
    ngx_int_t            rc;
    ngx_connection_t    *c = ctx->request->connection;
    ngx_http_request_t  *r = ctx->request;

    reason_answer_forget(ctx);
    if (reason_share_use_disk(ctx, ngx_max(r->headers_in.content_length_n, 0)) != NGX_OK) {
        reason_metrics_failure(REASON_FAILURE_CLIENT_SHARE);
        reason_error_finish(ctx, NGX_HTTP_TOO_MANY_REQUESTS, "QUOTA", "this client has too much on its way already; nothing was done", NULL);
        return;
    }
    ctx->admitting = 0;
    rc = ngx_http_read_client_request_body(r, reason_body_ready);
    ngx_http_finalize_request(r, rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE);
    reason_request_run_posted(c);
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
    reason_context_t  *ctx = data;

    reason_pool_abandon(ctx);
    reason_share_free_disk(ctx, ctx->disk);
    reason_share_release(ctx->share);
}
