/*
 * http/output.c: the body of an answer: pieces of memory, a file for what the client cannot take yet, and handing them to
 * nginx.
 *
 * A long row stays where libpq has put it, until the client or the file has it; short ones are copied together. Pieces
 * that are free again are used again. What is in the file comes before what is in memory and not handed over.
 */
#include "http/reason_http.h"

#define REASON_PIECE   65536
#define REASON_LONG    16384    /* of a row; and what TLS puts into one record */

typedef struct {
    ngx_buf_t  buf;     /* the first member: nginx hands back this */
    PGresult  *result;  /* that the memory belongs to; NULL: it is the request's */
} reason_piece_t;


static ngx_chain_t **
reason_output_last(ngx_chain_t **link)
{
    while (*link != NULL) {
        link = &(*link)->next;
    }
    return link;
}


static void
reason_piece_cleanup(void *data)
{
    reason_piece_t  *piece = data;

    PQclear(piece->result);
    piece->result = NULL;
}


/* A piece without memory, at the end of the body. */
static reason_piece_t *
reason_output_piece(reason_context_t *ctx)
{
    ngx_chain_t         *link = ctx->bare;
    reason_piece_t      *piece;
    ngx_pool_cleanup_t  *cleanup;

    if (link != NULL) {
        ctx->bare = link->next;
        piece = (reason_piece_t *) link->buf;
    } else {
        link = ngx_alloc_chain_link(ctx->request->pool);
        piece = ngx_palloc(ctx->request->pool, sizeof(reason_piece_t));
        cleanup = piece != NULL ? ngx_pool_cleanup_add(ctx->request->pool, 0) : NULL;
        if (link == NULL || cleanup == NULL) {
            return NULL;
        }
        cleanup->data = piece;
        cleanup->handler = reason_piece_cleanup;
    }
    ngx_memzero(piece, sizeof(reason_piece_t));
    piece->buf.tag = (ngx_buf_tag_t) &ngx_http_reason_module;
    link->buf = &piece->buf;
    link->next = NULL;
    *reason_output_last(&ctx->body) = link;
    return piece;
}


static void
reason_output_memory(ngx_buf_t *b, u_char *start, size_t size)
{
    b->start = b->pos = b->last = start;
    b->end = start + size;
}


/* Room for a short row. */
static ngx_buf_t *
reason_output_room(reason_context_t *ctx, size_t length)
{
    size_t           size;
    u_char          *start;
    ngx_chain_t     *link;
    reason_piece_t  *piece;

    for (link = ctx->body; link; link = link->next) {
        if (link->next == NULL && (size_t) (link->buf->end - link->buf->last) >= length) {
            return link->buf;
        }
    }
    if (ctx->free != NULL) {
        link = ctx->free;
        ctx->free = link->next;
        link->next = NULL;
        /* a range filter that had no use for what was in it has marked it */
        link->buf->flush = link->buf->sync = link->buf->last_buf = link->buf->last_in_chain = 0;
        *reason_output_last(&ctx->body) = link;
        return link->buf;
    }

    /* most answers are one row: it gets what it needs */
    size = ctx->body_length == 0 ? length : REASON_PIECE;
    start = ngx_palloc(ctx->request->pool, size);
    piece = start != NULL ? reason_output_piece(ctx) : NULL;
    if (piece == NULL) {
        return NULL;
    }
    piece->buf.temporary = 1;
    reason_output_memory(&piece->buf, start, size);
    return &piece->buf;
}


ngx_int_t
reason_output_add(reason_context_t *ctx, PGresult **row, u_char *value, size_t length)
{
    ngx_buf_t       *b;
    reason_piece_t  *piece;

    if (length < REASON_LONG) {
        b = reason_output_room(ctx, length);
        if (b == NULL) {
            return NGX_ERROR;
        }
        b->last = ngx_cpymem(b->last, value, length);
    } else {
        piece = reason_output_piece(ctx);
        if (piece == NULL) {
            return NGX_ERROR;
        }
        piece->buf.memory = 1;
        reason_output_memory(&piece->buf, value, length);
        piece->buf.last = piece->buf.end;
        piece->result = *row;
        *row = NULL;
    }
    ctx->body_length += length;
    return NGX_OK;
}


static size_t
reason_output_ready(reason_context_t *ctx)
{
    size_t        ready = 0;
    ngx_chain_t  *link;

    for (link = ctx->body; link; link = link->next) {
        ready += ngx_buf_size(link->buf);
    }
    return ready;
}


ngx_uint_t
reason_output_suffices(reason_context_t *ctx)
{
    return reason_output_ready(ctx) >= REASON_PIECE / 2;
}


/* TLS writes record by record: the kernel is to send them together. */
static ngx_int_t
reason_output_pass(reason_context_t *ctx)
{
    ngx_int_t          rc;
    ngx_connection_t  *c = ctx->request->connection;
    ngx_uint_t         records = c->ssl != NULL && reason_output_ready(ctx) > REASON_LONG && ngx_tcp_nopush(c->fd) == 0;

    rc = ngx_http_output_filter(ctx->request, ctx->body);
    if (records) {
        (void) ngx_tcp_push(c->fd);
    }
    return rc;
}


