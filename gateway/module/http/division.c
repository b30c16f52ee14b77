/*
 * http/division.c: which division a request is about, and to which upstream a division goes. No body is read for it.
 *
 *   $reason_division   the division that the path names (reason_division); else the parameter "division"; else what the
 *                      configuration says of the client ($reason_client_division); else empty
 *
 * reason_pass takes a variable that a map makes of it. Whatever it gives must be the name of a reason_upstream: a request
 * whose division has no place goes nowhere.
 */
#include "http/reason_http.h"


static ngx_int_t
reason_division_named(ngx_http_request_t *r, ngx_str_t *name, ngx_str_t *division)
{
    ngx_http_variable_value_t  *value = ngx_http_get_variable(r, name, ngx_hash_key(name->data, name->len));

    ngx_str_null(division);
    if (value == NULL) {
        return NGX_ERROR;
    }
    if (!value->not_found) {
        division->data = value->data;
        division->len = value->len;
    }
    return NGX_OK;
}


ngx_int_t
reason_division_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_int_t           rc;
    ngx_str_t           division, client = ngx_string("reason_client_division");
    reason_context_t   *ctx = ngx_http_get_module_ctx(r, ngx_http_reason_module);
    reason_loc_conf_t  *conf = ngx_http_get_module_loc_conf(r, ngx_http_reason_module);

    if (ctx != NULL && ctx->placing.len > 0) {
        return reason_variable_set(r, v, ctx->placing.data, ctx->placing.len);
    }
    v->not_found = 1;
    if (reason_division_of_path(r, conf, &division) == NGX_ERROR) {
        return NGX_ERROR;
    }
    if (division.len == 0) {
        rc = reason_query_parameter(r, "division", &division);
        if (rc == NGX_ERROR || (rc == NGX_DECLINED && reason_division_named(r, &client, &division) != NGX_OK)) {
            return NGX_ERROR;
        }
    }
    return division.len > 0 ? reason_variable_set(r, v, division.data, division.len) : NGX_OK;
}


ngx_int_t
reason_division_of_path(ngx_http_request_t *r, reason_loc_conf_t *conf, ngx_str_t *division)
{
    ngx_int_t  rc;
    ngx_str_t  parameter;

    ngx_str_null(division);
    if (conf->division == NULL) {
        return NGX_OK;
    }
    if (ngx_http_complex_value(r, conf->division, division) != NGX_OK) {
        return NGX_ERROR;
    }
    if (division->len == 0) {
        return NGX_OK;
    }
    rc = reason_query_parameter(r, "division", &parameter);
    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_OK : rc;
    }
    return parameter.len == division->len && ngx_memcmp(parameter.data, division->data, division->len) == 0 ? NGX_OK : NGX_DECLINED;
}


reason_pool_t *
reason_division_pool(ngx_http_request_t *r, reason_loc_conf_t *conf)
{
    ngx_str_t            name;
    reason_pool_t       *pool;
    reason_main_conf_t  *main = ngx_http_get_module_main_conf(r, ngx_http_reason_module);

    if (conf->pass == NULL) {
        return conf->pool;
    }
    if (ngx_http_complex_value(r, conf->pass, &name) != NGX_OK) {
        return NULL;
    }
    pool = reason_pool_named(main, &name);
    if (pool == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "reason: reason_pass gives \"%V\", which is no reason_upstream", &name);
    }
    return pool;
}


ngx_uint_t
reason_division_is_named(ngx_http_request_t *r)
{
    ngx_str_t  division, name = ngx_string("reason_division");

    return reason_division_named(r, &name, &division) != NGX_OK || division.len > 0;
}


/* Variables keep their values as long as the request lasts, so they are put aside. */
ngx_int_t
reason_division_placed(reason_context_t *ctx, ngx_http_complex_value_t *value, ngx_str_t *division, ngx_str_t *place)
{
    ngx_int_t                   rc;
    ngx_http_request_t         *r = ctx->request;
    ngx_http_variable_value_t  *kept = r->variables;
    ngx_http_core_main_conf_t  *main = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    r->variables = ngx_pcalloc(r->pool, main->variables.nelts * sizeof(ngx_http_variable_value_t));
    if (r->variables == NULL) {
        r->variables = kept;
        return NGX_ERROR;
    }
    ctx->placing = *division;
    rc = ngx_http_complex_value(r, value, place);
    ngx_str_null(&ctx->placing);
    ngx_pfree(r->pool, r->variables);
    r->variables = kept;
    return rc;
}
