/* batch.h: events read from the database, as the changes that they make to a mirror. */
#ifndef SIDECAR_MIRROR_BATCH_H
#define SIDECAR_MIRROR_BATCH_H

#include "base/db.h"
#include "mirror/mirror.h"

struct mirror_batch {
    struct mirror_changes changes;
    struct mirror_mark after;   /* the mark once they are applied */
    long events;
};

enum batch_result {
    BATCH_READ,                 /* perhaps nothing */
    BATCH_DIVERGED,             /* the mark is of another history than the database's; logged */
    BATCH_FAILED                /* logged */
};

/* The next events after a mark, at most so many. The caller frees the batch with batch_free(), whatever the result. */
enum batch_result batch_read(struct db *db, const struct mirror_config *config, const char *division, const struct mirror_mark *before, int most,
                             struct mirror_batch *batch);
/* Events of a range, each record as it stands after event at_seq: an array of the rows of mirror_changes, with op and type. NULL after logging why. */
json_t *batch_records(struct db *db, const struct mirror_config *config, const char *division, long after_seq, int most, long at_seq, long *last_seq);
void batch_free(struct mirror_batch *batch);

#endif
