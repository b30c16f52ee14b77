/*
 * config_file.h: files of "key = value" in [sections], # starts a comment; and tables that say which keys there are and
 * which field of a struct each sets.
 */
#ifndef SIDECAR_BASE_CONFIG_FILE_H
#define SIDECAR_BASE_CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

enum config_kind {
    CONFIG_TEXT,                /* char *, allocated */
    CONFIG_NUMBER,              /* int */
    CONFIG_FLAG                 /* bool */
};

struct config_key {
    const char *section;
    const char *name;
    enum config_kind kind;
    size_t offset;              /* of the field */
    const char *value;          /* default; NULL: must be given */
    int least, most;            /* of a number */
    const char *choices;        /* of a text: "|one|of|these|" */
};

/* Sets the field of a key; false after logging, with where it stands, that the value cannot be. */
bool config_set(void *fields, const struct config_key *key, const char *value, const char *where);
/* Every key's default, into fields that are all zero. */
bool config_defaults(void *fields, const struct config_key *keys, size_t count);
void config_release(void *fields, const struct config_key *keys, size_t count);
/* NULL: there is no such key. */
const struct config_key *config_find(const struct config_key *keys, size_t count, const char *section, const char *name);

/*
 * Sections of one kind, of which there may be several: [kind NAME]. Each becomes a struct whose first field is its name,
 * char *, in an array that grows.
 */
struct config_group {
    const char *kind;
    const struct config_key *keys;      /* of section kind; one without a default is a text, and must be given in each */
    size_t key_count;
    size_t size;                /* of the struct */
    size_t members, count;      /* offsets in fields: of the pointer to the array, and of how many there are, size_t */
    size_t most;
    bool (*name_is_valid)(const char *name, size_t length);     /* NULL: any name is */
    const char *name_rule;      /* what a name must have */
};

/* NULL: there is no such key in a section of the group. */
const struct config_key *config_group_find(const struct config_group *group, const char *section, const char *name);
/* Sets a key of the section's member, which is made with its defaults if need be; false after logging why not. */
bool config_group_set(void *fields, const struct config_group *group, const char *section, const struct config_key *key, const char *value, const char *where);
/* Whether each member has what must be given; false after logging, with the file's path, what one lacks. */
bool config_group_is_complete(const void *fields, const struct config_group *group, const char *path);
void config_group_release(void *fields, const struct config_group *group);

/* A line of the file; false, after logging why, ends the reading. */
typedef bool config_taker(void *context, const char *section, const char *name, const char *value, const char *where);
/* False after logging that the file cannot be read, or that a line is none, or when a line was not taken. */
bool config_read(const char *path, config_taker *take, void *context);

#endif
