/*
 * http/listing.c: what all cells have, where the request names no division (reason_list).
 *
 * The function is called in each cell of reason_cells with the arguments of reason_call and, behind them, the cell's name. Its
 * rows have 200 for a status. The first says in its headers how many entries a page has at most and, after a space, whether
 * there are more in this cell ("1000 t"), and in its body what the answer tells of the client, as a JSON object. Each further
 * one is an entry, in the order of its division's bytes: the division in the headers, a JSON object in the body.
 *
 * An entry counts if its division is placed in the cell that it came from. The answer is
 *
 *   {"client":{…},"divisions":[…],"nextCursor":…,"truncated":…,"incomplete":true}
 *
 * with the entries of all cells in order, as far as each cell has listed; a page that goes on may be shorter than it was asked
 * to be. "client" is what the request's own cell says, if it does. "incomplete" is there if a cell did not answer; one where the
 * client has no rights has nothing. Where all refuse, so does the gateway.
 */
#include "http/reason_http.h"

#define REASON_LISTING_PATIENCE  5000   /* milliseconds */

typedef struct {
    ngx_str_t  division;
    ngx_str_t  json;
} reason_entry_t;

/* What a cell has answered. */
typedef struct {
    ngx_str_t    client;
    ngx_array_t  entries;       /* reason_entry_t */
    ngx_uint_t   most;
    unsigned     more:1;
} reason_listed_t;


ngx_uint_t
reason_listing_is_wanted(reason_context_t *ctx)
{
    reason_loc_conf_t  *conf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_reason_module);

    return conf->list != NULL && conf->cells != NULL && !reason_division_is_named(ctx->request);
}


static ngx_int_t
reason_listing_copy(ngx_pool_t *pool, PGresult *row, int column, ngx_str_t *copy)
{
    copy->len = PQgetlength(row, 0, column);
    copy->data = ngx_pnalloc(pool, copy->len + 1);
    if (copy->data == NULL) {
        return NGX_ERROR;
    }
    ngx_memcpy(copy->data, PQgetvalue(row, 0, column), copy->len);
    return NGX_OK;
}


/* "1000 t" */
static ngx_int_t
reason_listing_head(reason_listed_t *listed, u_char *text, size_t length)
{
    ngx_int_t  most;

    if (length < 3 || text[length - 2] != ' ') {
        return NGX_ERROR;
    }
    most = ngx_atoi(text, length - 2);
    if (most <= 0) {
        return NGX_ERROR;
    }
    listed->most = most;
    listed->more = text[length - 1] == 't';
    return NGX_OK;
}


static ngx_int_t
reason_listing_row(reason_cell_t *cell, PGresult *row)
{
    ngx_pool_t       *pool = cell->cells->request->pool;
    reason_entry_t   *entry;
    reason_listed_t  *listed = cell->answer;

    if (listed->most == 0) {
        cell->status = NGX_HTTP_OK;
        return reason_listing_head(listed, (u_char *) PQgetvalue(row, 0, 1), PQgetlength(row, 0, 1)) == NGX_OK
            ? reason_listing_copy(pool, row, 2, &listed->client) : NGX_ERROR;
    }
    entry = ngx_array_push(&listed->entries);
    return entry != NULL && reason_listing_copy(pool, row, 1, &entry->division) == NGX_OK
        ? reason_listing_copy(pool, row, 2, &entry->json) : NGX_ERROR;
}


static int ngx_libc_cdecl
reason_listing_order(const void *one, const void *other)
{
    const ngx_str_t  *a = &((const reason_entry_t *) one)->division, *b = &((const reason_entry_t *) other)->division;
    int               order = ngx_memcmp(a->data, b->data, ngx_min(a->len, b->len));

    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}


/* The division up to which all cells have listed; NULL: they have listed all. */
static reason_entry_t *
reason_listing_bound(reason_cells_t *cells)
{
    ngx_uint_t        i;
    reason_entry_t   *last, *bound = NULL;
    reason_listed_t  *listed;

    for (i = 0; i < cells->count; i++) {
        listed = cells->cell[i].answer;
        if (reason_cell_is_well(&cells->cell[i]) && listed->more && listed->entries.nelts > 0) {
            last = (reason_entry_t *) listed->entries.elts + listed->entries.nelts - 1;
            if (bound == NULL || reason_listing_order(last, bound) < 0) {
                bound = last;
            }
        }
    }
    return bound;
}


