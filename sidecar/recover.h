/* recover.h: reason-sidecar --recover. */
#ifndef SIDECAR_RECOVER_H
#define SIDECAR_RECOVER_H

#include "sidecar.h"

/*
 * Brings back what a restored database has forgotten: segments from the archive, later events from Kafka, documents of
 * complete snapshots from the store. Says what it did; false after logging what could not be brought back. May be repeated.
 */
bool recover(struct sidecar *sidecar);

#endif
