/*
 * http/expiry.c: when what nginx was given for TLS runs out: its certificates, the authorities of clients' certificates, and
 * the list of revoked ones. It is what is in use, as of the last start or reload, not what lies in files by now.
 */
#include "http/reason_http.h"

#include <openssl/ssl.h>
#include <time.h>

typedef struct {
    time_t  certificate, authority, revocation_list;    /* 0: there is none */
} reason_expiry_t;


static void
reason_expiry_lower(time_t *first, const ASN1_TIME *time)
{
    time_t     at;
    struct tm  end;

    if (time != NULL && ASN1_TIME_to_tm(time, &end)) {
        at = timegm(&end);
        *first = *first == 0 ? at : ngx_min(*first, at);
    }
}


static void
reason_expiry_of_server(reason_expiry_t *expiry, SSL_CTX *tls)
{
    int           i;
    long          more;
    X509         *current = SSL_CTX_get0_certificate(tls);
    X509_OBJECT  *object;
    STACK_OF(X509_OBJECT)  *objects;

    /* one for each kind of key */
    for (more = SSL_CTX_set_current_cert(tls, SSL_CERT_SET_FIRST); more; more = SSL_CTX_set_current_cert(tls, SSL_CERT_SET_NEXT)) {
        reason_expiry_lower(&expiry->certificate, X509_get0_notAfter(SSL_CTX_get0_certificate(tls)));
    }
    SSL_CTX_select_current_cert(tls, current);

    objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(tls));
    for (i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        object = sk_X509_OBJECT_value(objects, i);
        if (X509_OBJECT_get0_X509(object) != NULL) {
            reason_expiry_lower(&expiry->authority, X509_get0_notAfter(X509_OBJECT_get0_X509(object)));
        } else if (X509_OBJECT_get0_X509_CRL(object) != NULL) {
            reason_expiry_lower(&expiry->revocation_list, X509_CRL_get0_nextUpdate(X509_OBJECT_get0_X509_CRL(object)));
        }
    }
}


u_char *
reason_expiry_text(u_char *p, ngx_http_request_t *r)
{
    ngx_uint_t                  i;
    reason_expiry_t             expiry;
    ngx_http_ssl_srv_conf_t    *ssl;
    ngx_http_core_main_conf_t  *core = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    ngx_http_core_srv_conf_t  **server = core->servers.elts;
    static const char           name[] = "reason_gateway_expiry_timestamp_seconds";

    ngx_memzero(&expiry, sizeof(expiry));
    for (i = 0; i < core->servers.nelts; i++) {
        ssl = server[i]->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
        if (ssl->ssl.ctx != NULL) {
            reason_expiry_of_server(&expiry, ssl->ssl.ctx);
        }
    }

    p = ngx_sprintf(p, "# HELP %s When the first of what is in use for TLS expires.\n# TYPE %s gauge\n", name, name);
    if (expiry.certificate) {
        p = ngx_sprintf(p, "%s{of=\"certificate\"} %T\n", name, expiry.certificate);
    }
    if (expiry.authority) {
        p = ngx_sprintf(p, "%s{of=\"authority\"} %T\n", name, expiry.authority);
    }
    if (expiry.revocation_list) {
        p = ngx_sprintf(p, "%s{of=\"revocation_list\"} %T\n", name, expiry.revocation_list);
    }
    return p;
}
