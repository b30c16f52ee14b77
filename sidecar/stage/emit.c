/*
 * emit.c: events to Kafka, in the order of their chains.
 *
 * The key is the division, so that a chain stays in one partition; the producer is idempotent and waits for all
 * in-sync replicas. A batch is produced, its delivery reports are awaited, and only what was acknowledged without a
 * gap moves the division's cursor. After a crash some events are sent again: a consumer drops repeats by
 * (division, seq). With enable.gapless.guarantee a message that fails makes the producer fail as a whole, so that none
 * after it can overtake it; the producer is then made anew.
 *
 * Passwords are read when the producer is made: at the start, after SIGHUP, and after a batch that was not delivered.
 *
 * An event that the brokers' limits can never take is parked, with the reason, and its chain goes on.
 */
#include "stage/stage.h"

#include "base/clock.h"
#include "base/doorbell.h"
#include "net/kafka.h"
#include "base/log.h"
#include "stage/traced.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct message {
    bool delivered;
    bool recorded;              /* the cursor has passed it */
    struct work_time time;      /* from handing it over to its report */
};

struct emitter {
    rd_kafka_t *producer;
    int waiting;                /* reports to come */
    int reloads;                /* when the producer was made */
};

static void on_report(rd_kafka_t *producer, const rd_kafka_message_t *report, void *context)
{
    struct emitter *emitter = context;
    struct message *message = report->_private;

    (void)producer;
    message->delivered = report->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    message->time.ended_us = tracing_now();
    if (!message->delivered)
        log_warning("Kafka did not take an event: %s", rd_kafka_err2str(report->err));
    emitter->waiting--;
}

static rd_kafka_t *make_producer(const struct config *config, struct emitter *emitter)
{
    static const struct pair defaults[] = {{"linger.ms", "5"}, {"compression.type", "lz4"}};
    char reason[256], timeout[16];
    /* what order and delivery rest on is not for configuration */
    const struct pair fixed[] = {{"enable.idempotence", "true"}, {"enable.gapless.guarantee", "true"}, {"acks", "all"},
                                 {"message.timeout.ms", timeout}, {"partitioner", "murmur2_random"}};
    rd_kafka_conf_t *settings;
    rd_kafka_t *producer;

    snprintf(timeout, sizeof(timeout), "%d", config->kafka_timeout_ms);
    settings = kafka_settings(config, defaults, sizeof(defaults) / sizeof(defaults[0]), fixed, sizeof(fixed) / sizeof(fixed[0]));
    if (!settings)
        return NULL;
    rd_kafka_conf_set_dr_msg_cb(settings, on_report);
    rd_kafka_conf_set_opaque(settings, emitter);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, settings, reason, sizeof(reason));
    if (!producer) {
        log_error("Kafka's producer cannot be made: %s", reason);
        rd_kafka_conf_destroy(settings);
    }
    return producer;
}

