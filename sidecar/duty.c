/*
 * duty.c: the thread of a duty.
 *
 * While this sidecar leads the duty, its stages take turns until none finds work. A stage that failed rests for a
 * while, longer each time and with jitter, and does not hold up the others. The thread of the duty "seal" sleeps at
 * the doorbell and wakes the others of this process.
 */
#include "duty.h"

#include "base/clock.h"
#include "base/doorbell.h"
#include "base/log.h"
#include "runs_out.h"
#include "stage/stage.h"

#include <sodium.h>
#include <time.h>

#define STAGES_MOST 4
#define REST_LEAST_MS 100
#define REST_MOST_MS 10000
/* A signer or a store that could not be opened is tried again after about so long. */
#define PREPARE_MS 2000
/* Other duties look at most this often while the chain is busy. */
#define LOOK_MS 10
/* The log looks by itself whether a checkpoint is due. */
#define LOG_LOOK_MS 500
/* A turn for one event costs not much less than one for a hundred: while the chain is busy, they gather for so long. */
#define GATHER_MS 50

static const struct stage *const stages[JOB_COUNT][STAGES_MOST] = {
    [DUTY_SEAL] = {&stage_prove, &stage_guard, &stage_seal, &stage_sign},
    [DUTY_SNAPSHOT] = {&stage_upload},
    [DUTY_EMIT] = {&stage_emit},
    [DUTY_ARCHIVE] = {&stage_archive},
    [DUTY_MIRROR] = {&stage_mirror},
    [JOB_LOG] = {&stage_checkpoint},
};

/* A stage that failed rests until then. */
struct rest {
    long until_ms;
    int ms;
};

static int jittered(int ms)
{
    return ms / 2 + (int)randombytes_uniform((uint32_t)ms / 2 + 1);
}

/* What came of one turn of every stage. */
struct worked {
    bool some, tried, failed;
};

/* Notes since when the duty has been failing. Items that failed and wait for their next attempt are no success, even if nothing else is to be done. */
static void judge(struct worker *worker, const struct worked *worked)
{
    atomic_long *since_ms = &worker->sidecar->failing_since_ms[worker->duty];

    if (worked->failed || worked->tried) {
        worker->tried = worked->tried;
        if (!atomic_load(since_ms))
            atomic_store(since_ms, clock_ms());
    } else if (worked->some || !worker->tried) {
        worker->tried = false;
        atomic_store(since_ms, 0);
    }
}

/* Takes turns; *wait_ms is lowered to when the first stage that rests may go on. */
static enum progress take_turns(struct worker *worker, struct rest rests[], int *wait_ms, struct worked *worked)
{
    enum progress progress = PROGRESS_NONE;

    for (int i = 0; i < STAGES_MOST && stages[worker->job][i]; i++) {
        const struct stage *stage = stages[worker->job][i];
        char token[24];
        long began = clock_us();

        if (rests[i].until_ms > began / 1000) {
            worked->failed = worked->failed || !stage->gate;
            if (rests[i].until_ms - began / 1000 < *wait_ms)
                *wait_ms = (int)(rests[i].until_ms - began / 1000);
            if (stage->gate)
                return progress;
            continue;
        }
        if (!leader_token(worker->duty, token)[0])
            return PROGRESS_NONE;
        switch (stage->turn(worker, token)) {
        case PROGRESS_SOME:
            metrics_observe(stage->histogram, (double)(clock_us() - began) / 1e6);
            worked->some = true;
            progress = PROGRESS_SOME;
            rests[i].ms = 0;
            break;
        case PROGRESS_TRIED:
            worked->tried = true;
            progress = PROGRESS_SOME;
            rests[i].ms = 0;
            break;
        case PROGRESS_NONE:
            rests[i].ms = 0;
            break;
        case PROGRESS_FAILED:
            /* while a gate fails, the stages after it wait */
            worked->failed = worked->failed || !stage->gate;
            rests[i].ms = rests[i].ms == 0 ? REST_LEAST_MS : rests[i].ms * 2 > REST_MOST_MS ? REST_MOST_MS : rests[i].ms * 2;
            rests[i].until_ms = clock_ms() + jittered(rests[i].ms);
            if (rests[i].ms < *wait_ms)
                *wait_ms = rests[i].ms;
            worker->compared = 0;
            if (stage->gate)
                return progress;
            break;
        }
    }
    return progress;
}

/* One turn of every stage, judged. */
static enum progress work(struct worker *worker, struct rest rests[], int *wait_ms)
{
    struct worked worked = {0};
    enum progress progress = take_turns(worker, rests, wait_ms, &worked);

