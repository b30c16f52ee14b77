/*
 * store.h: where snapshots, archive segments and the log go: written once, never changed.
 *
 * One kind of object is replaced by the next: the newest checkpoint of a log. A store is used by one thread at a time.
 */
#ifndef SIDECAR_STORE_H
#define SIDECAR_STORE_H

#include "base/config.h"
#include "base/pair.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct object {
    const char *key;            /* such as snapshots/<division>/<id>.json */
    const char *content_type;
    const char *cache_control;  /* what caches in front of the store are told; NULL: nothing */
    const struct pair *metadata; /* values are ASCII without quotes or control characters, else it is refused */
    size_t metadata_count;
    const char *hash;           /* SHA-256 of the bytes, hex */
    long long size;
    /* The next piece of the bytes; length 0 at the end. False: could not be read; logged. Memory is the callee's until the next call. */
    bool (*next)(void *context, const void **bytes, size_t *length);
    bool (*rewind)(void *context);
    void *context;
    /* 0: as the store is configured */
    time_t retain_until;
    bool legal_hold;
    bool replaces;              /* replaces what is there, atomically. For stores opened without lock */
};

struct stored {
    char uri[2048];
    char version[1100];         /* S3: version ids have at most 1,024 bytes; "" where there are none */
    bool existed;               /* it was there already, with the lock that it got then */
    char reason[512];           /* why it was not stored */
};

enum store_result {
    STORE_DONE,
    STORE_RETRY,                /* not now */
    STORE_REFUSED               /* never: something else is there */
};

/* What more protects an object that is there. */
struct protection {
    time_t retain_until;        /* 0: as it is; a lock is never shortened */
    enum { HOLD_AS_IT_IS, HOLD_ON, HOLD_OFF } legal_hold;
};

/* Whether what an object says of itself can stand in a header or in a JSON text as it is. */
bool store_metadata_are_plain(const struct object *object);

/* Takes one version of an object ("": it has none); false: no more are wanted. */
typedef bool object_taker(void *context, const char *key, const char *version);

/* Takes the next piece of an object's bytes; false: it cannot, and no more are wanted. */
typedef bool piece_taker(void *context, const void *bytes, size_t length);

struct store {
    long until_ms;              /* a listing ends then, by the steady clock, and has failed; 0: whenever it ends */
    bool (*is_given_up)(void);  /* a listing for which it comes to be true has failed; NULL: none */
    bool locks;                 /* it keeps retention and legal hold */
    /* Durable when it returns STORE_DONE. Storing the same bytes again is no error. */
    enum store_result (*put)(struct store *store, const struct object *object, struct stored *stored);
    /* Locks a version for longer, puts it under legal hold, or ends that. NULL where nothing can be locked. */
    enum store_result (*protect)(struct store *store, const char *key, const char *version, const struct protection *protection,
                                 struct stored *stored);
    /*
     * Gives the objects whose keys begin with prefix and come after `after` (NULL: all), in the order of the keys, every
     * version, the newest first; those too that a delete marker hides. False after logging why not.
     */
    bool (*list)(struct store *store, const char *prefix, const char *after, object_taker *take, void *context);
    /* Gives the bytes of a version ("": the newest) in order. False after logging why not, perhaps after some of them. */
    bool (*read)(struct store *store, const char *key, const char *version, piece_taker *take, void *context);
    /* Whether the store answers and takes our credentials; logged when not. */
    bool (*check)(struct store *store);
    void (*close)(struct store *store);
};

struct store_options {
    const char *url;            /* file:///directory or s3://bucket[/prefix] */
    const char *lock_mode;
    int lock_days;
};

/* The bytes of a version as a text, terminated; the caller frees. NULL: it is longer than `most`. False after logging why not. */
bool store_read_text(struct store *store, const char *key, const char *version, size_t most, char **bytes);

/* Puts bytes that are in memory, without metadata, for anybody to read: caches may keep for ever what nothing replaces. */
enum store_result store_put_bytes(struct store *store, const char *key, const char *content_type, const void *bytes, size_t length,
                                  bool replaces, struct stored *stored);

/* NULL after logging why not. */
struct store *store_open(const struct config *config, const struct store_options *options);
struct store *store_file_open(const char *directory);
struct store *store_s3_open(const struct config *config, const struct store_options *options);

#endif
