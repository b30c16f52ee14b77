/*
 * ngx_http_reason_module.c: directives, and what they stand for.
 *
 *   reason_upstream name { server conninfo; connections n; pipeline n; spread n; queue n; connect_timeout t; query_timeout t; }   http
 *   reason_pass name                 http, server, location
 *   reason_caller value …            http, server, location   put before every call's arguments
 *   reason_call function value …     location                 SELECT * FROM reason.function(caller…, value…)
 *   reason_methods method …          location                 others are answered 405 with Allow
 *   reason_pipeline on|off           location                 calls may share a connection (reason_pipeline.c)
 *   reason_await function key        location                 asked again while the answer is 202
 *   reason_policy_check uri [t]      http, server, location   where a question of the call is asked (reason_policy.c)
 *   reason_error                     location                 the error body for the status that led here
 *   reason_metrics                   location                 Prometheus text
 */
#include "ngx_http_reason.h"

#include <malloc.h>

#define REASON_METHODS  (NGX_HTTP_GET|NGX_HTTP_HEAD)

static void *reason_create_main_conf(ngx_conf_t *cf);
static void *reason_create_loc_conf(ngx_conf_t *cf);
static char *reason_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static ngx_int_t reason_init_worker(ngx_cycle_t *cycle);
static void reason_exit_worker(ngx_cycle_t *cycle);
static char *reason_upstream(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_upstream_item(ngx_conf_t *cf, ngx_command_t *dummy, void *conf);
static char *reason_pass(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_caller(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_call(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_methods(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_await(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_policy_check(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_error(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *reason_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

static ngx_command_t  reason_commands[] = {

    { ngx_string("reason_upstream"), NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1, reason_upstream,
      NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_pass"), NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1, reason_pass,
      NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_caller"), NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE, reason_caller,
      NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_call"), NGX_HTTP_LOC_CONF|NGX_CONF_1MORE, reason_call, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_methods"), NGX_HTTP_LOC_CONF|NGX_CONF_1MORE, reason_methods, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_pipeline"), NGX_HTTP_LOC_CONF|NGX_CONF_FLAG, ngx_conf_set_flag_slot, NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(reason_loc_conf_t, pipeline), NULL },
    { ngx_string("reason_await"), NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1, reason_await, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_policy_check"), NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12, reason_policy_check,
      NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_error"), NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS, reason_error, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
    { ngx_string("reason_metrics"), NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS, reason_metrics, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
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
        conf->pipeline = NGX_CONF_UNSET;
    }
    return conf;
}


/* The statement for a function called with so many arguments. */
static reason_statement_t *
reason_statement(ngx_conf_t *cf, ngx_str_t *function, ngx_uint_t argument_count)
{
    u_char               *p;
    ngx_uint_t            i;
    reason_statement_t  **slot, *statement;
    reason_main_conf_t   *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_reason_module);

    slot = main->statements.elts;
    for (i = 0; i < main->statements.nelts; i++) {
        if (slot[i]->argument_count == argument_count && slot[i]->function.len == function->len
            && ngx_memcmp(slot[i]->function.data, function->data, function->len) == 0)
        {
            return slot[i];
        }
    }

    statement = ngx_pcalloc(cf->pool, sizeof(reason_statement_t));
    slot = ngx_array_push(&main->statements);
    if (statement == NULL || slot == NULL) {
        return NULL;
    }
    *slot = statement;
    statement->function = *function;
    statement->argument_count = argument_count;
    statement->index = main->statements.nelts - 1;
    statement->name = ngx_pcalloc(cf->pool, 32);
    statement->sql = ngx_pcalloc(cf->pool, 128 + function->len + 12 * argument_count);
    if (statement->name == NULL || statement->sql == NULL) {
        return NULL;
    }
    ngx_sprintf((u_char *) statement->name, "reason_%ui", statement->index);
    p = ngx_sprintf((u_char *) statement->sql, "SELECT status, headers, body FROM reason.%V(", function);
    for (i = 1; i <= argument_count; i++) {
        p = ngx_sprintf(p, i == 1 ? "$%ui::text" : ", $%ui::text", i);
    }
    *p = ')';
    return statement;
}


static char *
reason_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    reason_loc_conf_t  *prev = parent;
    reason_loc_conf_t  *conf = child;

    if (conf->pool == NULL) {
        conf->pool = prev->pool;
    }
    if (conf->caller == NULL) {
        conf->caller = prev->caller;
    }
    if (conf->policy_uri.len == 0) {
        conf->policy_uri = prev->policy_uri;
        conf->policy_deadline = prev->policy_deadline;
    }
    if (conf->function.len == 0) {
        return NGX_CONF_OK;
    }
    if (conf->pool == NULL) {
        return "has reason_call but no reason_pass";
    }
    if (conf->methods == 0) {
        conf->methods = REASON_METHODS;
    }
    if (conf->pipeline == NGX_CONF_UNSET) {
        conf->pipeline = 0;
    }
    if (conf->pipeline && (conf->methods & NGX_HTTP_POST)) {
        return "has reason_pipeline and takes POST: only what reads may be done twice";
    }
    conf->statement = reason_statement(cf, &conf->function,
                                       (conf->caller ? conf->caller->nelts : 0) + (conf->arguments ? conf->arguments->nelts : 0));
    return conf->statement ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
reason_upstream(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    char                *rv;
    ngx_conf_t           save;
    ngx_str_t           *value = cf->args->elts;
    reason_pool_t       *pool, **slot;
    reason_main_conf_t  *conf = data;

    pool = ngx_pcalloc(cf->pool, sizeof(reason_pool_t));
    slot = ngx_array_push(&conf->pools);
    if (pool == NULL || slot == NULL || ngx_array_init(&pool->servers, cf->pool, 2, sizeof(reason_server_t)) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    *slot = pool;
    pool->main = conf;
    pool->name = value[1];
    pool->connection_count = 8;
    pool->pipeline = 16;
    pool->spread = 2;
    pool->queue_max = 1024;
    pool->connect_timeout = 5000;
    pool->query_timeout = 30000;
    pool->lifetime = 3600000;

    save = *cf;
    cf->handler = reason_upstream_item;
    cf->handler_conf = (void *) pool;
    rv = ngx_conf_parse(cf, NULL);
    *cf = save;
    if (rv != NGX_CONF_OK) {
        return rv;
    }
    return pool->servers.nelts ? NGX_CONF_OK : "names no server";
}


static char *
reason_upstream_item(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_int_t       number;
    ngx_msec_t      msec;
    ngx_str_t      *value = cf->args->elts;
    reason_pool_t  *pool = cf->handler_conf;
    static const struct { const char *name; size_t offset; ngx_int_t least; }  counts[] = {
        { "connections", offsetof(reason_pool_t, connection_count), 1 },
        { "pipeline", offsetof(reason_pool_t, pipeline), 1 },
        { "spread", offsetof(reason_pool_t, spread), 1 },
        { "queue", offsetof(reason_pool_t, queue_max), 0 },
        { NULL, 0, 0 }
    }, *count;

    if (cf->args->nelts != 2) {
        return "takes one value";
    }
    if (ngx_strcmp(value[0].data, "server") == 0) {
        return reason_server_add(cf, pool, (char *) value[1].data);
    }
    for (count = counts; count->name; count++) {
        if (ngx_strcmp(value[0].data, count->name) == 0) {
            number = ngx_atoi(value[1].data, value[1].len);
            if (number < count->least) {
                return "is not a number that can be";
            }
            *(ngx_uint_t *) ((char *) pool + count->offset) = number;
            return NGX_CONF_OK;
        }
    }
    if (ngx_strcmp(value[0].data, "connect_timeout") == 0 || ngx_strcmp(value[0].data, "query_timeout") == 0
        || ngx_strcmp(value[0].data, "lifetime") == 0)
    {
        msec = ngx_parse_time(&value[1], 0);
        if (msec == (ngx_msec_t) NGX_ERROR || msec == 0) {
            return "is not a time";
        }
        *(value[0].data[0] == 'c' ? &pool->connect_timeout : value[0].data[0] == 'q' ? &pool->query_timeout : &pool->lifetime) = msec;
        return NGX_CONF_OK;
    }
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown directive \"%V\" in reason_upstream", &value[0]);
    return NGX_CONF_ERROR;
}


static char *
reason_pass(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_uint_t           i;
    ngx_str_t           *value = cf->args->elts;
    reason_pool_t      **pool;
    reason_loc_conf_t   *conf = data;
    reason_main_conf_t  *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_reason_module);

    pool = main->pools.elts;
    for (i = 0; i < main->pools.nelts; i++) {
        if (pool[i]->name.len == value[1].len && ngx_memcmp(pool[i]->name.data, value[1].data, value[1].len) == 0) {
            conf->pool = pool[i];
            return NGX_CONF_OK;
        }
    }
    return "names no reason_upstream defined before";
}


static ngx_array_t *
reason_values(ngx_conf_t *cf, ngx_uint_t first)
{
    ngx_uint_t                         i;
    ngx_str_t                         *value = cf->args->elts;
    ngx_array_t                       *values;
    ngx_http_complex_value_t          *slot;
    ngx_http_compile_complex_value_t   ccv;

    values = ngx_array_create(cf->pool, 8, sizeof(ngx_http_complex_value_t));
    for (i = first; values && i < cf->args->nelts; i++) {
        slot = ngx_array_push(values);
        ngx_memzero(&ccv, sizeof(ccv));
        ccv.cf = cf;
        ccv.value = &value[i];
        ccv.complex_value = slot;
        if (slot == NULL || ngx_http_compile_complex_value(&ccv) != NGX_OK) {
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


static ngx_int_t
reason_identifier(ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < name->len; i++) {
        u_char  c = name->data[i];

        if (!((c >= 'a' && c <= 'z') || c == '_' || (i > 0 && c >= '0' && c <= '9'))) {
            return NGX_ERROR;
        }
    }
    return name->len > 0 && name->len < 64 ? NGX_OK : NGX_ERROR;
}


static char *
reason_call(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_str_t                 *value = cf->args->elts;
    reason_loc_conf_t         *conf = data;
    ngx_http_core_loc_conf_t  *clcf;

    if (conf->function.len) {
        return "is duplicate";
    }
    if (reason_identifier(&value[1]) != NGX_OK) {
        return "names no function: small letters, digits and underscores";
    }
    conf->function = value[1];
    conf->arguments = reason_values(cf, 2);
    if (conf->arguments == NULL) {
        return NGX_CONF_ERROR;
    }
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = reason_request_handler;
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
    ngx_str_t          *value = cf->args->elts;
    reason_loc_conf_t  *conf = data;

    if (reason_identifier(&value[1]) != NGX_OK) {
        return "names no function";
    }
    conf->await = reason_statement(cf, &value[1], 1);
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
    ngx_uint_t            i;
    reason_pool_t       **pool;
    reason_main_conf_t   *conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_reason_module);

    pool = conf ? conf->pools.elts : NULL;
    for (i = 0; conf && i < conf->pools.nelts; i++) {
        reason_pool_stop(pool[i]);
    }
}
