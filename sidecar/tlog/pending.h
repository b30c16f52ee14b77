/*
 * pending.h: a snapshot that is to be signed: its bytes in the database, and whether they may be.
 *
 * A document that is not what the log says was altered in the database. That is a fault like any other: nothing is
 * signed until the bytes are what they were, or until the snapshot is given up.
 */
#ifndef SIDECAR_TLOG_PENDING_H
#define SIDECAR_TLOG_PENDING_H

#include "tlog/document.h"
#include "tlog/memory.h"

/* The bytes of a document, piece by piece. */
struct pending_chunks {
    struct db *db;
    const char *id;
    uint64_t next, count;
    PGresult *result;           /* holds the bytes that were handed out last; to be cleared */
};

/* Length 0 at the end; false: they could not be read. The bytes stay until the next call. */
bool pending_next(void *chunks, const void **bytes, size_t *length);
bool pending_rewind(void *chunks);

/* As the database has it now. */
struct pending {
    const char *id, *division, *hash;
    uint64_t size;              /* 0: there is none, or it is no number */
    struct pending_chunks chunks;
};

/* Size and number of chunks, from these columns of a row. */
void pending_take_size(struct pending *pending, const PGresult *result, int row, int size, int chunks);

#define PENDING_REASON_SIZE 500

/* Whether the document may be signed; reason: why not. Takes the memory's lock for a moment. */
enum document_verdict pending_verdict(struct log_memory *memory, struct db *db, struct pending *pending, char reason[PENDING_REASON_SIZE]);

/*
 * The same of a snapshot whose id is known, as the database has it now; one that is not pending any more is DOCUMENT_TRUE. Where
 * the verdict is DOCUMENT_FALSE it is kept as a fault.
 */
enum document_verdict pending_look_again(struct log_memory *memory, struct db *db, const char *id);

/*
 * Whether a snapshot that is false, and does not wait as the database says, was to be signed before. Then that is kept as a
 * fault, which lasts until this process ends. Takes the memory's lock.
 */
bool pending_is_denied_again(struct log_memory *memory, const struct pending *pending, const char *reason);

#endif
