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

/* A line of the file; false, after logging why, ends the reading. */
typedef bool config_taker(void *context, const char *section, const char *name, const char *value, const char *where);
/* False after logging that the file cannot be read, or that a line is none, or when a line was not taken. */
bool config_read(const char *path, config_taker *take, void *context);

#endif
