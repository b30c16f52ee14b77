/*
 * sign.c: signatures of seals.
 *
 * The database verifies each against the registered key before it records it. What a key here has signed is not verified
 * a second time, for a verification takes three times as long as a signature; remote signers verify what they were answered.
 *
 * A crash between signing and recording leaves seals without a signature, which the next turn signs: Ed25519 gives
 * the same signature again. What was signed is remembered outside the database (tlog/), durably before a signature is
 * handed to it: no place of a chain is signed twice with different hashes, whatever the database says.
 */
#include "stage/stage.h"

#include "stage/traced.h"

#include "base/clock.h"
#include "base/log.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A slow signer (a KMS over the network) makes small batches: what is signed by then is recorded. */
#define BATCH_MS 2000

bool sign_own_key(struct sidecar *sidecar, struct log_signer *signer)
{
    bool ok;

    pthread_mutex_lock(&sidecar->signer_lock);
    ok = sidecar->signer && sidecar->signer_registered;
    signer->id = sidecar->config.signer.id;
    if (ok)
        memcpy(signer->public_key, sidecar->signer->public_key, sizeof(signer->public_key));
    pthread_mutex_unlock(&sidecar->signer_lock);
    return ok;
}

bool sign_digest(struct worker *worker, const uint8_t digest[DIGEST_LENGTH], uint8_t signature[SIGNATURE_LENGTH])
{
    struct sidecar *sidecar = worker->sidecar;
    bool ok;

    pthread_mutex_lock(&sidecar->signer_lock);
    ok = sidecar_open_signer(sidecar, &worker->db) && sidecar->signer->sign(sidecar->signer, digest, signature);
    if (!ok) {
        metrics_add(METRIC_SIGNING_FAILURES, 1);
        atomic_store(&sidecar->signer_failing, true);
        sidecar->signer_registered = false;
        atomic_store(&sidecar->signer_ready, false);
    }
    pthread_mutex_unlock(&sidecar->signer_lock);
    return ok;
}

/* What was not signed is tried until it is: that tells when the signer is good again. */
void sign_accepted(struct worker *worker)
{
    atomic_store(&worker->sidecar->signer_failing, false);
}

void sign_refused(struct worker *worker)
{
    atomic_store(&worker->sidecar->signer_failing, true);
    pthread_mutex_lock(&worker->sidecar->signer_lock);
    worker->sidecar->signer_registered = false;
    atomic_store(&worker->sidecar->signer_ready, false);
    pthread_mutex_unlock(&worker->sidecar->signer_lock);
    metrics_add(METRIC_SIGNATURES_REFUSED, 1);
}

static PGresult *claim(struct worker *worker)
{
    char batch[16];
    const char *parameters[] = {batch};

    snprintf(batch, sizeof(batch), "%d", worker->sidecar->config.batch_size);
    return db_call(&worker->db, "SELECT division, seq, encode(hash, 'hex'), payload FROM reason.unsigned_seals_with_events($1)", "tntT", 1, parameters, NULL);
}

struct signatures {
    struct array divisions, seqs, signatures;
    int count;
    struct work_time *times;    /* of each; NULL: they are not asked for */
};

/* What is claimed, in the sidecar's own terms. */
struct hashes {
    MerkleHash *list;
    uint64_t *seqs;
    const char **payloads;      /* what they are of, as the database says */
    int count;
};

static bool read_hashes(PGresult *claimed, struct hashes *hashes)
{
    size_t length;

    hashes->list = calloc((size_t)PQntuples(claimed) + 1, sizeof(*hashes->list));
    hashes->payloads = calloc((size_t)PQntuples(claimed) + 1, sizeof(*hashes->payloads));
    hashes->seqs = calloc((size_t)PQntuples(claimed) + 1, sizeof(*hashes->seqs));
    if (!hashes->list || !hashes->payloads || !hashes->seqs)
        return false;
    for (; hashes->count < PQntuples(claimed); hashes->count++) {
        const char *hex = PQgetvalue(claimed, hashes->count, 2);

        if (sodium_hex2bin(hashes->list[hashes->count], MERKLE_HASH_LENGTH, hex, strlen(hex), NULL, &length, NULL) != 0 || length != DIGEST_LENGTH
            || !db_number(claimed, hashes->count, 1, &hashes->seqs[hashes->count])) {
            log_error("the hash of event %s of division \"%s\" is none, or its place", PQgetvalue(claimed, hashes->count, 1), PQgetvalue(claimed, hashes->count, 0));
            return false;
        }
        hashes->payloads[hashes->count] = PQgetisnull(claimed, hashes->count, 3) ? NULL : PQgetvalue(claimed, hashes->count, 3);
    }
    return true;
}

