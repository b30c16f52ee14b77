/*
 * recheck.h
 *		Nodes of the adjacency cache whose rows may have changed since.
 */
#ifndef REASON_CACHE_RECHECK_H
#define REASON_CACHE_RECHECK_H

#include "postgres.h"

#include "cache/view.h"

/*
 * Looks the nodes of invalidated blocks up, and sets view->moved.  Erasing a payload changes a row, but of what
 * is kept here only its place; false: something else did change.
 */
extern bool graph_cache_recheck_nodes(GraphCacheView *view);

#endif							/* REASON_CACHE_RECHECK_H */
