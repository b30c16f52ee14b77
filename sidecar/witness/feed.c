/* feed.c: witnesses are asked to cosign. */
#include "witness/feed.h"

#include "base/clock.h"
#include "base/db.h"
#include "base/doorbell.h"
#include "base/leader.h"
#include "base/log.h"
#include "base/metrics.h"
#include "core/checkpoint.h"
#include "witness/ask.h"
#include "witness/ed25519.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 1000
#define REST_LEAST_MS 1000
#define REST_MOST_MS 60000
/* Another sidecar may have asked meanwhile, once or twice. */
#define TRIES_MOST 3

/* A log of which a witness has said that it is another than ours. */
struct contradiction {
    char *origin;
    struct contradiction *next;
};

struct feed {
    struct feeds *feeds;
    const struct witness_config *config;
    const NoteKey *key;
    struct db db;
    struct http *http;
    pthread_t thread;
    bool started;
    long rest_until_ms;
    int rest_ms;
    char said[300];             /* what was logged of it last, so that it is not said again and again */
    struct contradiction *contradictions;   /* under the lock of all */
};

struct feeds {
    const struct config *config;
    const struct witness_policy *policy;
    struct feed_hooks hooks;
    pthread_mutex_t lock;
    struct array configured;    /* the verifier keys of all */
    size_t count;
    struct feed *feeds;
};

/* A checkpoint that is to be cosigned. */
struct pending {
    const char *division, *origin, *note;
    uint64_t size, cosigned;
};

static void tell(struct feed *feed, const char *division, const char *reason)
{
    char text[300];

    snprintf(text, sizeof(text), "witness \"%s\" does not cosign the log of division \"%s\": %s", feed->config->name, division, reason);
    if (strcmp(text, feed->said) != 0)
        log_warning("%s", text);
    memcpy(feed->said, text, sizeof(feed->said));
}

static void rest(struct feed *feed)
{
    feed->rest_ms = feed->rest_ms == 0 ? REST_LEAST_MS : feed->rest_ms * 2 > REST_MOST_MS ? REST_MOST_MS : feed->rest_ms * 2;
    feed->rest_until_ms = clock_ms() + feed->rest_ms / 2 + (long)randombytes_uniform((uint32_t)feed->rest_ms / 2 + 1);
}

/* ---------------------------------------------------------------- contradictions */

static struct contradiction **find_contradiction(struct feed *feed, const char *origin)
{
    struct contradiction **at = &feed->contradictions;

    while (*at && strcmp((*at)->origin, origin) != 0)
        at = &(*at)->next;
    return at;
}

/* It has cosigned: whatever it said before of this log is past. */
static void forgive(struct feed *feed, const char *origin)
{
    struct feeds *feeds = feed->feeds;
    struct contradiction **at, *past;
    bool relents = true;

    pthread_mutex_lock(&feeds->lock);
    at = find_contradiction(feed, origin);
    past = *at;
    if (past) {
        *at = past->next;
        free(past->origin);
        free(past);
    }
    for (size_t i = 0; i < feeds->count; i++)
        relents = relents && !*find_contradiction(&feeds->feeds[i], origin);
    pthread_mutex_unlock(&feeds->lock);
    if (relents)
        feeds->hooks.relent(feeds->hooks.context, origin);
}

/* Notes that it contradicts; whether the policy can still be met by the others. */
static bool note_contradiction(struct feed *feed, const char *origin)
{
    struct feeds *feeds = feed->feeds;
    struct contradiction **at;
    bool agree[WITNESSES_MOST] = {false};

    pthread_mutex_lock(&feeds->lock);
    at = find_contradiction(feed, origin);
    if (!*at) {
        *at = calloc(1, sizeof(**at));
        if (*at && !((*at)->origin = strdup(origin))) {
            free(*at);
            *at = NULL;
        }
    }
    for (size_t i = 0; i < feeds->count; i++)
        agree[i] = !*find_contradiction(&feeds->feeds[i], origin) && &feeds->feeds[i] != feed;
    pthread_mutex_unlock(&feeds->lock);
    return witness_policy_is_met_by(feeds->policy, agree);
}

