/*
 * ask.h: asking a witness to cosign a checkpoint of ours: the client of https://c2sp.org/tlog-witness.
 *
 * Nothing that a witness says is believed but a cosignature that verifies under the key that is configured for it, and a
 * checkpoint that our own key has signed.
 */
#ifndef SIDECAR_WITNESS_ASK_H
#define SIDECAR_WITNESS_ASK_H

#include "core/checkpoint.h"
#include "core/merkle.h"
#include "net/http.h"

/* What is asked: a signed note of ours, and the proof that its tree extends that of old_size leaves. */
struct witness_question {
    const char *url;            /* submission prefix */
    const NoteKey *key;         /* of the witness: type 0x04 */
    const char *note;
    size_t note_length;
    uint64_t size, old_size;    /* of the note's tree; of the one that it extends */
    const MerkleHash *proof;
    int proof_length;
    int timeout_ms;
};

enum witness_says {
    WITNESS_COSIGNED,
    WITNESS_OTHER_SIZE,         /* it cosigned `size` last, which is not old_size */
    WITNESS_CONTRADICTS,        /* it says that the tree does not extend the one that it has cosigned */
    WITNESS_REFUSES,            /* it does not know the log or its key, or does not understand the question */
    WITNESS_AWAY                /* no answer, or none that means anything */
};

struct witness_reply {
    enum witness_says says;
    uint64_t size;                              /* WITNESS_OTHER_SIZE */
    uint64_t timestamp;                         /* WITNESS_COSIGNED */
    uint8_t signature[NOTE_ED25519_LENGTH];     /* WITNESS_COSIGNED */
    char reason[200];                           /* of all others, for the log */
};

void witness_ask(struct http *http, const struct witness_question *question, struct witness_reply *reply);

/*
 * Appends to `note` the latest checkpoint of the log that the witness serves. False when it serves none, or one that the
 * log's key has not signed.
 */
bool witness_fetch(struct http *http, const char *url, int timeout_ms, const char *origin, const NoteKey *log_key, ByteBuffer *note,
                   Checkpoint *checkpoint);

#endif
