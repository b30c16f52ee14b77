/* cosign.c: the witnesses of this sidecar's own logs, and what comes of their answers. */
#include "cosign.h"

#include "base/doorbell.h"
#include "base/log.h"
#include "stage/announce.h"
#include "tlog/published.h"
#include "tlog/tree.h"
#include "witness/feed.h"

#include <stdlib.h>
#include <string.h>

struct cosigning {
    struct sidecar *sidecar;
    struct feeds *feeds;
};

static bool log_key(void *context, const char *origin, NoteKey *key)
{
    return announce_log_key(context, origin, key);
}

static bool is_named(void *context, const char *division, const char *origin)
{
    struct sidecar *sidecar = context;
    const struct log_division *known;
    bool is;

    pthread_mutex_lock(&sidecar->log.lock);
    known = log_state_find(&sidecar->log.state, division);
    is = known && known->origin[0] ? !strcmp(known->origin, origin) : published_epoch(sidecar->config.checkpoint_origin, division, origin) > 0;
    pthread_mutex_unlock(&sidecar->log.lock);
    return is;
}

/* Fewer events are signed there than the checkpoint has; more may have been signed by another sidecar, which the next proof takes over. */
static enum likeness has_less(struct db *db, const char *division, uint64_t size)
{
    const char *parameters[] = {division};
    PGresult *sizes = db_call(db, "SELECT signed FROM reason.log_sizes($1)", "?n", 1, parameters, NULL);
    uint64_t here = 0;
    bool told = sizes != NULL;

    db_number(sizes, 0, 0, &here);
    PQclear(sizes);
    return told && here < size ? FEED_ANOTHER : FEED_UNKNOWN;
}

/* The tree that is remembered as signed, against theirs: the database gives the proof, and is not believed. */
static enum likeness compare(void *context, struct db *db, const char *division, const Checkpoint *theirs)
{
    struct log_memory *memory = &((struct sidecar *)context)->log;
    const struct log_division *known;
    struct tree tree = {.db = db, .division = division};
    MerkleRange range = {.size = 0};
    MerkleHash root;

    pthread_mutex_lock(&memory->lock);
    known = log_state_find(&memory->state, division);
    if (known)
        range = known->signed_range;
    pthread_mutex_unlock(&memory->lock);
    if (theirs->size > range.size)
        return has_less(db, division, theirs->size);
    merkle_range_root(&range, root);
    if (tree_extends(&tree, theirs->size, theirs->root, range.size, root))
        return FEED_SAME;
    return tree.failed ? FEED_UNKNOWN : FEED_ANOTHER;
}

static void cosigned(void *context, const char *division)
{
    announce_later(context, division);
}

/* The memory keeps it; the stages find that, and tell the database. */
static void refuse(void *context, const char *division, const char *origin, const char *reason)
{
    struct sidecar *sidecar = context;

    pthread_mutex_lock(&sidecar->log.lock);
    log_memory_contradict(&sidecar->log, division, origin, reason);
    pthread_mutex_unlock(&sidecar->log.lock);
    doorbell_ring();
}

static void relent(void *context, const char *origin)
{
    struct sidecar *sidecar = context;

    pthread_mutex_lock(&sidecar->log.lock);
    log_memory_agree(&sidecar->log, origin);
    pthread_mutex_unlock(&sidecar->log.lock);
}

bool cosign_check(struct sidecar *sidecar)
{
    return witness_policy_load(&sidecar->policy, &sidecar->config);
}

bool cosign_start(struct sidecar *sidecar, struct cosigning **cosigning)
{
    const struct feed_hooks hooks = {.context = sidecar, .log_key = log_key, .is_named = is_named, .compare = compare,
                                     .cosigned = cosigned, .refuse = refuse, .relent = relent};
    struct cosigning *new;

    if (sidecar->config.witness_count == 0)
        return true;
    if (!sidecar->config.checkpoint_signer.id[0])
        log_warning("witnesses are configured, and no checkpoint.signer: there is nothing to cosign");
    new = calloc(1, sizeof(*new));
    if (!new || !(new->feeds = feeds_start(&sidecar->config, &sidecar->policy, &hooks))) {
        free(new);
        return false;
    }
    new->sidecar = sidecar;
    *cosigning = new;
    return true;
}

void cosign_stop(struct cosigning *cosigning)
{
    if (!cosigning)
        return;
    feeds_stop(cosigning->feeds);
    announce_forget(cosigning->sidecar);
    free(cosigning);
}
