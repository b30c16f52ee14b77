/* seal.c: events get their place in the chain of their division: order and hash, durable before anything is signed. */
#include "stage.h"

#include <stdio.h>
#include <stdlib.h>

/* Claiming, sealing and recording are one statement: the database alone does it. */
static enum progress turn(struct worker *worker, const char *token)
{
    char batch[16];
    const char *parameters[] = {token, batch};
    PGresult *result;
    long sealed;

    snprintf(batch, sizeof(batch), "%d", worker->sidecar->config.batch_size);
    result = db_call(&worker->db, "SELECT reason.seal_events($1, $2)", 2, parameters, NULL);
    if (!result)
        return PROGRESS_FAILED;
    sealed = atol(PQgetvalue(result, 0, 0));
    PQclear(result);
    metrics_add(METRIC_EVENTS_SEALED, sealed);
    return sealed > 0 ? PROGRESS_SOME : PROGRESS_NONE;
}

const struct stage stage_seal = {.name = "seal", .histogram = HISTOGRAM_SEAL, .turn = turn};
