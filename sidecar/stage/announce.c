/* announce.c: the newest checkpoint of a log, once it is cosigned. */
#include "stage/announce.h"

#include "base/doorbell.h"
#include "base/log.h"
#include "core/checkpoint.h"
#include "tlog/published.h"
#include "witness/ed25519.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void announce_later(struct sidecar *sidecar, const char *division)
{
    struct announcements *waiting = &sidecar->announcements;
    char **larger;
    size_t i = 0;

    pthread_mutex_lock(&waiting->lock);
    while (i < waiting->count && strcmp(waiting->divisions[i], division) != 0)
        i++;
    if (i == waiting->count && (larger = realloc(waiting->divisions, (i + 1) * sizeof(*larger))) != NULL) {
        waiting->divisions = larger;
        if ((larger[i] = strdup(division)) != NULL)
            waiting->count++;
    }
    pthread_mutex_unlock(&waiting->lock);
    doorbell_ring();
}

bool announce_is_due(struct sidecar *sidecar)
{
    bool is;

    pthread_mutex_lock(&sidecar->announcements.lock);
    is = sidecar->announcements.count > 0;
    pthread_mutex_unlock(&sidecar->announcements.lock);
    return is;
}

/* The next division, taken out; the caller frees. NULL: there is none. */
static char *take(struct sidecar *sidecar)
{
    struct announcements *waiting = &sidecar->announcements;
    char *division = NULL;

    pthread_mutex_lock(&waiting->lock);
    if (waiting->count > 0)
        division = waiting->divisions[--waiting->count];
    pthread_mutex_unlock(&waiting->lock);
    return division;
}

void announce_forget(struct sidecar *sidecar)
{
    for (char *division; (division = take(sidecar)) != NULL;)
        free(division);
    free(sidecar->announcements.divisions);
    sidecar->announcements.divisions = NULL;
}

/* What our own memory says of the log: the database is not asked. */
struct known {
    char origin[LOG_ORIGIN_SIZE];
    uint64_t published;
};

static bool know(struct sidecar *sidecar, const char *division, struct known *known)
{
    const struct log_division *remembered;

    pthread_mutex_lock(&sidecar->log.lock);
    remembered = log_state_find(&sidecar->log.state, division);
    if (remembered) {
        strcpy(known->origin, remembered->origin);
        known->published = remembered->published;
    }
    pthread_mutex_unlock(&sidecar->log.lock);
    return remembered && known->origin[0];
}

bool announce_log_key(struct sidecar *sidecar, const char *origin, NoteKey *key)
{
    bool is_open;

    memset(key, 0, sizeof(*key));
    key->name = (NoteText){origin, strlen(origin)};
    key->type = NOTE_TYPE_ED25519;
    pthread_mutex_lock(&sidecar->checkpoint_lock);
    is_open = sidecar->checkpoint_signer != NULL;
    if (is_open)
        memcpy(key->public_key, sidecar->checkpoint_signer->public_key, sizeof(key->public_key));
    pthread_mutex_unlock(&sidecar->checkpoint_lock);
    note_key_id(key->key_id, key->name.data, key->name.length, key->type, key->public_key, sizeof(key->public_key));
    return is_open;
}

/* Whether it is ours, lies in the store with its tiles, and is cosigned by enough. */
static bool may_announce(struct sidecar *sidecar, const char *division, const struct known *known, const char *note)
{
    SignedNote *parsed = malloc(sizeof(*parsed));
    Checkpoint checkpoint;
    NoteKey key;
    bool ok;

    ok = parsed && announce_log_key(sidecar, known->origin, &key) && !note_parse(parsed, note, strlen(note))
         && note_verify(parsed, &key, ed25519_verify, NULL) == NOTE_VERIFIED && !checkpoint_parse(&checkpoint, parsed->text.data, parsed->text.length)
         && checkpoint.origin.length == strlen(known->origin) && !memcmp(checkpoint.origin.data, known->origin, checkpoint.origin.length)
         && checkpoint.size <= known->published
         && (!witness_policy_concerns(&sidecar->policy, division) || witness_policy_is_met(&sidecar->policy, parsed, &checkpoint));
    free(parsed);
    return ok;
}

static bool put(struct worker *worker, struct store *store, const char *division, const struct known *known, const char *note)
{
    struct stored stored = {.reason = ""};
    char folder[PUBLISHED_FOLDER_SIZE], key[PUBLISHED_FOLDER_SIZE + 16];

    published_folder(division, published_epoch(worker->sidecar->config.checkpoint_origin, division, known->origin), folder);
    snprintf(key, sizeof(key), "%s/checkpoint", folder);
    if (store_put_bytes(store, key, "text/plain; charset=utf-8", note, strlen(note), true, &stored) == STORE_DONE)
        return true;
    metrics_add(METRIC_STORE_FAILURES, 1);
    log_error("cannot publish the newest checkpoint of \"%s\": %s", known->origin, stored.reason);
    return false;
}

/* The newest of a log that may be; -1: not now. */
static int announce_one(struct worker *worker, struct store *store, const char *division)
{
    struct array configured;
    const char *parameters[] = {division, NULL};
    struct known known;
    PGresult *result = NULL;
    int row = 0, count = 0;

    if (!know(worker->sidecar, division, &known))
        return 0;
    if (witness_vkeys(&worker->sidecar->config, &configured)) {
        parameters[1] = configured.text;
        result = db_call(&worker->db, "SELECT note FROM reason.cosigned_checkpoints($1, configured => $2::text[])", "t", 2, parameters, NULL);
    }
    array_free(&configured);
    if (!result)
        return -1;
    while (row < PQntuples(result) && !may_announce(worker->sidecar, division, &known, PQgetvalue(result, row, 0)))
        row++;
    if (row < PQntuples(result))
        count = put(worker, store, division, &known, PQgetvalue(result, row, 0)) ? 1 : -1;
    PQclear(result);
    return count;
}

int announce(struct worker *worker, struct store *store)
{
    int count = 0;

    for (char *division; !doorbell_stopped() && (division = take(worker->sidecar)) != NULL;) {
        int announced = announce_one(worker, store, division);

        if (announced < 0)
            announce_later(worker->sidecar, division);
        else
            count += announced;
        free(division);
        if (announced < 0)
            return -1;
    }
    return count;
}
