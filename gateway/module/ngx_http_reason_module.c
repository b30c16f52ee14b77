/*
 * ngx_http_reason_module.c: directives, and what they stand for.
 *
 *   reason_upstream name { server conninfo; connections n; pipeline n; spread n; queue n; connect_timeout t; query_timeout t; … }   http
 *   reason_pass name                 http, server, location   a reason_upstream; with variables: named by each request (http/division.c)
 *   reason_division value            http, server, location   the division that the path names: SELECT … (…, path_division => value)
 *   reason_cells name …              http, server             calls of class service are made of each of these (http/health.c)
 *   reason_cells_named on|off        http, server             and tell which do not answer
 *   reason_list function place       location                 called in each cell, if no division is named (http/listing.c)
 *   reason_caller value …            http, server, location   put before every call's arguments
 *   reason_call function value …     location                 SELECT * FROM reason.function(caller…, value…)
 *   reason_client value              http, server, location   whose share a call is of (pg/client_share.c)
 *   reason_class service|write|read|heavy                     location
 *   reason_admit function [size]     http, server, location   called before a body longer than that is read
 *   reason_pieces function           http, server, location   SELECT …, reason.function(body): long bodies in pieces
 *   reason_methods method …          location                 others are answered 405 with Allow
 *   reason_pipeline on|off           location                 calls may share a connection (pg/in_flight.c)
 *   reason_await function key        location                 asked again while the answer is 202
 *   reason_policy_check uri [t]      http, server, location   where a question of the call is asked (http/policy.c)
 *   reason_error                     location                 the error body for the status that led here
 *   reason_metrics                   location                 Prometheus text
 *   reason_tracing url [service]     http                     a collector that spans of traced requests go to (http/spans.c)
 */
#include "http/reason_http.h"

#include <malloc.h>

#define REASON_METHODS  (NGX_HTTP_GET|NGX_HTTP_HEAD)
#define REASON_ADMIT_ABOVE  262144

