/* proving.h: what a proof is made of, for the files that make it. */
#ifndef SIDECAR_TLOG_PROVING_H
#define SIDECAR_TLOG_PROVING_H

#include "tlog/prove.h"

struct proving {
    struct log_memory *memory;
    struct db *db;
    const struct log_signer *signer;
    const struct log_outside *outside;
    MerkleHash *block;          /* PROVE_BLOCK hashes */
    bool changed;               /* what is remembered */
};

/* The first division whose name does not come before; NULL: none. Under the memory's lock. */
struct log_division *proving_division_from(const struct log_state *state, const char *name);

/* Columns seq, hash, signer_id, signature; NULL: the database did not answer. */
PGresult *proving_signatures(struct proving *proving, const char *division, const uint64_t *seqs, size_t count);
/* Whether the signature of a row is that of who signed then, or of us where it says so. */
bool proving_is_of_its_signer(struct proving *proving, const struct log_division *division, PGresult *result, int row);

/* What was found to be another than it was, as long as it is. */
enum log_verdict proving_suspects(struct proving *proving);
/* Old hashes and signatures, from where the last time ended. */
enum log_verdict proving_reread(struct proving *proving);

#endif
