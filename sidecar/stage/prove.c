/*
 * prove.c: before anything is signed, the database must extend what was signed and published.
 *
 * Whenever the connection or the lease is a new one, and while there is a fault. Where there is one, the database is told
 * to enter safe mode, if it still listens; whether it does or not, nothing is signed here.
 */
#include "stage/stage.h"

#include "base/clock.h"
#include "base/log.h"
#include "tlog/prove.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So long the store may take for all that is asked of it. */
#define STORE_MS 30000
/* A request to it, where the state's file knows what was signed */
#define QUICK_MS 3000
/* So often it is looked whether the database names its logs as this sidecar does by now. */
#define NAMED_MS 5000

static bool take_checkpoint_key(struct sidecar *sidecar, struct db *db, uint8_t public_key[PUBLIC_KEY_LENGTH])
{
    bool ok;

    pthread_mutex_lock(&sidecar->checkpoint_lock);
    ok = sidecar_open_checkpoint_signer(sidecar, db);
    if (ok)
        memcpy(public_key, sidecar->checkpoint_signer->public_key, PUBLIC_KEY_LENGTH);
    pthread_mutex_unlock(&sidecar->checkpoint_lock);
    return ok;
}

/* The store, to be closed by whoever asked; NULL after logging why not. */
static struct store *open_store(struct sidecar *sidecar, bool quickly)
{
    struct config config = sidecar->config;
    const struct store_options options = {config.store_url, "none", 0};
    struct store *store;

    if (quickly && config.store_timeout_ms > QUICK_MS)
        config.store_timeout_ms = QUICK_MS;
    store = store_open(&config, &options);
    if (store)
        store->until_ms = clock_ms() + STORE_MS;
    return store;
}

struct asking {
    struct store *store;
    struct published_key key;
    bool all;                   /* for all that was ever published, else for the newest */
    struct published *list;
    struct remembered *remembered;      /* of each of the list */
    size_t count;
};

/* What is remembered of it. */
struct remembered {
    uint64_t checkpoint, published;
    char origin[LOG_ORIGIN_SIZE];
};

static bool has_name(const struct asking *asking, const char *division)
{
    for (size_t i = 0; i < asking->count; i++)
        if (!strcmp(asking->list[i].division, division))
            return true;
    return false;
}

static bool add_name(void *context, const char *division)
{
    struct asking *asking = context;
    struct remembered *remembered;
    struct published *larger;

    if (has_name(asking, division))
        return true;
    remembered = realloc(asking->remembered, (asking->count + 1) * sizeof(*remembered));
    if (!remembered)
        return false;
    asking->remembered = remembered;
    remembered[asking->count] = (struct remembered){.origin = ""};
    larger = realloc(asking->list, (asking->count + 1) * sizeof(*larger));
    if (!larger)
        return false;
    asking->list = larger;
    larger[asking->count] = (struct published){.size = 0};
    snprintf(larger[asking->count++].division, sizeof(larger->division), "%s", division);
    return true;
}

/* Those that are remembered; unless all are wanted, only those that are to get a checkpoint. */
static bool add_remembered(struct log_memory *memory, bool whole, struct asking *asking)
{
    bool ok;

    pthread_mutex_lock(&memory->lock);
    ok = log_memory_refresh(memory);
    asking->all = memory->doubted || (!memory->state.loaded && !memory->asked);
    for (size_t i = 0; ok && i < memory->state.count; i++)
        if (whole || asking->all || memory->state.divisions[i]->signed_range.size > memory->state.divisions[i]->checkpoint_size) {
            ok = add_name(asking, memory->state.divisions[i]->name);
            if (ok) {
                struct remembered *remembered = &asking->remembered[asking->count - 1];

                remembered->checkpoint = memory->state.divisions[i]->checkpoint_size;
                remembered->published = memory->state.divisions[i]->published;
                strcpy(remembered->origin, memory->state.divisions[i]->origin);
            }
        }
    pthread_mutex_unlock(&memory->lock);
    return ok;
}

