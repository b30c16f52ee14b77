/*
 * delta.h
 *		What changed since a generation was built, read and worked in.
 */
#ifndef REASON_CACHE_DELTA_H
#define REASON_CACHE_DELTA_H

#include "postgres.h"

#include "cache/view.h"

/* Reads what changed.  False: something is irregular, walk the indexes. */
extern bool graph_cache_read_delta(GraphCacheView *view);

#endif							/* REASON_CACHE_DELTA_H */
