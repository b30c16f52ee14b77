/*
 * worker.c: opens the counterparts that the threads share.
 */
#include "stage/worker.h"

#include "base/log.h"

#include <sodium.h>
#include <string.h>

bool sidecar_open_store(struct sidecar *sidecar)
{
    const struct store_options options = {sidecar->config.store_url, sidecar->config.store_lock_mode, sidecar->config.store_lock_days};
    int reloads = atomic_load(&sidecar->reloads);

    if (sidecar->store && sidecar->store_reloads != reloads) {
        sidecar->store->close(sidecar->store);
        sidecar->store = NULL;
    }
    if (!sidecar->store)
        sidecar->store = store_open(&sidecar->config, &options);
    sidecar->store_reloads = reloads;
    atomic_store(&sidecar->store_ready, sidecar->store != NULL);
    return sidecar->store != NULL;
}

/* The registered key must be the signer's: a sidecar with another key signs nothing. */
static bool key_is_registered(const struct signer *signer, const char *id, const char *purpose, struct db *db)
{
    const char *parameters[] = {id, purpose};
    char hex[2 * PUBLIC_KEY_LENGTH + 1];
    bool ok;
    PGresult *result = db_call(db, "SELECT encode(reason.signing_key($1, $2), 'hex')", "1T", 2, parameters, NULL);

    if (!result)
        return false;
    sodium_bin2hex(hex, sizeof(hex), signer->public_key, PUBLIC_KEY_LENGTH);
    ok = !strcmp(PQgetvalue(result, 0, 0), hex);
    PQclear(result);
    if (!ok) {
        log_error("signer \"%s\" is registered with another key than this sidecar has", id);
        metrics_add(METRIC_SIGNATURES_REFUSED, 1);
    }
    return ok;
}

/* The key of events, once it is known, for whoever must not wait for its signer: its lock is held while it is copied. */
static pthread_mutex_t events_key_lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t events_key[PUBLIC_KEY_LENGTH];
static bool events_key_known;

static void remember_events_key(const struct signer *signer)
{
    pthread_mutex_lock(&events_key_lock);
    memcpy(events_key, signer->public_key, PUBLIC_KEY_LENGTH);
    events_key_known = true;
    pthread_mutex_unlock(&events_key_lock);
}

bool sidecar_open_signer(struct sidecar *sidecar, struct db *db)
{
    int reloads = atomic_load(&sidecar->reloads);

    if (sidecar->signer && sidecar->signer_reloads != reloads) {
        sidecar->signer->close(sidecar->signer);
        sidecar->signer = NULL;
        sidecar->signer_registered = false;
    }
    if (!sidecar->signer)
        sidecar->signer = signer_open(&sidecar->config.signer);
    sidecar->signer_reloads = reloads;
    if (sidecar->signer)
        remember_events_key(sidecar->signer);
    if (sidecar->signer && !sidecar->signer_registered)
        sidecar->signer_registered = key_is_registered(sidecar->signer, sidecar->config.signer.id, "events", db);
    atomic_store(&sidecar->signer_ready, sidecar->signer && sidecar->signer_registered);
    return sidecar->signer && sidecar->signer_registered;
}

/*
 * The key of events signs no checkpoint, whatever the registry says: what one of them signed would then count as the
 * other's. Whoever is slow at signing events must not hold this up.
 */
static bool has_a_key_of_its_own(struct sidecar *sidecar)
{
    bool same;

    pthread_mutex_lock(&events_key_lock);
    same = events_key_known && !memcmp(events_key, sidecar->checkpoint_signer->public_key, PUBLIC_KEY_LENGTH);
    pthread_mutex_unlock(&events_key_lock);
    if (same)
        log_error("signer \"%s\" of [checkpoint] has the key of [signer]: it must have one of its own", sidecar->config.checkpoint_signer.id);
    return !same;
}

bool sidecar_checkpoint_key(struct sidecar *sidecar, uint8_t public_key[PUBLIC_KEY_LENGTH])
{
    int reloads = atomic_load(&sidecar->reloads);

    if (sidecar->checkpoint_signer && sidecar->checkpoint_reloads != reloads) {
        sidecar->checkpoint_signer->close(sidecar->checkpoint_signer);
        sidecar->checkpoint_signer = NULL;
        sidecar->checkpoint_registered = false;
    }
    if (!sidecar->checkpoint_signer)
        sidecar->checkpoint_signer = signer_open(&sidecar->config.checkpoint_signer);
    sidecar->checkpoint_reloads = reloads;
    if (sidecar->checkpoint_signer)
        memcpy(public_key, sidecar->checkpoint_signer->public_key, PUBLIC_KEY_LENGTH);
    return sidecar->checkpoint_signer != NULL;
}

bool sidecar_open_checkpoint_signer(struct sidecar *sidecar, struct db *db)
{
    uint8_t public_key[PUBLIC_KEY_LENGTH];

    /* the signer of events may have been opened since, and anew */
    if (!sidecar_checkpoint_key(sidecar, public_key) || !has_a_key_of_its_own(sidecar))
        return false;
    if (!sidecar->checkpoint_registered)
        sidecar->checkpoint_registered = key_is_registered(sidecar->checkpoint_signer, sidecar->config.checkpoint_signer.id, "checkpoints", db);
    return sidecar->checkpoint_registered;
}
