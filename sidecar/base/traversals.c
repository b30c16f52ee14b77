/*
 * traversals.c: how long traces take in the database, as a histogram for each engine and size.
 *
 * The database counts, in shared memory; a server that starts counts anew, as counters of Prometheus may.
 */
#include "base/traversals.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

/* Seconds, those of trace_statistics(). */
static const char *const bounds[TRAVERSAL_BOUNDS] = {"0.0001", "0.001", "0.01", "0.05", "0.1", "0.2", "0.5", "1", "5", "30"};
static const char *const engines[] = {"indexes", "cache"};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct traversals known[TRAVERSALS_MOST];
static size_t known_count;

const char *traversals_engine(const char *name)
{
    for (size_t i = 0; i < sizeof(engines) / sizeof(*engines); i++)
        if (!strcmp(engines[i], name))
            return engines[i];
    return NULL;
}

void traversals_set(const struct traversals *list, size_t count)
{
    pthread_mutex_lock(&lock);
    memcpy(known, list, count * sizeof(*list));
    known_count = count;
    pthread_mutex_unlock(&lock);
}

static void write_one(FILE *out, const char *name, const struct traversals *one)
{
    char labels[64], nodes[24] = "+Inf";

    if (one->nodes > 0)
        snprintf(nodes, sizeof(nodes), "%" PRIu64, one->nodes);
    snprintf(labels, sizeof(labels), "engine=\"%s\",nodes=\"%s\"", one->engine, nodes);
    for (size_t i = 0; i < TRAVERSAL_BOUNDS; i++)
        fprintf(out, "%s_bucket{%s,le=\"%s\"} %" PRIu64 "\n", name, labels, bounds[i], one->within[i]);
    fprintf(out, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n%s_sum{%s} %.6f\n%s_count{%s} %" PRIu64 "\n", name, labels, one->count, name, labels,
            (double)one->microseconds / 1e6, name, labels, one->count);
}

void traversals_write(FILE *out)
{
    static const char name[] = "reason_sidecar_database_trace_seconds";

    pthread_mutex_lock(&lock);
    if (known_count > 0)
        fprintf(out, "# HELP %s How long traces took in the database, by engine and size: of at most so many nodes, and more than the next smaller.\n# TYPE %s histogram\n", name, name);
    for (size_t i = 0; i < known_count; i++)
        write_one(out, name, &known[i]);
    pthread_mutex_unlock(&lock);
}