/* The events from `row` on that follow each other in one chain. */
static struct log_claim claim_from(PGresult *claimed, const struct hashes *hashes, int row)
{
    struct log_claim claim = {.division = PQgetvalue(claimed, row, 0), .first = hashes->seqs[row],
                              .hashes = (const MerkleHash *)hashes->list + row, .payloads = hashes->payloads + row};

    while (row + (int)claim.count < hashes->count && !strcmp(PQgetvalue(claimed, row + (int)claim.count, 0), claim.division)
           && hashes->seqs[row + (int)claim.count] == claim.first + claim.count)
        claim.count++;
    return claim;
}

/* Signs one event; false: not now, logged, and `last` stays as it was. */
static bool sign_one(struct worker *worker, PGresult *claimed, int row, const MerkleHash hash, struct signatures *made,
                     uint8_t last[SIGNATURE_LENGTH])
{
    char hex[2 * SIGNATURE_LENGTH + 3] = "\\x";
    uint8_t signature[SIGNATURE_LENGTH];
    long began_us = tracing_now();

    if (!sign_digest(worker, hash, signature)) {
        log_error("cannot sign seal %s of division \"%s\"", PQgetvalue(claimed, row, 1), PQgetvalue(claimed, row, 0));
        return false;
    }
    if (made->times)
        made->times[row] = (struct work_time){began_us, tracing_now()};
    sodium_bin2hex(hex + 2, sizeof(hex) - 2, signature, SIGNATURE_LENGTH);
    if (!array_add(&made->divisions, PQgetvalue(claimed, row, 0)) || !array_add(&made->seqs, PQgetvalue(claimed, row, 1))
        || !array_add(&made->signatures, hex))
        return false;
    memcpy(last, signature, SIGNATURE_LENGTH);
    made->count++;
    return true;
}

/* Signs the claimed hashes, as many as time allows, and adds them to what is remembered. Under the memory's lock. */
static bool sign_admitted(struct worker *worker, PGresult *claimed, const struct hashes *hashes, struct signatures *made, enum log_answer *answer)
{
    struct log_memory *memory = &worker->sidecar->log;
    struct log_signer signer = {.id = worker->sidecar->config.signer.id};
    long began_ms = clock_ms();
    bool ok = true;

    while (ok && made->count < hashes->count && clock_ms() - began_ms <= BATCH_MS) {
        struct log_claim claim = claim_from(claimed, hashes, made->count);
        uint8_t last[SIGNATURE_LENGTH];
        size_t count = 0;

        *answer = memory->on ? log_memory_admits(memory, &worker->db, &claim) : LOG_MAY_SIGN;
        if (*answer != LOG_MAY_SIGN)
            return false;
        while (ok && count < claim.count && clock_ms() - began_ms <= BATCH_MS) {
            ok = sign_one(worker, claimed, made->count, claim.hashes[count], made, last);
            count += ok;
        }
        if (memory->on && count > 0) {
            pthread_mutex_lock(&worker->sidecar->signer_lock);
            if (worker->sidecar->signer)
                memcpy(signer.public_key, worker->sidecar->signer->public_key, sizeof(signer.public_key));
            pthread_mutex_unlock(&worker->sidecar->signer_lock);
            if (!log_memory_add(memory, &claim, count, last, &signer))
                return false;
        }
    }
    return true;
}

/* Signs, and remembers that durably: before that no signature leaves this process. False when there is none to record. */
static bool sign(struct worker *worker, PGresult *claimed, const struct hashes *hashes, struct signatures *made)
{
    struct log_memory *memory = &worker->sidecar->log;
    enum log_answer answer = LOG_MAY_SIGN;
    bool ok;

    if (!memory->on)
        return sign_admitted(worker, claimed, hashes, made, &answer) && made->count > 0;
    atomic_fetch_add(&memory->signers_waiting, 1);
    pthread_mutex_lock(&memory->lock);
    atomic_fetch_sub(&memory->signers_waiting, 1);
    ok = memory->known && log_state_is_current(&memory->state) && !memory->fault[0] && !refusals_wait(&memory->refusals, clock_ms())
         && sign_admitted(worker, claimed, hashes, made, &answer)
         && made->count > 0 && log_state_save(&memory->state);
    /* what was added and not kept is forgotten with the rest, and all is read again */
    if (!ok && (answer != LOG_MUST_NOT || made->count > 0))
        memory->known = memory->state.path[0] == '\0' && memory->known;
    pthread_mutex_unlock(&memory->lock);
    if (!ok)
        worker->proved = 0;
    return ok;
}

