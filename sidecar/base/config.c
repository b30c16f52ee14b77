/* config.c: the configuration file. */
#include "base/config.h"

#include "base/log.h"
#include "core/names.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the kubelet puts what a pod may use of the Kubernetes API. */
#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/"

static const struct config_key keys[] = {
#define FIELD(name) offsetof(struct config, name)
    {"database", "conninfo", CONFIG_TEXT, FIELD(conninfo), NULL, 0, 0, NULL},
    {"database", "timeout_ms", CONFIG_NUMBER, FIELD(database_timeout_ms), "60000", 1000, 3600000, NULL},
    SIGNER_KEYS("signer", struct config, signer, "id", NULL),
    SIGNER_KEYS("checkpoint", struct config, checkpoint_signer, "signer", ""),
    {"checkpoint", "origin", CONFIG_TEXT, FIELD(checkpoint_origin), "localhost/reason", 0, 0, NULL},
    {"checkpoint", "state_file", CONFIG_TEXT, FIELD(checkpoint_state_file), "", 0, 0, NULL},
    {"checkpoint", "interval_s", CONFIG_NUMBER, FIELD(checkpoint_interval_s), "60", 1, 86400, NULL},
    {"checkpoint", "heads_interval_s", CONFIG_NUMBER, FIELD(checkpoint_heads_interval_s), "3600", 1, 7 * 86400, NULL},
    {"checkpoint", "reread_percent", CONFIG_NUMBER, FIELD(checkpoint_reread_percent), "20", 1, 100, NULL},
    {"checkpoint", "quorum", CONFIG_NUMBER, FIELD(checkpoint_quorum), "0", 0, WITNESSES_MOST, NULL},
    {"checkpoint", "policy_file", CONFIG_TEXT, FIELD(checkpoint_policy_file), "", 0, 0, NULL},
    {"store", "url", CONFIG_TEXT, FIELD(store_url), NULL, 0, 0, NULL},
    {"store", "endpoint", CONFIG_TEXT, FIELD(store_endpoint), "", 0, 0, NULL},
    {"store", "region", CONFIG_TEXT, FIELD(store_region), "us-east-1", 0, 0, NULL},
    {"store", "credentials_file", CONFIG_TEXT, FIELD(store_credentials_file), "", 0, 0, NULL},
    {"store", "ca_file", CONFIG_TEXT, FIELD(store_ca_file), "", 0, 0, NULL},
    {"store", "path_style", CONFIG_FLAG, FIELD(store_path_style), "no", 0, 0, NULL},
    {"store", "if_none_match", CONFIG_FLAG, FIELD(store_if_none_match), "yes", 0, 0, NULL},
    {"store", "lock_mode", CONFIG_TEXT, FIELD(store_lock_mode), "none", 0, 0, "|none|governance|compliance|"},
    {"store", "lock_days", CONFIG_NUMBER, FIELD(store_lock_days), "365", 1, 36500, NULL},
    {"store", "multipart_mb", CONFIG_NUMBER, FIELD(store_multipart_mb), "64", 5, 4096, NULL},
    {"store", "timeout_ms", CONFIG_NUMBER, FIELD(store_timeout_ms), "30000", 100, 3600000, NULL},
    {"kafka", "brokers", CONFIG_TEXT, FIELD(kafka_brokers), "", 0, 0, NULL},
    {"kafka", "topic", CONFIG_TEXT, FIELD(kafka_topic), "audit-events", 0, 0, NULL},
    {"kafka", "batch_size", CONFIG_NUMBER, FIELD(kafka_batch_size), "1000", 1, 100000, NULL},
    {"kafka", "timeout_ms", CONFIG_NUMBER, FIELD(kafka_timeout_ms), "30000", 1000, 600000, NULL},
    {"archive", "url", CONFIG_TEXT, FIELD(archive_url), "", 0, 0, NULL},
    {"archive", "lock_mode", CONFIG_TEXT, FIELD(archive_lock_mode), "none", 0, 0, "|none|governance|compliance|"},
    {"archive", "lock_days", CONFIG_NUMBER, FIELD(archive_lock_days), "365", 1, 36500, NULL},
    {"archive", "interval_s", CONFIG_NUMBER, FIELD(archive_interval_s), "300", 1, 86400, NULL},
    {"archive", "events", CONFIG_NUMBER, FIELD(archive_events), "10000", 1, 100000, NULL},
    {"archive", "registry_file", CONFIG_TEXT, FIELD(archive_registry_file), "", 0, 0, NULL},
    {"archive", "attempts", CONFIG_NUMBER, FIELD(archive_attempts), "100", 1, 100000, NULL},
    {"tracing", "endpoint", CONFIG_TEXT, FIELD(tracing_endpoint), "", 0, 0, NULL},
    {"tracing", "headers", CONFIG_TEXT, FIELD(tracing_headers), "", 0, 0, NULL},
    {"tracing", "headers_file", CONFIG_TEXT, FIELD(tracing_headers_file), "", 0, 0, NULL},
    {"tracing", "ca_file", CONFIG_TEXT, FIELD(tracing_ca_file), "", 0, 0, NULL},
    {"tracing", "service_name", CONFIG_TEXT, FIELD(tracing_service_name), "reason-sidecar", 0, 0, NULL},
    {"tracing", "sampler", CONFIG_TEXT, FIELD(tracing_sampler), "parentbased_always_on", 0, 0,
     "|always_on|always_off|traceidratio|parentbased_always_on|parentbased_always_off|parentbased_traceidratio|"},
    {"tracing", "sampler_arg", CONFIG_TEXT, FIELD(tracing_sampler_arg), "1", 0, 0, NULL},
    {"tracing", "timeout_ms", CONFIG_NUMBER, FIELD(tracing_timeout_ms), "10000", 100, 60000, NULL},
    {"kubernetes", "lease", CONFIG_TEXT, FIELD(kubernetes_lease), "", 0, 0, NULL},
    {"kubernetes", "namespace", CONFIG_TEXT, FIELD(kubernetes_namespace), "", 0, 0, NULL},
    {"kubernetes", "namespace_file", CONFIG_TEXT, FIELD(kubernetes_namespace_file), SERVICE_ACCOUNT "namespace", 0, 0, NULL},
    {"kubernetes", "url", CONFIG_TEXT, FIELD(kubernetes_url), "", 0, 0, NULL},
    {"kubernetes", "token_file", CONFIG_TEXT, FIELD(kubernetes_token_file), SERVICE_ACCOUNT "token", 0, 0, NULL},
    {"kubernetes", "ca_file", CONFIG_TEXT, FIELD(kubernetes_ca_file), SERVICE_ACCOUNT "ca.crt", 0, 0, NULL},
    {"kubernetes", "lease_s", CONFIG_NUMBER, FIELD(kubernetes_lease_s), "15", 3, 3600, NULL},
    {"metrics", "address", CONFIG_TEXT, FIELD(metrics_address), "127.0.0.1", 0, 0, NULL},
    {"metrics", "port", CONFIG_NUMBER, FIELD(metrics_port), "9464", 1, 65535, NULL},
    {"sidecar", "log_level", CONFIG_TEXT, FIELD(log_level), "info", 0, 0, "|debug|info|warning|error|"},
    {"sidecar", "log_format", CONFIG_TEXT, FIELD(log_format), "text", 0, 0, "|text|json|"},
    {"sidecar", "batch_size", CONFIG_NUMBER, FIELD(batch_size), "1000", 1, 100000, NULL},
    {"sidecar", "lease_ms", CONFIG_NUMBER, FIELD(lease_ms), "3000", 500, 60000, NULL},
    {"sidecar", "poll_busy_ms", CONFIG_NUMBER, FIELD(poll_busy_ms), "200", 1, 60000, NULL},
    {"sidecar", "poll_idle_ms", CONFIG_NUMBER, FIELD(poll_idle_ms), "5000", 1, 600000, NULL},
    {"sidecar", "sign_unread", CONFIG_FLAG, FIELD(sign_unread), "no", 0, 0, NULL},
    {"sidecar", "trial", CONFIG_FLAG, FIELD(trial), "no", 0, 0, NULL},
    {"sidecar", "snapshot_attempts", CONFIG_NUMBER, FIELD(snapshot_attempts), "100", 1, 100000, NULL},
#undef FIELD
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

/* A setting for librdkafka; the last one given counts. */
static bool set_kafka(struct config *config, const char *name, const char *value)
{
    struct setting *settings = config->kafka_settings;

    for (size_t i = 0; i < config->kafka_setting_count; i++)
        if (!strcmp(settings[i].name, name)) {
            char *copy = strdup(value);

            if (!copy)
                return false;
            free(settings[i].value);
            settings[i].value = copy;
            return true;
        }
    settings = realloc(settings, (config->kafka_setting_count + 1) * sizeof(*settings));
    if (!settings)
        return false;
    config->kafka_settings = settings;
    settings += config->kafka_setting_count;
    settings->name = strdup(name);
    settings->value = strdup(value);
    if (!settings->name || !settings->value) {
        free(settings->name);
        free(settings->value);
        return false;
    }
    config->kafka_setting_count++;
    return true;
}

static const struct config_key witness_keys[] = {
#define FIELD(name) offsetof(struct witness_config, name)
    {"witness", "url", CONFIG_TEXT, FIELD(url), NULL, 0, 0, NULL},
    {"witness", "vkey", CONFIG_TEXT, FIELD(vkey), NULL, 0, 0, NULL},
    {"witness", "divisions", CONFIG_TEXT, FIELD(divisions), "*", 0, 0, NULL},
    {"witness", "ca_file", CONFIG_TEXT, FIELD(ca_file), "", 0, 0, NULL},
    {"witness", "cert_file", CONFIG_TEXT, FIELD(cert_file), "", 0, 0, NULL},
    {"witness", "cert_key_file", CONFIG_TEXT, FIELD(cert_key_file), "", 0, 0, NULL},
    {"witness", "timeout_ms", CONFIG_NUMBER, FIELD(timeout_ms), "5000", 100, 60000, NULL},
#undef FIELD
};

static const struct config_key mirror_keys[] = {
#define FIELD(name) offsetof(struct mirror_config, name)
    {"mirror", "type", CONFIG_TEXT, FIELD(type), NULL, 0, 0, "|neo4j|janusgraph|dgraph|"},
    {"mirror", "url", CONFIG_TEXT, FIELD(url), NULL, 0, 0, NULL},
    {"mirror", "database", CONFIG_TEXT, FIELD(database), "neo4j", 0, 0, NULL},
    {"mirror", "credentials_file", CONFIG_TEXT, FIELD(credentials_file), "", 0, 0, NULL},
    {"mirror", "plaintext", CONFIG_FLAG, FIELD(plaintext), "no", 0, 0, NULL},
    {"mirror", "divisions", CONFIG_TEXT, FIELD(divisions), "*", 0, 0, NULL},
    {"mirror", "payloads", CONFIG_TEXT, FIELD(payloads), "none", 0, 0, "|none|redacted|whole|"},
    {"mirror", "payload_bytes", CONFIG_NUMBER, FIELD(payload_bytes), "4096", 1, 1048576, NULL},
    {"mirror", "batch_size", CONFIG_NUMBER, FIELD(batch_size), "1000", 1, 100000, NULL},
    {"mirror", "ca_file", CONFIG_TEXT, FIELD(ca_file), "", 0, 0, NULL},
    {"mirror", "cert_file", CONFIG_TEXT, FIELD(cert_file), "", 0, 0, NULL},
    {"mirror", "cert_key_file", CONFIG_TEXT, FIELD(cert_key_file), "", 0, 0, NULL},
    {"mirror", "timeout_ms", CONFIG_NUMBER, FIELD(timeout_ms), "30000", 100, 600000, NULL},
#undef FIELD
};

static const struct config_group groups[] = {
    {"witness", witness_keys, sizeof(witness_keys) / sizeof(witness_keys[0]), sizeof(struct witness_config),
     offsetof(struct config, witnesses), offsetof(struct config, witness_count), WITNESSES_MOST, NULL, NULL},
    {"mirror", mirror_keys, sizeof(mirror_keys) / sizeof(mirror_keys[0]), sizeof(struct mirror_config),
     offsetof(struct config, mirrors), offsetof(struct config, mirror_count), MIRRORS_MOST, division_name_is_valid, DIVISION_NAME_RULE},
};

#define GROUP_COUNT (sizeof(groups) / sizeof(groups[0]))

struct reading {
    struct config *config;
    bool *given;                /* of each key */
};

static bool take(void *context, const char *section, const char *name, const char *value, const char *where)
{
    struct reading *reading = context;
    const struct config_key *key = config_find(keys, KEY_COUNT, section, name);

    if (key) {
        reading->given[key - keys] = true;
        return config_set(reading->config, key, value, where);
    }
    if (!strcmp(section, "kafka"))
        return set_kafka(reading->config, name, value);
    for (size_t i = 0; i < GROUP_COUNT; i++)
        if ((key = config_group_find(&groups[i], section, name)) != NULL)
            return config_group_set(reading->config, &groups[i], section, key, value, where);
    log_error("%s: unknown setting \"%s\" in section [%s]", where, name, section);
    return false;
}

/* REASON_SIDECAR_KAFKA_SSL_CA_LOCATION is ssl.ca.location */
static bool load_kafka_environment(struct config *config)
{
    static const char prefix[] = "REASON_SIDECAR_KAFKA_";

    for (char **variable = environ; *variable; variable++) {
        char name[256];
        const char *equals = strchr(*variable, '=');
        size_t length;
        bool own = false;

        if (strncmp(*variable, prefix, sizeof(prefix) - 1) != 0 || !equals)
            continue;
        length = (size_t)(equals - *variable) - (sizeof(prefix) - 1);
        if (length == 0 || length >= sizeof(name))
            continue;
        for (size_t i = 0; i < length; i++)
            name[i] = (char)tolower((unsigned char)(*variable)[sizeof(prefix) - 1 + i]);
        name[length] = '\0';
        for (size_t i = 0; i < KEY_COUNT; i++)
            own = own || (!strcmp(keys[i].section, "kafka") && !strcmp(keys[i].name, name));
        for (char *p = name; *p; p++)
            if (*p == '_')
                *p = '.';
        if (!own && !set_kafka(config, name, equals + 1))
            return false;
    }
    return true;
}

/* https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/: an empty value means unset. */
static void load_standard_environment(struct config *config)
{
    static const struct {
        const char *variable, *name;
    } standard[] = {
        {"OTEL_EXPORTER_OTLP_ENDPOINT", "endpoint"},
        {"OTEL_EXPORTER_OTLP_HEADERS", "headers"},
        {"OTEL_EXPORTER_OTLP_CERTIFICATE", "ca_file"},
        {"OTEL_EXPORTER_OTLP_TIMEOUT", "timeout_ms"},
        {"OTEL_SERVICE_NAME", "service_name"},
        {"OTEL_TRACES_SAMPLER", "sampler"},
        {"OTEL_TRACES_SAMPLER_ARG", "sampler_arg"},
    };

    for (size_t s = 0; s < sizeof(standard) / sizeof(standard[0]); s++) {
        const char *value = getenv(standard[s].variable);

        /* these are often set for a whole cluster, so a value that cannot be used does not keep the sidecar from starting */
        for (size_t i = 0; value && *value && i < KEY_COUNT; i++)
            if (!strcmp(keys[i].section, "tracing") && !strcmp(keys[i].name, standard[s].name)
                && !config_set(config, &keys[i], value, standard[s].variable))
                log_warning("%s is ignored", standard[s].variable);
    }
}

/* systemd.exec(5): the directories of StateDirectory=, with colons between them. */
static bool default_state_file(struct config *config)
{
    const char *directory = getenv("STATE_DIRECTORY");
    size_t length = directory ? strcspn(directory, ":") : 0;
    char *path;

    if (config->checkpoint_state_file[0] || length == 0)
        return true;
    if (asprintf(&path, "%.*s/log-state", (int)length, directory) < 0)
        return false;
    free(config->checkpoint_state_file);
    config->checkpoint_state_file = path;
    return true;
}

bool config_load(struct config *config, const char *path)
{
    bool given[KEY_COUNT] = {false};
    struct reading reading;

    memset(config, 0, sizeof(*config));
    reading = (struct reading){config, given};
    if (!config_defaults(config, keys, KEY_COUNT) || !config_read(path, take, &reading))
        return false;
    for (size_t i = 0; i < GROUP_COUNT; i++)
        if (!config_group_is_complete(config, &groups[i], path))
            return false;
    load_standard_environment(config);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        char name[128];
        const char *value;

        snprintf(name, sizeof(name), "REASON_SIDECAR_%s_%s", keys[i].section, keys[i].name);
        for (char *p = name; *p; p++)
            *p = (char)toupper((unsigned char)*p);
        value = getenv(name);
        if (value) {
            if (!config_set(config, &keys[i], value, name))
                return false;
            given[i] = true;
        }
        if (!given[i] && !keys[i].value) {
            log_error("%s: %s.%s is missing", path, keys[i].section, keys[i].name);
            return false;
        }
    }
    if (!signer_id_is_valid(config->signer.id, strlen(config->signer.id))) {
        log_error("%s: signer.id must have " SIGNER_ID_RULE, path);
        return false;
    }
    if (!strcmp(config->signer.id, config->checkpoint_signer.id)) {
        log_error("%s: checkpoint.signer is signer.id: checkpoints must have a signer of their own", path);
        return false;
    }
    return default_state_file(config) && load_kafka_environment(config);
}

void config_free(struct config *config)
{
    config_release(config, keys, KEY_COUNT);
    for (size_t i = 0; i < GROUP_COUNT; i++)
        config_group_release(config, &groups[i]);
    for (size_t i = 0; i < config->kafka_setting_count; i++) {
        free(config->kafka_settings[i].name);
        free(config->kafka_settings[i].value);
    }
    free(config->kafka_settings);
    memset(config, 0, sizeof(*config));
}
