/*
 * sign.c: signatures of seals.
 *
 * The database verifies each against the registered key before it records it. What a key here has signed is not verified
 * a second time, for a verification takes three times as long as a signature; remote signers verify what they were answered.
 *
 * A crash between signing and recording leaves seals without a signature, which the next turn signs: Ed25519 gives
 * the same signature again.
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
    return db_call(&worker->db, "SELECT division, seq, encode(hash, 'hex') FROM reason.unsigned_seals($1)", 1, parameters, NULL);
}

struct signatures {
    struct array divisions, seqs, signatures;
    int count;
    struct work_time *times;    /* of each; NULL: they are not asked for */
};

/* Signs the claimed hashes, as many as time allows; false when there is none to record. */
static bool sign(struct worker *worker, PGresult *claimed, struct signatures *made)
{
    long began_ms = clock_ms();

    for (int i = 0; i < PQntuples(claimed) && clock_ms() - began_ms <= BATCH_MS && made->count == i; i++) {
        uint8_t digest[DIGEST_LENGTH], signature[SIGNATURE_LENGTH];
        char hex[2 * SIGNATURE_LENGTH + 3] = "\\x";
        size_t length = 0;
        long began_us = tracing_now();

        if (sodium_hex2bin(digest, sizeof(digest), PQgetvalue(claimed, i, 2), (size_t)PQgetlength(claimed, i, 2), NULL, &length, NULL) != 0
            || length != DIGEST_LENGTH || !sign_digest(worker, digest, signature)) {
            log_error("cannot sign seal %s of division \"%s\"", PQgetvalue(claimed, i, 1), PQgetvalue(claimed, i, 0));
            break;
        }
        if (made->times)
            made->times[i] = (struct work_time){began_us, tracing_now()};
        sodium_bin2hex(hex + 2, sizeof(hex) - 2, signature, sizeof(signature));
        if (array_add(&made->divisions, PQgetvalue(claimed, i, 0)) && array_add(&made->seqs, PQgetvalue(claimed, i, 1))
            && array_add(&made->signatures, hex))
            made->count++;
    }
    return made->count > 0;
}

static enum progress record(struct worker *worker, const char *token, struct signatures *made)
{
    char sqlstate[6];
    const char *parameters[] = {token, worker->sidecar->config.signer.id, array_end(&made->divisions), array_end(&made->seqs),
                                array_end(&made->signatures)};
    PGresult *recorded = NULL;

    if (parameters[2] && parameters[3] && parameters[4])
        recorded = db_call(&worker->db, "SELECT reason.record_seal_signatures($1, $2, $3::text[], $4::bigint[], $5::bytea[])", 5, parameters, sqlstate);
    if (!recorded) {
        sign_refused(worker);
        return PROGRESS_FAILED;
    }
    sign_accepted(worker);
    metrics_add(METRIC_EVENTS_SIGNED, atol(PQgetvalue(recorded, 0, 0)));
    PQclear(recorded);
    return PROGRESS_SOME;
}

static void trace(struct worker *worker, PGresult *claimed, const struct signatures *made)
{
    const struct traced_attribute attributes[] = {{"reason.signer.id", worker->sidecar->config.signer.id}, {NULL, NULL}};
    const struct traced_batch batch = {.name = "sign", .kind = SPAN_CLIENT, .attributes = attributes, .events = claimed, .count = made->count};

    if (made->times)
        trace_events(worker, &batch, made->times);
}

static enum progress turn(struct worker *worker, const char *token)
{
    struct signatures made = {0};
    enum progress progress = PROGRESS_NONE;
    PGresult *claimed;

    /* the thread of snapshots opens the signer: waiting for one that does not answer must not hold up sealing */
    if (!atomic_load(&worker->sidecar->signer_ready))
        return PROGRESS_FAILED;
    claimed = claim(worker);
    if (!claimed)
        return PROGRESS_FAILED;
    if (tracing_on())
        made.times = calloc((size_t)PQntuples(claimed) + 1, sizeof(*made.times));
    if (PQntuples(claimed) > 0)
        progress = sign(worker, claimed, &made) ? record(worker, token, &made) : PROGRESS_FAILED;
    if (progress == PROGRESS_SOME)
        trace(worker, claimed, &made);
    free(made.times);
    array_free(&made.divisions);
    array_free(&made.seqs);
    array_free(&made.signatures);
    PQclear(claimed);
    return progress;
}

const struct stage stage_sign = {.name = "sign", .histogram = HISTOGRAM_SIGN, .turn = turn};
