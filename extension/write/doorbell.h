/*
 * doorbell.h
 *		Wakes the sidecar, if it sleeps.
 */
#ifndef REASON_WRITE_DOORBELL_H
#define REASON_WRITE_DOORBELL_H

#define REASON_DOORBELL_CHANNEL "reason_work"

/* Called once at load. */
extern void doorbell_define(void);

/* To be called by every transaction that makes work for the sidecar; rings when it commits. */
extern void doorbell_ring(void);

#endif							/* REASON_WRITE_DOORBELL_H */
