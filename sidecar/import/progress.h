/* progress.h: how far an import is, on a terminal a line that changes, elsewhere a line now and then. */
#ifndef REASON_IMPORT_PROGRESS_H
#define REASON_IMPORT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool terminal, quiet;
    long began_ms, shown_ms;
};

void progress_begin(struct progress *progress, bool quiet);
/* share: of what is being read, from 0 to 1; below 0: nobody knows. */
void progress_show(struct progress *progress, const char *what, double share, uint64_t records, uint64_t refused);
/* Leaves the terminal's line. */
void progress_end(struct progress *progress);
double progress_seconds(const struct progress *progress);
/* 1234567 as 1,234,567. */
const char *progress_number(char text[32], uint64_t number);

#endif
