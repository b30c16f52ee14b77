/*
 * memory.h: what the threads of this process remember of what was signed, and whether they may sign.
 *
 * A sidecar without memory signs whatever the database puts before it. This one signs what extends what it signed
 * before, and each place of a chain once. Where the database does not extend it, that is a fault: nothing is signed until
 * it does again, or until the operator of the sidecar says that he accepts what was lost.
 */
#ifndef SIDECAR_TLOG_MEMORY_H
#define SIDECAR_TLOG_MEMORY_H

#include "base/db.h"
#include "base/metrics.h"
#include "tlog/refusals.h"
#include "tlog/state.h"

#include <pthread.h>
#include <stdatomic.h>

#define LOG_FAULT_SIZE 600

/* What is reread of a log: blocks of hashes, and some signatures at a time. */
enum log_piece { LOG_BLOCK, LOG_SIGNATURES, LOG_PIECES };

struct log_place {
    enum log_piece kind;
    char division[DIVISION_NAME_LENGTH + 2];    /* "": none */
    uint64_t piece;
};

/* The last few. */
#define LOG_DENIED 64

struct log_denied {
    char id[40], hash[2 * SHA256_LENGTH + 1];
};

struct log_memory {
    bool on;                    /* there is a state file, or checkpoints are published */
    const char *where;          /* it lies, for people */
    const char *prefix;         /* of the logs' origins */
    pthread_mutex_t lock;       /* of all below */
    struct log_state state;
    bool known;                 /* the state was read */
    bool asked;                 /* the store, for all that was ever published */
    char next_asked[DIVISION_NAME_LENGTH + 1];  /* the division where the store is asked next, for it did not tell of all in time; "": the first */
    struct log_place bad;       /* what was reread and found to be another, or could not be had: until it is found to be right, nothing is signed */
    char bad_seal[DIVISION_NAME_LENGTH + 1];    /* "": none. A division whose next event has the hash of something else: the same */
    char bad_snapshot[40];      /* "": none. One that was to be signed and is not what the log says: the same */
    struct log_denied denied[LOG_DENIED];   /* snapshots that were false, and of which the database said that they do not wait */
    size_t denied_count;
    bool denied_again;          /* one of these was to be signed again: the database cannot be asked when that ends */
    char fault[LOG_FAULT_SIZE]; /* "": none */
    unsigned fault_epoch;       /* the latest in the names of the logs that were remembered when it was found */
    char contradicted[DIVISION_NAME_LENGTH + 1];    /* "": none. The fault is that a witness contradicts this division's log, */
    char contradicted_origin[LOG_ORIGIN_SIZE];      /* which had this origin */
    struct log_refusals refusals;   /* of what proofs ask; refusals_wait() needs no lock */
    atomic_int signers_waiting; /* for the lock */
    atomic_bool misnamed;       /* the database names its logs otherwise than checkpoint.origin says: told, and not relied on */
    atomic_bool broken;         /* there is a fault: for a look without the lock */
    atomic_long reread_ms;      /* when old hashes were begun to be read again last; 0: never */
    atomic_long proved_ms;      /* when a proof was made last, by any thread, by the steady clock; 0: never */
    atomic_long proof_ms;       /* so long it took */
    atomic_llong ahead_until;   /* what says that it was made by then, in seconds since 1970, was made by a clock that was ahead of this one; 0: nothing */
    struct log_place next[LOG_PIECES];  /* where the next rereading of old hashes and signatures goes on */
};

/* Reads the state again if the file was changed by another. False: it cannot be read, logged. Under the lock. */
bool log_memory_refresh(struct log_memory *memory);

/* Keeps a fault, logs it when it is another than before, and counts it. Under the lock. */
void log_memory_break(struct log_memory *memory, enum metric kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
/*
 * A witness knows another log of this origin than ours: a fault that no proof from the database mends. It lasts until the
 * witnesses agree, or the log has another origin, since a restore was accepted. Under the lock.
 */
void log_memory_contradict(struct log_memory *memory, const char *division, const char *origin, const char *reason);
bool log_memory_is_contradicted(const struct log_memory *memory);
/*
 * The database refuses what a proof asks (a table is gone or another, a function raises), as db->refusal says, or does not answer: a
 * fault when that goes on (tlog/refusals.h). Whether there is one. Under the lock.
 */
bool log_memory_refused(struct log_memory *memory, const struct db *db);
/* No witness contradicts the log of this origin any more: the next proof mends. Under the lock. */
void log_memory_agree(struct log_memory *memory, const char *origin);
/*
 * The database extends what is remembered, as this thread's proof (db->name) has shown. A fault is kept while a witness contradicts, or while
 * what other threads ask is refused. Under the lock.
 */
void log_memory_mend(struct log_memory *memory, const char *thread);

/* Whether nothing is to be signed now: for a fault, or because some thread's proof was refused. Without the lock. */
bool log_memory_rests(const struct log_memory *memory);

/* Tells metrics how much is signed, and under checkpoints. Under the lock. */
void log_memory_tell(const struct log_memory *memory);

/* ---------------------------------------------------------------- signing events */

/* Events of one division in the order of their places, as the database wants them signed. */
struct log_claim {
    const char *division;
    uint64_t first;
    const MerkleHash *hashes;
    const char *const *payloads;        /* as they were hashed; NULL: there is none */
    size_t count;
};

enum log_answer {
    LOG_MAY_SIGN,
    LOG_PROVE_AGAIN,            /* somebody else has signed meanwhile, or the database did not answer */
    LOG_MUST_NOT                /* another hash was signed in one of these places, or it is of no event; the fault is kept */
};

/*
 * Whether these may be signed: each hash is that of an event, behind the one before it. A hash alone says nothing of what it is
 * of, and the same key signs snapshots. Under the lock.
 */
enum log_answer log_memory_admits(struct log_memory *memory, struct db *db, const struct log_claim *claim);

/* Who signs. */
struct log_signer {
    const char *id;
    uint8_t public_key[32];
};

/* What waits to be signed next in a division that was found to have the hash of something else, as the database has it now. Under the lock. */
enum log_answer log_memory_bad_seal(struct log_memory *memory, struct db *db);

/*
 * Adds what was signed of a claim that was admitted: its first `signed_count`, the last of them with this signature. To be
 * followed by log_state_save() before a signature leaves this process. False: out of memory. Under the lock.
 */
bool log_memory_add(struct log_memory *memory, const struct log_claim *claim, size_t signed_count,
                    const uint8_t last_signature[LOG_SIGNATURE_LENGTH], const struct log_signer *signer);

#endif
