/* cosign.h: the witnesses of this sidecar's own logs. */
#ifndef SIDECAR_COSIGN_H
#define SIDECAR_COSIGN_H

#include "stage/worker.h"

struct cosigning;

/* Reads who the witnesses are and how many must have cosigned; false after logging why that cannot be. */
bool cosign_check(struct sidecar *sidecar);
/* Begins to ask the configured witnesses; *cosigning stays NULL where there are none. False after logging why not. */
bool cosign_start(struct sidecar *sidecar, struct cosigning **cosigning);
/* Once the doorbell has been stopped; it may be NULL. */
void cosign_stop(struct cosigning *cosigning);

#endif
