/*
 * kafka.c: settings of librdkafka.
 *
 * Passwords come from files, as <setting>.file.
 */
#include "net/kafka.h"

#include "base/log.h"
#include "base/plain_file.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* Settings of librdkafka whose values are secrets. */
static const char *const secrets[] = {"sasl.password", "ssl.key.password", "ssl.keystore.password", "sasl.oauthbearer.client.secret"};

static void on_error(rd_kafka_t *producer, int error, const char *reason, void *context)
{
    (void)producer, (void)context;
    log_warning("Kafka: %s: %s", rd_kafka_err2name((rd_kafka_resp_err_t)error), reason);
}

static void on_log(const rd_kafka_t *producer, int level, const char *facility, const char *text)
{
    (void)producer;
    /* syslog's levels; errors come through on_error, too */
    if (level <= 4)
        log_debug("librdkafka: %s: %s", facility, text);
}

static bool set(rd_kafka_conf_t *settings, const char *name, const char *value)
{
    char reason[256];

    if (rd_kafka_conf_set(settings, name, value, reason, sizeof(reason)) == RD_KAFKA_CONF_OK)
        return true;
    /* the value may be a password: the reason may repeat it */
    log_error("kafka.%s is not acceptable to librdkafka", name);
    return false;
}

/* A setting of the configuration: as it is, or from the file that it names. */
static bool set_configured(rd_kafka_conf_t *settings, const struct setting *setting)
{
    char secret[4096];
    bool ok;

    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        size_t length = strlen(secrets[i]);

        if (strncmp(setting->name, secrets[i], length) != 0 || strcmp(setting->name + length, ".file") != 0)
            continue;
        ok = plain_file_read_secret(setting->value, secret, sizeof(secret)) && set(settings, secrets[i], secret);
        sodium_memzero(secret, sizeof(secret));
        return ok;
    }
    return set(settings, setting->name, setting->value);
}

static bool set_all(rd_kafka_conf_t *settings, const struct pair *pairs, size_t count)
{
    bool ok = true;

    for (size_t i = 0; i < count; i++)
        ok = ok && set(settings, pairs[i].name, pairs[i].value);
    return ok;
}

rd_kafka_conf_t *kafka_settings(const struct config *config, const struct pair *defaults, size_t default_count, const struct pair *fixed,
                                size_t fixed_count)
{
    rd_kafka_conf_t *settings = rd_kafka_conf_new();
    bool ok = set(settings, "client.id", "reason-sidecar") && set_all(settings, defaults, default_count);

    for (size_t i = 0; i < config->kafka_setting_count; i++)
        ok = ok && set_configured(settings, &config->kafka_settings[i]);
    ok = ok && set(settings, "bootstrap.servers", config->kafka_brokers) && set_all(settings, fixed, fixed_count);
    if (!ok) {
        rd_kafka_conf_destroy(settings);
        return NULL;
    }
    rd_kafka_conf_set_error_cb(settings, on_error);
    rd_kafka_conf_set_log_cb(settings, on_log);
    return settings;
}
