/* traced.c: spans of events, as children of the requests that caused them. */
#include "stage/traced.h"

#include <stdlib.h>

/* The database knows which of them have a traceparent: the places of these in the arrays. */
static PGresult *ask(struct worker *worker, const struct traced_batch *batch)
{
    struct array divisions = {0}, seqs = {0};
    const char *parameters[2];
    PGresult *result = NULL;
    bool ok = true;

    for (int row = 0; row < batch->count && ok; row++)
        ok = array_add(&divisions, PQgetvalue(batch->events, row, 0)) && array_add(&seqs, PQgetvalue(batch->events, row, 1));
    parameters[0] = array_end(&divisions);
    parameters[1] = array_end(&seqs);
    if (ok && parameters[0] && parameters[1])
        result = db_call(&worker->db, "SELECT place, traceparent FROM reason.traced_events($1::text[], $2::bigint[])", "nt", 2, parameters, NULL);
    array_free(&divisions);
    array_free(&seqs);
    return result;
}

void trace_event(const struct trace_context *context, const struct traced_batch *batch, const char *division, const char *seq, struct work_time time)
{
    struct span span;

    span_begin(&span, context, batch->name, batch->kind, time.began_us);
    span_text(&span, "reason.division", division);
    span_number(&span, "reason.event.seq", atol(seq));
    for (const struct traced_attribute *extra = batch->attributes; extra->key; extra++)
        span_text(&span, extra->key, extra->text);
    if (batch->of > 0)
        span_number(&span, "reason.batch.size", batch->of);
    span_end(&span, time.ended_us, NULL);
}

void trace_events(struct worker *worker, const struct traced_batch *batch, const struct work_time times[])
{
    PGresult *traced = ask(worker, batch);

    for (int i = 0; traced && i < PQntuples(traced); i++) {
        uint64_t number;
        bool ok = db_number(traced, i, 0, &number) && number >= 1 && number <= (uint64_t)batch->count;
        int row = ok ? (int)number - 1 : 0;
        struct trace_context context;

        if (ok && times[row].ended_us && tracing_context(PQgetvalue(traced, i, 1), &context))
            trace_event(&context, batch, PQgetvalue(batch->events, row, 0), PQgetvalue(batch->events, row, 1), times[row]);
    }
    PQclear(traced);
}
