/* runs_out.h: what runs out by itself: certificates, and the disk of stores that are directories. */
#ifndef SIDECAR_RUNS_OUT_H
#define SIDECAR_RUNS_OUT_H

#include "base/config.h"

/* Measures it for /metrics, if that is some seconds ago. Reads files, and may wait for a disk: not for the thread that keeps leases. */
void runs_out_measure(const struct config *config);

#endif
