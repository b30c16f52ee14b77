/*
 * export.c: the queue of ended spans, and the thread that sends them.
 *
 * A batch goes when it is full or its first span has waited a second. When the collector is away or busy, the batch is
 * tried again a few times, and what comes meanwhile fills the queue, then is dropped. Nobody but this thread waits.
 */
#include "tracing/export.h"

#include "base/clock.h"
#include "net/http.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/plain_file.h"
#include "tracing/otlp.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define QUEUE_MOST 2048
#define BATCH_MOST 512
#define DELAY_MS 1000
#define ATTEMPTS 4
#define RETRY_MS 1000
#define FLUSH_MS 2000
#define HEADERS_MOST 16
#define HEADERS_SIZE 8192

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct span *spans;         /* a ring */
    size_t first, count;
    atomic_bool stopping;
    long stop_ms;               /* stopping: nothing is sent after that */
    pthread_t thread;
    atomic_bool started;
    struct sampler sampler;
    struct http *http;
    struct otlp_resource resource;
    const char *headers, *headers_file;
    char url[1024];
    int timeout_ms;
    struct span batch[BATCH_MOST];
} export = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool tracing_on(void)
{
    return atomic_load(&export.started);
}

bool tracing_context(const char *traceparent, struct trace_context *context)
{
    return tracing_on() && traceparent && trace_context_parse(traceparent, context) && sampler_records(&export.sampler, context);
}

void export_span(const struct span *span)
{
    bool kept;

    if (!tracing_on())
        return;
    pthread_mutex_lock(&export.lock);
    kept = export.count < QUEUE_MOST;
    if (kept) {
        export.spans[(export.first + export.count++) % QUEUE_MOST] = *span;
        if (export.count == 1 || export.count == BATCH_MOST)
            pthread_cond_signal(&export.changed);
    }
    pthread_mutex_unlock(&export.lock);
    if (!kept)
        metrics_add(METRIC_SPANS_DROPPED, 1);
}

/* ---------------------------------------------------------------- headers */

/* In place; false at what cannot be in a header. */
static bool percent_decode(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        unsigned char byte = (unsigned char)*from;
        unsigned value;

        if (byte == '%' && isxdigit((unsigned char)from[1]) && isxdigit((unsigned char)from[2]) && sscanf(from + 1, "%2x", &value) == 1) {
            byte = (unsigned char)value;
            from += 2;
        }
        if (iscntrl(byte))
            return false;
        *to++ = (char)byte;
    }
    *to = '\0';
    return true;
}

static char *trim(char *text)
{
    size_t length;

    text += strspn(text, " \t");
    length = strlen(text);
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        text[--length] = '\0';
    return text;
}

/* "name=value,name=value", values percent-encoded (OTEL_EXPORTER_OTLP_HEADERS); cuts the text up. */
static size_t parse_headers(char *text, struct http_header *headers, size_t most)
{
    size_t count = 0;
    char *rest = text, *pair;

    while (count < most && (pair = strsep(&rest, ","))) {
        char *equals = strchr(pair, '=');

        if (!equals)
            continue;
        *equals = '\0';
        headers[count] = (struct http_header){trim(pair), trim(equals + 1)};
        if (headers[count].name[0] && percent_decode(equals + 1))
            count++;
    }
    return count;
}

/* ---------------------------------------------------------------- sending */

/* How long a request may take. 0: no time is left. */
static int time_left(void)
{
    long left_ms = export.timeout_ms;

    if (atomic_load(&export.stopping) && export.stop_ms - clock_ms() < left_ms)
        left_ms = export.stop_ms - clock_ms();
    return left_ms > 0 ? (int)left_ms : 0;
}

static bool is_out_of_time(void)
{
    return time_left() == 0;
}

enum outcome { SENT, AGAIN, LOST };

static enum outcome send_once(const char *body, size_t count, int timeout_ms)
{
    char configured[HEADERS_SIZE] = "", secret[HEADERS_SIZE] = "";
    struct http_header headers[2 * HEADERS_MOST + 2] = {{"content-type", "application/json"}, {"user-agent", "reason-sidecar/" REASON_VERSION}};
    struct http_request request = {.method = "POST", .url = export.url, .headers = headers, .body = body, .body_size = strlen(body),
                                   .give_up = is_out_of_time, .timeout_ms = timeout_ms};
    struct http_answer answer;
    enum outcome outcome = SENT;

    request.header_count = 2;
    snprintf(configured, sizeof(configured), "%s", export.headers);
    request.header_count += parse_headers(configured, headers + request.header_count, HEADERS_MOST);
    /* read each time: a mounted secret may be replaced */
    if (export.headers_file[0] && plain_file_read_secret(export.headers_file, secret, sizeof(secret)))
        request.header_count += parse_headers(secret, headers + request.header_count, HEADERS_MOST);
    if (!http_call(export.http, &request, &answer)) {
        log_warning("%zu spans: the collector does not answer: %s", count, answer.error);
        outcome = AGAIN;
    } else if (answer.status / 100 == 2 && otlp_rejected(answer.body ? answer.body : "", answer.body_length) < 0) {
        outcome = LOST;
        log_warning("%zu spans: what answers with status %ld is no collector", count, answer.status);
    } else if (answer.status / 100 == 2) {
        long rejected = otlp_rejected(answer.body, answer.body_length);

        if (rejected > 0)
            log_warning("the collector rejected %ld of %zu spans", rejected, count);
        rejected = rejected > (long)count ? (long)count : rejected;
        metrics_add(METRIC_SPANS_DROPPED, rejected);
        metrics_add(METRIC_SPANS_EXPORTED, (long)count - rejected);
    } else {
        /* OTLP/HTTP: these may be tried again, others not */
        outcome = answer.status == 429 || answer.status == 502 || answer.status == 503 || answer.status == 504 ? AGAIN : LOST;
        log_warning("%zu spans: the collector answered with status %ld", count, answer.status);
    }
    http_answer_free(&answer);
    return outcome;
}

