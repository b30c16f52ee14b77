/* sidecar.h: what the stages share. */
#ifndef SIDECAR_SIDECAR_H
#define SIDECAR_SIDECAR_H

#include "config.h"
#include "db.h"
#include "metrics.h"
#include "signer/signer.h"
#include "store/store.h"

struct sidecar {
    struct config config;
    struct db db;
    struct signer *signer;
    struct store *store;
    char holder[128];           /* of leases: host and process */
};

/* What a stage did in one turn. */
enum progress { PROGRESS_NONE, PROGRESS_SOME, PROGRESS_FAILED };

/* stage/chain.c: seal events, sign the seals. Needs the lease of duty "seal". */
enum progress stage_chain(struct sidecar *sidecar, const char *token);
/* stage/snapshot.c: sign, store and complete snapshots. Needs the lease of duty "snapshot". */
enum progress stage_snapshot(struct sidecar *sidecar, const char *token);

#endif
