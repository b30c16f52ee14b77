/*
 * source.h: records from a file, each as the text of a JSON object.
 *
 * A source is an implementation of struct source below: NDJSON has objects already; CSV and Parquet have columns, of which
 * columns.c makes an object.
 */
#ifndef REASON_IMPORT_SOURCE_H
#define REASON_IMPORT_SOURCE_H

#include "import/import.h"

enum format { FORMAT_BY_NAME, FORMAT_CSV, FORMAT_NDJSON, FORMAT_PARQUET };

enum taken { TAKEN, TAKEN_NONE, TAKEN_BAD };

struct source {
    /*
     * Appends the next record to out. TAKEN_NONE: there is none. TAKEN_BAD: why says what is wrong with it; the one after
     * it can be asked for unless `broken` is set.
     */
    enum taken (*next)(struct source *source, ByteBuffer *out, char why[WHY_SIZE]);
    void (*close)(struct source *source);
    /* How far it is, from 0 to 1; below 0: nobody knows. */
    double (*progress)(const struct source *source);
    const char *path;
    const char *unit;           /* "line", "row" */
    uint64_t place;             /* line or row of the record that was taken last, from 1 */
    bool broken;                /* nothing more can be read */
};

/* NULL, with the reason, when there is no such source. What settings points to must outlive it. */
struct source *source_open(const char *path, enum format format, enum kind kind, const struct settings *settings, char why[WHY_SIZE]);

/* The implementations; NULL as above. */
struct source *csv_open(const char *path, int delimiter, enum kind kind, const struct settings *settings, char why[WHY_SIZE]);
struct source *ndjson_open(const char *path, char why[WHY_SIZE]);
struct source *parquet_open(const char *path, enum kind kind, const struct settings *settings, char why[WHY_SIZE]);

/* False for a name that is none. */
bool source_format(const char *name, enum format *format);

#endif
