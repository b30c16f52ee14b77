/*
 * checkpoint.c: the trees grow, and their heads are signed and published.
 *
 * A head is planned in the database (durable), proved to be ours, kept in the state (durable), signed, recorded, and then
 * published: tiles first, then the checkpoint under its size, then the newest. Each step may be done again, for the
 * signature is the same again; what was published and not noted is found to be there.
 *
 * This stage has a thread of its own, under the lease of the duty seal: nothing that is sealed or signed waits for it.
 */
#include "stage/stage.h"

#include "stage/announce.h"

#include "base/clock.h"
#include "base/doorbell.h"
#include "base/log.h"
#include "core/checkpoint.h"
#include "core/signed_note.h"
#include "tlog/prove.h"
#include "tlog/publish.h"
#include "tlog/tree.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* An event that was just written is signed by then, unless something is the matter. */
#define SIGNED_MS 500
/* Leaves that one call adds to the trees. */
#define GROW_MOST 100000
#define GROW_CALLS_MOST 100
#define FRESH_MS 1000

struct checkpoints {
    struct store *immutable, *mutable;
    int reloads;                /* when they were opened */
    long next_ms;               /* when it is looked again what is due */
    bool counted;               /* the heads of all logs, in the round before, which left the checkpoints to the next */
};

/* A head that is to be signed, or was. */
struct head {
    char division[DIVISION_NAME_LENGTH + 1];
    char origin[LOG_ORIGIN_SIZE];
    uint64_t size, published;
    MerkleHash root;
};

/* ---------------------------------------------------------------- counterparts */

static void close_stores(struct worker *worker)
{
    struct checkpoints *state = worker->state;

    if (state && state->immutable)
        state->immutable->close(state->immutable);
    if (state && state->mutable)
        state->mutable->close(state->mutable);
    if (state)
        state->immutable = state->mutable = NULL;
}

static void close_state(struct worker *worker)
{
    close_stores(worker);
    free(worker->state);
    worker->state = NULL;
}

static bool open_stores(struct worker *worker)
{
    const struct config *config = &worker->sidecar->config;
    const struct store_options locked = {config->store_url, config->store_lock_mode, config->store_lock_days};
    const struct store_options unlocked = {config->store_url, "none", 0};
    struct checkpoints *state = worker->state;
    int reloads = atomic_load(&worker->sidecar->reloads);

    if (state->reloads != reloads)
        close_stores(worker);
    state->reloads = reloads;
    if (!state->immutable)
        state->immutable = store_open(config, &locked);
    if (!state->mutable)
        state->mutable = store_open(config, &unlocked);
    return state->immutable && state->mutable;
}

/* The text that is signed, terminated; the caller frees. */
static char *text_of(const struct head *head)
{
    ByteBuffer text;

    buffer_init(&text, NULL, NULL);
    checkpoint_text(&text, head->origin, strlen(head->origin), head->size, head->root);
    buffer_append_char(&text, '\0');
    if (!text.failed)
        return text.data;
    buffer_free(&text);
    return NULL;
}

static char *note_of(const struct head *head, const char *text, const uint8_t public_key[PUBLIC_KEY_LENGTH], const uint8_t signature[SIGNATURE_LENGTH])
{
    uint8_t key_id[NOTE_KEY_ID_LENGTH];
    size_t length = strlen(head->origin);
    ByteBuffer note;

    buffer_init(&note, NULL, NULL);
    note_key_id(key_id, head->origin, length, NOTE_TYPE_ED25519, public_key, PUBLIC_KEY_LENGTH);
    note_begin(&note, text, strlen(text));
    note_append_signature(&note, head->origin, length, key_id, signature, SIGNATURE_LENGTH);
    buffer_append_char(&note, '\0');
    if (!note.failed)
        return note.data;
    buffer_free(&note);
    return NULL;
}

/* Signs a head that is durable and ours; the note, to be freed, or NULL, logged. */
static char *sign_head(struct worker *worker, const struct head *head, uint8_t signature[SIGNATURE_LENGTH])
{
    struct sidecar *sidecar = worker->sidecar;
    char *text = text_of(head), *note = NULL;
    bool ok;

    pthread_mutex_lock(&sidecar->checkpoint_lock);
    ok = text && sidecar_open_checkpoint_signer(sidecar, &worker->db)
         && signer_sign_message(sidecar->checkpoint_signer, (const uint8_t *)text, strlen(text), signature);
    if (ok)
        note = note_of(head, text, sidecar->checkpoint_signer->public_key, signature);
    else
        sidecar->checkpoint_registered = false;
    pthread_mutex_unlock(&sidecar->checkpoint_lock);
    free(text);
    if (!note) {
        log_error("cannot sign the checkpoint of %" PRIu64 " events of \"%s\"", head->size, head->origin);
        metrics_add(METRIC_SIGNING_FAILURES, 1);
    }
    return note;
}

