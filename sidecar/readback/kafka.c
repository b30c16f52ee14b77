/* kafka.c: what the topic holds, read without joining a consumer group and without leaving an offset behind. */
#include "readback/readback.h"

#include "base/clock.h"
#include "base/doorbell.h"
#include "net/kafka.h"
#include "base/log.h"
#include "core/names.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static rd_kafka_t *make_consumer(const struct config *config)
{
    static const struct pair defaults[] = {{"group.id", "reason-sidecar"}};
    static const struct pair fixed[] = {{"enable.auto.commit", "false"}, {"auto.offset.reset", "earliest"}, {"enable.partition.eof", "true"}};
    rd_kafka_conf_t *settings = kafka_settings(config, defaults, 1, fixed, 3);
    char reason[256];
    rd_kafka_t *consumer = settings ? rd_kafka_new(RD_KAFKA_CONSUMER, settings, reason, sizeof(reason)) : NULL;

    if (settings && !consumer) {
        log_error("Kafka's consumer cannot be made: %s", reason);
        rd_kafka_conf_destroy(settings);
    }
    if (consumer)
        rd_kafka_poll_set_consumer(consumer);
    return consumer;
}

/* How many partitions the topic has; 0 after logging. */
static int count_partitions(rd_kafka_t *consumer, const char *name, int timeout_ms)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(consumer, name, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t error = topic ? rd_kafka_metadata(consumer, 0, topic, &metadata, timeout_ms) : RD_KAFKA_RESP_ERR__FAIL;
    int count = 0;

    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1) {
        error = metadata->topics[0].err;
        count = metadata->topics[0].partition_cnt;
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_warning("Kafka's topic \"%s\" cannot be read: %s", name, rd_kafka_err2str(error));
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    if (topic)
        rd_kafka_topic_destroy(topic);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ? count : 0;
}

/* A broker that has answered once gets more time for the next answer. */
#define ANSWERING_MS 3000

struct reading {
    rd_kafka_t *consumer;
    const char *topic;
    message_taker *take;
    void *context;
    int timeout_ms;             /* for an answer, and between two messages */
    long until_ms;              /* for all; 0: as long as messages come */
    bool stopped;
    unsigned long strange;      /* messages that are no events of the division that is their key */
};

static bool assign(rd_kafka_t *consumer, const char *topic, int partition, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t error;

    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    error = rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Whether it has the form of an event of that division; who made it, signatures tell. */
static bool is_event(const char *division, const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    const char *named = json_string_value(json_object_get(json, "division"));
    bool ok = named && !strcmp(named, division) && json_is_integer(json_object_get(json, "seq")) && json_is_string(json_object_get(json, "hash"))
              && json_is_string(json_object_get(json, "signature"));

    json_decref(json);
    return ok;
}

static bool take(struct reading *reading, const rd_kafka_message_t *message)
{
    char *division, *event;
    bool ok;

    /* others may write to the topic as well */
    if (!message->key || !division_name_is_valid(message->key, message->key_len)) {
        reading->strange++;
        return true;
    }
    division = strndup(message->key, message->key_len);
    event = strndup(message->payload ? message->payload : "", message->len);
    ok = division && event;
    if (ok && !is_event(division, event))
        reading->strange++;
    else if (ok)
        reading->stopped = !reading->take(reading->context, division, event);
    free(division);
    free(event);
    return ok;
}

static bool is_late(const struct reading *reading, long since_ms)
{
    long now = clock_ms();

    return doorbell_stopped() || now > since_ms + reading->timeout_ms + 1000 || (reading->until_ms && now > reading->until_ms);
}

/* Reads the messages of a partition from one offset up to another; there may be fewer, for offsets of markers and of what was compacted are no messages. */
static bool read_range(struct reading *reading, int partition, int64_t next, int64_t end)
{
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    long since_ms = clock_ms();
    bool ok = next >= end || assign(reading->consumer, reading->topic, partition, next);

    while (ok && next < end && !reading->stopped) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reading->consumer, 100);

        if (message && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            ok = take(reading, message);
            next = message->offset + 1;
            since_ms = clock_ms();
        } else if (message && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            next = end;
        } else if (message && message->err != RD_KAFKA_RESP_ERR__TRANSPORT && message->err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
            error = message->err;
            ok = false;
        }
        if (message)
            rd_kafka_message_destroy(message);
        if (ok && next < end && is_late(reading, since_ms)) {
            error = RD_KAFKA_RESP_ERR__TIMED_OUT;
            ok = false;
        }
    }
    if (!ok)
        log_warning("partition %d of Kafka's topic \"%s\" cannot be read: %s", partition, reading->topic, rd_kafka_err2str(error));
    return ok;
}

/* The offset of the first message of that time or later; `high` when there is none, -1 when the broker does not say. */
static int64_t offset_since(struct reading *reading, int partition, long since_ms, int64_t high)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *asked = rd_kafka_topic_partition_list_add(list, reading->topic, partition);
    rd_kafka_resp_err_t error;
    int64_t offset;

    asked->offset = since_ms;
    error = rd_kafka_offsets_for_times(reading->consumer, list, reading->timeout_ms);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        error = asked->err;
    offset = error != RD_KAFKA_RESP_ERR_NO_ERROR ? -1 : asked->offset < 0 ? high : asked->offset;
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_warning("partition %d of Kafka's topic \"%s\" does not say what is new: %s", partition, reading->topic, rd_kafka_err2str(error));
    rd_kafka_topic_partition_list_destroy(list);
    return offset;
}

/* Reads what `part` names of a partition, as it is now: the newest first, for the time may not do for all. */
static bool read_partition(struct reading *reading, int partition, const struct topic_part *part)
{
    int64_t low, high, from, last;
    rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(reading->consumer, reading->topic, partition, &low, &high, reading->timeout_ms);

    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_warning("partition %d of Kafka's topic \"%s\" cannot be read: %s", partition, reading->topic, rd_kafka_err2str(error));
        return false;
    }
    from = part->since_ms ? offset_since(reading, partition, part->since_ms, high) : low;
    if (from < 0)
        return false;
    last = part->last && high - part->last > low ? high - part->last : low;
    return read_range(reading, partition, part->last ? last : from, high) && (!part->last || from >= last || read_range(reading, partition, from, last));
}

bool readback_kafka(const struct config *config, const struct topic_part *part, int timeout_ms, int most_ms, message_taker *take_message, void *context)
{
    struct reading reading = {.consumer = make_consumer(config), .topic = config->kafka_topic, .take = take_message, .context = context,
                              .timeout_ms = timeout_ms, .until_ms = most_ms ? clock_ms() + most_ms : 0};
    int partitions = reading.consumer ? count_partitions(reading.consumer, config->kafka_topic, timeout_ms) : 0;
    bool ok = partitions > 0;

    if (reading.timeout_ms < ANSWERING_MS)
        reading.timeout_ms = ANSWERING_MS;
    for (int partition = 0; ok && partition < partitions && !reading.stopped; partition++)
        ok = read_partition(&reading, partition, part);
    if (reading.strange)
        log_warning("%lu messages of Kafka's topic \"%s\" are no events of the division that is their key: passed over", reading.strange, config->kafka_topic);
    if (reading.consumer) {
        rd_kafka_assign(reading.consumer, NULL);
        rd_kafka_destroy(reading.consumer);
    }
    return ok;
}
