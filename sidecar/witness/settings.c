/* settings.c: the configuration of a witness. */
#include "witness/settings.h"

#include "base/log.h"
#include "base/signer_config.h"

#include <stdlib.h>
#include <string.h>

/* [log NAME] */
#define LOG_SECTION "log "

static const struct config_key keys[] = {
#define FIELD(name) offsetof(struct witness_settings, name)
    {"witness", "name", CONFIG_TEXT, FIELD(name), NULL, 0, 0, NULL},
    {"witness", "directory", CONFIG_TEXT, FIELD(directory), NULL, 0, 0, NULL},
    {"witness", "address", CONFIG_TEXT, FIELD(address), "127.0.0.1", 0, 0, NULL},
    {"witness", "port", CONFIG_NUMBER, FIELD(port), "9465", 1, 65535, NULL},
    {"witness", "cert_file", CONFIG_TEXT, FIELD(cert_file), "", 0, 0, NULL},
    {"witness", "cert_key_file", CONFIG_TEXT, FIELD(cert_key_file), "", 0, 0, NULL},
    {"witness", "plaintext", CONFIG_FLAG, FIELD(plaintext), "no", 0, 0, NULL},
    {"witness", "log_level", CONFIG_TEXT, FIELD(log_level), "info", 0, 0, "|debug|info|warning|error|"},
    {"witness", "log_format", CONFIG_TEXT, FIELD(log_format), "text", 0, 0, "|text|json|"},
#undef FIELD
    SIGNER_KEYS("signer", struct witness_settings, signer, "id", "witness"),
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

/* What [log NAME] says while the file is read; its vkey is looked at when all of it is known. */
struct reading {
    struct witness_settings *settings;
    char names[1000][64];
};

static struct witnessed_log *log_of(struct reading *reading, const char *name)
{
    struct witness_settings *settings = reading->settings;
    struct witnessed_log *larger;
    size_t i = 0;

    while (i < settings->log_count && strcmp(reading->names[i], name) != 0)
        i++;
    if (i < settings->log_count)
        return &settings->logs[i];
    if (i == sizeof(reading->names) / sizeof(reading->names[0]) || strlen(name) >= sizeof(reading->names[0])
        || !(larger = realloc(settings->logs, (i + 1) * sizeof(*larger))))
        return NULL;
    settings->logs = larger;
    settings->log_count++;
    settings->logs[i] = (struct witnessed_log){0};
    strcpy(reading->names[i], name);
    return &settings->logs[i];
}

static bool take(void *context, const char *section, const char *name, const char *value, const char *where)
{
    struct reading *reading = context;
    const struct config_key *key = config_find(keys, KEY_COUNT, section, name);
    char **field = NULL;

    if (key)
        return config_set(reading->settings, key, value, where);
    if (!strncmp(section, LOG_SECTION, sizeof(LOG_SECTION) - 1)) {
        struct witnessed_log *log = log_of(reading, section + sizeof(LOG_SECTION) - 1);

        if (!log) {
            log_error("%s: there are too many logs, or this one's name is too long", where);
            return false;
        }
        field = !strcmp(name, "vkey") ? &log->vkey : !strcmp(name, "origin") ? &log->origin : NULL;
    }
    if (!field) {
        log_error("%s: unknown setting \"%s\" in section [%s]", where, name, section);
        return false;
    }
    free(*field);
    *field = strdup(value);
    return *field != NULL;
}

/* Its key; its origin is the key's name, unless another is given. */
static bool read_log(struct witnessed_log *log, const char *name)
{
    const char *wrong = log->vkey ? note_key_parse(&log->key, log->vkey, strlen(log->vkey)) : "it has none";

    if (!wrong && log->key.type != NOTE_TYPE_ED25519)
        wrong = "its type is not 1, that of a log that signs by Ed25519";
    if (wrong) {
        log_error("log \"%s\": its vkey cannot be used: %s", name, wrong);
        return false;
    }
    if (!log->origin)
        log->origin = strndup(log->key.name.data, log->key.name.length);
    return log->origin != NULL;
}

static bool check(const struct witness_settings *settings, const char *path)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].kind == CONFIG_TEXT && !*(char **)((char *)settings + keys[i].offset)) {
            log_error("%s: %s.%s is missing", path, keys[i].section, keys[i].name);
            return false;
        }
    if (!note_key_name_is_valid(settings->name, strlen(settings->name))) {
        log_error("%s: witness.name must not be empty, nor hold spaces or \"+\"", path);
        return false;
    }
    if (!settings->cert_file[0] != !settings->cert_key_file[0]) {
        log_error("%s: witness.cert_file and witness.cert_key_file go together", path);
        return false;
    }
    if (settings->log_count == 0) {
        log_error("%s: there is no log to witness: a section [log NAME] with its vkey", path);
        return false;
    }
    return true;
}

bool witness_settings_load(struct witness_settings *settings, const char *path)
{
    struct reading *reading = calloc(1, sizeof(*reading));
    bool ok;

    memset(settings, 0, sizeof(*settings));
    if (!reading)
        return false;
    reading->settings = settings;
    ok = config_defaults(settings, keys, KEY_COUNT) && config_read(path, take, reading) && check(settings, path);
    for (size_t i = 0; ok && i < settings->log_count; i++)
        ok = read_log(&settings->logs[i], reading->names[i]);
    free(reading);
    return ok;
}

void witness_settings_free(struct witness_settings *settings)
{
    config_release(settings, keys, KEY_COUNT);
    for (size_t i = 0; i < settings->log_count; i++) {
        free(settings->logs[i].origin);
        free(settings->logs[i].vkey);
    }
    free(settings->logs);
    memset(settings, 0, sizeof(*settings));
}