/* Until told to stop, or so long. */
static void pause_sending(int ms)
{
    long until = clock_ms() + ms;
    const struct timespec deadline = {until / 1000, until % 1000 * 1000000L};

    pthread_mutex_lock(&export.lock);
    while (!atomic_load(&export.stopping) && clock_ms() < until)
        pthread_cond_timedwait(&export.changed, &export.lock, &deadline);
    pthread_mutex_unlock(&export.lock);
}

static void send_batch(size_t count)
{
    char *body = otlp_encode(&export.resource, export.batch, count);
    enum outcome outcome = body ? AGAIN : LOST;

    for (int attempt = 0; outcome == AGAIN && attempt < ATTEMPTS; attempt++) {
        if (attempt > 0)
            pause_sending(RETRY_MS << (attempt - 1));
        if (is_out_of_time())
            break;
        outcome = send_once(body, count, time_left());
        /* whoever does not answer is not asked again while this process should end */
        if (atomic_load(&export.stopping))
            break;
    }
    if (outcome != SENT)
        metrics_add(METRIC_SPANS_DROPPED, (long)count);
    free(body);
}

/* The next batch into export.batch; 0: stopped, and nothing is left. */
static size_t take_batch(void)
{
    size_t count;
    long until;

    pthread_mutex_lock(&export.lock);
    while (export.count == 0 && !atomic_load(&export.stopping))
        pthread_cond_wait(&export.changed, &export.lock);
    until = clock_ms() + DELAY_MS;
    while (export.count < BATCH_MOST && !atomic_load(&export.stopping) && clock_ms() < until) {
        const struct timespec deadline = {until / 1000, until % 1000 * 1000000L};

        pthread_cond_timedwait(&export.changed, &export.lock, &deadline);
    }
    count = export.count < BATCH_MOST ? export.count : BATCH_MOST;
    for (size_t i = 0; i < count; i++)
        export.batch[i] = export.spans[(export.first + i) % QUEUE_MOST];
    export.first = (export.first + count) % QUEUE_MOST;
    export.count -= count;
    pthread_mutex_unlock(&export.lock);
    return count;
}

static void *run(void *argument)
{
    size_t count;

    (void)argument;
    while ((count = take_batch()) > 0)
        send_batch(count);
    return NULL;
}

/* ---------------------------------------------------------------- start and stop */

bool tracing_start(const struct config *config, const char *instance)
{
    const struct http_tls tls = {.ca_file = config->tracing_ca_file};
    size_t length = strlen(config->tracing_endpoint);
    pthread_condattr_t attributes;

    if (length == 0)
        return true;
    if (!sampler_parse(config->tracing_sampler, config->tracing_sampler_arg, &export.sampler)) {
        log_warning("tracing.sampler_arg \"%s\" is no number from 0 to 1: it is ignored", config->tracing_sampler_arg);
        sampler_parse(config->tracing_sampler, "1", &export.sampler);
    }
    if (config->tracing_endpoint[length - 1] == '/')
        length--;
    if (snprintf(export.url, sizeof(export.url), "%.*s/v1/traces", (int)length, config->tracing_endpoint) >= (int)sizeof(export.url)) {
        log_error("tracing.endpoint is too long");
        return false;
    }
    export.resource = (struct otlp_resource){config->tracing_service_name, instance};
    export.headers = config->tracing_headers;
    export.headers_file = config->tracing_headers_file;
    export.timeout_ms = config->tracing_timeout_ms;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&export.changed, &attributes);
    pthread_condattr_destroy(&attributes);
    export.spans = calloc(QUEUE_MOST, sizeof(*export.spans));
    export.http = http_new(&tls);
    if (!export.spans || !export.http || pthread_create(&export.thread, NULL, run, NULL) != 0) {
        log_error("the thread that exports spans cannot be started");
        free(export.spans);
        http_free(export.http);
        return false;
    }
    atomic_store(&export.started, true);
    log_info("spans go to %s", export.url);
    return true;
}

void tracing_stop(void)
{
    if (!atomic_exchange(&export.started, false))
        return;
    pthread_mutex_lock(&export.lock);
    export.stop_ms = clock_ms() + FLUSH_MS;
    atomic_store(&export.stopping, true);
    pthread_cond_broadcast(&export.changed);
    pthread_mutex_unlock(&export.lock);
    pthread_join(export.thread, NULL);
    http_free(export.http);
    free(export.spans);
}
