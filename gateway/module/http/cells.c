/*
 * http/cells.c: a call of the service (health, readiness), made of each cell that reason_cells names.
 *
 * A gateway serves as long as one of its cells does: were it to call itself unwell for one, those who balance its load would
 * take it from the clients of all others. So the answer is that of the first cell that is well, or else of the first. Where
 * reason_cells_named is on, it has those that are not in its member "degraded". A cell that answers late is waited for a little.
 *
 * The calls know no caller: their arguments are NULL.
 */
#include "http/reason_http.h"

#define REASON_CELLS_WAIT  1000     /* milliseconds */

typedef struct reason_cells_s reason_cells_t;

typedef struct {
    reason_job_t     job;       /* the first member: handlers get this */
    reason_cells_t  *cells;
    ngx_str_t        body;
    ngx_uint_t       status;    /* 0: no answer */
    unsigned         waiting:1;
} reason_cell_t;

struct reason_cells_s {
    ngx_http_request_t  *request;
    reason_cell_t       *cell;
    ngx_uint_t           count;
    ngx_event_t          patience;
    unsigned             named:1;
    unsigned             asking:1;      /* the handler is still on the stack, and will look itself */
    unsigned             impatient:1;
    unsigned             ended:1;
};

static void reason_cells_look(reason_cells_t *cells);


static ngx_int_t
reason_cells_bind(reason_job_t *job)
{
    return NGX_OK;
}


static void
reason_cells_sent(reason_job_t *job)
{
}


static ngx_int_t
reason_cells_row(reason_job_t *job, PGresult **row)
{
    u_char         *body;
    size_t          length;
    ngx_int_t       status;
    reason_cell_t  *cell = (reason_cell_t *) job;

    if (PQnfields(*row) != 3 || PQntuples(*row) != 1) {
        return NGX_ERROR;
    }
    status = ngx_atoi((u_char *) PQgetvalue(*row, 0, 0), PQgetlength(*row, 0, 0));
    length = PQgetlength(*row, 0, 2);
    body = ngx_pnalloc(cell->cells->request->pool, cell->body.len + length + 1);
    if (status < 200 || status > 599 || body == NULL) {
        return NGX_ERROR;
    }
    cell->status = status;
    ngx_memcpy(ngx_cpymem(body, cell->body.data, cell->body.len), PQgetvalue(*row, 0, 2), length);
    cell->body.data = body;
    cell->body.len += length;
    return NGX_OK;
}


static void
reason_cells_end(reason_job_t *job)
{
    reason_cell_t  *cell = (reason_cell_t *) job;

    cell->waiting = 0;
    reason_cells_look(cell->cells);
}


static void
reason_cells_no_answer(reason_cell_t *cell)
{
    cell->status = 0;
    cell->waiting = 0;
    reason_cells_look(cell->cells);
}


static void
reason_cells_stopped(reason_job_t *job, ngx_int_t rc)
{
    reason_cells_no_answer((reason_cell_t *) job);
}


static void
reason_cells_refused(reason_job_t *job, PGresult *result)
{
    reason_cells_no_answer((reason_cell_t *) job);
}


static void
reason_cells_failed(reason_job_t *job, reason_failure_e failure)
{
    reason_cells_no_answer((reason_cell_t *) job);
}


static const reason_handlers_t  reason_cells_handlers = {
    .bind = reason_cells_bind,
    .sent = reason_cells_sent,
    .row = reason_cells_row,
    .stopped = reason_cells_stopped,
    .end = reason_cells_end,
    .refused = reason_cells_refused,
    .failed = reason_cells_failed,
};


static ngx_uint_t
reason_cell_is_well(reason_cell_t *cell)
{
    return !cell->waiting && cell->status >= 200 && cell->status < 300;
}


/* Is there nothing more to wait for? */
static ngx_uint_t
reason_cells_suffice(reason_cells_t *cells)
{
    ngx_uint_t  i, well = 0, waiting = 0;

    for (i = 0; i < cells->count; i++) {
        well += reason_cell_is_well(&cells->cell[i]);
        waiting += cells->cell[i].waiting;
    }
    return waiting == 0 || (well > 0 && cells->impatient);
}


