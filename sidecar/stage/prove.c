/*
 * prove.c: before anything is signed, the database must extend what was signed and published.
 *
 * Whenever the connection or the lease is a new one, and while there is a fault. Where there is one, the database is told
 * to enter safe mode, if it still listens; whether it does or not, nothing is signed here.
 */
#include "stage/stage.h"

#include "base/clock.h"
#include "base/doorbell.h"
#include "base/log.h"
#include "tlog/prove.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So long the store may take for all that is asked of it, and before that for the names of its divisions. */
#define STORE_MS 30000
#define NAMES_MS 15000
/* The same where nothing can be signed without its answer, or a person waits for it: checkpoints of years are listed. */
#define ALL_MS 900000
#define NAMES_STEP 256
/* A request to it, where the state's file knows what was signed */
#define QUICK_MS 3000
/* Without a proof by any thread for so long, or two intervals where that is longer, what is sealed waits for one. */
#define SEAL_MS 30000
/* Without the thread of the log for so long, or five intervals where that is longer, others read again what is old, for so long at most. */
#define OTHERS_MS 15000
#define OTHERS_MOST_MS 5000
/* A proof of very many logs takes longer than an interval: as much time lies between two, so that there is some for what they are for. */
#define PROOF_MOST_MS 120000
/* So often it is looked whether the database names its logs as this sidecar does by now. */
#define NAMED_MS 5000

/* The key that signs checkpoints, and those that did: of the registry that the operator keeps. */
static bool take_checkpoint_keys(struct sidecar *sidecar, struct log_signers *keys)
{
    uint8_t public_key[PUBLIC_KEY_LENGTH];
    bool ok;

    pthread_mutex_lock(&sidecar->checkpoint_lock);
    ok = sidecar_checkpoint_key(sidecar, public_key);
    pthread_mutex_unlock(&sidecar->checkpoint_lock);
    return ok && log_signers_add(keys, sidecar->config.checkpoint_signer.id, public_key)
           && log_signers_add_file(keys, sidecar->config.archive_registry_file, "checkpoints");
}

/* The store, to be closed by whoever asked; NULL after logging why not. */
static struct store *open_store(struct sidecar *sidecar, bool quickly)
{
    struct config config = sidecar->config;
    const struct store_options options = {config.store_url, "none", 0};

    if (quickly && config.store_timeout_ms > QUICK_MS)
        config.store_timeout_ms = QUICK_MS;
    return store_open(&config, &options);
}

/* A division that the store is asked about. */
struct asked {
    char division[DIVISION_NAME_LENGTH + 1];
    struct remembered *remembered;      /* NULL: nothing is */
    bool doubted;               /* it refused to take something of this log: all that it has of it is looked at */
    bool told;                  /* the store has told of it */
};

struct asking {
    struct store *store;
    struct published_keys keys;
    bool all;                   /* for all that was ever published, else for the newest */
    bool patient;               /* its answer is waited for as long as it takes, within reason */
    bool found_all;             /* the store has told which divisions it holds */
    struct asked *names;        /* by name, once all are there */
    size_t name_count;
    char next[DIVISION_NAME_LENGTH + 1];    /* the division that is asked for first, and where the store has told of some, the next time; "": the first */
    struct published *list;     /* what was found, by division */
    size_t count;
};

static bool add_name(void *context, const char *division)
{
    struct asking *asking = context;
    struct asked *larger;

    if (asking->name_count % NAMES_STEP == 0) {
        larger = realloc(asking->names, (asking->name_count + NAMES_STEP) * sizeof(*larger));
        if (!larger)
            return false;
        asking->names = larger;
    }
    asking->names[asking->name_count] = (struct asked){.remembered = NULL};
    snprintf(asking->names[asking->name_count++].division, sizeof(asking->names->division), "%s", division);
    return true;
}

/* Those that are remembered before the same that are not. */
static int by_name(const void *a, const void *b)
{
    const struct asked *one = a, *other = b;
    int order = strcmp(one->division, other->division);

    return order ? order : (other->remembered != NULL) - (one->remembered != NULL);
}

/* Each once. */
static void sort_names(struct asking *asking)
{
    size_t kept = 0;

    if (asking->name_count > 1)
        qsort(asking->names, asking->name_count, sizeof(*asking->names), by_name);
    for (size_t i = 0; i < asking->name_count; i++)
        if (kept == 0 || strcmp(asking->names[kept - 1].division, asking->names[i].division) != 0)
            asking->names[kept++] = asking->names[i];
        else
            free(asking->names[i].remembered);
    asking->name_count = kept;
}

