/*
 * prove.h: whether the database extends what was signed and published.
 *
 * Asked whenever a connection or a lease is new, and before each checkpoint. For every division that is remembered:
 *
 *   - it is there, and has as many events as were signed, and as many signatures as were recorded;
 *   - the hashes of its events give the root that was signed: those of the last block are read themselves, those before it
 *     by the roots of their subtrees;
 *   - the last signature is the one that was made, and signatures drawn at random are those of who signed then;
 *   - it extends the newest checkpoint that the store holds under our key.
 *
 * Once an interval old hashes and signatures are read again, all of them if there is time for it, else in turn. What others have
 * signed meanwhile (another sidecar that led) is taken over once it extends what is remembered, and each signature that no
 * checkpoint of ours covers is by a key that is known outside the database (tlog/signers.h). A division of which nothing is
 * remembered is taken in the same way, and from then on remembered.
 */
#ifndef SIDECAR_TLOG_PROVE_H
#define SIDECAR_TLOG_PROVE_H

#include "tlog/proving.h"

/*
 * signer NULL: our key is not known yet, so nothing that other sidecars signed is taken over. Takes the memory's lock for
 * one division after another.
 */
enum log_verdict log_prove(struct log_memory *memory, struct db *db, const struct log_signer *signer, const struct log_outside *outside);

/*
 * Takes a division as it is in the database, in place of what was remembered. False: the database did not answer, or a signature is
 * of none of these; logged. Under the lock.
 */
bool log_adopt(struct log_memory *memory, struct db *db, const struct log_signer *signer, const struct log_signers *signers, struct log_division *division);

#endif