/* ---------------------------------------------------------------- proving meanwhile */

static bool is_time_to_prove(const struct worker *worker, const char *token)
{
    return worker->sidecar->log.on && (!stage_is_proved(worker, token) || clock_ms() - worker->proved_ms >= stage_proof_interval_ms(worker));
}

/* However long a round takes, the next proof comes in its time. False: it was not made. */
static bool stays_proved(struct worker *worker, const char *token)
{
    return !is_time_to_prove(worker, token) || stage_proves(worker, token, true);
}

/* ---------------------------------------------------------------- growing */

static bool grow(struct worker *worker, const char *token)
{
    char most[16];
    const char *parameters[] = {token, most};

    snprintf(most, sizeof(most), "%d", GROW_MOST);
    for (int calls = 0; calls < GROW_CALLS_MOST && !doorbell_stopped() && (calls == 0 || !is_time_to_prove(worker, token)); calls++) {
        PGresult *result = db_call(&worker->db, "SELECT reason.grow_tree($1, NULL, $2)", "1n", 2, parameters, NULL);
        uint64_t grown;
        bool ok = result && db_number(result, 0, 0, &grown);

        PQclear(result);
        if (!ok || grown == 0)
            return ok;
    }
    return true;
}

/* ---------------------------------------------------------------- heads of all logs */

/*
 * Has division system count the heads of all logs, where that is due, so that the checkpoint of system that comes next
 * vouches for all of them. What is counted here makes that checkpoint necessary, and no other count.
 */
static enum progress count_heads(struct worker *worker, const char *token, bool demanded)
{
    const struct config *config = &worker->sidecar->config;
    char most[32], least[32];
    const char *parameters[] = {token, most, least};
    enum progress progress = PROGRESS_FAILED;
    PGresult *counted;

    snprintf(most, sizeof(most), "%d seconds", demanded ? 0 : config->checkpoint_heads_interval_s);
    snprintf(least, sizeof(least), "%d seconds", demanded ? 0 : config->checkpoint_interval_s);
    counted = db_call(&worker->db, "SELECT reason.record_log_heads($1, $2, $3)", "1T", 3, parameters, NULL);
    if (counted)
        progress = PQgetisnull(counted, 0, 0) ? PROGRESS_NONE : PROGRESS_SOME;
    PQclear(counted);
    return progress;
}

/* ---------------------------------------------------------------- a head that is planned */

enum { DIVISION, ORIGIN, SIZE, ROOT };

static bool read_head(PGresult *due, int row, struct head *head)
{
    size_t length;

    memset(head, 0, sizeof(*head));
    return db_number(due, row, SIZE, &head->size) && (size_t)snprintf(head->division, sizeof(head->division), "%s", PQgetvalue(due, row, DIVISION)) < sizeof(head->division)
           && (size_t)snprintf(head->origin, sizeof(head->origin), "%s", PQgetvalue(due, row, ORIGIN)) < sizeof(head->origin) && head->size > 0
           && sodium_hex2bin(head->root, sizeof(head->root), PQgetvalue(due, row, ROOT), (size_t)PQgetlength(due, row, ROOT), NULL, &length, NULL) == 0
           && length == sizeof(head->root);
}

/* Whether the division and the origin that the database gives are those under which this sidecar signs. Under the memory's lock. */
static bool is_our_origin(struct worker *worker, const struct log_division *division, const struct head *head)
{
    struct log_memory *memory = &worker->sidecar->log;

    if (published_epoch(worker->sidecar->config.checkpoint_origin, head->division, head->origin) == 0) {
        log_error("the database names a log \"%s\", and checkpoint.origin is \"%s\": one of them is to be changed (reason.set_log_prefix())",
                  head->origin, worker->sidecar->config.checkpoint_origin);
        return false;
    }
    if (!division->origin[0] || !strcmp(division->origin, head->origin))
        return true;
    log_memory_break(memory, METRIC_LOG_STOPS_ORIGIN, "the log of division \"%s\" is \"%s\", and the database begins another, \"%s\"", head->division,
                     division->origin, head->origin);
    return false;
}

