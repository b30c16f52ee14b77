/*
 * refusals.h: proofs that came to nothing because the database refused what they ask, or gave no answer, thread by thread.
 *
 * From the first one on nothing is signed, by no thread, until the thread whose proof it was has made one. That alone is no fault of
 * the log: an update of the extension, a lock or a full disk lets a proof fail, too. It is one once it has gone on for long: longer for what
 * usually passes by itself, but not for ever, because whoever rules the database chooses what it raises, and to which session.
 */
#ifndef SIDECAR_TLOG_REFUSALS_H
#define SIDECAR_TLOG_REFUSALS_H

#include <stdatomic.h>
#include <stdbool.h>

/* So many proofs, one after the other, for so long at least. */
#define REFUSALS_LEAST 3
#define REFUSALS_MOST_MS 60000
/* Errors that usually pass get so many times as long. */
#define REFUSALS_PATIENCE 5
/* A thread that has not tried for so long, beyond what it waits for an answer, does something else by now: it leads no more. */
#define REFUSALS_APART_MS 60000
#define REFUSALS_THREADS 8

struct log_refusals {
    long lasting_ms;            /* so long refusals go on before they are a fault */
    long apart_ms;              /* what lies further apart is not one after the other */
    struct {
        const char *name;       /* lives as long as the process; NULL: no thread */
        long since_ms, last_ms;
        int count;              /* proofs, one after another; 0: it was not refused */
        bool long_enough;
    } threads[REFUSALS_THREADS];
    atomic_long waits_until_ms; /* nothing is signed before, unless the proofs are made */
};

/* Three intervals of checkpoints, or a minute where that is less. timeout_ms: so long an answer is waited for. */
void refusals_init(struct log_refusals *refusals, long interval_s, long timeout_ms);
/* A proof of this thread was refused. Whether that has gone on for long enough to be a fault. */
bool refusals_add(struct log_refusals *refusals, const char *thread, bool passes, long now_ms);
/* A proof of this thread was made. */
void refusals_end(struct log_refusals *refusals, const char *thread);
/* Whether the refusals of some thread are a fault. */
bool refusals_are_a_fault(const struct log_refusals *refusals, long now_ms);
/* Whether the last proof of some thread was refused. Without any lock. */
bool refusals_wait(const struct log_refusals *refusals, long now_ms);

#endif