/* The witness contradicts: does it show a checkpoint that our key signed and that our database does not extend? */
static void weigh(struct feed *feed, const struct pending *pending, const char *reason)
{
    const struct feeds *feeds = feed->feeds;
    ByteBuffer note;
    Checkpoint theirs;
    NoteKey own;
    char text[400];
    bool proved = false, past = false;

    buffer_init(&note, NULL, NULL);
    if (feeds->hooks.log_key(feeds->hooks.context, pending->origin, &own)
        && witness_fetch(feed->http, feed->config->url, feed->config->timeout_ms, pending->origin, &own, &note, &theirs))
        switch (feeds->hooks.compare(feeds->hooks.context, &feed->db, pending->division, &theirs)) {
        case FEED_ANOTHER: proved = true; break;
        /* another sidecar has led meanwhile: what was to be cosigned is no longer the newest */
        case FEED_SAME: past = theirs.size > pending->size; break;
        case FEED_UNKNOWN: past = true; break;
        }
    buffer_free(&note);
    if (past)
        return;
    metrics_add(METRIC_WITNESS_CONTRADICTIONS, 1);
    if (proved)
        snprintf(text, sizeof(text), "witness \"%s\" holds a checkpoint of size %llu of \"%.150s\", signed with our key, that this log does not extend",
                 feed->config->name, (unsigned long long)theirs.size, pending->origin);
    else
        snprintf(text, sizeof(text), "witness \"%s\" says of \"%.150s\", without showing why: %.100s", feed->config->name, pending->origin, reason);
    if (!note_contradiction(feed, pending->origin) || proved)
        feeds->hooks.refuse(feeds->hooks.context, pending->division, pending->origin, text);
    else
        tell(feed, pending->division, text);
}

/* ---------------------------------------------------------------- asking */

/* NOT_NOW: nor is it worth to ask about others. */
enum outcome { DONE, NOT_THIS, NOT_NOW };

/* The proof from an old size; -1: the database did not give it. */
static int consistency(struct feed *feed, const struct pending *pending, uint64_t old_size, MerkleHash proof[MERKLE_MAX_HASHES])
{
    char old_text[24], new_text[24];
    const char *parameters[] = {pending->division, old_text, new_text};
    PGresult *result;
    int count;

    if (old_size == 0)
        return 0;
    snprintf(old_text, sizeof(old_text), "%llu", (unsigned long long)old_size);
    snprintf(new_text, sizeof(new_text), "%llu", (unsigned long long)pending->size);
    result = db_call(&feed->db, "SELECT encode(h, 'hex') FROM unnest(reason.consistency_proof($1, $2, $3)) WITH ORDINALITY u (h, n) ORDER BY n", "t", 3,
                     parameters, NULL);
    count = result && PQntuples(result) < MERKLE_MAX_HASHES ? PQntuples(result) : -1;
    for (int i = 0; i < count; i++) {
        size_t length = 0;

        if (sodium_hex2bin(proof[i], MERKLE_HASH_LENGTH, PQgetvalue(result, i, 0), (size_t)PQgetlength(result, i, 0), NULL, &length, NULL) != 0
            || length != MERKLE_HASH_LENGTH)
            count = -1;
    }
    PQclear(result);
    return count;
}

/* NOT_THIS: the database refuses this one, and may take others. */
static enum outcome record(struct feed *feed, const struct pending *pending, const struct witness_reply *reply)
{
    char token[24], size[24], timestamp[24], signature[2 * NOTE_ED25519_LENGTH + 3] = "\\x", sqlstate[6];
    const char *parameters[] = {token, pending->division, pending->origin, size, feed->config->vkey, timestamp, signature, feed->feeds->configured.text};
    PGresult *result;

    if (!leader_token(DUTY_SEAL, token)[0])
        return NOT_NOW;
    snprintf(size, sizeof(size), "%llu", (unsigned long long)pending->size);
    snprintf(timestamp, sizeof(timestamp), "%llu", (unsigned long long)reply->timestamp);
    sodium_bin2hex(signature + 2, sizeof(signature) - 2, reply->signature, sizeof(reply->signature));
    result = db_call(&feed->db, "SELECT reason.record_cosignature($1, $2, $3, $4, $5, $6, $7, $8::text[])", NULL, 8, parameters, sqlstate);
    if (!result)
        return !strcmp(sqlstate, "55000") || !strcmp(sqlstate, "22000") || !strcmp(sqlstate, "P0002") ? NOT_THIS : NOT_NOW;
    PQclear(result);
    metrics_add(METRIC_COSIGNATURES, 1);
    return DONE;
}