/* Whether a planned head is one of the tree that was signed, and none smaller than the last. Under the memory's lock. */
static bool is_ours(struct worker *worker, const struct log_division *division, const struct head *head)
{
    struct log_memory *memory = &worker->sidecar->log;
    struct tree tree = {.db = &worker->db, .division = head->division};
    MerkleHash root;

    if (!is_our_origin(worker, division, head))
        return false;
    /* signed by another meanwhile: the next proof takes it over */
    if (head->size > division->signed_range.size)
        return false;
    if (head->size < division->checkpoint_size) {
        log_debug("a checkpoint of %" PRIu64 " events of \"%s\" is older than the last", head->size, head->origin);
        return false;
    }
    merkle_range_root(&division->signed_range, root);
    if (tree_extends(&tree, head->size, head->root, division->signed_range.size, root)
        && (head->size != division->checkpoint_size || !memcmp(head->root, division->checkpoint_root, sizeof(root))))
        return true;
    if (!tree.failed)
        log_memory_break(memory, METRIC_LOG_STOPS_REWRITTEN, "the database plans a checkpoint of %" PRIu64 " events of division \"%s\" with a root that is not that of what was signed",
                         head->size, head->division);
    return false;
}

/* Durable before it is signed. */
static bool keep_head(struct worker *worker, const struct head *head)
{
    struct log_memory *memory = &worker->sidecar->log;
    struct log_division *division;
    bool ok;

    pthread_mutex_lock(&memory->lock);
    division = log_memory_rests(memory) || !log_memory_refresh(memory) ? NULL : log_state_find(&memory->state, head->division);
    ok = division && is_ours(worker, division, head);
    if (ok) {
        strcpy(division->origin, head->origin);
        division->checkpoint_size = head->size;
        memcpy(division->checkpoint_root, head->root, sizeof(head->root));
        ok = log_state_save(&memory->state);
    }
    pthread_mutex_unlock(&memory->lock);
    return ok;
}

static bool record_head(struct worker *worker, const char *token, const struct head *head, const uint8_t signature[SIGNATURE_LENGTH], const char *note)
{
    char size[24], hex[2 * SIGNATURE_LENGTH + 3] = "\\x";
    const char *parameters[] = {token, head->division, head->origin, size, worker->sidecar->config.checkpoint_signer.id, hex, note};
    PGresult *result;

    snprintf(size, sizeof(size), "%" PRIu64, head->size);
    sodium_bin2hex(hex + 2, sizeof(hex) - 2, signature, SIGNATURE_LENGTH);
    result = db_call(&worker->db, "SELECT reason.record_checkpoint($1, $2, $3, $4, $5, $6::bytea, $7)", NULL, 7, parameters, NULL);
    PQclear(result);
    return result != NULL;
}

static bool sign_planned(struct worker *worker, const char *token, const struct head *head)
{
    uint8_t signature[SIGNATURE_LENGTH];
    char *note = keep_head(worker, head) ? sign_head(worker, head, signature) : NULL;
    bool ok = note && record_head(worker, token, head, signature, note);

    free(note);
    return ok;
}

/* How many heads were signed; -1: something failed. */
static int sign_due(struct worker *worker, const char *token, bool demanded)
{
    char age[32];
    const char *parameters[] = {token, age, demanded ? "true" : "false"};
    PGresult *due;
    int count = 0;
    bool ok;

    snprintf(age, sizeof(age), "%d seconds", worker->sidecar->config.checkpoint_interval_s);
    due = db_call(&worker->db, "SELECT division, origin, size, encode(root, 'hex') FROM reason.checkpoints_due($1, $2, $3)", "ttnt", 3, parameters, NULL);
    ok = due != NULL;
    /* what others have published meanwhile is looked at right before something is signed */
    if (due && PQntuples(due) > 0 && clock_ms() - worker->proved_ms > FRESH_MS)
        ok = stage_proves(worker, token, false);
    for (int row = 0; due && ok && row < PQntuples(due) && !atomic_load(&worker->sidecar->log.broken); row++) {
        struct head head;

        if (!doorbell_stopped() && stays_proved(worker, token) && read_head(due, row, &head) && sign_planned(worker, token, &head))
            count++;
        else
            ok = false;
    }
    if (atomic_load(&worker->sidecar->log.broken))
        stage_reports_fault(worker, token);
    PQclear(due);
    return ok ? count : -1;
}

/* ---------------------------------------------------------------- publishing */

struct going_on {
    struct worker *worker;
    const char *token;
};

