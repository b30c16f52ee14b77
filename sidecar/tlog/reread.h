/* reread.h: old hashes and signatures read again. */
#ifndef SIDECAR_TLOG_REREAD_H
#define SIDECAR_TLOG_REREAD_H

#include "tlog/proving.h"

/* Looks again at what a rereading found altered, for as long as it is. */
enum log_verdict proving_suspects(struct proving *proving);
/* Old hashes and signatures, from where the last time ended. */
enum log_verdict proving_reread(struct proving *proving);

#endif
