/*
 * reason_variable.c: what configuration and SQL need to know of a request.
 *
 *   $reason_client_cn, $reason_client_issuer, $reason_client_uri   the verified client certificate's
 *   $reason_client       whose certificate it is: its issuer, and its common name or, without one, its URIs
 *   $reason_request_id   the caller's X-Request-Id if it is sane, else a new one
 *   $reason_path, $reason_traceparent   for logs: what was asked for, without the query string, and the header; UTF-8 in any case
 *   $reason_trace_context   the traceparent header, if it is one: W3C says to ignore any other
 *   $reason_query        the decoded query string as a JSON object of strings
 *   $reason_body         the request's body
 *   $reason_policy_question, $reason_policy_status, $reason_policy_answer   see reason_policy.c
 *
 * A variable that is not found becomes NULL in SQL.
 */
#include "ngx_http_reason.h"

#include <openssl/x509v3.h>

enum { REASON_CLIENT_CN, REASON_CLIENT_ISSUER, REASON_CLIENT_URI };


static ngx_int_t
reason_set(ngx_http_request_t *r, ngx_http_variable_value_t *v, const void *data, size_t length)
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
reason_set_common_name(ngx_http_request_t *r, ngx_http_variable_value_t *v, X509 *certificate)
{
    int              at, length;
    u_char          *utf8;
    ngx_int_t        rc;
    X509_NAME       *subject = X509_get_subject_name(certificate);

    at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    /* two common names are one too many to know who it is */
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) {
        return NGX_OK;
    }
    length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (length <= 0) {
        return NGX_OK;
    }
    rc = ngx_strlchr(utf8, utf8 + length, '\0') ? NGX_OK : reason_set(r, v, utf8, length);
    OPENSSL_free(utf8);
    return rc;
}


static ngx_int_t
reason_set_issuer(ngx_http_request_t *r, ngx_http_variable_value_t *v, X509 *certificate)
{
    BIO        *bio = BIO_new(BIO_s_mem());
    char       *data;
    long        length;
    ngx_int_t   rc = NGX_OK;

    if (bio == NULL) {
        return NGX_ERROR;
    }
    if (X509_NAME_print_ex(bio, X509_get_issuer_name(certificate), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        length = BIO_get_mem_data(bio, &data);
        rc = reason_set(r, v, data, length);
    }
    BIO_free(bio);
    return rc;
}


static ngx_int_t
reason_set_uri(ngx_http_request_t *r, ngx_http_variable_value_t *v, X509 *certificate)
{
    int             i;
    u_char          joined[2048], *p = joined;
    GENERAL_NAMES  *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        GENERAL_NAME  *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_URI) {
            const u_char  *data = ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
            size_t         length = ASN1_STRING_length(name->d.uniformResourceIdentifier);

            if (length < (size_t) (joined + sizeof(joined) - p) && memchr(data, ' ', length) == NULL) {
                if (p > joined) {
                    *p++ = ' ';
                }
                p = ngx_cpymem(p, data, length);
            }
        }
    }
    GENERAL_NAMES_free(names);
    return p > joined ? reason_set(r, v, joined, p - joined) : NGX_OK;
}


static ngx_int_t
reason_client(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t which)
{
    X509       *certificate;
    ngx_int_t   rc = NGX_OK;

    v->not_found = 1;
    if (r->connection->ssl == NULL || SSL_get_verify_result(r->connection->ssl->connection) != X509_V_OK) {
        return NGX_OK;
    }
    certificate = SSL_get_peer_certificate(r->connection->ssl->connection);
    if (certificate == NULL) {
        return NGX_OK;
    }
    switch (which) {
    case REASON_CLIENT_CN: rc = reason_set_common_name(r, v, certificate); break;
    case REASON_CLIENT_ISSUER: rc = reason_set_issuer(r, v, certificate); break;
    case REASON_CLIENT_URI: rc = reason_set_uri(r, v, certificate); break;
    }
    X509_free(certificate);
    return rc;
}


