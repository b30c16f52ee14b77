/*
 * config.h: the configuration file, "key = value" in [sections], # starts a comment.
 *
 * Every key can be set by the environment too: REASON_SIDECAR_<SECTION>_<KEY>, which wins.
 */
#ifndef SIDECAR_CONFIG_H
#define SIDECAR_CONFIG_H

#include <stdbool.h>

struct config {
    /* [database] */
    char *conninfo;
    /* [signer] */
    char *signer_id;
    char *signer_type;          /* local */
    char *signer_key_file;
    /* [store] */
    char *store_url;            /* file:///directory */
    /* [metrics] */
    char *metrics_address;
    int metrics_port;
    /* [sidecar] */
    char *log_level;
    int batch_size;             /* events sealed and signed at a time */
    int lease_ms;
    int poll_busy_ms;
    int poll_idle_ms;
};

/* Reads the file, applies environment and defaults; false after having logged what is wrong. */
bool config_load(struct config *config, const char *path);
void config_free(struct config *config);

#endif
