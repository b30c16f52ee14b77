/*
 * http/uncertified.c: what a browser is shown that comes to the explorer without a valid certificate.
 *
 * A person stands before it, who has to be told what to do; every other client gets the error body (error.c).
 */
#include "http/reason_http.h"

static const char  reason_page[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">"
    "<title>A client certificate is needed</title></head>\n"
    "<body>\n"
    "<h1>A client certificate is needed</h1>\n"
    "<p>This service knows people by the certificate in their browser. Yours sent none, or one that has expired, was revoked, or comes from "
    "an authority that this service does not trust.</p>\n"
    "<ol>\n"
    "<li>Look in the browser's settings, under certificates, whether there is one for this service, and until when it is valid.</li>\n"
    "<li>If there is none, or it has expired, ask whoever runs this service for a new one: a file that ends in .p12, and its password.</li>\n"
    "<li>Import it there, close the browser, and open this address again. It asks which certificate to use, and remembers the answer until it "
    "is closed.</li>\n"
    "</ol>\n"
    "</body>\n"
    "</html>\n";


/* A header that has text/html in it is a browser's; text of others has no reason to be refused in HTML. */
static ngx_uint_t
reason_accepts_page(ngx_http_request_t *r)
{
    ngx_str_t                   name = ngx_string("http_accept");
    ngx_http_variable_value_t  *accept = ngx_http_get_variable(r, &name, ngx_hash_key(name.data, name.len));

    return accept != NULL && !accept->not_found
        && ngx_strlcasestrn(accept->data, accept->data + accept->len, (u_char *) "text/html", sizeof("text/html") - 2) != NULL;
}


ngx_uint_t
reason_uncertified_is_shown(ngx_http_request_t *r)
{
    static const char  path[] = "/ui";
    size_t             length = sizeof(path) - 1;

    /* as it was asked for: the location is that of the error by now */
    return r->unparsed_uri.len >= length && ngx_strncmp(r->unparsed_uri.data, path, length) == 0
        && (r->unparsed_uri.len == length || r->unparsed_uri.data[length] == '/' || r->unparsed_uri.data[length] == '?')
        && reason_accepts_page(r);
}


ngx_int_t
reason_uncertified_send(ngx_http_request_t *r)
{
    ngx_str_t         type = ngx_string("text/html"), body;
    ngx_table_elt_t  *policy = ngx_list_push(&r->headers_out.headers);

    if (policy == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    policy->hash = 1;
    ngx_str_set(&policy->key, "Content-Security-Policy");
    ngx_str_set(&policy->value, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    body.data = (u_char *) reason_page;
    body.len = sizeof(reason_page) - 1;
    return reason_response_send_whole(r, NGX_HTTP_UNAUTHORIZED, type, body);
}
