/*
 * stage.h: one step that work goes through.
 *
 * Each stage claims what is next from the tables, does its part outside the database, and records it in one
 * transaction that names the lease's token. Nothing is kept between turns but connections: a turn that is cut short
 * anywhere is done again, and doing it again has no further effect.
 */
#ifndef SIDECAR_STAGE_H
#define SIDECAR_STAGE_H

#include "stage/worker.h"
#include "tlog/prove.h"

/* What a stage did in one turn. TRIED: all attempts failed, and each item waits by itself for its next one. */
enum progress { PROGRESS_NONE, PROGRESS_SOME, PROGRESS_TRIED, PROGRESS_FAILED };

struct stage {
    const char *name;
    enum histogram histogram;
    enum progress (*turn)(struct worker *worker, const char *token);
    void (*close)(struct worker *worker);       /* of worker->state; NULL: there is none */
    bool gate;                                  /* those after it wait while it fails */
};

extern const struct stage stage_prove;          /* duty seal: the database extends what was signed */
extern const struct stage stage_guard;          /* duty seal: compares the chains with what is known outside */
extern const struct stage stage_seal;           /* duty seal: order and hash */
extern const struct stage stage_sign;           /* duty seal: signatures of seals */
extern const struct stage stage_checkpoint;     /* the log, under the lease of duty seal: trees grow, their heads are signed and published */
extern const struct stage stage_upload;         /* duty snapshot: sign, store, complete */
extern const struct stage stage_emit;           /* duty emit: to Kafka */
extern const struct stage stage_archive;        /* duty archive: segments to the object store */
extern const struct stage stage_mirror;         /* duty mirror: to a graph store, one for each worker */

/* Whether the database was proved to extend what was signed, on this connection and under this lease; true where nothing is remembered. */
bool stage_is_proved(const struct worker *worker, const char *token);
/*
 * Proves it now; whole: and asks the store about every log, else about those that have grown. False: it does not, or that
 * is not known; logged, and the database told. Then nothing may be signed.
 */
bool stage_proves(struct worker *worker, const char *token, bool whole);

/* How long after one the thread of the log makes the next: an interval of checkpoints, and no less than the last one took. */
long stage_proof_interval_ms(const struct worker *worker);

/* All that is remembered and published is proved, every hash and signature; nothing is taken over, and the database is told nothing. */
enum log_verdict stage_checks_log(struct worker *worker);

/* Tells the database of the fault that is kept, so that it enters safe mode, if it still listens. */
void stage_reports_fault(struct worker *worker, const char *token);

/* Our own key, which signs events and snapshots; false: it is not known yet. */
bool sign_own_key(struct sidecar *sidecar, struct log_signer *signer);
/* Signs with the one signer there is; opens it and compares its key with the registry first. Logged when false. */
bool sign_digest(struct worker *worker, const uint8_t digest[DIGEST_LENGTH], uint8_t signature[SIGNATURE_LENGTH]);
/* The registry took a signature: the signer is good. */
void sign_accepted(struct worker *worker);
/* The registry refused a signature: look again whether the key is the registered one before the next. */
void sign_refused(struct worker *worker);

/* Whether the brokers answer and know the topic; logged when not. */
bool emit_check(const struct config *config);

#endif
