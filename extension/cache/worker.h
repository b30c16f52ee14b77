/*
 * worker.h
 *		The background worker that builds generations.
 */
#ifndef REASON_CACHE_WORKER_H
#define REASON_CACHE_WORKER_H

#include "postgres.h"

/* Asks for a generation to be built in the background, unless that was tried lately. */
extern void graph_cache_request(void);

#endif							/* REASON_CACHE_WORKER_H */