/* Another of the same division: both are compared, for one may be another sidecar's. */
static bool add_found(struct asking *asking, const struct published *found)
{
    struct published *larger = realloc(asking->list, (asking->count + 1) * sizeof(*larger));

    if (!larger)
        return false;
    asking->list = larger;
    larger[asking->count++] = *found;
    return true;
}

/* What of the divisions is published. False: the store does not tell. */
static bool ask_store(struct asking *asking)
{
    bool ok = asking->store && (!asking->all || published_divisions(asking->store, add_name, asking));
    size_t named = asking->count;

    for (size_t i = 0; ok && i < named; i++) {
        struct published also = {.size = 0};
        char division[sizeof(asking->list[i].division)];
        const struct remembered *remembered = &asking->remembered[i];

        strcpy(division, asking->list[i].division);
        ok = published_newest(asking->store, &asking->key, division, asking->all ? PUBLISHED_ALL : remembered->checkpoint, &asking->list[i])
             && (remembered->published == 0
                 || published_look_for(asking->store, &asking->key, remembered->origin, remembered->published, &asking->list[i], &also))
             && (also.size + also.missed == 0 || add_found(asking, &also));
    }
    return ok;
}

/* For how long old hashes are to be read again now: once an interval, by the thread of the log, which delays nothing else. */
static long reread_ms(struct worker *worker)
{
    const struct config *config = &worker->sidecar->config;
    long now_ms = clock_ms();

    if (worker->job != JOB_LOG || (worker->reread_ms && now_ms - worker->reread_ms < config->checkpoint_interval_s * 1000L))
        return 0;
    worker->reread_ms = now_ms;
    return config->checkpoint_interval_s * 10L * config->checkpoint_reread_percent;
}

/* whole: every log is asked for in the store, not those alone that have grown; everything: and all that was signed is read again. */
static enum log_verdict prove(struct worker *worker, const struct log_signer *signer, bool whole, bool everything)
{
    struct sidecar *sidecar = worker->sidecar;
    struct log_memory *memory = &sidecar->log;
    uint8_t checkpoint_key[PUBLIC_KEY_LENGTH];
    struct asking asking = {.key = {sidecar->config.checkpoint_origin, checkpoint_key}};
    struct log_outside outside = {.prefix = sidecar->config.checkpoint_origin, .registry_file = sidecar->config.archive_registry_file, .whole = everything};
    bool ok = add_remembered(memory, whole, &asking), answered = true;
    enum log_verdict verdict = !ok && atomic_load(&memory->broken) ? LOG_BROKEN : LOG_NOT_KNOWN;

    if (ok && sidecar->config.checkpoint_signer.id[0]) {
        if (take_checkpoint_key(sidecar, &worker->db, checkpoint_key))
            asking.store = open_store(sidecar, !asking.all);
        answered = ask_store(&asking);
        /* with a state file there is no need to wait for a store that is away */
        if (!answered && !asking.all)
            log_warning("what is signed was not compared with the checkpoints in the store, which does not answer");
        ok = answered || !asking.all;
    }
    if (answered) {
        outside.list = asking.list;
        outside.count = asking.count;
    }
    if (ok) {
        outside.reread_ms = reread_ms(worker);
        verdict = log_prove(memory, &worker->db, signer, &outside);
    }
    if (verdict == LOG_EXTENDS && answered) {
        pthread_mutex_lock(&memory->lock);
        memory->asked = true;
        memory->doubted = memory->doubted && !asking.all;
        pthread_mutex_unlock(&memory->lock);
    }
    if (asking.store)
        asking.store->close(asking.store);
    free(asking.list);
    free(asking.remembered);
    return verdict;
}