/* The entries of a cell whose divisions are placed there, up to a bound. */
static ngx_int_t
reason_listing_take(reason_context_t *ctx, reason_cell_t *cell, reason_entry_t *bound, ngx_array_t *taken)
{
    ngx_str_t           place, *name = &cell->job.pool->name;
    ngx_uint_t          i;
    reason_entry_t     *entry, *slot;
    reason_listed_t    *listed = cell->answer;
    reason_loc_conf_t  *conf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_reason_module);

    entry = listed->entries.elts;
    for (i = 0; i < listed->entries.nelts && (bound == NULL || reason_listing_order(&entry[i], bound) <= 0); i++) {
        if (reason_division_placed(ctx, conf->list_place, &entry[i].division, &place) != NGX_OK) {
            return NGX_ERROR;
        }
        if (place.len == name->len && ngx_memcmp(place.data, name->data, name->len) == 0) {
            slot = ngx_array_push(taken);
            if (slot == NULL) {
                return NGX_ERROR;
            }
            *slot = entry[i];
        }
    }
    return NGX_OK;
}


/* It has no rights there. */
static ngx_uint_t
reason_listing_knows_nobody(reason_cell_t *cell)
{
    return cell->refusal.status == NGX_HTTP_UNAUTHORIZED || cell->refusal.status == NGX_HTTP_FORBIDDEN;
}


/* The request's own cell if it has answered, or else the first that has; NULL: none has. */
static reason_cell_t *
reason_listing_first(reason_cells_t *cells, reason_pool_t *own)
{
    ngx_uint_t      i;
    reason_cell_t  *cell, *first = NULL;

    for (i = 0; i < cells->count; i++) {
        cell = &cells->cell[i];
        if (reason_cell_is_well(cell) && (first == NULL || cell->job.pool == own)) {
            first = cell;
        }
    }
    return first;
}


static ngx_int_t
reason_listing_json(reason_listed_t *says, ngx_array_t *taken, reason_entry_t *next, ngx_uint_t complete, ngx_pool_t *pool, ngx_str_t *json)
{
    char            *cursor;
    u_char          *p;
    size_t           size = says->client.len + 128;
    ngx_uint_t       i;
    reason_entry_t  *entry = taken->elts;

    for (i = 0; i < taken->nelts; i++) {
        size += entry[i].json.len + 1;
    }
    json->data = p = ngx_pnalloc(pool, size + (next != NULL ? 6 * next->division.len : 0));
    cursor = ngx_pcalloc(pool, next != NULL ? next->division.len + 1 : 1);
    if (p == NULL || cursor == NULL) {
        return NGX_ERROR;
    }
    p = ngx_sprintf(p, "{\"client\":%V,\"divisions\":[", &says->client);
    for (i = 0; i < taken->nelts; i++) {
        p = ngx_sprintf(p, i > 0 ? ",%V" : "%V", &entry[i].json);
    }
    *p++ = ']';
    if (next != NULL) {
        ngx_memcpy(cursor, next->division.data, next->division.len);
        p = ngx_sprintf(p, ",\"nextCursor\":\"");
        p = reason_json_escape(p, cursor);
        *p++ = '"';
    }
    p = ngx_sprintf(p, ",\"truncated\":%s%s}", next != NULL ? "true" : "false", complete ? "" : ",\"incomplete\":true");
    json->len = p - json->data;
    return NGX_OK;
}


