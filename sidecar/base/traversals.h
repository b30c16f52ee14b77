/* traversals.h: how many traces the database ran, how large they were and how long they took, by engine: what it said of them last, as metrics. */
#ifndef REASON_SIDECAR_TRAVERSALS_H
#define REASON_SIDECAR_TRAVERSALS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TRAVERSAL_BOUNDS 10
#define TRAVERSALS_MOST 16

/* Traces of one engine and size. */
struct traversals {
    const char *engine;         /* as traversals_engine() gives it */
    uint64_t nodes;             /* at most so many; 0: more than that */
    uint64_t count;
    uint64_t microseconds;      /* together */
    uint64_t within[TRAVERSAL_BOUNDS];  /* how many took no longer than each bound */
};

/* The engine of that name; NULL: there is none. */
const char *traversals_engine(const char *name);
/* At most TRAVERSALS_MOST; copied. */
void traversals_set(const struct traversals *list, size_t count);
/* Writes them for Prometheus; nothing as long as none were set. */
void traversals_write(FILE *out);

#endif
