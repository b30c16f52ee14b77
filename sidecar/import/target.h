/*
 * target.h: where batches are written: a database, or a service over HTTPS. One thread uses one target.
 *
 * A batch that was given to write() and not known to be written is given to it again, in this process or the next: both find
 * out whether it was. The database is asked for the transaction that may have written it, the service has kept the batch's
 * Idempotency-Key.
 */
#ifndef REASON_IMPORT_TARGET_H
#define REASON_IMPORT_TARGET_H

#include "import/batch.h"
#include "import/import.h"
#include "import/journal.h"
#include "net/http.h"

enum written {
    WRITTEN,
    REFUSED,                    /* nothing was written, and nothing will be */
    PASSING,                    /* it may be written by now, or later: to be tried again */
    UNKNOWN                     /* it may have been written, and nobody can say */
};

struct outcome {
    enum written written;
    long index;                 /* of the record that was refused; -1: it is about no one */
    char why[WHY_SIZE];
};

struct target {
    /* Whether this is where the import began: WRITTEN; PASSING: that cannot be asked yet. */
    void (*recognize)(struct target *target, struct outcome *outcome);
    void (*write)(struct target *target, struct batch *batch, struct outcome *outcome);
    void (*close)(struct target *target);
};

struct target_settings {
    const char *conninfo;
    const char *url;            /* NULL: the database */
    const char *connect_to;
    struct http_tls tls;
    int timeout_ms;             /* of one batch */
    const uint8_t *import_id;
    struct journal *journal;
};

/* NULL: out of memory. settings must outlive it. */
struct target *target_open(const struct target_settings *settings);
struct target *sql_open(const struct target_settings *settings);
struct target *https_open(const struct target_settings *settings);

/* Which record a refusal is about: index of a JSON object; -1: it does not say. */
long target_index(const char *json, size_t length);

#endif
