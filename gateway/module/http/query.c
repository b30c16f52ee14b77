/*
 * http/query.c: the query string as a JSON object of strings, as the variable $reason_query.
 */
#include "http/reason_http.h"


/* One name or value, decoded and as a JSON string; NULL if it cannot be one. */
static u_char *
reason_query_string(u_char *out, u_char *in, u_char *end)
{
    static const char  hex[] = "0123456789abcdef";

    *out++ = '"';
    for ( ; in < end; in++) {
        u_char  c = *in;

        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            ngx_int_t  value;

            if (end - in < 3 || (value = ngx_hextoi(in + 1, 2)) == NGX_ERROR) {
                return NULL;
            }
            c = (u_char) value;
            in += 2;
        }
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
