/* report.h: what the main loop tells the database of this sidecar, and learns from it for the metrics. */
#ifndef REASON_SIDECAR_REPORT_H
#define REASON_SIDECAR_REPORT_H

#include "stage/worker.h"

/* Whether it can sign and store, and the log has not stopped. */
bool sidecar_is_ready(struct sidecar *sidecar);

/* Reports to the database, and so to /ready, whether this sidecar can sign and store; asks how deep the queues are, and how long traces take. */
void report(struct sidecar *sidecar, struct db *db);

#endif
