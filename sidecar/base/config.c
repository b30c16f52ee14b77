/* config.c: the configuration file. */
#include "base/config.h"

#include "base/log.h"
#include "core/names.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the kubelet puts what a pod may use of the Kubernetes API. */
#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/"

enum kind { TEXT, NUMBER, FLAG };

static const struct key {
    const char *section;
    const char *name;
    enum kind kind;
    size_t offset;
    const char *value;          /* default; NULL: must be given */
    int least, most;            /* of a number */
    const char *choices;        /* of a text: "|one|of|these|" */
} keys[] = {
#define FIELD(name) offsetof(struct config, name)
    {"database", "conninfo", TEXT, FIELD(conninfo), NULL, 0, 0, NULL},
    {"database", "timeout_ms", NUMBER, FIELD(database_timeout_ms), "60000", 1000, 3600000, NULL},
    {"signer", "id", TEXT, FIELD(signer_id), NULL, 0, 0, NULL},
    {"signer", "type", TEXT, FIELD(signer_type), "local", 0, 0, "|local|pkcs11|proxy|vault|aws-kms|"},
    {"signer", "key_file", TEXT, FIELD(signer_key_file), "", 0, 0, NULL},
    {"signer", "module", TEXT, FIELD(signer_module), "", 0, 0, NULL},
    {"signer", "token", TEXT, FIELD(signer_token), "", 0, 0, NULL},
    {"signer", "key_label", TEXT, FIELD(signer_key_label), "", 0, 0, NULL},
    {"signer", "key_id", TEXT, FIELD(signer_key_id), "", 0, 0, NULL},
    {"signer", "pin_file", TEXT, FIELD(signer_pin_file), "", 0, 0, NULL},
    {"signer", "key_version", NUMBER, FIELD(signer_key_version), "0", 0, 1000000, NULL},
    {"signer", "url", TEXT, FIELD(signer_url), "", 0, 0, NULL},
    {"signer", "plaintext", FLAG, FIELD(signer_plaintext), "no", 0, 0, NULL},
    {"signer", "mount", TEXT, FIELD(signer_mount), "transit", 0, 0, NULL},
    {"signer", "region", TEXT, FIELD(signer_region), "us-east-1", 0, 0, NULL},
    {"signer", "token_file", TEXT, FIELD(signer_token_file), "", 0, 0, NULL},
    {"signer", "ca_file", TEXT, FIELD(signer_ca_file), "", 0, 0, NULL},
    {"signer", "cert_file", TEXT, FIELD(signer_cert_file), "", 0, 0, NULL},
    {"signer", "cert_key_file", TEXT, FIELD(signer_cert_key_file), "", 0, 0, NULL},
    {"signer", "credentials_file", TEXT, FIELD(signer_credentials_file), "", 0, 0, NULL},
    {"signer", "timeout_ms", NUMBER, FIELD(signer_timeout_ms), "5000", 100, 60000, NULL},
    {"store", "url", TEXT, FIELD(store_url), NULL, 0, 0, NULL},
    {"store", "endpoint", TEXT, FIELD(store_endpoint), "", 0, 0, NULL},
    {"store", "region", TEXT, FIELD(store_region), "us-east-1", 0, 0, NULL},
    {"store", "credentials_file", TEXT, FIELD(store_credentials_file), "", 0, 0, NULL},
    {"store", "ca_file", TEXT, FIELD(store_ca_file), "", 0, 0, NULL},
    {"store", "path_style", FLAG, FIELD(store_path_style), "no", 0, 0, NULL},
    {"store", "if_none_match", FLAG, FIELD(store_if_none_match), "yes", 0, 0, NULL},
    {"store", "lock_mode", TEXT, FIELD(store_lock_mode), "none", 0, 0, "|none|governance|compliance|"},
    {"store", "lock_days", NUMBER, FIELD(store_lock_days), "365", 1, 36500, NULL},
    {"store", "multipart_mb", NUMBER, FIELD(store_multipart_mb), "64", 5, 4096, NULL},
    {"store", "timeout_ms", NUMBER, FIELD(store_timeout_ms), "30000", 100, 3600000, NULL},
    {"kafka", "brokers", TEXT, FIELD(kafka_brokers), "", 0, 0, NULL},
    {"kafka", "topic", TEXT, FIELD(kafka_topic), "audit-events", 0, 0, NULL},
    {"kafka", "batch_size", NUMBER, FIELD(kafka_batch_size), "1000", 1, 100000, NULL},
    {"kafka", "timeout_ms", NUMBER, FIELD(kafka_timeout_ms), "30000", 1000, 600000, NULL},
    {"archive", "url", TEXT, FIELD(archive_url), "", 0, 0, NULL},
    {"archive", "lock_mode", TEXT, FIELD(archive_lock_mode), "none", 0, 0, "|none|governance|compliance|"},
    {"archive", "lock_days", NUMBER, FIELD(archive_lock_days), "365", 1, 36500, NULL},
    {"archive", "interval_s", NUMBER, FIELD(archive_interval_s), "300", 1, 86400, NULL},
    {"archive", "events", NUMBER, FIELD(archive_events), "10000", 1, 100000, NULL},
    {"archive", "registry_file", TEXT, FIELD(archive_registry_file), "", 0, 0, NULL},
    {"archive", "attempts", NUMBER, FIELD(archive_attempts), "100", 1, 100000, NULL},
    {"tracing", "endpoint", TEXT, FIELD(tracing_endpoint), "", 0, 0, NULL},
    {"tracing", "headers", TEXT, FIELD(tracing_headers), "", 0, 0, NULL},
    {"tracing", "headers_file", TEXT, FIELD(tracing_headers_file), "", 0, 0, NULL},
    {"tracing", "ca_file", TEXT, FIELD(tracing_ca_file), "", 0, 0, NULL},
    {"tracing", "service_name", TEXT, FIELD(tracing_service_name), "reason-sidecar", 0, 0, NULL},
    {"tracing", "sampler", TEXT, FIELD(tracing_sampler), "parentbased_always_on", 0, 0,
     "|always_on|always_off|traceidratio|parentbased_always_on|parentbased_always_off|parentbased_traceidratio|"},
    {"tracing", "sampler_arg", TEXT, FIELD(tracing_sampler_arg), "1", 0, 0, NULL},
    {"tracing", "timeout_ms", NUMBER, FIELD(tracing_timeout_ms), "10000", 100, 60000, NULL},
    {"kubernetes", "lease", TEXT, FIELD(kubernetes_lease), "", 0, 0, NULL},
    {"kubernetes", "namespace", TEXT, FIELD(kubernetes_namespace), "", 0, 0, NULL},
    {"kubernetes", "namespace_file", TEXT, FIELD(kubernetes_namespace_file), SERVICE_ACCOUNT "namespace", 0, 0, NULL},
    {"kubernetes", "url", TEXT, FIELD(kubernetes_url), "", 0, 0, NULL},
    {"kubernetes", "token_file", TEXT, FIELD(kubernetes_token_file), SERVICE_ACCOUNT "token", 0, 0, NULL},
    {"kubernetes", "ca_file", TEXT, FIELD(kubernetes_ca_file), SERVICE_ACCOUNT "ca.crt", 0, 0, NULL},
    {"kubernetes", "lease_s", NUMBER, FIELD(kubernetes_lease_s), "15", 3, 3600, NULL},
    {"metrics", "address", TEXT, FIELD(metrics_address), "127.0.0.1", 0, 0, NULL},
    {"metrics", "port", NUMBER, FIELD(metrics_port), "9464", 1, 65535, NULL},
    {"sidecar", "log_level", TEXT, FIELD(log_level), "info", 0, 0, "|debug|info|warning|error|"},
    {"sidecar", "log_format", TEXT, FIELD(log_format), "text", 0, 0, "|text|json|"},
    {"sidecar", "batch_size", NUMBER, FIELD(batch_size), "1000", 1, 100000, NULL},
    {"sidecar", "lease_ms", NUMBER, FIELD(lease_ms), "3000", 500, 60000, NULL},
    {"sidecar", "poll_busy_ms", NUMBER, FIELD(poll_busy_ms), "200", 1, 60000, NULL},
    {"sidecar", "poll_idle_ms", NUMBER, FIELD(poll_idle_ms), "5000", 1, 600000, NULL},
    {"sidecar", "snapshot_attempts", NUMBER, FIELD(snapshot_attempts), "100", 1, 100000, NULL},
#undef FIELD
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static bool set(struct config *config, const struct key *key, const char *value, const char *where)
{
    char *field = (char *)config + key->offset;

    if (key->kind == TEXT) {
        char *copy = strdup(value);

        if (!copy)
            return false;
        if (key->choices) {
            char choice[64];

            /* one of them, and not two with the bar between */
            if (strchr(value, '|') || snprintf(choice, sizeof(choice), "|%s|", value) >= (int)sizeof(choice) || !strstr(key->choices, choice)) {
                log_error("%s: %s.%s must be one of %.*s", where, key->section, key->name, (int)strlen(key->choices) - 2, key->choices + 1);
                free(copy);
                return false;
            }
        }
        free(*(char **)field);
        *(char **)field = copy;
    } else if (key->kind == FLAG) {
        bool yes = !strcmp(value, "yes") || !strcmp(value, "true") || !strcmp(value, "on");

        if (!yes && strcmp(value, "no") != 0 && strcmp(value, "false") != 0 && strcmp(value, "off") != 0) {
            log_error("%s: %s.%s must be yes or no", where, key->section, key->name);
            return false;
        }
        *(bool *)field = yes;
    } else {
        char *end;
        long number;

        errno = 0;
        number = strtol(value, &end, 10);
        if (errno || end == value || *end || number < key->least || number > key->most) {
            log_error("%s: %s.%s must be a number from %d to %d", where, key->section, key->name, key->least, key->most);
            return false;
        }
        *(int *)field = (int)number;
    }
    return true;
}

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

static char *trim(char *text)
{
    char *end;

    while (isspace((unsigned char)*text))
        text++;
    end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    return text;
}

static bool load_file(struct config *config, const char *path, bool given[])
{
    char line[4096], where[512], section[64] = "";
    unsigned number = 0;
    bool ok = true;
    FILE *file = fopen(path, "r");

    if (!file) {
        log_error("cannot read configuration file \"%s\": %s", path, strerror(errno));
        return false;
    }
    while (ok && fgets(line, sizeof(line), file)) {
        char *text = trim(line), *equals;
        size_t i;

        snprintf(where, sizeof(where), "%.400s:%u", path, ++number);
        if (*text == '\0' || *text == '#')
            continue;
        if (*text == '[' && text[strlen(text) - 1] == ']') {
            snprintf(section, sizeof(section), "%.*s", (int)strlen(text) - 2, text + 1);
            continue;
        }
        equals = strchr(text, '=');
        if (!equals) {
            log_error("%s: expected key = value", where);
            ok = false;
            break;
        }
        *equals = '\0';
        for (i = 0; i < KEY_COUNT; i++)
            if (!strcmp(keys[i].section, section) && !strcmp(keys[i].name, trim(text)))
                break;
        if (i == KEY_COUNT && !strcmp(section, "kafka")) {
            ok = set_kafka(config, trim(text), trim(equals + 1));
        } else if (i == KEY_COUNT) {
            log_error("%s: unknown setting \"%s\" in section [%s]", where, trim(text), section);
            ok = false;
        } else {
            ok = set(config, &keys[i], trim(equals + 1), where);
            given[i] = true;
        }
    }
    fclose(file);
    return ok;
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

        /* these are often set for a whole cluster: what does not suit is no reason not to seal and sign */
        for (size_t i = 0; value && *value && i < KEY_COUNT; i++)
            if (!strcmp(keys[i].section, "tracing") && !strcmp(keys[i].name, standard[s].name)
                && !set(config, &keys[i], value, standard[s].variable))
                log_warning("%s is ignored", standard[s].variable);
    }
}

bool config_load(struct config *config, const char *path)
{
    bool given[KEY_COUNT] = {false};

    memset(config, 0, sizeof(*config));
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].value && !set(config, &keys[i], keys[i].value, "default"))
            return false;
    if (!load_file(config, path, given))
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
            if (!set(config, &keys[i], value, name))
                return false;
            given[i] = true;
        }
        if (!given[i] && !keys[i].value) {
            log_error("%s: %s.%s is missing", path, keys[i].section, keys[i].name);
            return false;
        }
    }
    if (!signer_id_is_valid(config->signer_id, strlen(config->signer_id))) {
        log_error("%s: signer.id must have " SIGNER_ID_RULE, path);
        return false;
    }
    return load_kafka_environment(config);
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].kind == TEXT)
            free(*(char **)((char *)config + keys[i].offset));
    for (size_t i = 0; i < config->kafka_setting_count; i++) {
        free(config->kafka_settings[i].name);
        free(config->kafka_settings[i].value);
    }
    free(config->kafka_settings);
    memset(config, 0, sizeof(*config));
}
