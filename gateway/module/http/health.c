/*
 * http/health.c: a call of the service (health, readiness), made of each cell that reason_cells names.
 *
 * A gateway serves as long as one of its cells does: were it to call itself unwell for one, those who balance its load would
 * take it from the clients of all others. So the answer is that of the first cell that is well, or else of the first. Where
 * reason_cells_named is on, it has those that are not in its member "degraded".
 *
 * The calls know no caller: their arguments are NULL.
 */
#include "http/reason_http.h"

#define REASON_HEALTH_PATIENCE  1000    /* milliseconds */


static ngx_int_t
reason_health_row(reason_cell_t *cell, PGresult *row)
{
    u_char     *body;
    size_t      length = PQgetlength(row, 0, 2);
    ngx_str_t  *answer = cell->answer;
    ngx_int_t   status = ngx_atoi((u_char *) PQgetvalue(row, 0, 0), PQgetlength(row, 0, 0));

    body = ngx_pnalloc(cell->cells->request->pool, answer->len + length + 1);
    if (status < 200 || status > 599 || body == NULL) {
        return NGX_ERROR;
    }
    cell->status = status;
    ngx_memcpy(ngx_cpymem(body, answer->data, answer->len), PQgetvalue(row, 0, 2), length);
    answer->data = body;
    answer->len += length;
    return NGX_OK;
}


/* {"degraded":["…"], and what is behind the brace of the body */
static ngx_int_t
reason_health_name(reason_cells_t *cells, ngx_str_t *body)
{
    u_char     *p;
    size_t      size = body->len + sizeof("{\"degraded\":[],");
    ngx_str_t   named;
    ngx_uint_t  i, count = 0;

    for (i = 0; i < cells->count; i++) {
        size += cells->cell[i].job.pool->name.len + 3;
        count += !reason_cell_is_well(&cells->cell[i]);
    }
    if (count == 0 || body->len < 2 || body->data[0] != '{') {
        return NGX_OK;
    }
    named.data = p = ngx_pnalloc(cells->request->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }
    p = ngx_sprintf(p, "{\"degraded\":[");
    for (i = 0; i < cells->count; i++) {
        if (!reason_cell_is_well(&cells->cell[i])) {
            p = ngx_sprintf(p, "%s\"%V\"", p[-1] == '[' ? "" : ",", &cells->cell[i].job.pool->name);
        }
    }
    p = ngx_sprintf(p, "]%s", body->data[1] == '}' ? "" : ",");
    p = ngx_cpymem(p, body->data + 1, body->len - 1);
    named.len = p - named.data;
    *body = named;
    return NGX_OK;
}


static ngx_int_t
reason_health_send(reason_cells_t *cells)
{
    ngx_str_t            body, type = ngx_string("application/json");
    ngx_uint_t           i;
    reason_cell_t       *cell = NULL;
    ngx_http_request_t  *r = cells->request;
    reason_loc_conf_t   *conf = ngx_http_get_module_loc_conf(r, ngx_http_reason_module);

    for (i = 0; i < cells->count && (cell == NULL || !reason_cell_is_well(cell)); i++) {
        if (reason_cell_is_well(&cells->cell[i]) || (cell == NULL && cells->cell[i].ended && cells->cell[i].status > 0)) {
            cell = &cells->cell[i];
        }
    }
    if (cell == NULL) {
        return reason_error_send(r, NGX_HTTP_SERVICE_UNAVAILABLE, "DEPENDENCY", "no cell answers", NULL);
    }
    body = *(ngx_str_t *) cell->answer;
    if (conf->cells_named && reason_health_name(cells, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return reason_response_send_whole(r, cell->status, type, body);
}


static void
reason_health_end(reason_cells_t *cells)
{
    ngx_connection_t  *c = cells->request->connection;

    ngx_http_finalize_request(cells->request, reason_health_send(cells));
    reason_response_run_posted(c);
}


ngx_int_t
reason_health_handler(ngx_http_request_t *r, reason_loc_conf_t *conf)
{
    ngx_int_t        rc = ngx_http_discard_request_body(r);
    ngx_str_t        nobody = ngx_null_string, *answers;
    ngx_uint_t       i;
    reason_cells_t  *cells;

    if (rc != NGX_OK) {
        return rc;
    }
    cells = reason_cells_create(r, conf->cells, conf->statement, REASON_CLASS_SERVICE, &nobody);
    answers = ngx_pcalloc(r->pool, conf->cells->nelts * sizeof(ngx_str_t));
    if (cells == NULL || answers == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    for (i = 0; i < cells->count; i++) {
        cells->cell[i].answer = &answers[i];
    }
    cells->row = reason_health_row;
    cells->then = reason_health_end;
    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
    reason_response_hold(r->connection);
    reason_cells_ask(cells, REASON_HEALTH_PATIENCE);
    reason_response_hold(NULL);
    return NGX_DONE;
}
