/*
 * tracing/export.c: the buffer of ended spans, and the connection that sends it.
 */
#include "tracing/reason_tracing.h"

#include <ngx_event_connect.h>
#include <openssl/rand.h>

#define REASON_SPANS_ROOM    262144     /* bytes of spans that wait; as many may be on their way */
#define REASON_SPAN_ROOM     1536       /* of the longest span */
#define REASON_SPANS_PAUSE   1000       /* ms from the first span to its being sent */
#define REASON_SPANS_TIMEOUT 5000       /* ms for the collector to take them, and to answer */
#define REASON_SPANS_ANSWER  65536      /* bytes of an answer, after which it is broken off */
#define REASON_SPANS_ENVELOPE 2048      /* bytes around the spans, and as many of the header */

static struct {
    reason_tracing_t      *tracing;     /* NULL: no spans are wanted */
    ngx_cycle_t           *cycle;
    u_char                *waiting;     /* spans with commas between */
    u_char                *waiting_end;
    ngx_uint_t             waiting_count;
    u_char                *sending;     /* a whole request */
    u_char                *sent;        /* so far of it */
    u_char                *sending_end;
    ngx_uint_t             sending_count;
    ngx_peer_connection_t  peer;        /* its connection is NULL while nothing is sent */
    u_char                 answer[16];  /* its beginning: HTTP/1.1 200 */
    size_t                 answer_length;   /* of all of it so far */
    ngx_uint_t             silent;      /* that spans are lost has been logged */
    ngx_event_t            timer;
} reason_export;

static void reason_export_timer(ngx_event_t *event);
static void reason_export_send(void);
static void reason_export_write(ngx_event_t *event);
static void reason_export_read(ngx_event_t *event);


char *
reason_tracing_parse(ngx_conf_t *cf, ngx_str_t *endpoint, reason_tracing_t *tracing)
{
    size_t      i, scheme = sizeof("http://") - 1;
    ngx_url_t  *url = &tracing->url;

    if (endpoint->len <= scheme || ngx_strncasecmp(endpoint->data, (u_char *) "http://", scheme) != 0) {
        return "takes http://HOST[:PORT][/PATH], and nothing else: where TLS is needed, a collector beside this nginx passes spans on";
    }
    url->url.data = endpoint->data + scheme;
    url->url.len = endpoint->len - scheme;
    for (i = 0; i < url->url.len && url->url.data[i] != '/'; i++) { /* void */ }
    tracing->path.data = url->url.data + i;
    tracing->path.len = url->url.len - i;
    while (tracing->path.len > 0 && tracing->path.data[tracing->path.len - 1] == '/') {
        tracing->path.len--;
    }
    for (i = 0; i < tracing->service.len; i++) {
        if (tracing->service.data[i] < ' ' || tracing->service.data[i] == '"' || tracing->service.data[i] == '\\') {
            return "has a service's name that JSON would escape";
        }
    }
    url->url.len = tracing->path.data - url->url.data;
    url->default_port = 4318;
    if (ngx_parse_url(cf->pool, url) != NGX_OK || url->naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s in reason_tracing \"%V\"", url->err ? url->err : "no address", endpoint);
        return NGX_CONF_ERROR;
    }
    return url->url.len + tracing->path.len + tracing->service.len <= 512 ? NGX_CONF_OK : "is too long";
}


ngx_int_t
reason_tracing_start(reason_tracing_t *tracing, ngx_cycle_t *cycle)
{
    reason_export.cycle = cycle;
    reason_export.waiting = ngx_palloc(cycle->pool, REASON_SPANS_ROOM);
    reason_export.sending = ngx_palloc(cycle->pool, REASON_SPANS_ROOM + 2 * REASON_SPANS_ENVELOPE);
    if (reason_export.waiting == NULL || reason_export.sending == NULL) {
        return NGX_ERROR;
    }
    reason_export.waiting_end = reason_export.waiting;
    reason_export.timer.handler = reason_export_timer;
    reason_export.timer.log = cycle->log;
    reason_export.timer.data = &reason_export;
    reason_export.tracing = tracing;
    return NGX_OK;
}


ngx_uint_t
reason_tracing_on(void)
{
    return reason_export.tracing != NULL;
}


void
reason_tracing_new_id(u_char id[REASON_SPAN_ID])
{
    u_char  bytes[REASON_SPAN_ID / 2];

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        ngx_sprintf(bytes, "%08xD", (uint32_t) ngx_random());
    }
    ngx_hex_dump(id, bytes, sizeof(bytes));
}


