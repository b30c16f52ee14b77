/*
 * doorbell.h
 *		Wakes the sidecar, if it sleeps.
 */
#ifndef REASON_WRITE_DOORBELL_H
#define REASON_WRITE_DOORBELL_H

/* Advisory lock that the sidecar holds while it sleeps. */
#define REASON_DOORBELL_KEY INT64CONST(5928239467352)
#define REASON_DOORBELL_CHANNEL "reason_work"

/* To be called by every transaction that makes work for the sidecar. */
extern void doorbell_ring(void);

#endif							/* REASON_WRITE_DOORBELL_H */
