/* seal.c: events get their place in the chain of their division: order and hash, durable before anything is signed. */
#include "stage/stage.h"

#include "stage/traced.h"

#include <stdio.h>
#include <stdlib.h>

/* columns of seal_events_traced() */
enum { SEALED, BEGAN, ENDED, DIVISION, SEQ, TRACEPARENT };

/* A span for each event with a traceparent. Hashing one takes about a microsecond; the time is that of the whole batch. */
static void trace(PGresult *result, long sealed)
{
    static const struct traced_attribute none[] = {{NULL, NULL}};
    const struct traced_batch batch = {.name = "hash", .kind = SPAN_INTERNAL, .attributes = none, .of = sealed};

    for (int row = 1; row < PQntuples(result); row++) {
        const struct work_time time = {atol(PQgetvalue(result, row, BEGAN)), atol(PQgetvalue(result, row, ENDED))};
        struct trace_context context;

        if (tracing_context(PQgetvalue(result, row, TRACEPARENT), &context))
            trace_event(&context, &batch, PQgetvalue(result, row, DIVISION), PQgetvalue(result, row, SEQ), time);
    }
}

/* Claiming, sealing and recording are one statement: the database alone does it. */
static enum progress turn(struct worker *worker, const char *token)
{
    char batch[16];
    const char *parameters[] = {token, batch};
    PGresult *result;
    uint64_t count;
    long sealed;

    snprintf(batch, sizeof(batch), "%d", worker->sidecar->config.batch_size);
    result = db_call(&worker->db,
                     tracing_on() ? "SELECT sealed, began, ended, division, seq, traceparent FROM reason.seal_events_traced($1, $2)"
                                  : "SELECT reason.seal_events($1, $2)", tracing_on() ? "NIITNT" : "1n",
                     2, parameters, NULL);
    if (!result)
        return PROGRESS_FAILED;
    sealed = db_number(result, 0, SEALED, &count) ? (long)count : 0;
    trace(result, sealed);
    PQclear(result);
    metrics_add(METRIC_EVENTS_SEALED, sealed);
    return sealed > 0 ? PROGRESS_SOME : PROGRESS_NONE;
}

const struct stage stage_seal = {.name = "seal", .histogram = HISTOGRAM_SEAL, .turn = turn};