static bool remember(struct asked *asked, const struct log_division *division)
{
    struct remembered *remembered = asked->remembered = calloc(1, sizeof(*remembered));

    if (!remembered)
        return false;
    asked->doubted = division->doubted;
    remembered->checkpoint = division->checkpoint_size;
    remembered->published = division->published;
    memcpy(remembered->root, division->checkpoint_root, sizeof(remembered->root));
    strcpy(remembered->origin, division->origin);
    return true;
}

/* Those that are remembered; unless all are wanted, only those that are to get a checkpoint. */
static bool add_remembered(struct log_memory *memory, bool whole, struct asking *asking)
{
    bool ok;

    pthread_mutex_lock(&memory->lock);
    ok = log_memory_refresh(memory);
    asking->all = !memory->state.loaded && !memory->asked;
    asking->patient = asking->patient || asking->all;
    asking->found_all = memory->asked;
    strcpy(asking->next, memory->next_asked);
    for (size_t i = 0; ok && i < memory->state.count; i++) {
        const struct log_division *division = memory->state.divisions[i];

        if (whole || asking->all || division->doubted || division->signed_range.size > division->checkpoint_size)
            ok = add_name(asking, division->name) && remember(&asking->names[asking->name_count - 1], division);
    }
    pthread_mutex_unlock(&memory->lock);
    return ok;
}

/* More than one of the same division are all compared, for one may be another sidecar's. */
static bool add_found(struct asking *asking, const struct published *found)
{
    struct published *larger = realloc(asking->list, (asking->count + 1) * sizeof(*larger));

    if (!larger)
        return false;
    asking->list = larger;
    larger[asking->count++] = *found;
    return true;
}

/*
 * The divisions that the store holds: where all is asked for, and once at the start, for the state may be older than what was
 * published. With a state it is not waited for to the end.
 */
static bool ask_names(struct asking *asking)
{
    bool told;

    if (!asking->all && asking->found_all)
        return true;
    told = published_divisions(asking->store, add_name, asking);
    if (!told && !asking->all)
        log_warning("which divisions the store holds, beside those that are remembered, it does not tell in time");
    asking->found_all = told;
    return told || !asking->all;
}

static bool ask_for(struct asking *asking, struct asked *asked)
{
    static const struct remembered nothing = {.published = 0};
    const struct remembered *remembered = asked->remembered ? asked->remembered : &nothing;
    struct published found, also = {.size = 0};

    uint64_t known = asking->all || asked->doubted ? PUBLISHED_ALL : remembered->checkpoint;

    asked->told = published_newest(asking->store, &asking->keys, asked->division, known, &found)
                  && (remembered->published == 0 || published_look_for(asking->store, &asking->keys, remembered, &found, &also))
                  && (found.size == 0 || add_found(asking, &found)) && (also.size + also.missed == 0 || add_found(asking, &also));
    return asked->told;
}

static int by_division(const void *a, const void *b)
{
    return strcmp(((const struct published *)a)->division, ((const struct published *)b)->division);
}

/* What of the divisions is published. False: the store does not tell of all of them; the next time those come first that it has not told of. */
static bool ask_store(struct asking *asking)
{
    bool ok = asking->store != NULL;
    size_t first = 0;

    if (ok) {
        asking->store->is_given_up = doorbell_stopped;
        asking->store->until_ms = clock_ms() + (asking->patient ? ALL_MS : NAMES_MS);
        ok = ask_names(asking);
        if (!asking->patient)
            asking->store->until_ms = clock_ms() + STORE_MS;
    }
    sort_names(asking);
    while (first < asking->name_count && strcmp(asking->names[first].division, asking->next) < 0)
        first++;
    asking->next[0] = '\0';
    for (size_t i = 0; ok && i < asking->name_count; i++) {
        struct asked *asked = &asking->names[(first + i) % asking->name_count];

        ok = !doorbell_stopped() && ask_for(asking, asked);
        if (!ok)
            strcpy(asking->next, asked->division);
    }
    if (asking->count > 1)
        qsort(asking->list, asking->count, sizeof(*asking->list), by_division);
    return ok;
}

/* Under the memory's lock, after a proof with what was found. */
static void note_asked(struct log_memory *memory, const struct asking *asking)
{
    for (size_t i = 0; i < asking->name_count; i++)
        if (asking->names[i].doubted && asking->names[i].told) {
            struct log_division *division = log_state_find(&memory->state, asking->names[i].division);

            if (division)
                division->doubted = false;
        }
}

static void free_asking(struct asking *asking)
{
    if (asking->store)
        asking->store->close(asking->store);
    for (size_t i = 0; i < asking->name_count; i++)
        free(asking->names[i].remembered);
    free(asking->names);
    free(asking->list);
    log_signers_free(&asking->keys.list);
}

/*
 * For how long old hashes are to be read again now: once an interval, by the thread of the log, which delays nothing else; by another where that one
 * does not come to it, for whoever rules the database can keep it from connecting. One that has just come to lead has better to do.
 */