/* {"degraded":["…"], and what is behind the brace of the body */
static ngx_int_t
reason_cells_name(reason_cells_t *cells, ngx_str_t *body)
{
    u_char     *p;
    size_t      size = body->len + sizeof("{\"degraded\":[],");
    ngx_str_t   named;
    ngx_uint_t  i, count = 0;

    for (i = 0; i < cells->count; i++) {
        size += cells->cell[i].job.pool->name.len + 3;
        count += !reason_cell_is_well(&cells->cell[i]);
    }
    if (count == 0 || !cells->named || body->len < 2 || body->data[0] != '{') {
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
reason_cells_send(reason_cells_t *cells)
{
    ngx_str_t            body, type;
    ngx_uint_t           i;
    reason_cell_t       *cell = NULL;
    ngx_http_request_t  *r = cells->request;

    for (i = 0; i < cells->count && (cell == NULL || !reason_cell_is_well(cell)); i++) {
        if (reason_cell_is_well(&cells->cell[i]) || (cell == NULL && !cells->cell[i].waiting && cells->cell[i].status > 0)) {
            cell = &cells->cell[i];
        }
    }
    if (cell == NULL) {
        return reason_error_send(r, NGX_HTTP_SERVICE_UNAVAILABLE, "DEPENDENCY", "no cell answers", NULL);
    }
    body = cell->body;
    if (reason_cells_name(cells, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ngx_str_set(&type, "application/json");
    return reason_response_send_whole(r, cell->status, type, body);
}


/* A call has ended, or it has taken too long; the request may be gone when this returns. */
static void
reason_cells_look(reason_cells_t *cells)
{
    ngx_connection_t    *c = cells->request->connection;
    ngx_http_request_t  *r = cells->request;

    if (cells->asking || cells->ended || !reason_cells_suffice(cells)) {
        return;
    }
    cells->ended = 1;
    ngx_http_finalize_request(r, reason_cells_send(cells));
    reason_response_run_posted(c);
}


static void
reason_cells_impatient(ngx_event_t *event)
{
    reason_cells_t  *cells = event->data;

    cells->impatient = 1;
    reason_cells_look(cells);
}


static void
reason_cells_cleanup(void *data)
{
    ngx_uint_t       i;
    reason_cells_t  *cells = data;

    cells->ended = 1;
    if (cells->patience.timer_set) {
        ngx_del_timer(&cells->patience);
    }
    for (i = 0; i < cells->count; i++) {
        reason_queue_abandon(&cells->cell[i].job);
        reason_share_release(cells->cell[i].job.share);
    }
}


static ngx_int_t
reason_cells_prepare(ngx_http_request_t *r, reason_loc_conf_t *conf, reason_cells_t **prepared)
{
    ngx_str_t            nobody = ngx_null_string;
    ngx_uint_t           i;
    reason_cell_t       *cell;
    reason_pool_t      **pool = conf->cells->elts;
    reason_cells_t      *cells = ngx_pcalloc(r->pool, sizeof(reason_cells_t));
    ngx_pool_cleanup_t  *cleanup = ngx_pool_cleanup_add(r->pool, 0);

    if (cells == NULL || cleanup == NULL) {
        return NGX_ERROR;
    }
    cells->cell = ngx_pcalloc(r->pool, conf->cells->nelts * sizeof(reason_cell_t));
    if (cells->cell == NULL) {
        return NGX_ERROR;
    }
    cells->request = r;
    cells->named = conf->cells_named;
    cleanup->data = cells;
    cleanup->handler = reason_cells_cleanup;
    for (i = 0; i < conf->cells->nelts; i++) {
        cell = &cells->cell[i];
        cell->cells = cells;
        cell->job.handlers = &reason_cells_handlers;
        cell->job.log = r->connection->log;
        cell->job.pool = pool[i];
        cell->job.class = REASON_CLASS_SERVICE;
        cell->job.statement = conf->statement;
        cell->job.argument_count = conf->statement->argument_count;
        cell->job.values = ngx_pcalloc(r->pool, (conf->statement->argument_count + 1) * sizeof(char *));
        cell->job.share = cell->job.values != NULL ? reason_share_get(pool[i], &nobody) : NULL;
        if (cell->job.share == NULL) {
            return NGX_ERROR;
        }
        cells->count++;
    }
    *prepared = cells;
    return NGX_OK;
}


ngx_int_t
reason_cells_handler(ngx_http_request_t *r, reason_loc_conf_t *conf)
{
    ngx_int_t        rc = ngx_http_discard_request_body(r);
    ngx_uint_t       i, connected = 0;
    reason_cells_t  *cells;

    if (rc != NGX_OK) {
        return rc;
    }
    if (reason_cells_prepare(r, conf, &cells) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    for (i = 0; i < cells->count; i++) {
        connected += cells->cell[i].job.pool->connected_count;
    }
    cells->asking = 1;
    for (i = 0; i < cells->count; i++) {
        /* one that is away keeps nobody waiting while another is there */
        if (connected == 0 || cells->cell[i].job.pool->connected_count > 0) {
            cells->cell[i].waiting = 1;
            reason_queue_submit(&cells->cell[i].job);
        }
    }
    cells->asking = 0;
    if (reason_cells_suffice(cells)) {
        cells->ended = 1;
        return reason_cells_send(cells);
    }
    cells->patience.handler = reason_cells_impatient;
    cells->patience.data = cells;
    cells->patience.log = r->connection->log;
    ngx_add_timer(&cells->patience, REASON_CELLS_WAIT);
    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
    return NGX_DONE;
}
