/*
 * pg/server.c: the addresses of PostgreSQL that an upstream names, one to be tried after the other.
 *
 * libpq tries the hosts of one connection string by itself, but without blocking it waits for each as long as it takes,
 * and always begins with the first: one that does not answer at all would keep it from the others. So each host becomes a
 * server of its own here, with its share of the time. prefer-standby means what it means to libpq: first each of them as
 * a standby, then each as it is.
 */
#include "pg/reason_pg.h"

#include <netdb.h>


static const char *
reason_option(const PQconninfoOption *options, const char *keyword)
{
    for ( ; options->keyword; options++) {
        if (strcmp(options->keyword, keyword) == 0) {
            return options->val;
        }
    }
    return NULL;
}


static ngx_uint_t
reason_item_count(const char *list)
{
    ngx_uint_t  count = 1;

    if (list == NULL) {
        return 0;
    }
    for ( ; *list; list++) {
        count += *list == ',';
    }
    return count;
}


/* A copy of one item of the list, the last if it has fewer; NULL stays NULL. */
static ngx_int_t
reason_item(ngx_conf_t *cf, const char *list, ngx_uint_t index, char **item)
{
    size_t       length;
    const char  *comma;

    *item = NULL;
    if (list == NULL) {
        return NGX_OK;
    }
    while ((comma = strchr(list, ',')) != NULL && index-- > 0) {
        list = comma + 1;
    }
    length = comma ? (size_t) (comma - list) : strlen(list);
    *item = ngx_pcalloc(cf->pool, length + 1);
    if (*item == NULL) {
        return NGX_ERROR;
    }
    ngx_memcpy(*item, list, length);
    return NGX_OK;
}


/*
 * libpq looks names up when it connects, and the worker waits for that. Whether they can be looked up at all is found
 * out here, where nobody waits; the database may come later.
 */
static void
reason_server_check_name(ngx_conf_t *cf, const reason_server_t *server)
{
    int               error;
    struct addrinfo  *addresses = NULL;

    if (server->host == NULL || server->host[0] == '/' || server->host[0] == '@' || server->hostaddr != NULL) {
        return;
    }
    error = getaddrinfo(server->host, NULL, NULL, &addresses);
    if (error == 0) {
        freeaddrinfo(addresses);
        return;
    }
    ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "reason: host \"%s\" cannot be looked up: %s", server->host, gai_strerror(error));
}


static ngx_int_t
reason_server_push(ngx_conf_t *cf, reason_pool_t *pool, char *conninfo, const PQconninfoOption *options, ngx_uint_t index,
                   const char *session_attrs)
{
    reason_server_t  *server = ngx_array_push(&pool->servers);

    if (server == NULL) {
        return NGX_ERROR;
    }
    server->conninfo = conninfo;
    server->session_attrs = session_attrs;
    if (reason_item(cf, reason_option(options, "host"), index, &server->host) != NGX_OK
        || reason_item(cf, reason_option(options, "hostaddr"), index, &server->hostaddr) != NGX_OK
        || reason_item(cf, reason_option(options, "port"), index, &server->port) != NGX_OK)
    {
        return NGX_ERROR;
    }
    reason_server_check_name(cf, server);
    return NGX_OK;
}


static char *
reason_server_expand(ngx_conf_t *cf, reason_pool_t *pool, char *conninfo, const PQconninfoOption *options)
{
    ngx_uint_t  i, pass, hosts, addresses, ports, passes;
    char       *attrs;

    if (reason_item(cf, reason_option(options, "target_session_attrs"), 0, &attrs) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    hosts = reason_item_count(reason_option(options, "host"));
    addresses = reason_item_count(reason_option(options, "hostaddr"));
    ports = reason_item_count(reason_option(options, "port"));
    if (hosts > 0 && addresses > 0 && hosts != addresses) {
        return "names as many hosts as hostaddrs, or is wrong";
    }
    hosts = ngx_max(ngx_max(hosts, addresses), 1);
    if (ports > 1 && ports != hosts) {
        return "names one port, or one for each host";
    }

    passes = hosts > 1 && attrs != NULL && strcmp(attrs, "prefer-standby") == 0 ? 2 : 1;
    for (pass = 0; pass < passes; pass++) {
        for (i = 0; i < hosts; i++) {
            if (reason_server_push(cf, pool, conninfo, options, i, passes == 1 ? attrs : pass == 0 ? "standby" : "any") != NGX_OK) {
                return NGX_CONF_ERROR;
            }
        }
    }
    return NGX_CONF_OK;
}


char *
reason_server_add(ngx_conf_t *cf, reason_pool_t *pool, char *conninfo)
{
    char              *rv, *problem = NULL;
    PQconninfoOption  *options = PQconninfoParse(conninfo, &problem);

    if (options == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "reason: \"%s\" is no connection string: %s", conninfo, problem ? problem : "out of memory");
        PQfreemem(problem);
        return NGX_CONF_ERROR;
    }
    rv = reason_server_expand(cf, pool, conninfo, options);
    PQconninfoFree(options);
    return rv;
}


PGconn *
reason_server_connect(const reason_server_t *server)
{
    /* what comes later counts; what is NULL does not */
    static const char *const  keywords[] = { "dbname", "host", "hostaddr", "port", "target_session_attrs", NULL };
    const char *const         values[] = { server->conninfo, server->host, server->hostaddr, server->port, server->session_attrs, NULL };

    return PQconnectStartParams(keywords, values, 1);
}