void stage_reports_fault(struct worker *worker, const char *token)
{
    struct log_memory *memory = &worker->sidecar->log;
    char fault[LOG_FAULT_SIZE], epoch[16];
    const char *parameters[] = {token, fault, epoch};

    pthread_mutex_lock(&memory->lock);
    snprintf(epoch, sizeof(epoch), "%u", memory->fault_epoch);
    strcpy(fault, memory->fault);
    pthread_mutex_unlock(&memory->lock);
    if (fault[0] && worker->duty == DUTY_SEAL)
        PQclear(db_call(&worker->db, "SELECT reason.report_log_fault($1, $2, $3)", NULL, 3, parameters, NULL));
}

/* A proof is not relied on for much longer than from one checkpoint to the next. */
static bool is_old(const struct worker *worker)
{
    return worker->job != DUTY_SEAL && clock_ms() - worker->proved_ms > 2000L * worker->sidecar->config.checkpoint_interval_s;
}

bool stage_proves(struct worker *worker, const char *token, bool whole)
{
    struct log_signer signer;
    bool has_signer = sign_own_key(worker->sidecar, &signer);
    enum log_verdict verdict;

    verdict = prove(worker, has_signer ? &signer : NULL, whole, false);
    if (verdict == LOG_BROKEN)
        stage_reports_fault(worker, token);
    if (verdict == LOG_EXTENDS) {
        worker->proved = worker->db.connections;
        snprintf(worker->proved_token, sizeof(worker->proved_token), "%s", token);
        worker->proved_ms = clock_ms();
    } else {
        worker->proved = 0;
    }
    return stage_is_proved(worker, token);
}

enum log_verdict stage_checks_log(struct worker *worker)
{
    return prove(worker, NULL, true, true);
}

/* Whether this thread's own proof holds: what others found is another matter. */
static bool has_proof(const struct worker *worker, const char *token)
{
    return worker->proved && worker->proved == worker->db.connections && !strcmp(worker->proved_token, token) && !is_old(worker)
           && !atomic_load(&worker->sidecar->log.broken);
}

bool stage_is_proved(const struct worker *worker, const char *token)
{
    const struct log_memory *memory = &worker->sidecar->log;

    return !memory->on || (has_proof(worker, token) && !refusals_wait(&memory->refusals, clock_ms()));
}

/*
 * Whether the database names its logs as this sidecar does. Where it does not, no checkpoint is signed and no snapshot: that is told whenever
 * the connection is a new one, by the names of both settings.
 */
static void compare_prefix(struct worker *worker)
{
    struct sidecar *sidecar = worker->sidecar;
    PGresult *result = db_call(&worker->db, "SELECT reason.current_origin('system')", "1t", 0, NULL, NULL);

    if (!result)
        return;
    atomic_store(&sidecar->log.misnamed, published_epoch(sidecar->config.checkpoint_origin, "system", PQgetvalue(result, 0, 0)) == 0);
    if (atomic_load(&sidecar->log.misnamed))
        log_error("the database names the log of division \"system\" \"%s\", and checkpoint.origin is \"%s\": no checkpoint and no snapshot is signed until one of"
                  " them is changed (reason.set_log_prefix())",
                  PQgetvalue(result, 0, 0), sidecar->config.checkpoint_origin);
    PQclear(result);
    worker->named = worker->db.connections;
    worker->named_ms = clock_ms();
}

static enum progress turn(struct worker *worker, const char *token)
{
    if (worker->sidecar->log.on
        && (worker->named != worker->db.connections || (atomic_load(&worker->sidecar->log.misnamed) && clock_ms() - worker->named_ms > NAMED_MS)))
        compare_prefix(worker);
    if (stage_is_proved(worker, token))
        return PROGRESS_NONE;
    /* another thread's proof was refused: it makes it itself */
    if (has_proof(worker, token))
        return PROGRESS_FAILED;
    return stage_proves(worker, token, true) ? PROGRESS_NONE : PROGRESS_FAILED;
}

const struct stage stage_prove = {.name = "prove", .histogram = HISTOGRAM_SEAL, .turn = turn, .gate = true};