/* Notes how many signatures the database has recorded: if it has fewer later, some were removed. */
static void note_recorded(struct worker *worker, PGresult *claimed, const struct hashes *hashes, int count)
{
    struct log_memory *memory = &worker->sidecar->log;

    pthread_mutex_lock(&memory->lock);
    for (int row = 0; row < count;) {
        struct log_claim claim = claim_from(claimed, hashes, row);
        size_t recorded = claim.count < (size_t)(count - row) ? claim.count : (size_t)(count - row);
        struct log_division *division = log_state_find(&memory->state, claim.division);

        if (division && division->recorded < claim.first + recorded)
            division->recorded = claim.first + recorded;
        row += (int)recorded;
    }
    pthread_mutex_unlock(&memory->lock);
}

static enum progress record(struct worker *worker, const char *token, struct signatures *made)
{
    char sqlstate[6];
    const char *parameters[] = {token, worker->sidecar->config.signer.id, array_end(&made->divisions), array_end(&made->seqs),
                                array_end(&made->signatures)};
    PGresult *recorded = NULL;
    uint64_t count = 0;

    if (parameters[2] && parameters[3] && parameters[4])
        recorded = db_call(&worker->db, "SELECT reason.record_seal_signatures($1, $2, $3::text[], $4::bigint[], $5::bytea[])", "1n", 5, parameters, sqlstate);
    if (!recorded) {
        sign_refused(worker);
        return PROGRESS_FAILED;
    }
    sign_accepted(worker);
    db_number(recorded, 0, 0, &count);
    metrics_add(METRIC_EVENTS_SIGNED, (long)count);
    PQclear(recorded);
    /* it has said that they are there: the next proof looks for them */
    if (count == 0)
        log_error("the database has recorded none of %d signatures", made->count);
    return count > 0 ? PROGRESS_SOME : PROGRESS_TRIED;
}

static void trace(struct worker *worker, PGresult *claimed, const struct signatures *made)
{
    const struct traced_attribute attributes[] = {{"reason.signer.id", worker->sidecar->config.signer.id}, {NULL, NULL}};
    const struct traced_batch batch = {.name = "sign", .kind = SPAN_CLIENT, .attributes = attributes, .events = claimed, .count = made->count};

    if (made->times)
        trace_events(worker, &batch, made->times);
}

/* Signs and records what is claimed. */
static enum progress sign_claimed(struct worker *worker, const char *token, PGresult *claimed)
{
    struct signatures made = {0};
    struct hashes hashes = {0};
    enum progress progress = PROGRESS_FAILED;

    if (tracing_on())
        made.times = calloc((size_t)PQntuples(claimed) + 1, sizeof(*made.times));
    if (read_hashes(claimed, &hashes) && sign(worker, claimed, &hashes, &made))
        progress = record(worker, token, &made);
    else if (atomic_load(&worker->sidecar->log.broken))
        stage_reports_fault(worker, token);
    if (progress != PROGRESS_FAILED)
        note_recorded(worker, claimed, &hashes, made.count);
    if (progress == PROGRESS_SOME)
        trace(worker, claimed, &made);
    free(hashes.list);
    free(hashes.seqs);
    free(hashes.payloads);
    free(made.times);
    array_free(&made.divisions);
    array_free(&made.seqs);
    array_free(&made.signatures);
    return progress;
}

static enum progress turn(struct worker *worker, const char *token)
{
    enum progress progress = PROGRESS_NONE;
    PGresult *claimed;

    /* the thread of snapshots opens the signer: waiting for one that does not answer must not hold up sealing */
    if (!atomic_load(&worker->sidecar->signer_ready))
        return PROGRESS_FAILED;
    claimed = claim(worker);
    if (!claimed)
        return PROGRESS_FAILED;
    if (PQntuples(claimed) > 0)
        progress = sign_claimed(worker, token, claimed);
    PQclear(claimed);
    return progress;
}

const struct stage stage_sign = {.name = "sign", .histogram = HISTOGRAM_SIGN, .turn = turn};
