/* feed.h: brings a mirror on, a batch of events of each division at a time. */
#ifndef SIDECAR_MIRROR_FEED_H
#define SIDECAR_MIRROR_FEED_H

#include "base/db.h"
#include "mirror/mirror.h"

enum feed_result {
    FEED_NOTHING,               /* the mirror has all that is signed */
    FEED_SOME,                  /* events were taken, or passed over */
    FEED_FAILED                 /* logged; later again */
};

struct feed;

/* NULL after logging why not. */
struct feed *feed_open(const struct mirror_config *config);
void feed_close(struct feed *feed);
/*
 * One batch of each division that has grown, under the lease with that token. What the mirror refuses is found by smaller
 * batches, and parked. A division whose mark is of another history, or has vanished, is not fed, and named: it must be rebuilt.
 */
enum feed_result feed_turn(struct feed *feed, struct db *db, const char *token);

#endif