static void drop_producer(struct emitter *emitter)
{
    if (!emitter->producer)
        return;
    /* what is in flight may or may not arrive: it is sent again under the same (division, seq) */
    rd_kafka_purge(emitter->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (emitter->waiting > 0 && rd_kafka_outq_len(emitter->producer) > 0)
        rd_kafka_poll(emitter->producer, 100);
    rd_kafka_destroy(emitter->producer);
    emitter->producer = NULL;
    emitter->waiting = 0;
}

static struct emitter *emitter_of(struct worker *worker)
{
    struct emitter *emitter = worker->state;
    int reloads = atomic_load(&worker->sidecar->reloads);

    if (!emitter)
        emitter = worker->state = calloc(1, sizeof(*emitter));
    /* between batches: nothing is in flight */
    if (emitter && emitter->reloads != reloads)
        drop_producer(emitter);
    if (emitter && !emitter->producer) {
        emitter->reloads = reloads;
        emitter->producer = make_producer(&worker->sidecar->config, emitter);
    }
    return emitter && emitter->producer ? emitter : NULL;
}

/* columns of events_to_emit() */
enum { DIVISION, SEQ, VALUE };

static PGresult *claim(struct worker *worker, const char *token)
{
    char batch[16];
    const char *parameters[] = {token, worker->sidecar->config.kafka_topic, batch};

    snprintf(batch, sizeof(batch), "%d", worker->sidecar->config.kafka_batch_size);
    return db_call(&worker->db, "SELECT division, seq, value FROM reason.events_to_emit($1, $2, $3)", "tnt", 3, parameters, NULL);
}

/* Parks the one event that can never be sent. */
static void park(struct worker *worker, const char *token, PGresult *claimed, int row, const char *reason)
{
    const char *parameters[] = {token, worker->sidecar->config.kafka_topic, PQgetvalue(claimed, row, DIVISION), PQgetvalue(claimed, row, SEQ), reason};

    log_error("event %s of division \"%s\" is parked: %s", PQgetvalue(claimed, row, SEQ), PQgetvalue(claimed, row, DIVISION), reason);
    metrics_add(METRIC_EMIT_PARKED, 1);
    PQclear(db_call(&worker->db, "SELECT reason.park_event($1, $2, $3, $4, $5)", NULL, 5, parameters, NULL));
}

/* Produces the batch and waits for its reports, or for a reload or the end. False: with the producer, or with its credentials, something is wrong. */
static bool produce(struct worker *worker, const char *token, struct emitter *emitter, PGresult *claimed, struct message *messages)
{
    int rows = PQntuples(claimed);
    long until_ms = clock_ms() + worker->sidecar->config.kafka_timeout_ms + 5000;
    bool ok = true;

    for (int i = 0; i < rows; i++) {
        rd_kafka_resp_err_t error;

        messages[i].time.began_us = tracing_now();
        while ((error = rd_kafka_producev(emitter->producer, RD_KAFKA_V_TOPIC(worker->sidecar->config.kafka_topic),
                                          RD_KAFKA_V_KEY(PQgetvalue(claimed, i, DIVISION), (size_t)PQgetlength(claimed, i, DIVISION)),
                                          RD_KAFKA_V_VALUE(PQgetvalue(claimed, i, VALUE), (size_t)PQgetlength(claimed, i, VALUE)),
                                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE(&messages[i]), RD_KAFKA_V_END))
               == RD_KAFKA_RESP_ERR__QUEUE_FULL
               && clock_ms() < until_ms && !doorbell_stopped())
            rd_kafka_poll(emitter->producer, 100);
        if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
            park(worker, token, claimed, i, rd_kafka_err2str(error));
            /* counts as done: the cursor passes it */
            messages[i].delivered = true;
            continue;
        }
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
            log_warning("cannot send to topic \"%s\": %s", worker->sidecar->config.kafka_topic, rd_kafka_err2str(error));
            break;
        }
        emitter->waiting++;
    }
    while (emitter->waiting > 0 && clock_ms() < until_ms && !doorbell_stopped() && atomic_load(&worker->sidecar->reloads) == emitter->reloads)
        rd_kafka_poll(emitter->producer, 100);
    for (int i = 0; i < rows; i++)
        ok = ok && messages[i].delivered;
    return ok && rd_kafka_fatal_error(emitter->producer, NULL, 0) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Moves each division's cursor behind what was delivered without a gap. -1 when that failed, else how many events. */
