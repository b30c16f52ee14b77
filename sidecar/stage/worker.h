/* worker.h: what the threads share. */
#ifndef SIDECAR_STAGE_WORKER_H
#define SIDECAR_STAGE_WORKER_H

#include "base/config.h"
#include "base/db.h"
#include "base/leader.h"
#include "base/metrics.h"
#include "signer/signer.h"
#include "store/store.h"
#include "tlog/memory.h"
#include "witness/policy.h"

#include <pthread.h>
#include <stdatomic.h>

/* Divisions whose newest checkpoint is to be announced (stage/announce.c). */
struct announcements {
    pthread_mutex_t lock;
    char **divisions;
    size_t count;
};

struct sidecar {
    struct config config;       /* what a reload may change is read under the locks below */
    pthread_mutex_t signer_lock;
    struct signer *signer;      /* NULL until it could be opened */
    bool signer_registered;     /* its public key is that of the registry */
    int signer_reloads;         /* when it was opened */
    pthread_mutex_t checkpoint_lock;
    struct signer *checkpoint_signer;   /* that of [checkpoint]; NULL until it could be opened */
    bool checkpoint_registered; /* its public key is that of the registry, for checkpoints */
    int checkpoint_reloads;     /* when it was opened */
    pthread_mutex_t store_lock;
    struct store *store;        /* NULL until it could be opened */
    int store_reloads;          /* when it was opened */
    atomic_bool signer_ready, store_ready;
    atomic_bool signer_failing; /* it is open, and did not sign what it was asked for last, or not rightly */
    atomic_int reloads;         /* what was opened before the last is opened anew when it is used next */
    atomic_long failing_since_ms[DUTY_COUNT];   /* 0: what the duty tried last succeeded; by the steady clock */
    struct log_memory log;      /* what was signed; has a lock of its own, which is taken before those above */
    atomic_bool checkpoint_demanded;    /* by a signal */
    struct witness_policy policy;
    struct announcements announcements;
    char holder[128];           /* of leases: host and process */
};

/* A thread's work: that of its duty, or the log's, which is done under the lease of the duty seal. */
enum { JOB_LOG = DUTY_COUNT, JOB_COUNT };

/* A duty's thread. */
struct worker {
    struct sidecar *sidecar;
    enum duty duty;             /* whose lease it works under */
    int job;                    /* a duty, or JOB_LOG */
    struct db db;
    pthread_t thread;
    bool started;
    unsigned compared;          /* the connection on which the chains were compared (stage/guard.c); 0: none */
    unsigned proved;            /* the connection on which the database was proved to extend what was signed; 0: none */
    char proved_token[24];      /* and the lease */
    long proved_ms;             /* when, by the steady clock */
    unsigned named;             /* the connection on which the names of the logs were compared; 0: none */
    long named_ms;              /* when */
    bool tried;                 /* what failed last was an attempt at something that waits by itself */
    size_t mirror;              /* of the duty mirror: which one this thread feeds */
    void *state;                /* a stage's own, kept between turns */
};

/* Opens a counterpart when it is first needed, and again after a reload. The caller holds its lock. */
bool sidecar_open_store(struct sidecar *sidecar);
bool sidecar_open_signer(struct sidecar *sidecar, struct db *db);
/* The key that the signer of checkpoints has, whatever the database says of it: what is published is read with it. False: not known now. */
bool sidecar_checkpoint_key(struct sidecar *sidecar, uint8_t public_key[PUBLIC_KEY_LENGTH]);
/* The one that signs checkpoints, whose key is never that of events. */
bool sidecar_open_checkpoint_signer(struct sidecar *sidecar, struct db *db);

#endif
