/*
 * http/discard.c: the rest of a long body whose request was refused.
 *
 * nginx would read it as fast as it comes, and TLS would decrypt it for nothing: a client that may not write could keep
 * a worker busy that way. Yet a connection that is closed while its client still sends is reset, and the client may
 * never see the answer. So a little of it is read now and then, until the client has read the answer and leaves, or for
 * lingering_time at most. A worker reads only a bounded amount at a time from all such connections together.
 */
#include "http/reason_http.h"

#define REASON_DISCARD_LONG  (256 * 1024)   /* shorter bodies are read at once, and the connection is kept */
#define REASON_DISCARD_PAUSE  50            /* milliseconds */
#define REASON_DISCARD_OF_ALL  (512 * 1024)     /* after each pause, of all such connections together */

typedef struct {
    ngx_http_request_t  *request;
    ngx_event_t          pause;
    ngx_msec_t           until;
} reason_discard_t;

static ngx_msec_t  reason_discard_began;    /* of the present pause */
static size_t      reason_discard_left;     /* that may be read in it */


static ngx_uint_t
reason_discard_is_long(ngx_http_request_t *r)
{
    return r->headers_in.chunked || r->headers_in.content_length_n > REASON_DISCARD_LONG;
}


ngx_int_t
reason_discard_prepare(ngx_http_request_t *r)
{
#if (NGX_HTTP_V2)
    /* its window is not opened any more */
    if (r->stream) {
        return ngx_http_discard_request_body(r);
    }
#endif
    if (!reason_discard_is_long(r)) {
        return ngx_http_discard_request_body(r);
    }
    /* a body that is not wanted is not asked for either */
    r->expect_tested = 1;
    r->keepalive = 0;
    return NGX_OK;
}


static void
reason_discard_cleanup(void *data)
{
    reason_discard_t  *discard = data;

    if (discard->pause.timer_set) {
        ngx_del_timer(&discard->pause);
    }
}


static size_t
reason_discard_allowance(void)
{
    if (ngx_current_msec - reason_discard_began >= REASON_DISCARD_PAUSE) {
        reason_discard_began = ngx_current_msec;
        reason_discard_left = REASON_DISCARD_OF_ALL;
    }
    return reason_discard_left;
}


/* NGX_OK: there may be more; else the client is gone. */
static ngx_int_t
reason_discard_some(ngx_connection_t *c)
{
    u_char   buffer[16 * 1024];
    size_t   left = reason_discard_allowance();
    ssize_t  n;

    while (left > 0) {
        n = c->recv(c, buffer, ngx_min(left, sizeof(buffer)));
        if (n == NGX_AGAIN) {
            break;
        }
        if (n <= 0) {
            return NGX_ERROR;
        }
        left -= n;
        reason_discard_left -= n;
    }
    return NGX_OK;
}


static void
reason_discard_event(ngx_event_t *event)
{
    reason_discard_t    *discard = event->data;
    ngx_http_request_t  *r = discard->request;
    ngx_connection_t    *c = r->connection;

    if (reason_discard_some(c) == NGX_OK && (ngx_msec_int_t) (discard->until - ngx_current_msec) > 0 && !ngx_exiting && !ngx_terminate) {
        ngx_add_timer(event, REASON_DISCARD_PAUSE);
        return;
    }
    ngx_http_finalize_request(r, NGX_ERROR);
    ngx_http_run_posted_requests(c);
}


ngx_int_t
reason_discard_rest(ngx_http_request_t *r, ngx_int_t rc)
{
    reason_discard_t          *discard;
    ngx_pool_cleanup_t        *cleanup;
    ngx_http_core_loc_conf_t  *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

#if (NGX_HTTP_V2)
    if (r->stream) {
        return rc;
    }
#endif
    if (rc != NGX_OK || r != r->main || !reason_discard_is_long(r) || r->request_body != NULL || r->connection->buffered) {
        return rc;
    }
    if (r->discard_body) {
        /* nginx has begun to, as it does with a body that is longer than client_max_body_size */
        r->discard_body = 0;
        r->main->count--;
    }
    cleanup = ngx_pool_cleanup_add(r->pool, sizeof(reason_discard_t));
    if (cleanup == NULL) {
        return NGX_ERROR;
    }
    discard = cleanup->data;
    ngx_memzero(discard, sizeof(reason_discard_t));
    cleanup->handler = reason_discard_cleanup;
    discard->request = r;
    discard->until = ngx_current_msec + core->lingering_time;
    discard->pause.handler = reason_discard_event;
    discard->pause.data = discard;
    discard->pause.log = r->connection->log;
    r->keepalive = 0;
    r->lingering_close = 0;
    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
    if (r->connection->read->timer_set) {
        ngx_del_timer(r->connection->read);
    }
    r->main->count++;
    ngx_add_timer(&discard->pause, REASON_DISCARD_PAUSE);
    return NGX_DONE;
}
