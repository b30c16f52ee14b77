/* proving.h: what a proof is made of, and what comes of it. */
#ifndef SIDECAR_TLOG_PROVING_H
#define SIDECAR_TLOG_PROVING_H

#include "tlog/memory.h"
#include "tlog/published.h"
#include "tlog/signers.h"

/* Events in a block, and signatures that are read again at once. */
#define PROVE_BLOCK 4096
#define PROVE_SIGNATURES 256

enum log_verdict {
    LOG_EXTENDS,
    LOG_NOT_KNOWN,              /* the database, the store or the state's file did not answer; logged */
    LOG_BROKEN                  /* memory->fault says how */
};

/* What was found published. It is asked for beforehand, so that signing never waits for the store. */
struct log_outside {
    const char *prefix;         /* of origins */
    const char *registry_file;  /* of signers, kept outside the database; "": none */
    struct published *list;     /* by division */
    size_t count;
    long reread_ms;             /* so long old hashes are read again, in turn, and old signatures a tenth of it; 0: none are */
    bool whole;                 /* all of them, however long that takes */
};

struct proving {
    struct log_memory *memory;
    struct db *db;
    const struct log_signer *signer;
    const struct log_signers *signers;  /* known outside the database */
    const struct log_outside *outside;
    MerkleHash *block;          /* PROVE_BLOCK hashes */
    bool changed;               /* what is remembered */
};

/* The first division whose name does not come before; NULL: none. Under the memory's lock. */
struct log_division *proving_division_from(const struct log_state *state, const char *name);

/* columns of proving_signatures() */
enum { PROVING_SEQ, PROVING_HASH, PROVING_SIGNER, PROVING_SIGNATURE };

/* Hashes and signatures of these events; NULL: the database did not answer. */
PGresult *proving_signatures(struct proving *proving, const char *division, const uint64_t *seqs, size_t count);
/* Bytes of a column in hexadecimal; false: it holds something else. */
bool proving_take_hex(PGresult *result, int row, int column, uint8_t *bytes, size_t length);
/*
 * Whether the signature of a row is that of who signed then; where that is not remembered, of whom it says by a key that is known
 * outside the database. While our own is not known (proving->signer), a name that is nobody's is not judged.
 */
bool proving_is_of_its_signer(struct proving *proving, const struct log_division *division, PGresult *result, int row);

#endif
