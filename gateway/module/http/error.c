/*
 * http/error.c: errors of the database and of nginx, as the one error body that clients get.
 */
#include "http/reason_http.h"

typedef struct {
    const char  *sqlstate;      /* whole, or the class */
    ngx_uint_t   status;
    const char  *code;
} reason_sqlstate_t;

/* The first that matches. What is not listed is a defect of ours: 500, and nothing of it shown. */
static const reason_sqlstate_t  reason_sqlstates[] = {
    { "28000", 401, "AUTH" },
    { "42501", 403, "FORBIDDEN" },
    { "P0002", 404, "NOT_FOUND" },
    { "23505", 409, "CONFLICT" },
    { "55000", 409, "CONFLICT" },
    { "54000", 413, "TOO_LARGE" },
    { "0A000", 415, "UNSUPPORTED" },
    { "53400", 429, "QUOTA" },
    { "22", 400, "BAD_REQUEST" },
    { "23502", 400, "BAD_REQUEST" },
    { "23514", 400, "BAD_REQUEST" },
    { "57014", 504, "DEPENDENCY" },
    { "40001", 503, "DEPENDENCY" },
    { "40P01", 503, "DEPENDENCY" },
    { "25006", 503, "DEPENDENCY" },
    { "53", 503, "DEPENDENCY" },
    { "57P", 503, "DEPENDENCY" },
    { "08", 503, "DEPENDENCY" },
    { NULL, 500, "INTERNAL" }
};


/* Seconds: what the database's details say, else 1. */
static ngx_str_t
reason_retry_after(const char *details)
{
    ngx_str_t          value = ngx_string("1");
    const char        *p;
    static const char  member[] = "\"retryAfter\":";

    p = details ? strstr(details, member) : NULL;
    if (p == NULL) {
        return value;
    }
    p += sizeof(member) - 1;
    p += strspn(p, " ");
    if (*p >= '0' && *p <= '9') {
        value.data = (u_char *) p;
        value.len = strspn(p, "0123456789");
    }
    return value;
}


ngx_int_t
reason_error_send(ngx_http_request_t *r, ngx_uint_t status, const char *code, const char *message, const char *details)
{
    u_char                     *p;
    size_t                      size;
    ngx_buf_t                  *b;
    ngx_str_t                   name = ngx_string("reason_request_id"), type = ngx_string("application/json"), body;
    ngx_table_elt_t            *retry;
    ngx_http_variable_value_t  *id;

    id = ngx_http_get_variable(r, &name, ngx_hash_key(name.data, name.len));
    size = 6 * ngx_strlen(message) + (details ? ngx_strlen(details) : 2) + (id ? id->len : 0) + 128;
    b = ngx_create_temp_buf(r->pool, size);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    p = ngx_sprintf(b->last, "{\"error\":\"");
    p = reason_json_escape(p, message);
    p = ngx_sprintf(p, "\",\"code\":\"REASONING_GRAPH_%s\",\"requestId\":\"", code);
    if (id && !id->not_found) {
        p = ngx_cpymem(p, id->data, id->len);
    }
    p = ngx_sprintf(p, "\",\"details\":%s}", details ? details : "{}");
    body.data = b->pos;
    body.len = p - b->pos;
    if (status == 503 || status == 429) {
        retry = ngx_list_push(&r->headers_out.headers);
        if (retry != NULL) {
            retry->hash = 1;
            ngx_str_set(&retry->key, "Retry-After");
            retry->value = reason_retry_after(details);
        }
    }
    return reason_response_send_whole(r, status, type, body);
}


void
reason_error_finish(reason_context_t *ctx, ngx_uint_t status, const char *code, const char *message, const char *details)
{
    ngx_int_t  rc;

    if (ctx->streaming) {
        reason_response_abort(ctx);
        return;
    }
    reason_response_forget(ctx);
    if (ctx->admitting && reason_discard_prepare(ctx->request) != NGX_OK) {
        reason_response_abort(ctx);
        return;
    }
    rc = reason_error_send(ctx->request, status, code, message, details);
    reason_response_finish(ctx, ctx->admitting ? reason_discard_rest(ctx->request, rc) : rc);
}


static const char *
reason_error_copy(ngx_pool_t *pool, const char *text)
{
    size_t   size = ngx_strlen(text) + 1;
    u_char  *copy = ngx_pnalloc(pool, size);

    if (copy == NULL) {
        return "internal error";
    }
    ngx_memcpy(copy, text, size);
    return (char *) copy;
}


/* {"detail":…,"hint":…}, or the members of a detail that is an object already; NULL: no memory */
static const char *
reason_error_details(ngx_pool_t *pool, const char *detail, const char *hint)
{
    u_char  *p, *details;
    size_t   object, size = 6 * ((detail ? ngx_strlen(detail) : 0) + (hint ? ngx_strlen(hint) : 0)) + 64;

    details = ngx_pnalloc(pool, size);
    if (details == NULL) {
        return NULL;
    }
    p = details;
    object = detail ? reason_json_object(detail) : 0;
    if (object > 0) {
        /* JSON already: {"index":3,"pointer":…} */
        p = ngx_cpymem(p, detail, object - 1);
    } else if (detail) {
        p = ngx_sprintf(p, "{\"detail\":\"");
        p = reason_json_escape(p, detail);
        *p++ = '"';
    } else {
        *p++ = '{';
    }
    if (hint) {
        if (p[-1] != '{') {
            *p++ = ',';
        }
        p = ngx_sprintf(p, "\"hint\":\"");
        p = reason_json_escape(p, hint);
        *p++ = '"';
    }
    *p++ = '}';
    *p = '\0';
    return (char *) details;
}


