/*
 * store.h: where snapshots go: written once, never changed.
 */
#ifndef SIDECAR_STORE_H
#define SIDECAR_STORE_H

#include <stdbool.h>
#include <stddef.h>

struct object {
    const char *key;            /* snapshots/<division>/<id>.json */
    const char *metadata;       /* JSON: snapshot-id, hash, signature, signer-id, ts */
    const char *hash;           /* SHA-256 of the bytes, hex */
    /* The next piece of the bytes; length 0 at the end. False: could not be read; logged. Memory is the caller's until the next call. */
    bool (*next)(void *context, const void **bytes, size_t *length);
    void *context;
};

enum store_result { STORE_DONE, STORE_RETRY, STORE_REFUSED };

struct store {
    /* Durable when it returns STORE_DONE; *uri and *version are the caller's to free. Storing the same bytes again is no error. */
    enum store_result (*put)(struct store *store, const struct object *object, char **uri, char **version, char *reason, size_t reason_size);
    void (*close)(struct store *store);
};

/* file:///directory. NULL after logging why not. */
struct store *store_open(const char *url);

#endif
