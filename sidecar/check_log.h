/* check_log.h: --check-log: the database against all that was signed and published, every hash and every signature. */
#ifndef SIDECAR_CHECK_LOG_H
#define SIDECAR_CHECK_LOG_H

#include "stage/worker.h"

/* Prints a line for each log, and what is wrong. Beside a sidecar that runs: it changes nothing. */
bool check_log(struct sidecar *sidecar);

#endif
