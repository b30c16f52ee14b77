/*
 * report.c: what the main loop tells the database of this sidecar, and learns from it for the metrics.
 */
#include "report.h"

#include "base/metrics.h"
#include "base/traversals.h"

#include <stdlib.h>
#include <string.h>

bool sidecar_is_ready(struct sidecar *sidecar)
{
    return atomic_load(&sidecar->signer_ready) && !atomic_load(&sidecar->signer_failing) && atomic_load(&sidecar->store_ready)
           && !atomic_load(&sidecar->log.broken);
}

/* Numbers with a space between each two. */
static bool read_within(const char *text, uint64_t within[TRAVERSAL_BOUNDS])
{
    char *end = NULL;

    for (size_t i = 0; i < TRAVERSAL_BOUNDS; i++, text = end) {
        within[i] = strtoull(text, &end, 10);
        if (end == text)
            return false;
    }
    return *end == '\0';
}

/* What the database counts of its traces. What cannot be had stays as it was. */
static void read_traversals(struct db *db)
{
    static const char statement[] = "SELECT engine, coalesce(nodes, 0), traces, (seconds * 1e6)::bigint, array_to_string(within, ' ') FROM reason.trace_statistics()";
    PGresult *result = db_call(db, statement, "tnnnt", 0, NULL, NULL);
    struct traversals read[TRAVERSALS_MOST];
    int count = result ? PQntuples(result) : 0;
    bool ok = result != NULL && count <= TRAVERSALS_MOST;

    for (int i = 0; ok && i < count; i++) {
        read[i].engine = traversals_engine(PQgetvalue(result, i, 0));
        ok = read[i].engine && db_number(result, i, 1, &read[i].nodes) && db_number(result, i, 2, &read[i].count)
             && db_number(result, i, 3, &read[i].microseconds) && read_within(PQgetvalue(result, i, 4), read[i].within);
    }
    PQclear(result);
    if (ok)
        traversals_set(read, (size_t)count);
}

void report(struct sidecar *sidecar, struct db *db)
{
    const char *parameters[] = {sidecar->holder, sidecar->config.signer.id, sidecar->log.where};
    struct array mirrors = {0};
    const char *targets[] = {sidecar->config.kafka_brokers[0] ? sidecar->config.kafka_topic : "", sidecar->config.archive_url, NULL};
    bool ready;
    PGresult *result = NULL;

    ready = db->connection && sidecar_is_ready(sidecar);
    if (ready)
        PQclear(db_call(db, "SELECT reason.report_sidecar($1, $2, $3)", NULL, 3, parameters, NULL));
    metrics_set(METRIC_READY, ready);
    for (size_t i = 0; i < sidecar->config.mirror_count; i++)
        array_add(&mirrors, sidecar->config.mirrors[i].name);
    targets[2] = array_end(&mirrors);
    if (targets[2])
        result = db_call(db, "SELECT duty, depth, age_s::bigint, items FROM reason.sidecar_status($1, $2, $3) LEFT JOIN reason.parked_items() USING (duty)", "tIII",
                         3, targets, NULL);
    array_free(&mirrors);
    for (int i = 0; result && i < PQntuples(result); i++)
        for (enum duty duty = 0; duty < DUTY_COUNT; duty++)
            if (!strcmp(duty_names[duty], PQgetvalue(result, i, 0))) {
                metrics_set(METRIC_QUEUE_SEAL + duty, atol(PQgetvalue(result, i, 1)));
                metrics_set(METRIC_AGE_SEAL + duty, atol(PQgetvalue(result, i, 2)));
                metrics_set(METRIC_PARKED_SEAL + duty, atol(PQgetvalue(result, i, 3)));
            }
    PQclear(result);
    read_traversals(db);
    metrics_set(METRIC_DATABASE_UP, db->connection != NULL);
}
