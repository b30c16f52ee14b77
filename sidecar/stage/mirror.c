/* mirror.c: the duty that feeds a mirror; each has a thread of its own, so that one that is slow holds up no other. */
#include "stage/stage.h"

#include "mirror/feed.h"

static enum progress turn(struct worker *worker, const char *token)
{
    if (!worker->state)
        worker->state = feed_open(&worker->sidecar->config.mirrors[worker->mirror]);
    if (!worker->state) {
        metrics_add(METRIC_MIRROR_FAILURES, 1);
        return PROGRESS_FAILED;
    }
    switch (feed_turn(worker->state, &worker->db, token)) {
    case FEED_NOTHING: return PROGRESS_NONE;
    case FEED_SOME: return PROGRESS_SOME;
    case FEED_FAILED: break;
    }
    return PROGRESS_FAILED;
}

static void close_feed(struct worker *worker)
{
    feed_close(worker->state);
    worker->state = NULL;
}

const struct stage stage_mirror = {.name = "mirror", .histogram = HISTOGRAM_MIRROR, .turn = turn, .close = close_feed};