/* Gives back memory that is too large for short rows to use. */
static void
reason_output_release(reason_context_t *ctx, reason_piece_t *piece)
{
    if (piece->result != NULL) {
        reason_piece_cleanup(piece);
    } else {
        (void) ngx_pfree(ctx->request->pool, piece->buf.start);
    }
}


/* Frees pieces that are no longer needed, and keeps those for short rows. */
static void
reason_output_recycle(reason_context_t *ctx)
{
    ngx_chain_t  *link, **kept;

    for (kept = &ctx->free; (link = *kept) != NULL; ) {
        if (link->buf->temporary && link->buf->end - link->buf->start == REASON_PIECE) {
            kept = &link->next;
            continue;
        }
        *kept = link->next;
        reason_output_release(ctx, (reason_piece_t *) link->buf);
        link->next = ctx->bare;
        ctx->bare = link;
    }
}


static ngx_int_t
reason_output_open_file(reason_context_t *ctx)
{
    ngx_temp_file_t           *file = ngx_pcalloc(ctx->request->pool, sizeof(ngx_temp_file_t));
    ngx_http_core_loc_conf_t  *clcf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_core_module);

    if (file == NULL) {
        return NGX_ERROR;
    }
    file->file.fd = NGX_INVALID_FILE;
    file->file.log = ctx->request->connection->log;
    file->path = clcf->client_body_temp_path;
    file->pool = ctx->request->pool;
    ctx->file = file;
    return NGX_OK;
}


ngx_int_t
reason_output_spill(reason_context_t *ctx)
{
    ssize_t       written;
    ngx_chain_t  *link;

    if ((ctx->file == NULL && reason_output_open_file(ctx) != NGX_OK) || ctx->body == NULL) {
        return ctx->file == NULL ? NGX_ERROR : NGX_OK;
    }
    written = ngx_write_chain_to_temp_file(ctx->file, ctx->body);
    if (written == NGX_ERROR) {
        return NGX_ERROR;
    }
    ctx->file->offset += written;
    for (link = ctx->body; link; link = link->next) {
        link->buf->pos = link->buf->last = link->buf->start;
    }
    *reason_output_last(&ctx->free) = ctx->body;
    ctx->body = NULL;
    reason_output_recycle(ctx);
    return reason_share_use_disk(&ctx->job, written);
}


/* What is in the file and has not been handed over becomes the first piece. */
static ngx_int_t
reason_output_take_file(reason_context_t *ctx)
{
    ngx_chain_t     *memory = ctx->body;
    reason_piece_t  *piece;

    if (ctx->file == NULL || ctx->file_sent == ctx->file->offset) {
        return NGX_OK;
    }
    ctx->body = NULL;
    piece = reason_output_piece(ctx);
    if (piece == NULL) {
        return NGX_ERROR;
    }
    piece->buf.in_file = 1;
    piece->buf.file = &ctx->file->file;
    piece->buf.file_pos = ctx->file_sent;
    piece->buf.file_last = ctx->file->offset;
    ctx->file_sent = ctx->file->offset;
    ctx->body->next = memory;
    return NGX_OK;
}


/* The client has all of it: the file is empty again. */
static void
reason_output_empty_file(reason_context_t *ctx)
{
    if (ctx->file != NULL && ctx->file->offset > 0) {
        reason_share_free_disk(&ctx->job, ctx->file->offset);
        ctx->file->offset = 0;
        ctx->file_sent = 0;
    }
}


ngx_int_t
reason_output_send(reason_context_t *ctx)
{
    ngx_int_t            rc;
    ngx_chain_t         *link;
    ngx_http_request_t  *r = ctx->request;

    if (reason_output_take_file(ctx) != NGX_OK) {
        return NGX_ABORT;
    }
    for (link = ctx->body; link; link = link->next) {
        /* else TLS keeps the rest of it until more comes, and no write event ever does */
        link->buf->flush = link->next == NULL;
    }
    rc = reason_output_pass(ctx);
    if (rc == NGX_ERROR || r->connection->error) {
        return NGX_ABORT;
    }
    ngx_chain_update_chains(r->pool, &ctx->free, &ctx->busy, &ctx->body, (ngx_buf_tag_t) &ngx_http_reason_module);
    reason_output_recycle(ctx);
    if (ctx->busy != NULL || r->buffered || r->connection->buffered) {
        return NGX_AGAIN;
    }
    reason_output_empty_file(ctx);
    return NGX_OK;
}


ngx_int_t
reason_output_end(reason_context_t *ctx)
{
    ngx_buf_t    *b = ngx_calloc_buf(ctx->request->pool);
    ngx_chain_t  *link = ngx_alloc_chain_link(ctx->request->pool);

    if (b == NULL || link == NULL || reason_output_take_file(ctx) != NGX_OK) {
        return NGX_ERROR;
    }
    b->last_buf = ctx->request == ctx->request->main;
    b->last_in_chain = 1;
    b->sync = !b->last_buf;
    link->buf = b;
    link->next = NULL;
    *reason_output_last(&ctx->body) = link;
    return reason_output_pass(ctx);
}


void
reason_output_forget(reason_context_t *ctx)
{
    ctx->body = NULL;
    ctx->body_length = 0;
}
