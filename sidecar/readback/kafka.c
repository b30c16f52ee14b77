/* kafka.c: what the topic holds, read without joining a consumer group and without leaving an offset behind. */
#include "readback/readback.h"

#include "base/clock.h"
#include "base/doorbell.h"
#include "net/kafka.h"
#include "base/log.h"
#include "core/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static rd_kafka_t *make_consumer(const struct config *config)
{
    static const struct pair defaults[] = {{"group.id", "reason-sidecar"}};
    static const struct pair fixed[] = {{"enable.auto.commit", "false"}, {"auto.offset.reset", "earliest"}};
    rd_kafka_conf_t *settings = kafka_settings(config, defaults, 1, fixed, 2);
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

struct reading {
    message_taker *take;
    void *context;
    int timeout_ms;
    bool stopped;
    unsigned long strange;      /* messages whose key no division can have as its name */
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
    if (ok)
        reading->stopped = !reading->take(reading->context, division, event);
    free(division);
    free(event);
    return ok;
}

/* Reads a partition up to where it ended when that was asked. */
static bool read_partition(rd_kafka_t *consumer, const char *topic, int partition, int last, struct reading *reading)
{
    int64_t low, high, next;
    rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(consumer, topic, partition, &low, &high, reading->timeout_ms);
    long until_ms = clock_ms() + reading->timeout_ms + 1000;
    bool ok = error == RD_KAFKA_RESP_ERR_NO_ERROR;

    next = ok && last && high - last > low ? high - last : low;
    if (ok && next < high)
        ok = assign(consumer, topic, partition, next);
    while (ok && next < high && !reading->stopped) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);

        if (message && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            ok = take(reading, message);
            next = message->offset + 1;
            until_ms = clock_ms() + reading->timeout_ms + 1000;
        } else if (message && message->err != RD_KAFKA_RESP_ERR__TRANSPORT && message->err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
            error = message->err;
            ok = false;
        }
        if (message)
            rd_kafka_message_destroy(message);
        if (ok && (clock_ms() > until_ms || doorbell_stopped())) {
            error = RD_KAFKA_RESP_ERR__TIMED_OUT;
            ok = false;
        }
    }
    if (!ok)
        log_warning("partition %d of Kafka's topic \"%s\" cannot be read: %s", partition, topic, rd_kafka_err2str(error));
    return ok;
}

bool witness_kafka(const struct config *config, int last, int timeout_ms, message_taker *take_message, void *context)
{
    struct reading reading = {.take = take_message, .context = context, .timeout_ms = timeout_ms};
    rd_kafka_t *consumer = make_consumer(config);
    int partitions = consumer ? count_partitions(consumer, config->kafka_topic, timeout_ms) : 0;
    bool ok = partitions > 0;

    for (int partition = 0; ok && partition < partitions && !reading.stopped; partition++)
        ok = read_partition(consumer, config->kafka_topic, partition, last, &reading);
    if (reading.strange)
        log_warning("%lu messages of Kafka's topic \"%s\" have a key that no division can have as its name: passed over", reading.strange, config->kafka_topic);
    if (consumer) {
        rd_kafka_assign(consumer, NULL);
        rd_kafka_destroy(consumer);
    }
    return ok;
}
