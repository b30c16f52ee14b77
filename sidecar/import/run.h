/* run.h: threads that write batches, while others are read. */
#ifndef REASON_IMPORT_RUN_H
#define REASON_IMPORT_RUN_H

#include "import/batch.h"
#include "import/import.h"
#include "import/journal.h"
#include "import/target.h"

#include <stdio.h>

#define JOBS_MOST 64

struct run_settings {
    int jobs;
    long deadline_s;            /* for which what does not pass is tried again */
    FILE *rejects;              /* NULL: the first record that is refused ends the import */
    long rejects_most;
    struct journal *journal;
    const struct target_settings *target; /* NULL: nothing is written */
};

struct run_counts {
    uint64_t written[KINDS], before[KINDS]; /* by this process, by one before */
    uint64_t refused;
};

struct run;

/* NULL, with the reason, when threads cannot be had. */
struct run *run_begin(const struct run_settings *settings, char why[WHY_SIZE]);
/* Whether an import that goes on writes where it began; tried as a batch is. False: the import has failed, or is to stop. */
bool run_recognize(struct run *run);
/* Takes a batch over; waits while there are enough, and calls meanwhile() a few times a second. False: the import has failed, or is to stop. */
bool run_give(struct run *run, struct batch *batch, void (*meanwhile)(void *context), void *context);
/* Waits until all that was given has been written. */
bool run_wait(struct run *run, void (*meanwhile)(void *context), void *context);
/* Notes a record that cannot be sent at all. False: that ends the import. */
bool run_refuse(struct run *run, const char *path, const char *unit, uint64_t place, const char *why, const char *record, size_t length);
void run_fail(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
void run_count(struct run *run, struct run_counts *counts);
/* Ends the threads, when they have written what they were given, unless the import failed. False, with the reason, when it did. */
bool run_end(struct run *run, struct run_counts *counts, char why[WHY_SIZE]);

#endif
