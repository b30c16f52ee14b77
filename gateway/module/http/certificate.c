/*
 * http/certificate.c: who the client is: what its verified certificate says, as variables.
 *
 * The database knows which client that is, and what it may do (sql/client.sql).
 */
#include "http/reason_http.h"

#include <openssl/x509v3.h>


static ngx_int_t
reason_certificate_common_name(ngx_http_request_t *r, ngx_http_variable_value_t *v, X509 *certificate)
{
    int         at, length;
    u_char     *utf8;
    ngx_int_t   rc;
    X509_NAME  *subject = X509_get_subject_name(certificate);

    at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    /* two common names are one too many to know who it is */
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) {
        return NGX_OK;
    }
    length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (length <= 0) {
        return NGX_OK;
    }
    rc = ngx_strlchr(utf8, utf8 + length, '\0') ? NGX_OK : reason_variable_set(r, v, utf8, length);
    OPENSSL_free(utf8);
    return rc;
}


static ngx_int_t
reason_certificate_issuer(ngx_http_request_t *r, ngx_http_variable_value_t *v, X509 *certificate)
{
    BIO       *bio = BIO_new(BIO_s_mem());
    char      *data;
    long       length;
    ngx_int_t  rc = NGX_OK;

    if (bio == NULL) {
        return NGX_ERROR;
    }
    if (X509_NAME_print_ex(bio, X509_get_issuer_name(certificate), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        length = BIO_get_mem_data(bio, &data);
        rc = reason_variable_set(r, v, data, length);
    }
    BIO_free(bio);
    return rc;
}


static ngx_int_t
reason_certificate_uri(ngx_http_request_t *r, ngx_http_variable_value_t *v, X509 *certificate)
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
    return p > joined ? reason_variable_set(r, v, joined, p - joined) : NGX_OK;
}


ngx_int_t
reason_certificate_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t which)
{
    X509      *certificate;
    ngx_int_t  rc = NGX_OK;

    v->not_found = 1;
    if (r->connection->ssl == NULL || SSL_get_verify_result(r->connection->ssl->connection) != X509_V_OK) {
        return NGX_OK;
    }
    certificate = SSL_get_peer_certificate(r->connection->ssl->connection);
    if (certificate == NULL) {
        return NGX_OK;
    }
    switch (which) {
    case REASON_CLIENT_CN: rc = reason_certificate_common_name(r, v, certificate); break;
    case REASON_CLIENT_ISSUER: rc = reason_certificate_issuer(r, v, certificate); break;
    case REASON_CLIENT_URI: rc = reason_certificate_uri(r, v, certificate); break;
    }
    X509_free(certificate);
    return rc;
}


ngx_int_t
reason_certificate_client(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
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
