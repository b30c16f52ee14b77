/*
 * signers.h: keys that are known outside the database.
 *
 * The database's own registry says nothing here: whoever rules it registers keys of his own. A signature counts by a key that
 * this sidecar signs with, that the state remembers, or that stands in the registry that the operator keeps.
 */
#ifndef SIDECAR_TLOG_SIGNERS_H
#define SIDECAR_TLOG_SIGNERS_H

#include "tlog/state.h"

/* Zeroed at first; to be freed by log_signers_free(). */
struct log_signers {
    struct log_key *list;
    size_t count;
};

/* False: out of memory. */
bool log_signers_add(struct log_signers *signers, const char *id, const uint8_t public_key[32]);
/* All that the state has of any division. */
bool log_signers_add_state(struct log_signers *signers, const struct log_state *state);
/* Those of a file for a purpose ("events", "checkpoints"), as reason.signer_registry() gives them; "": none. False after logging why it cannot be read. */
bool log_signers_add_file(struct log_signers *signers, const char *path, const char *purpose);

bool log_signers_know(const struct log_signers *signers, const char *id);
/* The key of this signer that made the signature; NULL: none did. */
const struct log_key *log_signers_who(const struct log_signers *signers, const char *id, const uint8_t hash[32],
                                      const uint8_t signature[LOG_SIGNATURE_LENGTH]);
void log_signers_free(struct log_signers *signers);

#endif
