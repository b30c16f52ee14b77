/* config.c: the configuration file. */
#include "config.h"

#include "log.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, NUMBER };

static const struct key {
    const char *section;
    const char *name;
    enum kind kind;
    size_t offset;
    const char *value;          /* default; NULL: must be given */
    int least, most;            /* of a number */
} keys[] = {
    {"database", "conninfo", TEXT, offsetof(struct config, conninfo), NULL, 0, 0},
    {"signer", "id", TEXT, offsetof(struct config, signer_id), NULL, 0, 0},
    {"signer", "type", TEXT, offsetof(struct config, signer_type), "local", 0, 0},
    {"signer", "key_file", TEXT, offsetof(struct config, signer_key_file), "", 0, 0},
    {"store", "url", TEXT, offsetof(struct config, store_url), NULL, 0, 0},
    {"metrics", "address", TEXT, offsetof(struct config, metrics_address), "127.0.0.1", 0, 0},
    {"metrics", "port", NUMBER, offsetof(struct config, metrics_port), "9464", 1, 65535},
    {"sidecar", "log_level", TEXT, offsetof(struct config, log_level), "info", 0, 0},
    {"sidecar", "batch_size", NUMBER, offsetof(struct config, batch_size), "1000", 1, 100000},
    {"sidecar", "lease_ms", NUMBER, offsetof(struct config, lease_ms), "3000", 500, 60000},
    {"sidecar", "poll_busy_ms", NUMBER, offsetof(struct config, poll_busy_ms), "200", 1, 60000},
    {"sidecar", "poll_idle_ms", NUMBER, offsetof(struct config, poll_idle_ms), "5000", 1, 600000},
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static bool set(struct config *config, const struct key *key, const char *value, const char *where)
{
    char *field = (char *)config + key->offset;

    if (key->kind == TEXT) {
        char *copy = strdup(value);

        if (!copy)
            return false;
        free(*(char **)field);
        *(char **)field = copy;
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
        if (i == KEY_COUNT) {
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

bool config_load(struct config *config, const char *path)
{
    bool given[KEY_COUNT] = {false};

    memset(config, 0, sizeof(*config));
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].value && !set(config, &keys[i], keys[i].value, "default"))
            return false;
    if (!load_file(config, path, given))
        return false;
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
    return true;
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].kind == TEXT)
            free(*(char **)((char *)config + keys[i].offset));
}
