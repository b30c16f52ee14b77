/* recover.h: reason-sidecar --recover. */
#ifndef SIDECAR_RECOVER_H
#define SIDECAR_RECOVER_H

#include "stage/worker.h"

/*
 * Without a division: brings back what a restored database has forgotten: segments from the archive, later events from Kafka, documents of
 * complete snapshots from the store. Says what it did, and names what could not be brought back, one "lost: " a line, after
 * which it goes on with what else there is; false when anything was lost. May be repeated.
 *
 * registry_file holds the signers ({"signers": [...]}, as reason.signer_registry() gives) whose signatures count, kept
 * outside of what is recovered; "": those that the database knows, which one that was restored does, and an empty one does not.
 *
 * With a division (else NULL): brings that one into a database that holds others and where its writes rest, from the archive and
 * the store of another cell; registry_file is that of the other cell.
 */
bool recover(struct sidecar *sidecar, const char *registry_file, const char *division);

#endif
