/* settings.c: the configuration of a witness. */
#include "witness/settings.h"

#include "base/log.h"
#include "base/signer_config.h"

#include <stdlib.h>
#include <string.h>

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

static const struct config_key log_keys[] = {
#define FIELD(name) offsetof(struct witnessed_log, name)
    {"log", "vkey", CONFIG_TEXT, FIELD(vkey), NULL, 0, 0, NULL},
    {"log", "origin", CONFIG_TEXT, FIELD(origin), "", 0, 0, NULL},
#undef FIELD
};

static const struct config_group logs = {
    "log", log_keys, sizeof(log_keys) / sizeof(log_keys[0]), sizeof(struct witnessed_log),
    offsetof(struct witness_settings, logs), offsetof(struct witness_settings, log_count), 1000, NULL, NULL,
};

static bool take(void *settings, const char *section, const char *name, const char *value, const char *where)
{
    const struct config_key *key = config_find(keys, KEY_COUNT, section, name);

    if (key)
        return config_set(settings, key, value, where);
    if ((key = config_group_find(&logs, section, name)) != NULL)
        return config_group_set(settings, &logs, section, key, value, where);
    log_error("%s: unknown setting \"%s\" in section [%s]", where, name, section);
    return false;
}

/* Its key; its origin is the key's name, unless another is given. */
static bool read_log(struct witnessed_log *log)
{
    const char *wrong = note_key_parse(&log->key, log->vkey, strlen(log->vkey));

    if (!wrong && log->key.type != NOTE_TYPE_ED25519)
        wrong = "its type is not 1, that of a log that signs by Ed25519";
    if (wrong) {
        log_error("log \"%s\": its vkey cannot be used: %s", log->name, wrong);
        return false;
    }
    if (!log->origin[0]) {
        free(log->origin);
        log->origin = strndup(log->key.name.data, log->key.name.length);
    }
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
    bool ok;

    memset(settings, 0, sizeof(*settings));
    ok = config_defaults(settings, keys, KEY_COUNT) && config_read(path, take, settings) && check(settings, path)
         && config_group_is_complete(settings, &logs, path);
    for (size_t i = 0; ok && i < settings->log_count; i++)
        ok = read_log(&settings->logs[i]);
    return ok;
}

void witness_settings_free(struct witness_settings *settings)
{
    config_release(settings, keys, KEY_COUNT);
    config_group_release(settings, &logs);
    memset(settings, 0, sizeof(*settings));
}
