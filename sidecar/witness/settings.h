/*
 * settings.h: the configuration of a witness, a file of its own: sections [witness] and [signer], and a [log NAME] for each
 * key of a log. The environment gives none of it.
 */
#ifndef SIDECAR_WITNESS_SETTINGS_H
#define SIDECAR_WITNESS_SETTINGS_H

#include "base/config.h"
#include "witness/judge.h"

struct witness_settings {
    /* [witness] */
    char *name;                 /* of its key: a URL without scheme, as https://c2sp.org/signed-note recommends */
    char *directory;            /* what it remembers */
    char *address;
    int port;
    char *cert_file;            /* "": plain HTTP */
    char *cert_key_file;
    bool plaintext;             /* plain HTTP on other addresses than those of the loopback, for a proxy in front */
    char *log_level;
    char *log_format;
    struct signer_config signer;
    struct witnessed_log *logs;
    size_t log_count;
};

/* False after logging what is wrong. */
bool witness_settings_load(struct witness_settings *settings, const char *path);
void witness_settings_free(struct witness_settings *settings);

#endif