static void *reason_create_main_conf(ngx_conf_t *cf);
static void *reason_create_loc_conf(ngx_conf_t *cf);
static char *reason_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static ngx_int_t reason_init_worker(ngx_cycle_t *cycle);
static void reason_exit_worker(ngx_cycle_t *cycle);
static char *reason_pass(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_caller(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_cells(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_list(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_call(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_admit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_pieces(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_methods(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_await(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_policy_check(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_error(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

static char *reason_tracing(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

static ngx_conf_enum_t  reason_classes[] = {
    { ngx_string("service"), REASON_CLASS_SERVICE },
    { ngx_string("write"), REASON_CLASS_WRITE },
    { ngx_string("read"), REASON_CLASS_READ },
    { ngx_string("heavy"), REASON_CLASS_HEAVY },
    { ngx_null_string, 0 }
};

static ngx_command_t  reason_commands[] = {

    { ngx_string("reason_upstream"), NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1, reason_upstream,
      NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_pass"), NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1, reason_pass,
      NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_caller"), NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE, reason_caller,
      NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_call"), NGX_HTTP_LOC_CONF|NGX_CONF_1MORE, reason_call, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_client"), NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot, NGX_HTTP_LOC_CONF_OFFSET, offsetof(reason_loc_conf_t, client), NULL },
    { ngx_string("reason_division"), NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot, NGX_HTTP_LOC_CONF_OFFSET, offsetof(reason_loc_conf_t, division), NULL },
    { ngx_string("reason_cells"), NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE, reason_cells, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_cells_named"), NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_FLAG, ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET, offsetof(reason_loc_conf_t, cells_named), NULL },
    { ngx_string("reason_list"), NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2, reason_list, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_class"), NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1, ngx_conf_set_enum_slot, NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(reason_loc_conf_t, class), &reason_classes },
    { ngx_string("reason_admit"), NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12, reason_admit,
      NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_pieces"), NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1, reason_pieces,
      NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_methods"), NGX_HTTP_LOC_CONF|NGX_CONF_1MORE, reason_methods, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_pipeline"), NGX_HTTP_LOC_CONF|NGX_CONF_FLAG, ngx_conf_set_flag_slot, NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(reason_loc_conf_t, pipeline), NULL },
    { ngx_string("reason_await"), NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1, reason_await, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_policy_check"), NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12, reason_policy_check,
      NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_error"), NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS, reason_error, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_metrics"), NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS, reason_metrics, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_tracing"), NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12, reason_tracing, NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL },
    ngx_null_command
};

static ngx_http_module_t  reason_module_context = {
    reason_variables_add, reason_metrics_init, reason_create_main_conf, NULL, NULL, NULL, reason_create_loc_conf, reason_merge_loc_conf
};

ngx_module_t  ngx_http_reason_module = {
    NGX_MODULE_V1, &reason_module_context, reason_commands, NGX_HTTP_MODULE, NULL, NULL, reason_init_worker, NULL, NULL,
    reason_exit_worker, NULL, NGX_MODULE_V1_PADDING
};


/* ---------------------------------------------------------------- configuration */

static void *
reason_create_main_conf(ngx_conf_t *cf)
{
    reason_main_conf_t  *conf = ngx_pcalloc(cf->pool, sizeof(reason_main_conf_t));

    if (conf == NULL
        || ngx_array_init(&conf->statements, cf->pool, 16, sizeof(reason_statement_t *)) != NGX_OK
        || ngx_array_init(&conf->pools, cf->pool, 2, sizeof(reason_pool_t *)) != NGX_OK)
    {
        return NULL;
    }
    return conf;
}


static void *
reason_create_loc_conf(ngx_conf_t *cf)
{
    reason_loc_conf_t  *conf = ngx_pcalloc(cf->pool, sizeof(reason_loc_conf_t));

    if (conf != NULL) {
        conf->class = NGX_CONF_UNSET_UINT;
        conf->admit_above = NGX_CONF_UNSET_SIZE;
        conf->body_argument = -1;
        conf->pipeline = NGX_CONF_UNSET;
        conf->cells_named = NGX_CONF_UNSET;
    }
    return conf;
}


static char *
reason_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    reason_loc_conf_t   *prev = parent;
    reason_loc_conf_t   *conf = child;
    ngx_str_t            none = ngx_null_string;
    ngx_uint_t           callers, arguments;
    reason_main_conf_t  *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_reason_module);

    if (conf->pool == NULL && conf->pass == NULL) {
        conf->pool = prev->pool;
        conf->pass = prev->pass;
    }
    if (conf->division == NULL) {
        conf->division = prev->division;
    }
    if (conf->cells == NULL) {
        conf->cells = prev->cells;
    }
    ngx_conf_merge_value(conf->cells_named, prev->cells_named, 0);
    if (conf->caller == NULL) {
        conf->caller = prev->caller;
    }
    if (conf->client == NULL) {
        conf->client = prev->client;
    }
    ngx_conf_merge_size_value(conf->admit_above, prev->admit_above, REASON_ADMIT_ABOVE);
    ngx_conf_merge_str_value(conf->admit_function, prev->admit_function, "");
    ngx_conf_merge_str_value(conf->pieces, prev->pieces, "");
    if (conf->policy_uri.len == 0) {
        conf->policy_uri = prev->policy_uri;
        conf->policy_deadline = prev->policy_deadline;
    }
    if (conf->function.len == 0) {
        return NGX_CONF_OK;
    }
    if (conf->pool == NULL && conf->pass == NULL) {
        return "has reason_call but no reason_pass";
    }
    callers = conf->caller ? conf->caller->nelts : 0;
    if (conf->methods == 0) {
        conf->methods = REASON_METHODS;
    }
    if (conf->pipeline == NGX_CONF_UNSET) {
        conf->pipeline = 0;
    }
    if (conf->pipeline && (conf->methods & NGX_HTTP_POST)) {
        return "has reason_pipeline and takes POST: only what reads may be done twice";
    }
    if (conf->class == NGX_CONF_UNSET_UINT) {
        conf->class = conf->methods & NGX_HTTP_POST ? REASON_CLASS_WRITE : REASON_CLASS_READ;
    }
    if (conf->admit_function.len > 0) {
        conf->admit = reason_statement(cf, main, &conf->admit_function, callers, &none, 0);
        conf->admit_scoped = conf->division ? reason_statement(cf, main, &conf->admit_function, callers, &none, 1) : NULL;
        if (conf->admit == NULL || (conf->division && conf->admit_scoped == NULL)) {
            return NGX_CONF_ERROR;
        }
    }
    arguments = callers + (conf->arguments ? conf->arguments->nelts : 0);
    conf->statement = reason_statement(cf, main, &conf->function, arguments, &conf->pieces, 0);
    conf->scoped = conf->division ? reason_statement(cf, main, &conf->function, arguments, &conf->pieces, 1) : NULL;
    if (conf->list_function.len > 0) {
        conf->list = reason_statement(cf, main, &conf->list_function, arguments + 1, &none, 0);
        if (conf->list == NULL) {
            return NGX_CONF_ERROR;
        }
    }
    return conf->statement && (conf->scoped || !conf->division) ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
reason_value_compile(ngx_conf_t *cf, ngx_str_t *text, ngx_http_complex_value_t *value)
{
    ngx_http_compile_complex_value_t  ccv;

    ngx_memzero(&ccv, sizeof(ccv));
    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = value;
    return ngx_http_compile_complex_value(&ccv);
}


static ngx_http_complex_value_t *
reason_value(ngx_conf_t *cf, ngx_str_t *text)
{
    ngx_http_complex_value_t  *value = ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t));

    return value != NULL && reason_value_compile(cf, text, value) == NGX_OK ? value : NULL;
}


static char *
reason_pass(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_str_t           *value = cf->args->elts;
    reason_loc_conf_t   *conf = data;
    reason_main_conf_t  *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_reason_module);

    if (conf->pool != NULL || conf->pass != NULL) {
        return "is duplicate";
    }
    if (ngx_http_script_variables_count(&value[1]) == 0) {
        conf->pool = reason_pool_named(main, &value[1]);
        return conf->pool ? NGX_CONF_OK : "names no reason_upstream defined before";
    }
    conf->pass = reason_value(cf, &value[1]);
    return conf->pass ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
reason_cells(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_uint_t           i;
    ngx_str_t           *value = cf->args->elts;
    reason_pool_t      **pool;
    reason_loc_conf_t   *conf = data;
    reason_main_conf_t  *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_reason_module);

    if (conf->cells != NULL) {
        return "is duplicate";
    }
    conf->cells = ngx_array_create(cf->pool, cf->args->nelts, sizeof(reason_pool_t *));
    for (i = 1; conf->cells && i < cf->args->nelts; i++) {
        pool = ngx_array_push(conf->cells);
        if (pool == NULL) {
            return NGX_CONF_ERROR;
        }
        *pool = reason_pool_named(main, &value[i]);
        if (*pool == NULL) {
            return "names no reason_upstream defined before";
        }
    }
    return conf->cells ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_array_t *
reason_values(ngx_conf_t *cf, ngx_uint_t first)
{
    ngx_uint_t                 i;
    ngx_str_t                 *value = cf->args->elts;
    ngx_array_t               *values;
    ngx_http_complex_value_t  *slot;

    values = ngx_array_create(cf->pool, 8, sizeof(ngx_http_complex_value_t));
    for (i = first; values && i < cf->args->nelts; i++) {
        slot = ngx_array_push(values);
        if (slot == NULL || reason_value_compile(cf, &value[i], slot) != NGX_OK) {
            return NULL;
        }
    }
    return values;
}


static char *
reason_caller(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    reason_loc_conf_t  *conf = data;

    conf->caller = reason_values(cf, 1);
    return conf->caller ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
reason_call(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_str_t                 *value = cf->args->elts;
    ngx_uint_t                 i;
    reason_loc_conf_t         *conf = data;
    ngx_http_core_loc_conf_t  *clcf;

    if (conf->function.len) {
        return "is duplicate";
    }
    if (reason_statement_name_check(&value[1]) != NGX_OK) {
        return "names no function: small letters, digits and underscores";
    }
    conf->function = value[1];
    conf->arguments = reason_values(cf, 2);
    if (conf->arguments == NULL) {
        return NGX_CONF_ERROR;
    }
    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_strcmp(value[i].data, "$reason_body") == 0) {
            conf->body_argument = i - 2;
        }
        conf->takes_query |= ngx_strcmp(value[i].data, "$reason_query") == 0;
    }
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = reason_request_handler;
    return NGX_CONF_OK;
}


static char *
reason_list(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_str_t          *value = cf->args->elts;
    reason_loc_conf_t  *conf = data;

    if (conf->list_function.len > 0) {
        return "is duplicate";
    }
    if (reason_statement_name_check(&value[1]) != NGX_OK) {
        return "names no function: small letters, digits and underscores";
    }
    conf->list_function = value[1];
    conf->list_place = reason_value(cf, &value[2]);
    return conf->list_place ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
reason_admit(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_str_t          *value = cf->args->elts;
    reason_loc_conf_t  *conf = data;

    if (conf->admit_function.len > 0) {
        return "is duplicate";
    }
    if (reason_statement_name_check(&value[1]) != NGX_OK) {
        return "names no function";
    }
    conf->admit_function = value[1];
    if (cf->args->nelts == 3) {
        conf->admit_above = ngx_parse_size(&value[2]);
        if (conf->admit_above == (size_t) NGX_ERROR) {
            return "is not a size";
        }
    }
    return NGX_CONF_OK;
}


static char *
reason_pieces(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_str_t          *value = cf->args->elts;
    reason_loc_conf_t  *conf = data;

    if (conf->pieces.len > 0) {
        return "is duplicate";
    }
    if (reason_statement_name_check(&value[1]) != NGX_OK) {
        return "names no function";
    }
    conf->pieces = value[1];
    return NGX_CONF_OK;
}


static char *
reason_methods(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_uint_t          i;
    ngx_str_t          *value = cf->args->elts;
    reason_loc_conf_t  *conf = data;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_strcmp(value[i].data, "GET") == 0) {
            conf->methods |= NGX_HTTP_GET|NGX_HTTP_HEAD;
        } else if (ngx_strcmp(value[i].data, "POST") == 0) {
            conf->methods |= NGX_HTTP_POST;
        } else {
            return "takes GET and POST";
        }
    }
    return NGX_CONF_OK;
}


static char *
reason_await(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_str_t            none = ngx_null_string, *value = cf->args->elts;
    reason_loc_conf_t   *conf = data;
    reason_main_conf_t  *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_reason_module);

    if (reason_statement_name_check(&value[1]) != NGX_OK) {
        return "names no function";
    }
    conf->await = reason_statement(cf, main, &value[1], 1, &none, 0);
    return conf->await ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
reason_policy_check(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_int_t           msec = 2000;
    ngx_str_t          *value = cf->args->elts;
    reason_loc_conf_t  *conf = data;

    if (conf->policy_uri.len) {
        return "is duplicate";
    }
    if (value[1].len == 0 || value[1].data[0] != '/') {
        return "names no location";
    }
    if (cf->args->nelts == 3) {
        msec = ngx_parse_time(&value[2], 0);
    }
    if (msec == NGX_ERROR || msec == 0) {
        return "has no deadline that can be kept";
    }
    conf->policy_uri = value[1];
    conf->policy_deadline = msec;
    return NGX_CONF_OK;
}


static char *
reason_error(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_http_core_loc_conf_t  *clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    clcf->handler = reason_error_handler;
    return NGX_CONF_OK;
}


static char *
reason_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_http_core_loc_conf_t  *clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    clcf->handler = reason_metrics_handler;
    return NGX_CONF_OK;
}


static char *
reason_tracing(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_str_t           *value = cf->args->elts;
    reason_main_conf_t  *main = data;

    if (main->tracing != NULL) {
        return "is duplicate";
    }
    main->tracing = ngx_pcalloc(cf->pool, sizeof(reason_tracing_t));
    if (main->tracing == NULL) {
        return NGX_CONF_ERROR;
    }
    ngx_str_set(&main->tracing->service, "reason-gateway");
    if (cf->args->nelts == 3) {
        main->tracing->service = value[2];
    }
    return reason_tracing_parse(cf, &value[1], main->tracing);
}


static ngx_int_t
reason_init_worker(ngx_cycle_t *cycle)
{
    ngx_uint_t           i;
    reason_pool_t      **pool;
    reason_main_conf_t  *conf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) {
        return NGX_OK;
    }
    conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_reason_module);
    if (conf == NULL) {
        return NGX_OK;
    }
    /* An answer of 100 kB that is got from the system and given back each time costs a quarter of the worker's time for it. */
    (void) mallopt(M_TRIM_THRESHOLD, 8 * 1024 * 1024);
    (void) mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
    if (conf->tracing != NULL && reason_tracing_start(conf->tracing, cycle) != NGX_OK) {
        return NGX_ERROR;
    }
    pool = conf->pools.elts;
    for (i = 0; i < conf->pools.nelts; i++) {
        if (reason_pool_start(pool[i], cycle) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}


static void
reason_exit_worker(ngx_cycle_t *cycle)
{
    ngx_uint_t           i;
    reason_pool_t      **pool;
    reason_main_conf_t  *conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_reason_module);

    pool = conf ? conf->pools.elts : NULL;
    for (i = 0; conf && i < conf->pools.nelts; i++) {
        reason_pool_stop(pool[i]);
    }
}
