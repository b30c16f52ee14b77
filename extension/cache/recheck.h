/*
 * recheck.h
 *		Nodes of the adjacency cache whose rows may have changed since.
 */
#ifndef REASON_CACHE_RECHECK_H
#define REASON_CACHE_RECHECK_H

#include "postgres.h"

#include "cache/view.h"

/*
 * Looks the nodes of invalidated blocks up, and sets view->moved.  An erasure changes nothing of a node that is
 * kept here but the place of its row.  False: something else has changed.
 */
extern bool graph_cache_recheck_nodes(GraphCacheView *view);

#endif							/* REASON_CACHE_RECHECK_H */
