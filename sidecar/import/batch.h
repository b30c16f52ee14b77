/* batch.h: records that are written together, all or none. */
#ifndef REASON_IMPORT_BATCH_H
#define REASON_IMPORT_BATCH_H

#include "import/import.h"

struct batch_record {
    size_t start;               /* of its text */
    uint64_t place;             /* in its file */
};

struct batch {
    enum kind kind;
    uint64_t number;            /* among those of its kind, from 0 */
    uint64_t hash;              /* of the text as it was read */
    uint64_t transaction;       /* in which it may have been committed already; 0: in none */
    const char *path, *unit;    /* where its records come from: of one file */
    ByteBuffer text;            /* {"nodes":[…]}, terminated */
    struct batch_record *records;
    int count, room;
    int refused;                /* records that were taken out again */
};

struct batch *batch_new(enum kind kind, uint64_t number, const char *path, const char *unit);
void batch_free(struct batch *batch);
/* Begins the next record, whose text is then appended to text; false: out of memory. */
bool batch_begin_record(struct batch *batch, uint64_t place);
/* Takes the record back that was begun last. */
void batch_take_back(struct batch *batch);
/* Nothing more is added. False: out of memory. */
bool batch_end(struct batch *batch);
/* The text of a record, and how long it is. */
const char *batch_record(const struct batch *batch, int index, size_t *length);
/* Takes a record out of a batch that has ended. */
void batch_remove(struct batch *batch, int index);

#endif
