/*
 * http/variable.c: what configuration and SQL need to know of a request.
 *
 *   $reason_client_cn, $reason_client_issuer, $reason_client_uri   the verified client certificate's
 *   $reason_client       whose certificate it is: its issuer, and its common name or, without one, its URIs
 *   $reason_request_id   the caller's X-Request-Id if it is sane, else a new one
 *   $reason_path, $reason_traceparent   for logs: what was asked for, without the query string, and the header; UTF-8 in any case
 *   $reason_trace_context   the traceparent header, if it is one: W3C says to ignore any other; of a traced request the one that names
 *                        its own span
 *   $reason_query        the decoded query string as a JSON object of strings
 *   $reason_body         the request's body
 *   $reason_division     the division that a request is about, as far as that is known before its body is read; see http/division.c
 *   $reason_path_division, $reason_client_division   parts of that, which the configuration sets; empty by themselves
 *   $reason_cell         the upstream that holds it: likewise
 *   $reason_policy_question, $reason_policy_status, $reason_policy_answer   see http/policy.c
 *
 * A variable that is not found becomes NULL in SQL.
 */
#include "http/reason_http.h"


ngx_int_t
reason_variable_set(ngx_http_request_t *r, ngx_http_variable_value_t *v, const void *data, size_t length)
{
    u_char  *copy;

    copy = ngx_pnalloc(r->pool, length ? length : 1);
    if (copy == NULL) {
        return NGX_ERROR;
    }
    ngx_memcpy(copy, data, length);
    v->data = copy;
    v->len = length;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    return NGX_OK;
}


static ngx_int_t
reason_request_id(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    size_t                      i;
    ngx_str_t                   header = ngx_string("http_x_request_id"), own = ngx_string("request_id");
    ngx_http_variable_value_t  *value;

    value = ngx_http_get_variable(r, &header, ngx_hash_key(header.data, header.len));
    if (value && !value->not_found && value->len > 0 && value->len <= 128) {
        for (i = 0; i < value->len; i++) {
            if (value->data[i] <= ' ' || value->data[i] > '~' || value->data[i] == '"' || value->data[i] == '\\') {
                break;
            }
        }
        if (i == value->len) {
            *v = *value;
            return NGX_OK;
        }
    }
    value = ngx_http_get_variable(r, &own, ngx_hash_key(own.data, own.len));
    if (value == NULL) {
        return NGX_ERROR;
    }
    *v = *value;
    return NGX_OK;
}


/* What is not UTF-8 becomes U+FFFD, byte by byte. */
static ngx_int_t
reason_set_utf8(ngx_http_request_t *r, ngx_http_variable_value_t *v, const u_char *in, size_t length)
{
    size_t         character;
    u_char        *out = ngx_pnalloc(r->pool, 3 * length);
    const u_char  *end = in + length;

    if (out == NULL) {
        return NGX_ERROR;
    }
    v->data = out;
    for ( ; in < end; in += character ? character : 1) {
        character = reason_utf8_character(in, end);
        out = character ? ngx_cpymem(out, in, character) : ngx_cpymem(out, "\xef\xbf\xbd", 3);
    }
    v->len = out - v->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    return NGX_OK;
}


static ngx_int_t
reason_path(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char     *query;
    ngx_str_t  *uri = &r->main->unparsed_uri;

    if (uri->len == 0) {
        v->not_found = 1;   /* a request line that nobody understands */
        return NGX_OK;
    }
    query = ngx_strlchr(uri->data, uri->data + uri->len, '?');
    return reason_set_utf8(r, v, uri->data, query != NULL ? (size_t) (query - uri->data) : uri->len);
}


static ngx_int_t
reason_traceparent(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                   header = ngx_string("http_traceparent");
    ngx_http_variable_value_t  *value = ngx_http_get_variable(r, &header, ngx_hash_key(header.data, header.len));

    if (value == NULL || value->not_found || value->len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }
    return reason_set_utf8(r, v, value->data, value->len);
}


static ngx_int_t
reason_body(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    size_t  length;

    v->not_found = r->request_body == NULL;
    if (v->not_found) {
        return NGX_OK;
    }
    v->data = reason_input_text(r, &length);
    if (v->data == NULL) {
        return NGX_ERROR;
    }
    v->len = length;
    v->valid = 1;
    return NGX_OK;
}


static ngx_uint_t
reason_is_hex(const u_char *p, size_t length)
{
    for ( ; length > 0; p++, length--) {
        if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f'))) {
            return 0;
        }
    }
    return 1;
}


static ngx_uint_t
reason_is_zero(const u_char *p, size_t length)
{
    while (length > 0 && *p == '0') {
        p++;
        length--;
    }
    return length == 0;
}


