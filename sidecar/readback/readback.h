/*
 * readback.h: what is known of the chains outside of the database: segments of the archive, messages of the topic.
 *
 * Read to find out whether a database that was restored has forgotten something, and to bring it back.
 */
#ifndef SIDECAR_READBACK_READBACK_H
#define SIDECAR_READBACK_READBACK_H

#include "base/config.h"
#include "base/db.h"
#include "store/store.h"

/* A segment of the archive: <prefix>.jsonl, <prefix>.contents.jsonl. */
struct segment {
    char *prefix;
    char *version, *contents_version;       /* the first of each: the one that the sidecar made; NULL: it is not there */
};

struct segments {
    struct segment *list;
    size_t count;
};

/* The segments that may be missing in the index. False when the store does not tell; the caller frees in either case. */
bool readback_archive(struct store *store, struct db *db, const char *target, struct segments *found);
void segments_free(struct segments *segments);

/* A message: an event as canonical JSON, terminated. False: no more are wanted. */
typedef bool message_taker(void *context, const char *division, const char *event);

/* What is read of each partition; nothing named: all of it. */
struct topic_part {
    int last;                   /* the last so many messages, and ... */
    long since_ms;              /* ... those since then, in milliseconds of Unix time; 0: from the beginning on */
};

/*
 * Reads the topic. False when the brokers do not answer within timeout_ms (and then within some seconds each time), or not all
 * was read in most_ms (0: as long as messages come); logged. Their user must be allowed to read topic and group.
 */
bool readback_kafka(const struct config *config, const struct topic_part *part, int timeout_ms, int most_ms, message_taker *take, void *context);

#endif
