/* accept.h: --accept-restore, by which the operator accepts a database that does not extend what was signed. */
#ifndef SIDECAR_ACCEPT_H
#define SIDECAR_ACCEPT_H

#include "stage/worker.h"

/* --accept-restore. Prints what is given up, division by division; false after saying why nothing was changed. */
bool accept_restore(struct sidecar *sidecar);

#endif