/* Whether a header was sent several times: then nobody knows which counts (nginx takes the first, later versions all of them). */
static ngx_uint_t
reason_is_repeated(ngx_http_request_t *r, const char *name)
{
    size_t            length = ngx_strlen(name);
    ngx_uint_t        i, count = 0;
    ngx_list_part_t  *part;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        ngx_table_elt_t  *headers = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (headers[i].key.len == length && ngx_strncasecmp(headers[i].key.data, (u_char *) name, length) == 0) {
                count++;
            }
        }
    }
    return count > 1;
}


/*
 * version "-" trace-id "-" parent-id "-" flags: W3C Trace Context, 3.2.2. In a later version that is longer, what this one
 * knows is taken (3.2.4).
 */
ngx_int_t
reason_trace_context_read(ngx_http_request_t *r, ngx_str_t *context)
{
    enum { ID = 3, PARENT = 36, FLAGS = 53 };
    u_char                     *p;
    ngx_str_t                   header = ngx_string("http_traceparent");
    ngx_http_variable_value_t  *value = ngx_http_get_variable(r, &header, ngx_hash_key(header.data, header.len));

    if (value == NULL || value->not_found || value->len < REASON_TRACEPARENT || reason_is_repeated(r, "traceparent")) {
        return NGX_DECLINED;
    }
    p = value->data;
    if (!reason_is_hex(p, 2) || (p[0] == 'f' && p[1] == 'f') || p[ID - 1] != '-'
        || !reason_is_hex(p + ID, 32) || reason_is_zero(p + ID, 32) || p[PARENT - 1] != '-'
        || !reason_is_hex(p + PARENT, 16) || reason_is_zero(p + PARENT, 16) || p[FLAGS - 1] != '-' || !reason_is_hex(p + FLAGS, 2)
        || (value->len > REASON_TRACEPARENT && (reason_is_zero(p, 2) || p[REASON_TRACEPARENT] != '-')))
    {
        return NGX_DECLINED;
    }
    context->data = p;
    context->len = REASON_TRACEPARENT;
    return NGX_OK;
}


/* The caller's, or where the request has a span of its own, that one's. */
static ngx_int_t
reason_trace_context(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t          context;
    reason_context_t  *ctx = ngx_http_get_module_ctx(r->main, ngx_http_reason_module);

    if (ctx != NULL && ctx->trace != NULL) {
        return reason_variable_set(r, v, ctx->trace->context, REASON_TRACEPARENT);
    }
    v->not_found = 1;
    return reason_trace_context_read(r, &context) == NGX_OK ? reason_variable_set(r, v, context.data, context.len) : NGX_OK;
}


static ngx_int_t
reason_unset(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    v->not_found = 1;
    return NGX_OK;
}


static ngx_http_variable_t  reason_variables[] = {
    { ngx_string("reason_client_cn"), NULL, reason_certificate_variable, REASON_CLIENT_CN, 0, 0 },
    { ngx_string("reason_client_issuer"), NULL, reason_certificate_variable, REASON_CLIENT_ISSUER, 0, 0 },
    { ngx_string("reason_client_uri"), NULL, reason_certificate_variable, REASON_CLIENT_URI, 0, 0 },
    { ngx_string("reason_client"), NULL, reason_certificate_client, 0, 0, 0 },
    { ngx_string("reason_request_id"), NULL, reason_request_id, 0, 0, 0 },
    { ngx_string("reason_path"), NULL, reason_path, 0, 0, 0 },
    { ngx_string("reason_traceparent"), NULL, reason_traceparent, 0, 0, 0 },
    { ngx_string("reason_trace_context"), NULL, reason_trace_context, 0, 0, 0 },
    { ngx_string("reason_query"), NULL, reason_query_variable, 0, 0, 0 },
    { ngx_string("reason_division"), NULL, reason_division_variable, 0, 0, 0 },
    { ngx_string("reason_path_division"), NULL, reason_unset, 0, NGX_HTTP_VAR_CHANGEABLE, 0 },
    { ngx_string("reason_cell"), NULL, reason_unset, 0, NGX_HTTP_VAR_CHANGEABLE, 0 },
    { ngx_string("reason_client_division"), NULL, reason_unset, 0, NGX_HTTP_VAR_CHANGEABLE, 0 },
    { ngx_string("reason_body"), NULL, reason_body, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("reason_policy_question"), NULL, reason_policy_variable, REASON_POLICY_QUESTION, NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("reason_policy_status"), NULL, reason_policy_variable, REASON_POLICY_STATUS, NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("reason_policy_answer"), NULL, reason_policy_variable, REASON_POLICY_ANSWER, NGX_HTTP_VAR_NOCACHEABLE, 0 },
    ngx_http_null_variable
};


ngx_int_t
reason_variables_add(ngx_conf_t *cf)
{
    ngx_http_variable_t  *variable, *v;

    for (v = reason_variables; v->name.len; v++) {
        variable = ngx_http_add_variable(cf, &v->name, v->flags);
        if (variable == NULL) {
            return NGX_ERROR;
        }
        variable->get_handler = v->get_handler;
        variable->data = v->data;
    }
    return NGX_OK;
}