/* Empty without a certificate. */
static ngx_int_t
reason_client_name(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                     *p;
    ngx_uint_t                  i;
    ngx_http_variable_value_t  *part[2];
    static ngx_str_t            names[] = {
        ngx_string("reason_client_issuer"), ngx_string("reason_client_cn"), ngx_string("reason_client_uri")
    };

    for (i = 0; i < 2; i++) {
        part[i] = ngx_http_get_variable(r, &names[i], ngx_hash_key(names[i].data, names[i].len));
        if (i == 1 && part[i] != NULL && part[i]->not_found) {
            part[i] = ngx_http_get_variable(r, &names[2], ngx_hash_key(names[2].data, names[2].len));
        }
        if (part[i] == NULL) {
            return NGX_ERROR;
        }
    }
    v->not_found = part[0]->not_found;
    if (v->not_found) {
        return NGX_OK;
    }
    p = v->data = ngx_pnalloc(r->pool, part[0]->len + 1 + part[1]->len);
    if (p == NULL) {
        return NGX_ERROR;
    }
    p = ngx_cpymem(p, part[0]->data, part[0]->len);
    *p++ = ' ';
    if (!part[1]->not_found) {
        p = ngx_cpymem(p, part[1]->data, part[1]->len);
    }
    v->len = p - v->data;
    v->valid = 1;
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


size_t
reason_body_length(ngx_http_request_t *r)
{
    size_t        length = 0;
    ngx_chain_t  *link;

    for (link = r->request_body != NULL ? r->request_body->bufs : NULL; link; link = link->next) {
        length += ngx_buf_size(link->buf);
    }
    return length;
}


u_char *
reason_body_text(ngx_http_request_t *r, size_t *length)
{
    u_char       *text, *p;
    ngx_chain_t  *link;

    *length = reason_body_length(r);
    text = p = ngx_pnalloc(r->pool, *length + 1);
    if (text == NULL) {
        return NULL;
    }
    for (link = r->request_body != NULL ? r->request_body->bufs : NULL; link; link = link->next) {
        if (link->buf->in_file) {
            ssize_t  n = ngx_read_file(link->buf->file, p, ngx_buf_size(link->buf), link->buf->file_pos);

            if (n != ngx_buf_size(link->buf)) {
                return NULL;
            }
            p += n;
        } else if (link->buf->last > link->buf->pos) {
            p = ngx_cpymem(p, link->buf->pos, link->buf->last - link->buf->pos);
        }
    }
    *p = '\0';
    return text;
}


static ngx_int_t
reason_body(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    size_t  length;

    v->not_found = r->request_body == NULL;
    if (v->not_found) {
        return NGX_OK;
    }
    v->data = reason_body_text(r, &length);
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


/*
 * version "-" trace-id "-" parent-id "-" flags: W3C Trace Context, 3.2.2. Of a later version that is longer, what this one
 * knows is taken (3.2.4).
 */
static ngx_int_t
reason_trace_context(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    enum { ID = 3, PARENT = 36, FLAGS = 53, LENGTH = 55 };
    u_char                     *p;
    ngx_str_t                   header = ngx_string("http_traceparent");
    ngx_http_variable_value_t  *value = ngx_http_get_variable(r, &header, ngx_hash_key(header.data, header.len));

    v->not_found = 1;
    if (value == NULL || value->not_found || value->len < LENGTH) {
        return NGX_OK;
    }
    p = value->data;
    if (!reason_is_hex(p, 2) || (p[0] == 'f' && p[1] == 'f') || p[ID - 1] != '-'
        || !reason_is_hex(p + ID, 32) || reason_is_zero(p + ID, 32) || p[PARENT - 1] != '-'
        || !reason_is_hex(p + PARENT, 16) || reason_is_zero(p + PARENT, 16) || p[FLAGS - 1] != '-' || !reason_is_hex(p + FLAGS, 2)
        || (value->len > LENGTH && (reason_is_zero(p, 2) || p[LENGTH] != '-')))
    {
        return NGX_OK;
    }
    return reason_set(r, v, p, LENGTH);
}


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


static ngx_int_t
reason_query(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
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


static ngx_http_variable_t  reason_variables[] = {
    { ngx_string("reason_client_cn"), NULL, reason_client, REASON_CLIENT_CN, 0, 0 },
    { ngx_string("reason_client_issuer"), NULL, reason_client, REASON_CLIENT_ISSUER, 0, 0 },
    { ngx_string("reason_client_uri"), NULL, reason_client, REASON_CLIENT_URI, 0, 0 },
    { ngx_string("reason_client"), NULL, reason_client_name, 0, 0, 0 },
    { ngx_string("reason_request_id"), NULL, reason_request_id, 0, 0, 0 },
    { ngx_string("reason_path"), NULL, reason_path, 0, 0, 0 },
    { ngx_string("reason_traceparent"), NULL, reason_traceparent, 0, 0, 0 },
    { ngx_string("reason_trace_context"), NULL, reason_trace_context, 0, 0, 0 },
    { ngx_string("reason_query"), NULL, reason_query, 0, 0, 0 },
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