    /* a sidecar that cannot publish the log still leads sealing */
    if (worker->job != JOB_LOG)
        judge(worker, &worked);
    return progress;
}

/* The thread of snapshots opens signer and store, whether it leads or not, so that readiness tells the truth. */
static bool prepare(struct worker *worker, struct rest *rest)
{
    struct sidecar *sidecar = worker->sidecar;

    if (worker->duty != DUTY_SNAPSHOT || (atomic_load(&sidecar->signer_ready) && atomic_load(&sidecar->store_ready)))
        return true;
    if (clock_ms() < rest->until_ms || !db_connect(&worker->db))
        return false;
    if (!atomic_load(&sidecar->store_ready)) {
        pthread_mutex_lock(&sidecar->store_lock);
        sidecar_open_store(sidecar);
        pthread_mutex_unlock(&sidecar->store_lock);
    }
    if (!atomic_load(&sidecar->signer_ready)) {
        pthread_mutex_lock(&sidecar->signer_lock);
        sidecar_open_signer(sidecar, &worker->db);
        pthread_mutex_unlock(&sidecar->signer_lock);
    }
    if (!atomic_load(&sidecar->signer_ready) || !atomic_load(&sidecar->store_ready)) {
        rest->until_ms = clock_ms() + jittered(PREPARE_MS);
        return false;
    }
    rest->until_ms = 0;
    doorbell_ring();
    return true;
}

/* Nothing to do for the chain: sleep until a writer rings. */
static void sleep_at_doorbell(struct worker *worker, struct rest rests[], unsigned long *seen)
{
    const struct config *config = &worker->sidecar->config;
    int wait_ms = config->poll_idle_ms;

    doorbell_ring();
    if (!doorbell_lock(&worker->db)) {
        doorbell_wait(seen, jittered(config->poll_busy_ms) + 1);
        return;
    }
    /* whatever was committed before the lock was got is seen now, by the other duties too */
    doorbell_ring();
    if (work(worker, rests, &wait_ms) == PROGRESS_NONE && worker->db.connection)
        doorbell_listen(&worker->db, wait_ms);
    doorbell_unlock(&worker->db);
    doorbell_ring();
}

void *duty_run(void *argument)
{
    struct worker *worker = argument;
    const struct config *config = &worker->sidecar->config;
    struct rest rests[STAGES_MOST] = {0}, preparing = {0};
    unsigned long seen = 0;
    int reconnect_ms = REST_LEAST_MS;

    while (!doorbell_stopped()) {
        char token[24];
        int wait_ms = leader_token(DUTY_SEAL, token)[0] ? config->poll_idle_ms : config->poll_busy_ms;
        enum progress progress;
        long began_ms;

        if (worker->job == DUTY_SNAPSHOT)
            runs_out_measure(config);
        if (worker->job == JOB_LOG && wait_ms > LOG_LOOK_MS)
            wait_ms = LOG_LOOK_MS;
        if (!prepare(worker, &preparing) && wait_ms > PREPARE_MS / 2)
            wait_ms = PREPARE_MS / 2;
        if (!leader_token(worker->duty, token)[0]) {
            /* the server would end it */
            if (worker->db.idle_ms)
                db_close(&worker->db);
            doorbell_wait(&seen, 1000);
            continue;
        }
        if (!db_connect(&worker->db)) {
            doorbell_rest(jittered(reconnect_ms));
            reconnect_ms = reconnect_ms * 2 > REST_MOST_MS / 2 ? REST_MOST_MS / 2 : reconnect_ms * 2;
            continue;
        }
        reconnect_ms = REST_LEAST_MS;
        began_ms = clock_ms();
        progress = work(worker, rests, &wait_ms);
        if (progress == PROGRESS_SOME) {
            if (worker->job == DUTY_SEAL) {
                doorbell_ring();
                if (clock_ms() < began_ms + GATHER_MS)
                    doorbell_rest((int)(began_ms + GATHER_MS - clock_ms()));
            }
        } else if (worker->job == DUTY_SEAL) {
            if (worker->db.connection)
                sleep_at_doorbell(worker, rests, &seen);
        } else {
            nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
            doorbell_wait(&seen, wait_ms);
        }
    }
    for (int i = 0; i < STAGES_MOST && stages[worker->job][i]; i++)
        if (stages[worker->job][i]->close)
            stages[worker->job][i]->close(worker);
    db_close(&worker->db);
    return NULL;
}