uint64_t
reason_tracing_now(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}


/* ---------------------------------------------------------------- spans */

static u_char *
reason_export_text(u_char *p, const char *key, ngx_str_t text)
{
    text.len = ngx_min(text.len, REASON_SPAN_TEXT);
    return text.len == 0 ? p : ngx_sprintf(p, "{\"key\":\"%s\",\"value\":{\"stringValue\":\"%V\"}},", key, &text);
}


/* As OTLP has it in JSON: ids in hexadecimal, 64-bit integers as text, enumerations and flags as numbers. */
static u_char *
reason_export_span(u_char *p, const reason_span_t *span)
{
    ngx_str_t  none = ngx_null_string, postgresql = ngx_string("postgresql");

    /* SpanFlags: sampled, and it is known whether the parent is of another process */
    p = ngx_sprintf(p, "{\"traceId\":\"%*s\",\"spanId\":\"%*s\",\"parentSpanId\":\"%*s\",\"flags\":%d,\"name\":\"%s\",\"kind\":%d,"
                    "\"startTimeUnixNano\":\"%uL000\",\"endTimeUnixNano\":\"%uL000\",\"attributes\":[",
                    (size_t) REASON_TRACE_ID, span->trace_id, (size_t) REASON_SPAN_ID, span->id, (size_t) REASON_SPAN_ID, span->parent_id,
                    span->parent_is_remote ? 0x301 : 0x101, span->name, (int) span->kind, span->began_us,
                    ngx_max(span->began_us, span->ended_us));
    p = reason_export_text(p, "http.request.method", span->method);
    if (span->status != 0) {
        p = ngx_sprintf(p, "{\"key\":\"http.response.status_code\",\"value\":{\"intValue\":\"%ui\"}},", span->status);
    }
    p = reason_export_text(p, "db.system.name", span->kind == REASON_SPAN_CLIENT ? postgresql : none);
    p = reason_export_text(p, "reason.function", span->function);
    p = reason_export_text(p, "reason.request.id", span->request_id);
    if (p[-1] == ',') {
        p--;
    }
    return ngx_sprintf(p, "]%s},", span->failed ? ",\"status\":{\"code\":2}" : "");
}


void
reason_tracing_add(const reason_span_t *span)
{
    if (!reason_tracing_on()) {
        return;
    }
    if (reason_export.waiting + REASON_SPANS_ROOM - reason_export.waiting_end < REASON_SPAN_ROOM) {
        reason_counters_spans(REASON_SPANS_DROPPED, 1);
        return;
    }
    reason_export.waiting_end = reason_export_span(reason_export.waiting_end, span);
    reason_export.waiting_count++;
    if (reason_export.peer.connection == NULL && reason_export.waiting_end - reason_export.waiting > REASON_SPANS_ROOM / 2) {
        reason_export_send();
    } else if (!reason_export.timer.timer_set) {
        ngx_add_timer(&reason_export.timer, REASON_SPANS_PAUSE);
    }
}


/* ---------------------------------------------------------------- sending */

/* Those that wait become a request, and others may wait. */
static void
reason_export_fill(void)
{
    u_char            *p, *body = reason_export.sending + REASON_SPANS_ENVELOPE;
    size_t             spans = reason_export.waiting_end - reason_export.waiting - 1;    /* without the last comma */
    u_char             header[REASON_SPANS_ENVELOPE];
    reason_tracing_t  *tracing = reason_export.tracing;

    p = ngx_sprintf(body, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"%V\"}},"
                    "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"%V:%P\"}}]},"
                    "\"scopeSpans\":[{\"scope\":{\"name\":\"reason-gateway\"},\"spans\":[", &tracing->service, &reason_export.cycle->hostname, ngx_pid);
    p = ngx_cpymem(p, reason_export.waiting, spans);
    p = ngx_sprintf(p, "]}]}]}");
    reason_export.sending_end = p;
    p = ngx_sprintf(header, "POST %V/v1/traces HTTP/1.1\r\nHost: %V\r\nContent-Type: application/json\r\nContent-Length: %uz\r\n"
                    "User-Agent: reason-gateway\r\nConnection: close\r\n\r\n", &tracing->path, &tracing->url.url, (size_t) (p - body));
    reason_export.sent = body - (p - header);
    ngx_memcpy(reason_export.sent, header, p - header);
    reason_export.sending_count = reason_export.waiting_count;
    reason_export.waiting_end = reason_export.waiting;
    reason_export.waiting_count = 0;
    reason_export.answer_length = 0;
}


