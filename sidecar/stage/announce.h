/*
 * announce.h: the newest checkpoint of a log, as soon as enough witnesses have cosigned it.
 *
 * Tiles and checkpoints/<size> are published at once: the log's own signature stands in the latter, and it never changes.
 * Which is the newest, the object `checkpoint` says, and that waits for the quorum; it holds the cosignatures that there are
 * by then, and is replaced when more come. Where no witness is configured, the stage of checkpoints puts it itself.
 */
#ifndef SIDECAR_STAGE_ANNOUNCE_H
#define SIDECAR_STAGE_ANNOUNCE_H

#include "stage/worker.h"

/* A division's log has a checkpoint, or a cosignature, more. By any thread. */
void announce_later(struct sidecar *sidecar, const char *division);
/* Whether something is to be announced. */
bool announce_is_due(struct sidecar *sidecar);
/* Our key for a log of this name, as the signer has it, and not as the database says; false: the signer is not open yet. */
bool announce_log_key(struct sidecar *sidecar, const char *origin, NoteKey *key);
/* Announces what can be; -1 when the store or the database did not take part, and it is tried again, else how many. */
int announce(struct worker *worker, struct store *store);
/* At the end. */
void announce_forget(struct sidecar *sidecar);

#endif
