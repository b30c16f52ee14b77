/*
 * build.h
 *		Building a generation of the adjacency cache.
 */
#ifndef REASON_CACHE_BUILD_H
#define REASON_CACHE_BUILD_H

#include "postgres.h"

#include "cache/shared.h"

/* Builds a generation for this database in the present transaction and publishes it. */
extern void graph_cache_build(const GraphCacheReservation *reservation);

#endif							/* REASON_CACHE_BUILD_H */
