/*
 * judge.h: whether a witness cosigns: add-checkpoint of https://c2sp.org/tlog-witness, without HTTP around it.
 *
 * For each log, known by its origin line, the witness remembers the latest checkpoint that it cosigned (record.h). It
 * cosigns another when the log has signed it and a consistency proof shows that it extends the one remembered. One
 * request is judged, recorded and answered at a time, so that two never build on the same state.
 *
 * A cosignature is by Ed25519 (type 0x04 of https://c2sp.org/tlog-cosignature). Its time never goes back, whatever the clock does.
 */
#ifndef SIDECAR_WITNESS_JUDGE_H
#define SIDECAR_WITNESS_JUDGE_H

#include "core/signed_note.h"
#include "signer/signer.h"
#include "witness/record.h"

#include <pthread.h>

/* The longest request: 63 hashes, and a note with as many long signatures as anybody must take. */
#define WITNESS_REQUEST_MOST (256 * 1024)
#define WITNESS_PROOF_MOST 63
#define WITNESS_SIZE_TYPE "text/x.tlog.size"
#define WITNESS_TEXT_TYPE "text/plain; charset=utf-8"

/* A key that a log signs checkpoints with; a log that changes its key has two of them with one origin. */
struct witnessed_log {
    char *name;                 /* of its section in the configuration */
    char *origin;
    char *vkey;                 /* what key points into */
    NoteKey key;
};

struct judge {
    const char *name;           /* of the witness' key */
    struct signer *signer;
    struct witnessed_log *logs;
    size_t log_count;
    struct record_directory directory;
    pthread_mutex_t lock;       /* from reading what is recorded to the answer; held while signing, and while a disk syncs */
};

struct verdict {
    unsigned status;            /* of HTTP */
    const char *type;           /* of the content */
    ByteBuffer body;            /* the caller frees it */
};

void judge_add_checkpoint(struct judge *judge, const char *request, size_t length, struct verdict *verdict);
/* The latest cosigned checkpoint of the log whose origin has this SHA-256, in hexadecimal. */
void judge_checkpoint(struct judge *judge, const char *origin_hash, struct verdict *verdict);

#endif
