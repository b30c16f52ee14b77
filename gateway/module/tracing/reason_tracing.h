/*
 * reason_tracing.h: spans to a collector of OpenTelemetry (OTLP over HTTP, JSON). It knows neither requests nor calls.
 *
 * Ended spans gather in a buffer of the worker's, of fixed size, and are sent each second, or once it is half full, by one connection
 * at a time. Nobody waits for that: what finds no room, or is not taken, is dropped and counted.
 *
 * Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp, opentelemetry/proto/trace/v1/trace.proto
 */
#ifndef REASON_TRACING_H
#define REASON_TRACING_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "base/reason_base.h"

#define REASON_TRACE_ID  32     /* hexadecimal digits */
#define REASON_SPAN_ID   16

/* trace.proto, Span.SpanKind */
typedef enum { REASON_SPAN_INTERNAL = 1, REASON_SPAN_SERVER = 2, REASON_SPAN_CLIENT = 3 } reason_span_kind_e;

/* Texts without what JSON escapes, and no longer than REASON_SPAN_TEXT; an empty one is left out. */
#define REASON_SPAN_TEXT  128

typedef struct {
    const char         *name;
    const u_char       *trace_id;       /* digits, without a NUL behind them */
    const u_char       *id;
    const u_char       *parent_id;
    reason_span_kind_e  kind;
    ngx_uint_t          parent_is_remote;
    uint64_t            began_us;       /* since 1970 */
    uint64_t            ended_us;
    ngx_uint_t          failed;
    ngx_uint_t          status;         /* of the response; 0: none */
    ngx_str_t           method;
    ngx_str_t           function;       /* that is called */
    ngx_str_t           request_id;
} reason_span_t;

/* where spans go to, and the name of the service that they are of */
typedef struct reason_tracing_s {
    ngx_url_t  url;                     /* host and port; its address was looked up when the configuration was read */
    ngx_str_t  path;                    /* of the collector, without v1/traces */
    ngx_str_t  service;
} reason_tracing_t;

/* of a base URL, http://host[:port][/path]; what is returned is nginx's (NGX_CONF_OK, …) */
char *reason_tracing_parse(ngx_conf_t *cf, ngx_str_t *endpoint, reason_tracing_t *tracing);
/* in each worker; without it no span is taken */
ngx_int_t reason_tracing_start(reason_tracing_t *tracing, ngx_cycle_t *cycle);
ngx_uint_t reason_tracing_on(void);
void reason_tracing_new_id(u_char id[REASON_SPAN_ID]);
uint64_t reason_tracing_now(void);
void reason_tracing_add(const reason_span_t *span);

#endif
