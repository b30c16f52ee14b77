/*
 * doorbell.h: how work wakes those who do it.
 *
 * Between processes: writers call reason.ring(), which makes their commit notify only if the sidecar sleeps, that is, if
 * it holds the doorbell's lock. doorbell_lock() takes that lock. It gets the lock only when no transaction that made
 * work without notifying is about to commit: such transactions hold it shared. From then on writers notify. The caller
 * looks for work once more, waits, and lets go of the lock. A notification that is lost costs latency only.
 *
 * Within the process: doorbell_ring() wakes every duty that waits in doorbell_wait().
 */
#ifndef SIDECAR_BASE_DOORBELL_H
#define SIDECAR_BASE_DOORBELL_H

#include "base/db.h"

bool doorbell_open(void);
void doorbell_ring(void);
/* Ends every wait, now and later. */
void doorbell_stop(void);
bool doorbell_stopped(void);

/* Waits until a ring newer than *seen, or so long. */
void doorbell_wait(unsigned long *seen, int timeout_ms);

/* Waits that long, even if the bell rings. */
void doorbell_rest(int timeout_ms);

/* Takes the lock: from now on writers notify. False: a writer is in flight, or another sidecar sleeps. */
bool doorbell_lock(struct db *db);
/* Waits for a notification, at most so long. */
void doorbell_listen(struct db *db, int timeout_ms);
void doorbell_unlock(struct db *db);

#endif