static bool leads(const struct going_on *going_on)
{
    char token[24];

    return !doorbell_stopped() && !strcmp(leader_token(DUTY_SEAL, token), going_on->token);
}

static bool goes_on(void *context)
{
    const struct going_on *going_on = context;

    return leads(going_on) && stays_proved(going_on->worker, going_on->token);
}

/* The next division whose last checkpoint does not lie in the store, after the one named; false: none. */
static bool next_unpublished(struct worker *worker, struct head *head)
{
    struct log_memory *memory = &worker->sidecar->log;
    bool found = false;

    pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; !found && i < memory->state.count; i++) {
        const struct log_division *division = memory->state.divisions[i];

        if (strcmp(division->name, head->division) <= 0 || division->published >= division->checkpoint_size)
            continue;
        found = true;
        memset(head, 0, sizeof(*head));
        strcpy(head->division, division->name);
        strcpy(head->origin, division->origin);
        head->size = division->checkpoint_size;
        head->published = division->published;
        memcpy(head->root, division->checkpoint_root, sizeof(head->root));
    }
    pthread_mutex_unlock(&memory->lock);
    return found;
}

static bool note_published(struct worker *worker, const struct head *head)
{
    struct log_memory *memory = &worker->sidecar->log;
    struct log_division *division;
    bool ok;

    pthread_mutex_lock(&memory->lock);
    ok = log_memory_refresh(memory) && (division = log_state_find(&memory->state, head->division)) && !strcmp(division->origin, head->origin);
    if (ok && division->published < head->size) {
        division->published = head->size;
        ok = log_state_save(&memory->state);
    }
    log_memory_tell(memory);
    pthread_mutex_unlock(&memory->lock);
    return ok;
}

/*
 * Something else lies where this log is to be published. If our key signed that, somebody else publishes another log of this name, and
 * the next proof stops everything: all that the store has of this log is compared. If not, whoever may write there has put it there: this log
 * cannot be published before it is gone, and that keeps nobody from signing.
 */
static void doubt(struct log_memory *memory, const char *name)
{
    struct log_division *division;

    pthread_mutex_lock(&memory->lock);
    division = log_state_find(&memory->state, name);
    if (division)
        division->doubted = true;
    pthread_mutex_unlock(&memory->lock);
}

/* OTHERS: this one not, for a reason that is its own. */
enum publishing { PUBLISHED, PUBLISH_OTHERS, PUBLISH_NOT_NOW };

static enum publishing publish_head(struct worker *worker, const char *token, const struct head *head)
{
    struct checkpoints *state = worker->state;
    struct going_on going_on = {worker, token};
    char folder[PUBLISHED_FOLDER_SIZE];
    uint8_t signature[SIGNATURE_LENGTH];
    char *note = sign_head(worker, head, signature);
    struct publication publication = {.immutable = state->immutable, .mutable = state->mutable, .folder = folder, .published = head->published,
                                      .size = head->size, .root = head->root, .note = note,
                                      .announces = worker->sidecar->policy.count == 0, .goes_on = goes_on, .context = &going_on};
    enum store_result result = STORE_RETRY;

    published_folder(head->division, published_epoch(worker->sidecar->config.checkpoint_origin, head->division, head->origin), folder);
    if (note)
        result = publish(&publication, &worker->db, head->division);
    free(note);
    if (result == STORE_DONE && note_published(worker, head)) {
        if (!publication.announces)
            announce_later(worker->sidecar, head->division);
        return PUBLISHED;
    }
    if (!note || !leads(&going_on) || !stage_is_proved(worker, token))
        return PUBLISH_NOT_NOW;
    metrics_add(METRIC_STORE_FAILURES, 1);
    log_error("cannot publish the checkpoint of %" PRIu64 " events of \"%s\": %s", head->size, head->origin, publication.reason);
    if (result == STORE_REFUSED)
        doubt(&worker->sidecar->log, head->division);
    else
        close_stores(worker);
    return result == STORE_REFUSED ? PUBLISH_OTHERS : PUBLISH_NOT_NOW;
}

/* Whether the database has the signature: what is published and not there would be more than is served. */
static bool is_recorded(struct worker *worker, const struct head *head)
{
    const char *parameters[] = {head->division};
    PGresult *last = db_call(&worker->db, "SELECT origin, size FROM reason.last_checkpoint($1)", "?tn", 1, parameters, NULL);
    uint64_t size;
    bool recorded = last && PQntuples(last) == 1 && !strcmp(PQgetvalue(last, 0, 0), head->origin) && db_number(last, 0, 1, &size) && size >= head->size;

    PQclear(last);
    return recorded;
}