static long reread_ms(struct worker *worker, bool leads_anew)
{
    const struct config *config = &worker->sidecar->config;
    atomic_long *last_ms = &worker->sidecar->log.reread_ms;
    long now_ms = clock_ms(), since_ms = now_ms - atomic_load(last_ms), interval_ms = config->checkpoint_interval_s * 1000L;
    long most_ms = interval_ms / 100 * config->checkpoint_reread_percent;
    bool is_log = worker->job == JOB_LOG, never = since_ms == now_ms;

    if (!is_log && (never || leads_anew)) {
        /* the thread of the log is to come to it at once, and others wait from here on */
        atomic_store(last_ms, now_ms - interval_ms);
        return 0;
    }
    if (!never && since_ms < (is_log ? interval_ms : interval_ms > OTHERS_MS / 5 ? 5 * interval_ms : OTHERS_MS))
        return 0;
    atomic_store(last_ms, now_ms);
    return is_log || most_ms < OTHERS_MOST_MS ? most_ms : OTHERS_MOST_MS;
}

/*
 * token: of the lease; NULL: there is none, and all that was signed is read again. whole: every log is asked for in the store, not those alone that
 * have grown.
 */
static enum log_verdict prove(struct worker *worker, const char *token, const struct log_signer *signer, bool whole)
{
    struct sidecar *sidecar = worker->sidecar;
    struct log_memory *memory = &sidecar->log;
    struct asking asking = {.patient = !token, .keys = {.prefix = sidecar->config.checkpoint_origin}};
    struct log_outside outside = {.prefix = sidecar->config.checkpoint_origin, .registry_file = sidecar->config.archive_registry_file, .whole = !token};
    bool ok = add_remembered(memory, whole, &asking), answered = true, publishes = sidecar->config.checkpoint_signer.id[0] != '\0';
    enum log_verdict verdict = !ok && atomic_load(&memory->broken) ? LOG_BROKEN : LOG_NOT_KNOWN;
    long began_ms = clock_ms();

    if (ok && publishes) {
        if (take_checkpoint_keys(sidecar, &asking.keys.list))
            asking.store = open_store(sidecar, !asking.patient);
        answered = ask_store(&asking);
        /* with a state file there is no need to wait for a store that is away */
        if (!answered && !asking.all)
            log_warning("what is signed was not compared with all checkpoints in the store, which does not answer%s%s", asking.count ? " in time; next with that of " : "",
                        asking.count ? asking.next : "");
        ok = answered || !asking.all;
    }
    outside.list = asking.list;
    outside.count = asking.count;
    if (ok) {
        outside.reread_ms = reread_ms(worker, token && strcmp(token, worker->proved_token) != 0);
        verdict = log_prove(memory, &worker->db, signer, &outside);
    }
    if (verdict == LOG_EXTENDS) {
        if (whole)
            atomic_store(&memory->proof_ms, clock_ms() - began_ms);
        pthread_mutex_lock(&memory->lock);
        memory->asked = memory->asked || answered;
        strcpy(memory->next_asked, asking.next);
        note_asked(memory, &asking);
        pthread_mutex_unlock(&memory->lock);
    }
    free_asking(&asking);
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

/* So long the last proof took that asked for everything, as far as that counts. */
static long took_ms(const struct worker *worker)
{
    long ms = atomic_load(&worker->sidecar->log.proof_ms);

    return ms < PROOF_MOST_MS ? ms : PROOF_MOST_MS;
}

long stage_proof_interval_ms(const struct worker *worker)
{
    long interval_ms = worker->sidecar->config.checkpoint_interval_s * 1000L;

    return interval_ms > took_ms(worker) ? interval_ms : took_ms(worker);
}

/*
 * A proof is not relied on for much longer than from one checkpoint to the next. What is to be sealed makes none by itself while the thread of the
 * log makes them: the next is there when the time between two is over, and it was made.
 */
static bool is_old(const struct worker *worker)
{
    long most_ms = 2 * stage_proof_interval_ms(worker);

    if (worker->job != DUTY_SEAL)
        return clock_ms() - worker->proved_ms > most_ms;
    most_ms += took_ms(worker);
    return clock_ms() - atomic_load(&worker->sidecar->log.proved_ms) > (most_ms > SEAL_MS ? most_ms : SEAL_MS);
}

bool stage_proves(struct worker *worker, const char *token, bool whole)
{
    struct log_signer signer;
    bool has_signer = sign_own_key(worker->sidecar, &signer);
    enum log_verdict verdict;

    verdict = prove(worker, token, has_signer ? &signer : NULL, whole);
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
    return prove(worker, NULL, NULL, true);
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
