/* config_file.c: files of "key = value" in [sections]. */
#include "base/config_file.h"

#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool set_text(char **field, const struct config_key *key, const char *value, const char *where)
{
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
    free(*field);
    *field = copy;
    return true;
}

static bool set_flag(bool *field, const struct config_key *key, const char *value, const char *where)
{
    bool yes = !strcmp(value, "yes") || !strcmp(value, "true") || !strcmp(value, "on");

    if (!yes && strcmp(value, "no") != 0 && strcmp(value, "false") != 0 && strcmp(value, "off") != 0) {
        log_error("%s: %s.%s must be yes or no", where, key->section, key->name);
        return false;
    }
    *field = yes;
    return true;
}

static bool set_number(int *field, const struct config_key *key, const char *value, const char *where)
{
    char *end;
    long number;

    errno = 0;
    number = strtol(value, &end, 10);
    if (errno || end == value || *end || number < key->least || number > key->most) {
        log_error("%s: %s.%s must be a number from %d to %d", where, key->section, key->name, key->least, key->most);
        return false;
    }
    *field = (int)number;
    return true;
}

bool config_set(void *fields, const struct config_key *key, const char *value, const char *where)
{
    void *field = (char *)fields + key->offset;

    switch (key->kind) {
    case CONFIG_TEXT: return set_text(field, key, value, where);
    case CONFIG_FLAG: return set_flag(field, key, value, where);
    case CONFIG_NUMBER: break;
    }
    return set_number(field, key, value, where);
}

bool config_defaults(void *fields, const struct config_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (keys[i].value && !config_set(fields, &keys[i], keys[i].value, "default"))
            return false;
    return true;
}

void config_release(void *fields, const struct config_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (keys[i].kind == CONFIG_TEXT)
            free(*(char **)((char *)fields + keys[i].offset));
}

const struct config_key *config_find(const struct config_key *keys, size_t count, const char *section, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(keys[i].section, section) && !strcmp(keys[i].name, name))
            return &keys[i];
    return NULL;
}

const struct config_key *config_group_find(const struct config_group *group, const char *section, const char *name)
{
    size_t length = strlen(group->kind);

    return strncmp(section, group->kind, length) == 0 && section[length] == ' ' ? config_find(group->keys, group->key_count, group->kind, name) : NULL;
}

static size_t *group_count(const void *fields, const struct config_group *group)
{
    return (size_t *)((char *)fields + group->count);
}

static char *group_members(const void *fields, const struct config_group *group)
{
    char *members;

    memcpy(&members, (const char *)fields + group->members, sizeof(members));
    return members;
}

static char **member_name(char *member)
{
    return (char **)member;
}

static char *find_member(const void *fields, const struct config_group *group, const char *name)
{
    char *member = group_members(fields, group);

    for (size_t i = 0; i < *group_count(fields, group); i++, member += group->size)
        if (!strcmp(*member_name(member), name))
            return member;
    return NULL;
}

static char *add_member(void *fields, const struct config_group *group, const char *name, const char *where)
{
    size_t *count = group_count(fields, group);
    char *members, *added;

    if (*count == group->most) {
        log_error("%s: there are more than %zu sections [%s NAME]", where, group->most, group->kind);
        return NULL;
    }
    if (group->name_is_valid && !group->name_is_valid(name, strlen(name))) {
        log_error("%s: the name of a %s must have %s", where, group->kind, group->name_rule);
        return NULL;
    }
    members = realloc(group_members(fields, group), (*count + 1) * group->size);
    if (!members)
        return NULL;
    memcpy((char *)fields + group->members, &members, sizeof(members));
    added = memset(members + (*count)++ * group->size, 0, group->size);
    *member_name(added) = strdup(name);
    /* cppcheck-suppress memleak ; the fields have them */
    return *member_name(added) && config_defaults(added, group->keys, group->key_count) ? added : NULL;
}

bool config_group_set(void *fields, const struct config_group *group, const char *section, const struct config_key *key, const char *value, const char *where)
{
    const char *name = section + strlen(group->kind) + 1;
    char *member = find_member(fields, group, name);

    if (!member)
        member = add_member(fields, group, name, where);
    return member && config_set(member, key, value, where);
}

bool config_group_is_complete(const void *fields, const struct config_group *group, const char *path)
{
    char *member = group_members(fields, group);

    for (size_t i = 0; i < *group_count(fields, group); i++, member += group->size)
        for (size_t k = 0; k < group->key_count; k++)
            if (!group->keys[k].value && !*(char **)(member + group->keys[k].offset)) {
                log_error("%s: %s \"%s\" needs a %s", path, group->kind, *member_name(member), group->keys[k].name);
                return false;
            }
    return true;
}

void config_group_release(void *fields, const struct config_group *group)
{
    char *member = group_members(fields, group);

    for (size_t i = 0; i < *group_count(fields, group); i++, member += group->size) {
        config_release(member, group->keys, group->key_count);
        free(*member_name(member));
    }
    free(group_members(fields, group));
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

bool config_read(const char *path, config_taker *take, void *context)
{
    char line[4096], where[512], section[128] = "";
    unsigned number = 0;
    bool ok = true;
    FILE *file = fopen(path, "r");

    if (!file) {
        log_error("cannot read configuration file \"%s\": %s", path, strerror(errno));
        return false;
    }
    while (ok && fgets(line, sizeof(line), file)) {
        char *text = trim(line), *equals;

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
        ok = take(context, section, trim(text), trim(equals + 1), where);
    }
    fclose(file);
    return ok;
}
