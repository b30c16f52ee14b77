/*
 * http/cells.c: one call, made of several cells at once. Who wants it: health.c, listing.c.
 *
 * A cell that answers late is waited for a little, as long as another has answered well. One that is away keeps nobody waiting
 * while another is there.
 */
#include "http/reason_http.h"

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
    reason_cell_t  *cell = (reason_cell_t *) job;

    return PQnfields(*row) == 3 && PQntuples(*row) == 1 ? cell->cells->row(cell, *row) : NGX_ERROR;
}


static void
reason_cells_answered(reason_cell_t *cell, ngx_uint_t ended)
{
    cell->ended = ended;
    cell->waiting = 0;
    reason_cells_look(cell->cells);
}


static void
reason_cells_end(reason_job_t *job)
{
    reason_cells_answered((reason_cell_t *) job, 1);
}


static void
reason_cells_stopped(reason_job_t *job, ngx_int_t rc)
{
    reason_cells_answered((reason_cell_t *) job, 0);
}


static void
reason_cells_refused(reason_job_t *job, PGresult *result)
{
    reason_cell_t  *cell = (reason_cell_t *) job;

    cell->refusal = reason_error_of(cell->cells->request, result);
    reason_cells_answered(cell, 0);
}


static void
reason_cells_failed(reason_job_t *job, reason_failure_e failure)
{
    reason_cells_answered((reason_cell_t *) job, 0);
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


ngx_uint_t
reason_cell_is_well(reason_cell_t *cell)
{
    return cell->ended && cell->status >= 200 && cell->status < 300;
}


/* A call has ended, or it has taken too long; the request may be gone when this returns. */
static void
reason_cells_look(reason_cells_t *cells)
{
    if (cells->asking || cells->over || !reason_cells_suffice(cells)) {
        return;
    }
    cells->over = 1;
    if (cells->patience.timer_set) {
        ngx_del_timer(&cells->patience);
    }
    cells->then(cells);
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

    cells->over = 1;
    if (cells->patience.timer_set) {
        ngx_del_timer(&cells->patience);
    }
    for (i = 0; i < cells->count; i++) {
        reason_queue_abandon(&cells->cell[i].job);
        reason_share_release(cells->cell[i].job.share);
    }
}


reason_cells_t *
reason_cells_create(ngx_http_request_t *r, ngx_array_t *pools, reason_statement_t *statement, reason_class_e class, ngx_str_t *client)
{
    ngx_uint_t           i;
    reason_cell_t       *cell;
    reason_pool_t      **pool = pools->elts;
    reason_cells_t      *cells = ngx_pcalloc(r->pool, sizeof(reason_cells_t));
    ngx_pool_cleanup_t  *cleanup = ngx_pool_cleanup_add(r->pool, 0);

    if (cells == NULL || cleanup == NULL) {
        return NULL;
    }
    cells->cell = ngx_pcalloc(r->pool, pools->nelts * sizeof(reason_cell_t));
    if (cells->cell == NULL) {
        return NULL;
    }
    cells->request = r;
    cleanup->data = cells;
    cleanup->handler = reason_cells_cleanup;
    for (i = 0; i < pools->nelts; i++) {
        cell = &cells->cell[i];
        cell->cells = cells;
        cell->job.handlers = &reason_cells_handlers;
        cell->job.log = r->connection->log;
        cell->job.pool = pool[i];
        cell->job.class = class;
        cell->job.statement = statement;
        cell->job.argument_count = statement->argument_count;
        cell->job.values = ngx_pcalloc(r->pool, (statement->argument_count + 1) * sizeof(char *));
        cell->job.share = cell->job.values != NULL ? reason_share_get(pool[i], client) : NULL;
        if (cell->job.share == NULL) {
            return NULL;
        }
        cells->count++;
    }
    return cells;
}


void
reason_cells_ask(reason_cells_t *cells, ngx_msec_t patience)
{
    ngx_uint_t  i, connected = 0;

    for (i = 0; i < cells->count; i++) {
        connected += cells->cell[i].job.pool->connected_count;
    }
    cells->patience.handler = reason_cells_impatient;
    cells->patience.data = cells;
    cells->patience.log = cells->request->connection->log;
    ngx_add_timer(&cells->patience, patience);
    cells->asking = 1;
    for (i = 0; i < cells->count; i++) {
        if (connected == 0 || cells->cell[i].job.pool->connected_count > 0) {
            cells->cell[i].waiting = 1;
            reason_queue_submit(&cells->cell[i].job);
        }
    }
    cells->asking = 0;
    reason_cells_look(cells);
}
