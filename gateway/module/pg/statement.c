/*
 * pg/statement.c: the statement that calls a SQL function. Locations that call the same function share it, and so
 * a connection prepares it once for all of them.
 */
#include "pg/reason_pg.h"


ngx_int_t
reason_statement_name_check(ngx_str_t *name)
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


static ngx_uint_t
reason_is_same(ngx_str_t *one, ngx_str_t *other)
{
    return one->len == other->len && (one->len == 0 || ngx_memcmp(one->data, other->data, one->len) == 0);
}


reason_statement_t *
reason_statement(ngx_conf_t *cf, reason_main_conf_t *main, ngx_str_t *function, ngx_uint_t argument_count, ngx_str_t *pieces,
                 ngx_uint_t scoped)
{
    u_char               *p;
    ngx_uint_t            i, route;
    reason_statement_t  **slot, *statement;

    route = main->statements.nelts;
    slot = main->statements.elts;
    for (i = 0; i < main->statements.nelts; i++) {
        if (route > i && reason_is_same(&slot[i]->function, function)) {
            route = i;
        }
        if (slot[i]->argument_count == argument_count && slot[i]->scoped == scoped && reason_is_same(&slot[i]->function, function)
            && reason_is_same(&slot[i]->pieces, pieces))
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
    statement->pieces = *pieces;
    statement->argument_count = argument_count;
    statement->scoped = scoped;
    statement->index = main->statements.nelts - 1;
    statement->route = route;
    statement->name = ngx_pcalloc(cf->pool, 32);
    statement->sql = ngx_pcalloc(cf->pool, 160 + function->len + pieces->len + 12 * argument_count);
    if (statement->name == NULL || statement->sql == NULL) {
        return NULL;
    }
    ngx_sprintf((u_char *) statement->name, "reason_%ui", statement->index);
    p = pieces->len > 0 ? ngx_sprintf((u_char *) statement->sql, "SELECT status, headers, reason.%V(body) FROM reason.%V(", pieces, function)
                        : ngx_sprintf((u_char *) statement->sql, "SELECT status, headers, body FROM reason.%V(", function);
    for (i = 1; i <= argument_count; i++) {
        p = ngx_sprintf(p, i == 1 ? "$%ui::text" : ", $%ui::text", i);
    }
    if (scoped) {
        p = ngx_sprintf(p, "%spath_division => $%ui::text", argument_count > 0 ? ", " : "", argument_count + 1);
    }
    *p = ')';
    return statement;
}
