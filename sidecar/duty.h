/* duty.h: the thread of a duty. */
#ifndef SIDECAR_DUTY_H
#define SIDECAR_DUTY_H

#include "stage/worker.h"

/* Leads or waits, works or sleeps, until the doorbell stops. Takes a struct worker, as pthread_create() hands it over; returns NULL. */
void *duty_run(void *worker);

#endif