/* Asks about one checkpoint, again where the witness remembers another size. NOT_NOW: nor is it worth to ask about others. */
static enum outcome ask(struct feed *feed, const struct pending *pending)
{
    struct witness_question question = {.url = feed->config->url, .key = feed->key, .note = pending->note, .note_length = strlen(pending->note),
                                        .size = pending->size, .old_size = pending->cosigned, .timeout_ms = feed->config->timeout_ms};
    MerkleHash proof[MERKLE_MAX_HASHES];
    struct witness_reply reply = {0};
    enum outcome recorded;

    for (int tries = 0; tries < TRIES_MOST && !doorbell_stopped(); tries++) {
        question.proof = (const MerkleHash *)proof;
        question.proof_length = consistency(feed, pending, question.old_size, proof);
        if (question.proof_length < 0)
            return NOT_NOW;
        witness_ask(feed->http, &question, &reply);
        switch (reply.says) {
        case WITNESS_COSIGNED:
            /* whether it is recorded or not: in safe mode, which this may be the reason of, it is not */
            forgive(feed, pending->origin);
            recorded = record(feed, pending, &reply);
            if (recorded != DONE)
                return recorded;
            if (feed->said[0])
                log_info("witness \"%s\" cosigned the log of division \"%s\" at size %llu", feed->config->name, pending->division,
                         (unsigned long long)pending->size);
            feed->said[0] = '\0';
            return DONE;
        case WITNESS_OTHER_SIZE:
            if (reply.size > pending->size) {
                snprintf(reply.reason, sizeof(reply.reason), "it has cosigned a checkpoint of size %llu, and the last one here is of %llu",
                         (unsigned long long)reply.size, (unsigned long long)pending->size);
                weigh(feed, pending, reply.reason);
                return NOT_THIS;
            }
            question.old_size = reply.size;
            break;
        case WITNESS_CONTRADICTS:
            weigh(feed, pending, reply.reason);
            return NOT_THIS;
        case WITNESS_REFUSES:
        case WITNESS_AWAY:
            metrics_add(METRIC_WITNESS_FAILURES, 1);
            tell(feed, pending->division, reply.reason);
            return reply.says == WITNESS_AWAY ? NOT_NOW : NOT_THIS;
        }
    }
    metrics_add(METRIC_WITNESS_FAILURES, 1);
    tell(feed, pending->division, "it names another size each time");
    return NOT_THIS;
}

/*
 * Whether what the database gives to be cosigned is a checkpoint of that division's log, under the name that is remembered outside of it, and signed
 * by our key. What a witness says of another is no contradiction of ours.
 */
static bool is_ours(struct feed *feed, const struct pending *pending)
{
    const struct feed_hooks *hooks = &feed->feeds->hooks;
    SignedNote *note = malloc(sizeof(*note));
    Checkpoint checkpoint;
    NoteKey own;
    bool is = note && hooks->is_named(hooks->context, pending->division, pending->origin) && hooks->log_key(hooks->context, pending->origin, &own)
              && !note_parse(note, pending->note, strlen(pending->note)) && note_verify(note, &own, ed25519_verify, NULL) == NOTE_VERIFIED
              && !checkpoint_parse(&checkpoint, note->text.data, note->text.length) && checkpoint.origin.length == strlen(pending->origin)
              && !memcmp(checkpoint.origin.data, pending->origin, checkpoint.origin.length) && checkpoint.size == pending->size;

    free(note);
    if (!is)
        tell(feed, pending->division, "what the database gives to be cosigned is no checkpoint of that log with our signature");
    return is;
}

