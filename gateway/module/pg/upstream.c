/*
 * pg/upstream.c: the directive reason_upstream, and what stands in its block.
 */
#include "pg/reason_pg.h"

static char *reason_upstream_item(ngx_conf_t *cf, ngx_command_t *dummy, void *conf);


char *
reason_upstream(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    char                *rv;
    ngx_conf_t           save;
    ngx_str_t           *value = cf->args->elts;
    reason_pool_t       *pool, **slot;
    reason_main_conf_t  *conf = data;

    if (reason_pool_named(conf, &value[1]) != NULL) {
        return "is duplicate";
    }
    if (value[1].len == 0 || value[1].len > REASON_UPSTREAM_NAME || ngx_strlchr(value[1].data, value[1].data + value[1].len, '"') != NULL
        || ngx_strlchr(value[1].data, value[1].data + value[1].len, '\\') != NULL)
    {
        return "has a name that is too long, or holds quotes";
    }
    if (conf->pools.nelts == REASON_MAX_UPSTREAMS) {
        return "is one too many";
    }
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
    pool->prepare = 1;
    pool->queue_max = 1024;
    pool->connect_timeout = 5000;
    pool->query_timeout = 30000;
    pool->lifetime = 3600000;
    pool->hold_timeout = 5000;
    pool->client_connections = NGX_CONF_UNSET_UINT;
    pool->client_heavy = NGX_CONF_UNSET_UINT;
    pool->client_queue = NGX_CONF_UNSET_UINT;
    pool->client_memory = 128 * 1024 * 1024;
    pool->memory_max = 256 * 1024 * 1024;
    pool->client_disk = 1024 * 1024 * 1024;

    save = *cf;
    cf->handler = reason_upstream_item;
    cf->handler_conf = (void *) pool;
    rv = ngx_conf_parse(cf, NULL);
    *cf = save;
    if (rv != NGX_CONF_OK) {
        return rv;
    }
    /* a client may have all there is, unless it is said how much */
    pool->client_connections = ngx_min(pool->client_connections, pool->connection_count);
    pool->client_heavy = ngx_min(pool->client_heavy, pool->client_connections);
    pool->client_queue = ngx_min(pool->client_queue, pool->queue_max);
    return pool->servers.nelts ? NGX_CONF_OK : "names no server";
}


static char *
reason_upstream_item(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_int_t       number;
    off_t           size;
    ngx_msec_t      msec;
    ngx_str_t      *value = cf->args->elts;
    reason_pool_t  *pool = cf->handler_conf;
    static const struct { const char *name; size_t offset; ngx_int_t least; }  counts[] = {
        { "connections", offsetof(reason_pool_t, connection_count), 1 },
        { "pipeline", offsetof(reason_pool_t, pipeline), 1 },
        { "spread", offsetof(reason_pool_t, spread), 1 },
        { "queue", offsetof(reason_pool_t, queue_max), 0 },
        { "reserve_service", offsetof(reason_pool_t, reserve) + REASON_CLASS_SERVICE * sizeof(ngx_uint_t), 0 },
        { "reserve_write", offsetof(reason_pool_t, reserve) + REASON_CLASS_WRITE * sizeof(ngx_uint_t), 0 },
        { "client_connections", offsetof(reason_pool_t, client_connections), 1 },
        { "client_heavy", offsetof(reason_pool_t, client_heavy), 1 },
        { "client_queue", offsetof(reason_pool_t, client_queue), 0 },
        { NULL, 0, 0 }
    }, *count;
    static const struct { const char *name; size_t offset; }  times[] = {
        { "connect_timeout", offsetof(reason_pool_t, connect_timeout) },
        { "query_timeout", offsetof(reason_pool_t, query_timeout) },
        { "hold_timeout", offsetof(reason_pool_t, hold_timeout) },
        { "lifetime", offsetof(reason_pool_t, lifetime) },
        { NULL, 0 }
    }, *time;

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
    if (ngx_strcmp(value[0].data, "prepare") == 0) {
        pool->prepare = ngx_strcmp(value[1].data, "on") == 0;
        return pool->prepare || ngx_strcmp(value[1].data, "off") == 0 ? NGX_CONF_OK : "is \"on\" or \"off\"";
    }
    for (time = times; time->name; time++) {
        if (ngx_strcmp(value[0].data, time->name) == 0) {
            msec = ngx_parse_time(&value[1], 0);
            if (msec == (ngx_msec_t) NGX_ERROR || msec == 0) {
                return "is not a time";
            }
            *(ngx_msec_t *) ((char *) pool + time->offset) = msec;
            return NGX_CONF_OK;
        }
    }
    if (ngx_strcmp(value[0].data, "memory") == 0 || ngx_strcmp(value[0].data, "client_memory") == 0
        || ngx_strcmp(value[0].data, "client_disk") == 0)
    {
        size = ngx_parse_offset(&value[1]);
        if (size == NGX_ERROR) {
            return "is not a size";
        }
        if (value[0].data[0] == 'm') {
            pool->memory_max = size;
        } else if (value[0].data[7] == 'm') {
            pool->client_memory = size;
        } else {
            pool->client_disk = size;
        }
        return NGX_CONF_OK;
    }
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown directive \"%V\" in reason_upstream", &value[0]);
    return NGX_CONF_ERROR;
}
