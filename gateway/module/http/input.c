/*
 * http/input.c: the body of a request. It stays where nginx has put it until a connection is there to send it.
 */
#include "http/reason_http.h"


size_t
reason_input_length(ngx_http_request_t *r)
{
    size_t        length = 0;
    ngx_chain_t  *link;

    for (link = r->request_body != NULL ? r->request_body->bufs : NULL; link; link = link->next) {
        length += ngx_buf_size(link->buf);
    }
    return length;
}


u_char *
reason_input_text(ngx_http_request_t *r, size_t *length)
{
    u_char       *text, *p;
    ngx_chain_t  *link;

    *length = reason_input_length(r);
    text = p = ngx_pnalloc(r->pool, *length + 1);
    if (text == NULL) {
        return NULL;
    }
    for (link = r->request_body != NULL ? r->request_body->bufs : NULL; link; link = link->next) {
        if (link->buf->in_file) {
            ssize_t  n = ngx_read_file(link->buf->file, p, ngx_buf_size(link->buf), link->buf->file_pos);

            if (n != ngx_buf_size(link->buf)) {
                return NULL;
            }
            p += n;
        } else if (link->buf->last > link->buf->pos) {
            p = ngx_cpymem(p, link->buf->pos, link->buf->last - link->buf->pos);
        }
    }
    *p = '\0';
    return text;
}


/* The body's place among the values; -1: this call has none. */
static ngx_int_t
reason_input_place(reason_context_t *ctx)
{
    reason_loc_conf_t  *conf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_reason_module);

    if (conf->body_argument < 0 || (ctx->job.statement != conf->statement && ctx->job.statement != conf->scoped)) {
        return -1;
    }
    return (conf->caller ? conf->caller->nelts : 0) + conf->body_argument;
}


ngx_int_t
reason_input_bind(reason_job_t *job)
{
    size_t             length, good;
    u_char            *text, *p, details[sizeof("{\"index\":,\"offset\":}") + 2 * NGX_INT_T_LEN];
    ngx_int_t          index, place;
    const char        *problem;
    reason_context_t  *ctx = (reason_context_t *) job;

    place = reason_input_place(ctx);
    if (place < 0 || ctx->job.values[place] != NULL || ctx->request->method != NGX_HTTP_POST) {
        return NGX_OK;
    }
    if (reason_input_length(ctx->request) == 0) {
        reason_error_finish(ctx, NGX_HTTP_BAD_REQUEST, "BAD_REQUEST", "the body is empty: it must be JSON", NULL);
        return NGX_ABORT;
    }
    text = reason_input_text(ctx->request, &length);
    if (text == NULL) {
        reason_error_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR, "INTERNAL", "internal error", NULL);
        return NGX_ABORT;
    }
    ctx->job.values[place] = (char *) text;
    good = ngx_strlen(text);
    good = reason_utf8_length(text, good);
    if (good == length) {
        return NGX_OK;
    }
    index = reason_json_record(text, good);
    p = ngx_sprintf(details, "{");
    if (index >= 0) {
        p = ngx_sprintf(p, "\"index\":%i,", index);
    }
    *ngx_sprintf(p, "\"offset\":%uz}", good) = '\0';
    problem = text[good] == '\0' ? "the body holds a NUL byte" : "the body is not UTF-8";
    reason_input_release(job);
    reason_error_finish(ctx, NGX_HTTP_BAD_REQUEST, "BAD_REQUEST", problem, (char *) details);
    return NGX_ABORT;
}


void
reason_input_release(reason_job_t *job)
{
    reason_context_t  *ctx = (reason_context_t *) job;
    ngx_int_t          place = reason_input_place(ctx);

    if (place >= 0 && ctx->job.values[place] != NULL) {
        (void) ngx_pfree(ctx->request->pool, (char *) ctx->job.values[place]);
        ctx->job.values[place] = NULL;
    }
}