static ngx_int_t
reason_listing_send(reason_cells_t *cells, reason_context_t *ctx, reason_listed_t *says, ngx_uint_t complete)
{
    ngx_str_t        body, type = ngx_string("application/json");
    ngx_uint_t       i;
    ngx_array_t      taken;
    reason_entry_t  *entry, *next = reason_listing_bound(cells);

    if (ngx_array_init(&taken, ctx->request->pool, 64, sizeof(reason_entry_t)) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    for (i = 0; i < cells->count; i++) {
        if (reason_cell_is_well(&cells->cell[i]) && reason_listing_take(ctx, &cells->cell[i], next, &taken) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    entry = taken.elts;
    ngx_qsort(entry, taken.nelts, sizeof(reason_entry_t), reason_listing_order);
    if (taken.nelts > says->most) {
        taken.nelts = says->most;
        next = &entry[says->most - 1];
    }
    return reason_listing_json(says, &taken, next, complete, ctx->request->pool, &body) == NGX_OK
        ? reason_response_send_whole(ctx->request, NGX_HTTP_OK, type, body) : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* No cell lists anything: what is wrong with the request is said first, then that a cell is away, then that nobody is known there. */
static void
reason_listing_refuse(reason_cells_t *cells, reason_context_t *ctx, ngx_uint_t complete)
{
    ngx_uint_t        i;
    reason_refusal_t  refusal = { NGX_HTTP_SERVICE_UNAVAILABLE, "DEPENDENCY", "no cell answers", NULL };

    for (i = 0; i < cells->count; i++) {
        if (cells->cell[i].refusal.status > 0 && (complete || !reason_listing_knows_nobody(&cells->cell[i]))) {
            refusal = cells->cell[i].refusal;
            break;
        }
    }
    reason_error_finish(ctx, refusal.status, refusal.code, refusal.message, refusal.details);
}


static void
reason_listing_end(reason_cells_t *cells)
{
    ngx_uint_t         i, complete = 1;
    reason_context_t  *ctx = cells->data;
    reason_cell_t     *first = reason_listing_first(cells, ctx->job.pool);

    for (i = 0; i < cells->count; i++) {
        complete &= reason_cell_is_well(&cells->cell[i]) || reason_listing_knows_nobody(&cells->cell[i]);
    }
    if (first == NULL) {
        reason_listing_refuse(cells, ctx, complete);
    } else {
        reason_response_finish(ctx, reason_listing_send(cells, ctx, first->answer, complete));
    }
}


static ngx_int_t
reason_listing_cell(reason_context_t *ctx, reason_cell_t *cell)
{
    u_char           *name;
    ngx_str_t        *cell_name = &cell->job.pool->name;
    reason_listed_t  *listed = ngx_pcalloc(ctx->request->pool, sizeof(reason_listed_t));

    name = ngx_pcalloc(ctx->request->pool, cell_name->len + 1);
    if (listed == NULL || name == NULL || ngx_array_init(&listed->entries, ctx->request->pool, 16, sizeof(reason_entry_t)) != NGX_OK) {
        return NGX_ERROR;
    }
    ngx_memcpy(name, cell_name->data, cell_name->len);
    ngx_memcpy(cell->job.values, ctx->job.values, ctx->job.argument_count * sizeof(char *));
    cell->job.values[ctx->job.argument_count] = (char *) name;
    cell->answer = listed;
    return NGX_OK;
}


void
reason_listing_begin(reason_context_t *ctx)
{
    ngx_str_t            client = ngx_null_string;
    ngx_uint_t           i;
    reason_cells_t      *cells = NULL;
    ngx_http_request_t  *r = ctx->request;
    reason_loc_conf_t   *conf = ngx_http_get_module_loc_conf(r, ngx_http_reason_module);

    if (conf->client == NULL || ngx_http_complex_value(r, conf->client, &client) == NGX_OK) {
        cells = reason_cells_create(r, conf->cells, conf->list, conf->class, &client);
    }
    for (i = 0; cells != NULL && i < cells->count; i++) {
        if (reason_listing_cell(ctx, &cells->cell[i]) != NGX_OK) {
            cells = NULL;
        }
    }
    if (cells == NULL) {
        reason_error_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR, "INTERNAL", "internal error", NULL);
        return;
    }
    cells->data = ctx;
    cells->row = reason_listing_row;
    cells->then = reason_listing_end;
    reason_cells_ask(cells, REASON_LISTING_PATIENCE);
}
