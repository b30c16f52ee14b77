/*
 * http/query.c: the query string as a JSON object of strings, as the variable $reason_query; and one parameter of it.
 */
#include "http/reason_http.h"


/* The character at *in, which is moved on behind it; 0 if it can be none. */
static u_char
reason_query_character(u_char **in, u_char *end)
{
    u_char     c = *(*in)++;
    ngx_int_t  value;

    if (c == '+') {
        return ' ';
    }
    if (c == '%') {
        if (end - *in < 2 || (value = ngx_hextoi(*in, 2)) == NGX_ERROR) {
            return 0;
        }
        *in += 2;
        return (u_char) value;
    }
    return c;
}


/* One name or value, decoded and as a JSON string; NULL if it cannot be one. */
static u_char *
reason_query_string(u_char *out, u_char *in, u_char *end)
{
    static const char  hex[] = "0123456789abcdef";

    *out++ = '"';
    while (in < end) {
        u_char  c = reason_query_character(&in, end);

        if (c == 0) {
            return NULL;
        }
        if (c == '"' || c == '\\') {
            *out++ = '\\';
            *out++ = c;
        } else if (c < 0x20) {
            out = ngx_cpymem(out, "\\u00", 4);
            *out++ = hex[c >> 4];
            *out++ = hex[c & 15];
        } else {
            *out++ = c;
        }
    }
    *out++ = '"';
    return out;
}


ngx_int_t
reason_query_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char            *p, *in, *end, *next, *equals, *start;
    reason_context_t  *ctx = ngx_http_get_module_ctx(r, ngx_http_reason_module);

    v->not_found = 1;
    start = p = ngx_pnalloc(r->pool, 6 * r->args.len + 16);
    if (p == NULL) {
        return NGX_ERROR;
    }
    *p++ = '{';
    end = r->args.len ? r->args.data + r->args.len : r->args.data;
    for (in = r->args.data; in < end; in = next + 1) {
        next = ngx_strlchr(in, end, '&');
        if (next == NULL) {
            next = end;
        }
        if (next == in) {
            continue;
        }
        equals = ngx_strlchr(in, next, '=');
        if (p[-1] != '{') {
            *p++ = ',';
        }
        p = reason_query_string(p, in, equals ? equals : next);
        if (p != NULL) {
            *p++ = ':';
            p = equals ? reason_query_string(p, equals + 1, next) : ngx_cpymem(p, "\"\"", 2);
        }
        if (p == NULL) {
            if (ctx != NULL) {
                ctx->refusal = "the query string is not valid percent-encoding";
            }
            return NGX_OK;
        }
    }
    *p++ = '}';
    v->data = start;
    v->len = p - start;
    v->valid = 1;
    v->not_found = 0;
    return NGX_OK;
}


/* Decodes into `out`; what is behind it, or NULL. */
static u_char *
reason_query_decoded(u_char *out, u_char *in, u_char *end)
{
    while (in < end) {
        *out = reason_query_character(&in, end);
        if (*out++ == 0) {
            return NULL;
        }
    }
    return out;
}


ngx_int_t
reason_query_parameter(ngx_http_request_t *r, const char *name, ngx_str_t *value)
{
    u_char  *decoded, *p, *in, *end, *next, *equals;

    if (r->args.len == 0) {
        return NGX_DECLINED;
    }
    decoded = ngx_pnalloc(r->pool, r->args.len);
    if (decoded == NULL) {
        return NGX_ERROR;
    }
    end = r->args.data + r->args.len;
    for (in = r->args.data; in < end; in = next + 1) {
        next = ngx_strlchr(in, end, '&');
        if (next == NULL) {
            next = end;
        }
        equals = ngx_strlchr(in, next, '=');
        p = reason_query_decoded(decoded, in, equals ? equals : next);
        if (p == NULL || (size_t) (p - decoded) != ngx_strlen(name) || ngx_memcmp(decoded, name, p - decoded) != 0) {
            continue;
        }
        p = equals ? reason_query_decoded(decoded, equals + 1, next) : decoded;
        if (p == NULL) {
            return NGX_DECLINED;
        }
        value->data = decoded;
        value->len = p - decoded;
        return NGX_OK;
    }
    return NGX_DECLINED;
}