static long record(struct worker *worker, const char *token, PGresult *claimed, struct message *messages)
{
    struct array divisions = {0}, seqs = {0};
    long count = 0;
    int rows = PQntuples(claimed);
    PGresult *result = NULL;

    /* rows are ordered by division, then seq */
    for (int i = 0; i < rows;) {
        int end = i, next = i;

        while (next < rows && !strcmp(PQgetvalue(claimed, next, DIVISION), PQgetvalue(claimed, i, DIVISION)))
            next++;
        while (end < next && messages[end].delivered)
            messages[end++].recorded = true;
        if (end > i && array_add(&divisions, PQgetvalue(claimed, i, DIVISION)) && array_add(&seqs, PQgetvalue(claimed, end - 1, SEQ)))
            count += end - i;
        i = next;
    }
    if (count > 0) {
        const char *parameters[] = {token, worker->sidecar->config.kafka_topic, array_end(&divisions), array_end(&seqs)};

        if (parameters[2] && parameters[3])
            result = db_call(&worker->db, "SELECT reason.record_emitted($1, $2, $3::text[], $4::bigint[])", NULL, 4, parameters, NULL);
        if (!result)
            count = -1;
        PQclear(result);
    }
    array_free(&divisions);
    array_free(&seqs);
    return count;
}

static void trace(struct worker *worker, PGresult *claimed, const struct message *messages)
{
    /* https://opentelemetry.io/docs/specs/semconv/messaging/kafka/ */
    const struct traced_attribute attributes[] = {{"messaging.system", "kafka"}, {"messaging.destination.name", worker->sidecar->config.kafka_topic}, {NULL, NULL}};
    const struct traced_batch batch = {.name = "emit", .kind = SPAN_PRODUCER, .attributes = attributes, .events = claimed, .count = PQntuples(claimed)};
    struct work_time *times = calloc((size_t)batch.count + 1, sizeof(*times));

    for (int i = 0; times && i < batch.count; i++)
        if (messages[i].recorded)
            times[i] = messages[i].time;
    if (times)
        trace_events(worker, &batch, times);
    free(times);
}

static enum progress turn(struct worker *worker, const char *token)
{
    struct emitter *emitter = emitter_of(worker);
    PGresult *claimed = emitter ? claim(worker, token) : NULL;
    struct message *messages;
    int rows;
    long count;

    if (!claimed) {
        metrics_add(METRIC_EMIT_FAILURES, 1);
        return PROGRESS_FAILED;
    }
    rows = PQntuples(claimed);
    messages = calloc((size_t)rows + 1, sizeof(*messages));
    if (rows == 0 || !messages) {
        rd_kafka_poll(emitter->producer, 0);
        free(messages);
        PQclear(claimed);
        return rows == 0 ? PROGRESS_NONE : PROGRESS_FAILED;
    }
    /* after this no report can come that points into messages */
    if (!produce(worker, token, emitter, claimed, messages))
        drop_producer(emitter);
    count = record(worker, token, claimed, messages);
    if (count > 0 && tracing_on())
        trace(worker, claimed, messages);
    free(messages);
    PQclear(claimed);
    if (count > 0)
        metrics_add(METRIC_EVENTS_EMITTED, count);
    if (count == rows)
        return PROGRESS_SOME;
    metrics_add(METRIC_EMIT_FAILURES, 1);
    return PROGRESS_FAILED;
}

static void close_emitter(struct worker *worker)
{
    if (worker->state)
        drop_producer(worker->state);
    free(worker->state);
    worker->state = NULL;
}

bool emit_check(const struct config *config)
{
    struct emitter emitter = {0};
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = NULL;
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__FAIL;
    bool ok;

    emitter.producer = make_producer(config, &emitter);
    if (emitter.producer)
        topic = rd_kafka_topic_new(emitter.producer, config->kafka_topic, NULL);
    if (topic)
        error = rd_kafka_metadata(emitter.producer, 0, topic, &metadata, config->kafka_timeout_ms < 10000 ? config->kafka_timeout_ms : 10000);
    ok = error == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_error("Kafka at %s: %s", config->kafka_brokers, rd_kafka_err2str(error));
    else if (!ok)
        log_error("Kafka's topic \"%s\": %s", config->kafka_topic, rd_kafka_err2str(metadata->topics[0].err));
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    if (topic)
        rd_kafka_topic_destroy(topic);
    drop_producer(&emitter);
    return ok;
}

const struct stage stage_emit = {.name = "emit", .histogram = HISTOGRAM_EMIT, .turn = turn, .close = close_emitter};