/* problem NULL: they were taken */
static void
reason_export_finish(const char *problem)
{
    reason_counters_spans(problem ? REASON_SPANS_DROPPED : REASON_SPANS_EXPORTED, reason_export.sending_count);
    if (problem && !reason_export.silent) {
        ngx_log_error(NGX_LOG_WARN, reason_export.cycle->log, 0, "spans are dropped: the collector %V %s", &reason_export.tracing->url.url, problem);
    }
    reason_export.silent = problem != NULL;
    if (reason_export.peer.connection != NULL) {
        ngx_close_connection(reason_export.peer.connection);
        reason_export.peer.connection = NULL;
    }
    if (reason_export.waiting_count > 0 && !reason_export.timer.timer_set) {
        ngx_add_timer(&reason_export.timer, REASON_SPANS_PAUSE);
    }
}


static void
reason_export_timer(ngx_event_t *event)
{
    if (reason_export.peer.connection == NULL && reason_export.waiting_count > 0) {
        reason_export_send();
    }
}


static void
reason_export_send(void)
{
    ngx_int_t               rc;
    ngx_peer_connection_t  *peer = &reason_export.peer;
    ngx_addr_t             *address = &reason_export.tracing->url.addrs[0];

    reason_export_fill();
    ngx_memzero(peer, sizeof(ngx_peer_connection_t));
    peer->sockaddr = address->sockaddr;
    peer->socklen = address->socklen;
    peer->name = &address->name;
    peer->get = ngx_event_get_peer;
    peer->log = reason_export.cycle->log;
    peer->log_error = NGX_ERROR_INFO;
    rc = ngx_event_connect_peer(peer);
    if (rc != NGX_OK && rc != NGX_AGAIN) {
        reason_export_finish("cannot be connected to");
        return;
    }
    peer->connection->data = &reason_export;
    peer->connection->read->handler = reason_export_read;
    peer->connection->write->handler = reason_export_write;
    ngx_add_timer(peer->connection->write, REASON_SPANS_TIMEOUT);
    if (rc == NGX_OK) {
        reason_export_write(peer->connection->write);
    }
}


static void
reason_export_write(ngx_event_t *event)
{
    ssize_t            sent;
    ngx_connection_t  *c = event->data;

    if (event->timedout) {
        reason_export_finish("does not take them");
        return;
    }
    while (reason_export.sent < reason_export.sending_end) {
        sent = c->send(c, reason_export.sent, reason_export.sending_end - reason_export.sent);
        if (sent == NGX_AGAIN) {
            if (ngx_handle_write_event(event, 0) != NGX_OK) {
                reason_export_finish("cannot be written to");
            }
            return;
        }
        if (sent <= 0) {
            reason_export_finish("does not take them");
            return;
        }
        reason_export.sent += sent;
    }
    if (event->timer_set) {
        ngx_del_timer(event);
        ngx_add_timer(c->read, REASON_SPANS_TIMEOUT);
    }
    if (ngx_handle_write_event(event, 0) != NGX_OK || ngx_handle_read_event(c->read, 0) != NGX_OK) {
        reason_export_finish("cannot be read from");
    }
}


/* What it says besides its status is read, so that it need not break off, up to a length, and forgotten. */
static void
reason_export_read(ngx_event_t *event)
{
    u_char             rest[1024];
    size_t             kept;
    ssize_t            got;
    ngx_connection_t  *c = event->data;

    if (event->timedout) {
        reason_export_finish("does not answer");
        return;
    }
    while (reason_export.answer_length < REASON_SPANS_ANSWER) {
        got = c->recv(c, rest, sizeof(rest));
        if (got == NGX_AGAIN) {
            if (ngx_handle_read_event(event, 0) != NGX_OK) {
                reason_export_finish("cannot be read from");
            }
            return;
        }
        if (got <= 0) {
            break;
        }
        if (reason_export.answer_length < sizeof(reason_export.answer)) {
            kept = ngx_min((size_t) got, sizeof(reason_export.answer) - reason_export.answer_length);
            ngx_memcpy(reason_export.answer + reason_export.answer_length, rest, kept);
        }
        reason_export.answer_length += got;
    }
    if (reason_export.answer_length < sizeof("HTTP/1.1 200") - 1 || ngx_strncmp(reason_export.answer, "HTTP/1.", 7) != 0) {
        reason_export_finish("gives no answer");
    } else {
        reason_export_finish(reason_export.answer[9] == '2' ? NULL : "refuses them");
    }
}