/* How many checkpoints were published; -1: one could not be. */
static int publish_all(struct worker *worker, const char *token)
{
    struct head head = {.division = ""};
    int count = 0;
    bool all = true;

    while (next_unpublished(worker, &head)) {
        enum publishing made;

        if (doorbell_stopped() || !stays_proved(worker, token))
            return -1;
        if (!is_recorded(worker, &head))
            continue;
        made = open_stores(worker) ? publish_head(worker, token, &head) : PUBLISH_NOT_NOW;
        if (made == PUBLISH_NOT_NOW)
            return -1;
        all = all && made == PUBLISHED;
        count++;
    }
    if (!all && worker->sidecar->log.on)
        stage_proves(worker, token, false);
    return all ? count : -1;
}

/* ---------------------------------------------------------------- turns */

/* How often it is looked whether the time of a checkpoint has come. */
static long look_ms(const struct config *config)
{
    long ms = config->checkpoint_interval_s * 1000L / 4;

    return ms > 5000 ? 5000 : ms;
}

/* One round: what grew, proved, signed and published. */
static enum progress round_of(struct worker *worker, const char *token, bool demanded)
{
    struct sidecar *sidecar = worker->sidecar;
    struct checkpoints *state = worker->state;
    enum progress counted = PROGRESS_NONE;
    int signed_heads, published;
    bool grown = grow(worker, token);

    /* why the trees cannot grow, the proof may tell */
    if (sidecar->log.on && (demanded || !grown || is_time_to_prove(worker, token)) && !stage_proves(worker, token, true))
        return PROGRESS_FAILED;
    if (!grown)
        return PROGRESS_FAILED;
    state->next_ms = clock_ms() + look_ms(&sidecar->config);
    if (!sidecar->config.checkpoint_signer.id[0])
        return PROGRESS_NONE;
    if (!state->counted)
        counted = count_heads(worker, token, demanded);
    state->counted = counted == PROGRESS_SOME;
    if (state->counted) {
        /* the checkpoint of system is to cover what was just written */
        state->next_ms = clock_ms() + SIGNED_MS;
        if (demanded)
            atomic_store(&sidecar->checkpoint_demanded, true);
        return PROGRESS_NONE;
    }
    signed_heads = sign_due(worker, token, demanded);
    if (atomic_load(&sidecar->log.broken))
        return PROGRESS_FAILED;
    published = publish_all(worker, token);
    if (signed_heads < 0 || published < 0 || (announce_is_due(sidecar) && (!open_stores(worker) || announce(worker, state->mutable) < 0)))
        return PROGRESS_FAILED;
    /* the other checkpoints do not wait when the heads cannot be counted; the age of the last checkpoint shows that one is missing */
    if (counted == PROGRESS_FAILED)
        return PROGRESS_FAILED;
    /* nothing was due, or what was due is done */
    metrics_set(METRIC_CHECKPOINT_SECONDS, time(NULL));
    return signed_heads + published > 0 ? PROGRESS_SOME : PROGRESS_NONE;
}

/* What witnesses have answered meanwhile waits for no round. */
static enum progress announce_soon(struct worker *worker)
{
    struct checkpoints *state = worker->state;

    if (!announce_is_due(worker->sidecar) || atomic_load(&worker->sidecar->log.broken))
        return PROGRESS_NONE;
    if (!open_stores(worker))
        return PROGRESS_FAILED;
    switch (announce(worker, state->mutable)) {
    case -1: return PROGRESS_FAILED;
    case 0: return PROGRESS_NONE;
    default: return PROGRESS_SOME;
    }
}

static enum progress turn(struct worker *worker, const char *token)
{
    atomic_bool *demand = &worker->sidecar->checkpoint_demanded;
    struct checkpoints *state;
    enum progress progress;
    bool demanded;

    if (!worker->state)
        worker->state = calloc(1, sizeof(struct checkpoints));
    state = worker->state;
    if (!state)
        return PROGRESS_FAILED;
    if (clock_ms() < state->next_ms && (state->counted || !atomic_load(demand)))
        return announce_soon(worker);
    demanded = atomic_exchange(demand, false);
    progress = round_of(worker, token, demanded);
    /* a demand that could not be met stays */
    if (demanded && progress == PROGRESS_FAILED)
        atomic_store(demand, true);
    return progress;
}

const struct stage stage_checkpoint = {.name = "checkpoint", .histogram = HISTOGRAM_CHECKPOINT, .turn = turn, .close = close_state};