reason_refusal_t
reason_error_of(ngx_http_request_t *r, PGresult *result)
{
    ngx_str_t                   name = ngx_string("reason_request_id");
    const char                 *sqlstate, *message, *detail, *hint;
    reason_refusal_t            refusal;
    const reason_sqlstate_t    *entry;
    ngx_http_variable_value_t  *id;

    sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    if (sqlstate == NULL) {
        sqlstate = "08006";
    }
    if (message == NULL) {
        message = "the database connection failed";
    }

    for (entry = reason_sqlstates; entry->sqlstate; entry++) {
        if (ngx_strncmp(sqlstate, entry->sqlstate, ngx_strlen(entry->sqlstate)) == 0) {
            break;
        }
    }

    /* what comes with details in JSON was raised for the client */
    if (entry->status >= 500 && (entry->status != 503 || detail == NULL || reason_json_object(detail) == 0)) {
        id = ngx_http_get_variable(r, &name, ngx_hash_key(name.data, name.len));
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "reason: request %v: %s: %s", id, sqlstate, message);
        message = entry->status == 500 ? "internal error" : entry->status == 504
            ? "the database took too long" : "the database is not available";
        detail = hint = NULL;
    }
    refusal.status = entry->status;
    refusal.code = entry->code;
    refusal.message = reason_error_copy(r->pool, message);
    refusal.details = reason_error_details(r->pool, detail, hint);
    if (refusal.details == NULL) {
        refusal.status = NGX_HTTP_INTERNAL_SERVER_ERROR;
        refusal.code = "INTERNAL";
        refusal.message = "internal error";
    }
    return refusal;
}


void
reason_error_refused(reason_job_t *job, PGresult *result)
{
    reason_context_t  *ctx = (reason_context_t *) job;
    reason_refusal_t   refusal = reason_error_of(ctx->request, result);

    reason_error_finish(ctx, refusal.status, refusal.code, refusal.message, refusal.details);
}


void
reason_error_failed(reason_job_t *job, reason_failure_e failure)
{
    ngx_uint_t         status = NGX_HTTP_SERVICE_UNAVAILABLE;
    const char        *code = "DEPENDENCY", *message;
    reason_context_t  *ctx = (reason_context_t *) job;

    switch (failure) {
    case REASON_FAILURE_QUEUE_FULL:
        message = "the service is overloaded";
        break;
    case REASON_FAILURE_CLIENT_SHARE:
        status = NGX_HTTP_TOO_MANY_REQUESTS;
        code = "QUOTA";
        message = "too many requests of this client wait already; nothing was done";
        break;
    case REASON_FAILURE_QUEUE_DEADLINE:
        message = "no database connection became free in time; nothing was done";
        break;
    case REASON_FAILURE_QUERY_DEADLINE:
        status = NGX_HTTP_GATEWAY_TIME_OUT;
        message = "the database did not answer in time; whether the request took effect is unknown";
        break;
    default:
        message = job->executed ? "the database connection was lost; whether the request took effect is unknown"
                                : "the database connection was lost; nothing was done";
    }
    reason_error_finish(ctx, status, code, message, NULL);
}


/* For error_page: the error body for whatever status led here. */
ngx_int_t
reason_error_handler(ngx_http_request_t *r)
{
    ngx_uint_t        status = r->err_status ? r->err_status : r->headers_out.status;
    const char       *code, *message;
    ngx_table_elt_t  *allow;

    switch (status) {
    case 401: case 495: case 496: case 497:
        status = 401; code = "AUTH"; message = "a valid client certificate is required"; break;
    case 403: code = "FORBIDDEN"; message = "forbidden"; break;
    case 404: code = "NOT_FOUND"; message = "no such path"; break;
    case 405: code = "BAD_REQUEST"; message = "this path does not take that method"; break;
    case 408: code = "BAD_REQUEST"; message = "the request did not arrive in time"; break;
    case 412: code = "BAD_REQUEST"; message = "a condition of the request is not met"; break;
    case 411: case 414: case 494: status = status == 494 ? 400 : status; code = "BAD_REQUEST"; message = "the request cannot be read"; break;
    case 413: code = "TOO_LARGE"; message = "the body is larger than allowed"; break;
    case 415: code = "UNSUPPORTED"; message = "writes take application/json"; break;
    case 429: code = "QUOTA"; message = "too many requests"; break;
    case 502: case 503: case 504: code = "DEPENDENCY"; message = "the service is not available"; break;
    case 500: code = "INTERNAL"; message = "internal error"; break;
    case 505: code = "BAD_REQUEST"; message = "this version of HTTP is not spoken"; break;
    default: code = status < 500 ? "BAD_REQUEST" : "INTERNAL"; message = "the request cannot be served"; break;
    }
    if (status == NGX_HTTP_NOT_ALLOWED && (allow = ngx_list_push(&r->headers_out.headers)) != NULL) {
        /* only nginx's own static files lead here */
        allow->hash = 1;
        ngx_str_set(&allow->key, "Allow");
        ngx_str_set(&allow->value, "GET, HEAD");
    }
    r->err_status = 0;
    if (reason_discard_prepare(r) != NGX_OK) {
        r->keepalive = 0;
    }
    return reason_discard_rest(r, status == NGX_HTTP_UNAUTHORIZED && reason_uncertified_is_shown(r)
        ? reason_uncertified_send(r) : reason_error_send(r, status, code, message, NULL));
}
