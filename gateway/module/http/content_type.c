/*
 * http/content_type.c: which bodies are taken, by what the request's header says of them.
 */
#include "http/reason_http.h"


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
ngx_uint_t
reason_content_is_json(ngx_http_request_t *r)
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


/* Whether the body has a content coding such as gzip, which nothing here decodes. */
ngx_uint_t
reason_content_is_encoded(ngx_http_request_t *r)
{
    ngx_str_t                   name = ngx_string("http_content_encoding");
    ngx_http_variable_value_t  *coding = ngx_http_get_variable(r, &name, ngx_hash_key(name.data, name.len));

    return coding != NULL && !coding->not_found && coding->len > 0
        && !(coding->len == sizeof("identity") - 1 && ngx_strncasecmp(coding->data, (u_char *) "identity", coding->len) == 0);
}