/* Everything that waits for this witness. */
static void look(struct feed *feed)
{
    const char *parameters[] = {feed->config->vkey, NULL};
    struct array divisions = {0};
    PGresult *result = NULL;
    bool ok = true, tired = false;

    if (strcmp(feed->config->divisions, "*") != 0) {
        char *names = strdup(feed->config->divisions), *rest_of = names;

        for (char *name; names && (name = strsep(&rest_of, ", ")) != NULL;)
            if (*name && !array_add(&divisions, name))
                ok = false;
        free(names);
        parameters[1] = array_end(&divisions);
        ok = ok && names && parameters[1];
    }
    if (ok)
        result = db_call(&feed->db, "SELECT division, origin, size, note, cosigned FROM reason.checkpoints_to_cosign($1, $2::text[])", "ttntn", 2, parameters, NULL);
    array_free(&divisions);
    for (int i = 0; result && i < PQntuples(result); i++) {
        struct pending pending = {.division = PQgetvalue(result, i, 0), .origin = PQgetvalue(result, i, 1), .note = PQgetvalue(result, i, 3)};
        enum outcome outcome;
        char token[24];

        db_number(result, i, 2, &pending.size);
        db_number(result, i, 4, &pending.cosigned);
        if (doorbell_stopped() || !leader_token(DUTY_SEAL, token)[0])
            break;
        outcome = is_ours(feed, &pending) ? ask(feed, &pending) : NOT_THIS;
        if (outcome == DONE)
            feed->feeds->hooks.cosigned(feed->feeds->hooks.context, pending.division);
        else
            tired = true;
        if (outcome == NOT_NOW)
            break;
    }
    if (tired)
        rest(feed);
    else
        feed->rest_ms = 0;
    PQclear(result);
}

static void *run(void *argument)
{
    struct feed *feed = argument;
    unsigned long seen = 0;

    while (!doorbell_stopped()) {
        char token[24];

        if (!leader_token(DUTY_SEAL, token)[0])
            db_close(&feed->db);
        else if (clock_ms() >= feed->rest_until_ms && db_connect(&feed->db))
            look(feed);
        doorbell_wait(&seen, LOOK_MS);
        doorbell_rest(LOOK_MS / 4);
    }
    db_close(&feed->db);
    return NULL;
}

static bool start_feed(const struct feeds *feeds, struct feed *feed)
{
    const struct witness_config *config = feed->config;
    const struct http_tls tls = {config->ca_file, config->cert_file, config->cert_key_file};

    feed->db = (struct db){.conninfo = feeds->config->conninfo, .name = "witness", .timeout_ms = feeds->config->database_timeout_ms};
    feed->http = http_new(&tls);
    feed->started = feed->http && pthread_create(&feed->thread, NULL, run, feed) == 0;
    if (!feed->started)
        log_error("cannot start the thread of witness \"%s\"", config->name);
    return feed->started;
}

struct feeds *feeds_start(const struct config *config, const struct witness_policy *policy, const struct feed_hooks *hooks)
{
    struct feeds *feeds = calloc(1, sizeof(*feeds));

    if (!feeds || !(feeds->feeds = calloc(config->witness_count + 1, sizeof(*feeds->feeds)))) {
        free(feeds);
        return NULL;
    }
    if (!witness_vkeys(config, &feeds->configured)) {
        free(feeds->feeds);
        free(feeds);
        return NULL;
    }
    feeds->config = config;
    feeds->policy = policy;
    feeds->hooks = *hooks;
    pthread_mutex_init(&feeds->lock, NULL);
    feeds->count = config->witness_count;
    for (size_t i = 0; i < feeds->count; i++)
        feeds->feeds[i] = (struct feed){.feeds = feeds, .config = &config->witnesses[i], .key = &policy->keys[i]};
    for (size_t i = 0; i < feeds->count; i++)
        if (!start_feed(feeds, &feeds->feeds[i])) {
            doorbell_stop();
            feeds_stop(feeds);
            return NULL;
        }
    return feeds;
}

void feeds_stop(struct feeds *feeds)
{
    if (!feeds)
        return;
    for (size_t i = 0; i < feeds->count; i++) {
        struct feed *feed = &feeds->feeds[i];

        if (feed->started)
            pthread_join(feed->thread, NULL);
        http_free(feed->http);
        while (feed->contradictions) {
            struct contradiction *next = feed->contradictions->next;

            free(feed->contradictions->origin);
            free(feed->contradictions);
            feed->contradictions = next;
        }
    }
    pthread_mutex_destroy(&feeds->lock);
    array_free(&feeds->configured);
    free(feeds->feeds);
    free(feeds);
}
